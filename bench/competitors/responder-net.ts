/** The tiny TCP responder on the sockets of `--module`: node:net, or iouring/net, which speaks the same. */
import { expectGone } from './gone.ts';
import { expectOneRequest, RESPONSE } from './http.ts';
import { option, printLine } from './measurement.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const server = createServer((socket) => {
  socket.on('data', (chunk) => {
    expectOneRequest(chunk);
    socket.write(RESPONSE);
  });
  socket.on('error', expectGone);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const address = server.address();
  printLine({ port: typeof address === 'object' ? address?.port : undefined });
});
