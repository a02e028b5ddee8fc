/** The tiny TCP responder on node:net. */
import { createServer } from 'node:net';
import { expectOneRequest, RESPONSE } from './http.ts';
import { printLine } from './measurement.ts';

const server = createServer((socket) => {
  socket.on('data', (chunk) => {
    expectOneRequest(chunk);
    socket.write(RESPONSE);
  });
  // The load generator resets its connections when it has finished.
  socket.on('error', () => socket.destroy());
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const address = server.address();
  printLine({ port: typeof address === 'object' ? address?.port : undefined });
});
