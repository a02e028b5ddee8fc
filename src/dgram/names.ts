/** Every name of `iouring/dgram`. */
import node from 'node:dgram';
import { createSocket as createUdpSocket, UdpSocket } from '../net/udp/udp-socket.ts';

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
