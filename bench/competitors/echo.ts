/** Sends back what comes, on the sockets of `--module`: node:net, or iouring/net, which speaks the same. */
import { listen } from './address.ts';
import { expectGone } from './gone.ts';
import { option } from './measurement.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', expectGone);
});
listen(server);
