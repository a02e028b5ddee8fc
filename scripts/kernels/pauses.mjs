/** How often this looks. */
const STEP_MS = 250;
/** A pause that tests with a time limit may not survive. */
const LONG_MS = 3000;

/**
 * Watch whether this program stands still for long: a virtual machine does when its host is busy, and so does whatever is stopped for a
 * measurement. Tests that have a time limit fail then, and say nothing of what they test.
 * @returns to be called in the end: was there a long pause?
 */
export function watchPauses() {
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, STEP_MS);
  return () => {
    clearInterval(timer);
    look();
    return longest > LONG_MS;
  };
}
