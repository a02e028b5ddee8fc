/** Sends a byte to whoever connects and ends its side, on the sockets of `--module`: node:net, or iouring/net. */
import { listen } from './address.ts';
import { expectGone } from './gone.ts';
import { option } from './measurement.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const server = createServer((socket) => {
  socket.on('error', expectGone);
  // Without a reader there is no end.
  socket.resume();
  socket.end('!');
});
listen(server);
