/** Sends back what comes, on the sockets of `--module`: node:net, or iouring/net, which speaks the same. */
import type { AddressInfo } from 'node:net';
import { expectGone } from './gone.ts';
import { option, printLine } from './measurement.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', expectGone);
});
server.listen({ host: '127.0.0.1', port: 0 }, () => printLine({ port: (server.address() as AddressInfo).port }));
