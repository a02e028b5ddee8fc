/**
 * A server of node:http, or by `--protocol` of node:https or of node:http2 over TLS: to a GET of /N an answer of N bytes, to another one a
 * small one, to a POST the length of its body. `--sockets MODULE` has it serve the connections of that module, such as iouring/net; with `its own` it
 * listens itself. Node and Bun run it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { CERTIFICATE, KEY } from '../../test/net/clients/certificate.ts';
import { option, printLine } from './measurement.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

const HELLO = Buffer.from('Hello');
/** By their paths. */
const bodies = new Map<string, Buffer>();

function bodyAt(path: string): Buffer {
  const bytes = Number(path.slice(1));
  const body = bytes > 0 ? Buffer.alloc(bytes, 'x') : HELLO;
  bodies.set(path, body);
  return body;
}

function answer(response: Response, body: Buffer | string): void {
  // Both have it, and their types differ.
  (response as ServerResponse).writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  (response as ServerResponse).end(body);
}

function serve(request: Request, response: Response): void {
  if (request.method === 'GET') {
    const path = request.url!;
    answer(response, bodies.get(path) ?? bodyAt(path));
    return;
  }
  let length = 0;
  request.on('data', (chunk: Buffer) => (length += chunk.length));
  request.on('end', () => answer(response, `${length}`));
}

const secret = { key: KEY, cert: CERTIFICATE };
const servers: Record<string, () => Server> = {
  http: () => createServer(serve),
  https: () => createHttpsServer(secret, serve),
  h2: () => createSecureServer(secret, serve),
};

const server = servers[option('--protocol')]();
const sockets = option('--sockets');
let listener = server;
if (sockets !== 'its own') {
  const net = (await import(sockets)) as typeof import('node:net');
  // The options that node:http has for its own.
  listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
}
listener.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  printLine({ port: (listener.address() as AddressInfo).port });
});
