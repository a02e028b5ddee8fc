/** Where a server listens, and a client connects to: a path, which is `--unix`, or else TCP over loopback. */
import type { AddressInfo, Server } from 'node:net';
import { find, option, printLine } from './measurement.ts';

const HOST = '127.0.0.1';
const BACKLOG = 1024;
const unix = find('--unix');

/** Has a server of node:net, or of iouring/net, listen, and prints where. The kernel chooses a port. */
export function listen(server: Server): void {
  const address = unix === undefined ? { host: HOST, port: 0 } : { path: unix };
  server.listen({ ...address, backlog: BACKLOG }, () => {
    const address = server.address();
    printLine(unix === undefined ? { port: (address as AddressInfo).port } : { unix });
  });
}

/** Where a lean listener listens. */
export const leanAddress: { unix: string } | { hostname: string; port: number; backlog: number } = unix === undefined
  ? { hostname: HOST, port: 0, backlog: BACKLOG } : { unix };

/** Prints where it does. */
export function printLean({ port }: { readonly port?: number | undefined }): void {
  printLine(unix === undefined ? { port } : { unix });
}

/** Where a server listens that has said so: what the `connect` of node:net, or of iouring/net, is to be told. */
export function serverAddress(): { path: string } | { host: string; port: number } {
  return unix === undefined ? { host: HOST, port: Number(option('--port')) } : { path: unix };
}

/** The same for the lean one. */
export function leanServerAddress(): { unix: string } | { hostname: string; port: number } {
  return unix === undefined ? { hostname: HOST, port: Number(option('--port')) } : { unix };
}
