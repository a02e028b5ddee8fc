/** The types of the default export of `iouring/dgram`: those of `node:dgram`, but for what stands here. */
import type { Socket as NodeSocket } from 'node:dgram';
import type { createSocket as createUdpSocket, UdpSocket } from '../net/udp/udp-socket.ts';

export * from 'node:dgram';
export declare const createSocket: typeof createUdpSocket & typeof import('node:dgram').createSocket;
export declare const Socket: typeof UdpSocket;
export type Socket = NodeSocket;
