/** Ends the program unless the peer has just gone: load generators reset their connections when they have finished. */
export function expectGone(error: Error): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ECONNRESET' && code !== 'EPIPE') {
    console.error(error);
    process.exit(1);
  }
}
