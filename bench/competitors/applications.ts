/**
 * Applications as most people write them; nothing in this file knows of this package, which comes by NODE_OPTIONS or not at all. `--app NAME`
 * says which: servers print their port. `cluster` has two workers.
 */
import cluster from 'node:cluster';
import { createServer, request, Agent, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { option, printLine } from './measurement.ts';

const LISTEN = { host: '127.0.0.1', port: 0, backlog: 1024 };
const WORKERS = 2;

/** To a GET a small answer, to a POST the length of its body. */
const hello: RequestListener = (incoming, response) => {
  if (incoming.method !== 'POST') return void response.end('Hello');
  let length = 0;
  incoming.on('data', (chunk: Buffer) => (length += chunk.length));
  return void incoming.on('end', () => response.end(`${length}`));
};

const APPLICATIONS: Record<string, () => Promise<Server> | Server> = {
  http: () => createServer(hello),
  async express() {
    const { default: express } = await import('express');
    return createServer(express().get('/', (_, response) => void response.send('Hello')));
  },
  async fastify() {
    const { fastify } = await import('fastify');
    const app = fastify();
    app.get('/', () => 'Hello');
    await app.ready();
    return app.server;
  },
  async hono() {
    const { createAdaptorServer } = await import('@hono/node-server');
    const { Hono } = await import('hono');
    return createAdaptorServer({ fetch: new Hono().get('/', (context) => context.text('Hello')).fetch }) as Server;
  },
  async koa() {
    const { default: Koa } = await import('koa');
    return createServer(new Koa().use((context) => void (context.body = 'Hello')).callback());
  },
  async ws() {
    const { WebSocketServer } = await import('ws');
    const server = createServer();
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    return server;
  },
  /** In by node:http, out by an agent that keeps connections, to `--upstream PORT`. */
  proxy() {
    const port = Number(option('--upstream'));
    const agent = new Agent({ keepAlive: true });
    return createServer((incoming, response) => {
      const answered = (answer: IncomingMessage): void =>
        void answer.pipe(response.writeHead(answer.statusCode!, answer.headers));
      incoming.pipe(request({ host: '127.0.0.1', port, agent, path: incoming.url, method: incoming.method }, answered));
    });
  },
};

const name = option('--app');
if (name === 'cluster' && cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_, { port }) => {
    if (++listening === WORKERS) printLine({ port });
  });
  for (let i = 0; i < WORKERS; i++) cluster.fork();
} else {
  const server = await APPLICATIONS[name === 'cluster' ? 'http' : name]();
  server.listen(LISTEN, () => {
    if (cluster.isPrimary) printLine({ port: (server.address() as AddressInfo).port });
  });
}
