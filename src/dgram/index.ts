/**
 * `iouring/dgram`: `node:dgram` through the ring. Change one import; names, arguments, results, events and errors stay
 * the same. A socket goes through the ring while many datagrams come at a time; the environment variable
 * `IOURING_EAGER=1` has it so always. Where there is no io_uring, all of it is Node's.
 * @example
 * import { createSocket } from 'iouring/dgram'; // was: 'node:dgram'
 *
 * const socket = createSocket('udp4');
 * socket.on('message', (message) => console.log(`${message}`)).bind(9000);
 */
import { requireRingFrom } from '../net/ring-when-needed.ts';

requireRingFrom(import.meta.url);

export * from './names.ts';
export { default } from './names.ts';
