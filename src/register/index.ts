/**
 * `iouring/register`: puts the ring behind Node's own modules, for a program that is not changed: `node --import
 * iouring/register app.js`. Importing it is what does it; {@link unregister} takes it back. What is replaced, and why,
 * stands in `replacements.ts`.
 *
 * The environment variable `IOURING` chooses: `off`, or a list of `net`, `http`, `dgram`, `fs` and of parts of them.
 * `IOURING_EAGER=1` has sockets on the ring from their first byte on, where by default they are while that pays.
 * `IOURING_REPORT=1` (or `json`) prints at the end, on stderr, what went through the ring and what did not.
 * @example
 * import http from 'node:http';
 * import { unregister } from 'iouring/register';
 *
 * http.createServer((_, response) => response.end('through the ring')).listen(8080);
 * process.once('SIGUSR2', () => unregister());
 */
import modules from 'node:module';
import type { DatagramSide, FileSide, KernelSide, RingSide, SocketSide } from './sides.ts';
import { register } from './start.ts';

export { report, unregister } from './start.ts';
export type { Report, SocketCount } from './report.ts';

// Versions that take this entry can require ES modules.
const require = modules.createRequire(import.meta.url);
register(import.meta.url, {
  sockets: () => require('./socket-side.js') as SocketSide,
  ring: () => require('./ring-side.js') as RingSide,
  datagrams: () => require('./datagram-side.js') as DatagramSide,
  files: () => require('./file-side.js') as FileSide,
  kernel: () => require('./kernel-side.js') as KernelSide,
});
