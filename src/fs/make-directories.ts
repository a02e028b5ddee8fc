import { ENOENT } from '../abi/errno.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { PlainPath } from './plain-arguments.ts';

/**
 * Make a directory and those above it that are missing: like `mkdir -p`. Where something is in the way, and where the
 * path has parts that make its words differ from what they name, the answer is Node's: to ask again changes nothing.
 * @returns the first that was made; undefined if all were there
 */
export async function makeDirectories(
  io: Reactor,
  path: PlainPath,
  mode: number,
  byNode: () => Promise<string | undefined>,
): Promise<string | undefined> {
  if (typeof path !== 'string' || !isClean(path)) return byNode();
  const missing: string[] = [];
  let made: string | undefined;
  let next = path;
  for (;;) {
    try {
      await io.mkdir(next, mode);
      made ??= next;
    } catch (error) {
      const above = next.lastIndexOf('/');
      // Upwards as long as nothing was made.
      if ((error as NodeJS.ErrnoException).errno !== -ENOENT || made !== undefined || above <= 0) return byNode();
      missing.push(next);
      next = next.slice(0, above);
      continue;
    }
    const below = missing.pop();
    if (below === undefined) return made;
    next = below;
  }
}

/** Without empty parts, `.` and `..`. */
function isClean(path: string): boolean {
  return !/(?:^|\/)\.{0,2}(?:\/|$)/.test(path.startsWith('/') ? path.slice(1) : path);
}
