/**
 * What the applications of this folder have in common: each listens, sends its port to the test, and ends when it is
 * told to. The events of its server and its sockets are told to the test in their order.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const LARGE = 'large '.repeat(20_000);

/** Have it listen, and tell what happens to it. */
export function serve(server: Server): void {
  let connections = 0;
  const say = (...words: unknown[]): void => void process.send!(words.join(' '));
  server.on('connection', (socket) => {
    const name = `#${connections++}`;
    say(name, 'connection', socket.remoteAddress, socket.localFamily, socket.timeout, socket.readyState);
    // Before node:http hears of it. Where the server has ended already, whether the end comes before it closes is a
    // matter of chance.
    socket.prependListener('end', () => socket.writableEnded || say(name, 'end', socket.bytesRead));
    socket.on('error', (error: NodeJS.ErrnoException) => say(name, 'error', error.code, error.message));
    socket.on(
      'close',
      (hadError) => say(name, 'close', hadError, socket.bytesRead, socket.bytesWritten, socket.destroyed),
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    say('clientError', error.code, error.message);
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  server.on('checkContinue', (request, response) => {
    say('checkContinue', request.url);
    response.writeContinue();
    server.emit('request', request, response);
  });
  // Of those that keep the connection, or wait for an upgrade, none keeps the test.
  server.keepAliveTimeout = 100;
  server.on('close', () => say('closed', server.listening));
  server.listen(0, '127.0.0.1', () => {
    const { family, port } = server.address() as AddressInfo;
    process.send!({ family, port });
  });
  process.once('message', () => {
    server.close(() => process.disconnect());
    server.closeAllConnections();
  });
}
