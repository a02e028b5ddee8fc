/**
 * `iouring/net`: `node:net` through the ring. Change one import; names, arguments, results, events and errors stay the
 * same. Node listens, accepts and connects, and a connection goes through the ring while that pays: `docs/net.md` says
 * when, and the environment variable `IOURING_EAGER=1` has it always. What has nothing to do with the ring is Node's:
 * see `passed-through.ts`. Where there is no io_uring, everything is.
 * @example
 * import { createServer } from 'iouring/net'; // was: 'node:net'
 *
 * createServer((socket) => socket.end('hello')).listen(8080);
 */
import { requireRingFrom } from './ring-when-needed.ts';

requireRingFrom(import.meta.url);

export * from './names.ts';
export { default } from './names.ts';
