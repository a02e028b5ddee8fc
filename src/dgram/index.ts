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
import node from 'node:dgram';
import { ring } from '../net/udp/ring-side.ts';
import { ringSide } from '../net/udp/ring-when-needed.ts';
import { createSocket as createUdpSocket, UdpSocket } from '../net/udp/udp-socket.ts';

ringSide.loadBy(() => ring);

type Dgram = typeof node;
/** A name that not every version of Node has, or that its types do not have. */
const ofNode = (name: string): unknown => (node as unknown as Record<string, unknown>)[name];

/** As `dgram.createSocket`: a {@link UdpSocket}. @throws {TypeError|RangeError} as Node */
export const createSocket = createUdpSocket as typeof createUdpSocket & Dgram['createSocket'];

/** Every name that `node:dgram` has in this version of Node; those that stand here go through the ring when it pays. */
const dgram: Omit<Dgram, 'createSocket' | 'Socket'> & { createSocket: typeof createSocket; Socket: typeof UdpSocket } =
  {
    ...node,
    createSocket,
    Socket: UdpSocket,
  };

export default dgram;
export { UdpSocket as Socket };
/** Node's own, as far as it has it. */
export const _createSocketHandle: unknown = ofNode('_createSocketHandle');
export type { UdpSocketOptions } from '../net/udp/udp-socket.ts';
export type { BindOptions, RemoteInfo, SocketOptions, SocketType } from 'node:dgram';
