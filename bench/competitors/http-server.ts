/**
 * A server of node:http: a small answer to a GET, the length of the body to a POST. `--sockets iouring/net` has it serve the
 * connections of that module; with its own ones it listens itself. Node and Bun run it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { option, printLine } from './measurement.ts';

function answer(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
}

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  if (request.method === 'GET') {
    answer(response, 'Hello');
    return;
  }
  let length = 0;
  request.on('data', (chunk: Buffer) => (length += chunk.length));
  request.on('end', () => answer(response, `${length}`));
});

const sockets = option('--sockets');
let listener: Server = server;
if (sockets === 'iouring/net') {
  const net = (await import(sockets)) as typeof import('node:net');
  // The options that node:http has for its own.
  listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
}
listener.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  printLine({ port: (listener.address() as AddressInfo).port });
});
