/** Sends a byte to whoever connects and ends its side, on the sockets of `--module`: node:net, or iouring/net. */
import type { AddressInfo } from 'node:net';
import { expectGone } from './gone.ts';
import { option, printLine } from './measurement.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const server = createServer((socket) => {
  socket.on('error', expectGone);
  // Without a reader there is no end.
  socket.resume();
  socket.end('!');
});
const address = { host: '127.0.0.1', port: 0, backlog: 1024 };
server.listen(address, () => printLine({ port: (server.address() as AddressInfo).port }));
