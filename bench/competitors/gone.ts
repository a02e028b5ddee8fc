/**
 * Ends the program unless the peer has just gone: load generators reset their connections when they have finished, and leave the last
 * datagram to nobody, of which Bun tells.
 */
export function expectGone(error: Error): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ECONNRESET' && code !== 'EPIPE' && code !== 'ECONNREFUSED') {
    console.error(error);
    process.exit(1);
  }
}
