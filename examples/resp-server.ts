/**
 * A server that speaks the protocol of Redis, on iouring/socket: strings, counters and times to live, with every
 * Redis client. `node resp-server.js [--port 6379] [--host 127.0.0.1] [--unix PATH] [--maxclients 10000]`; SIGTERM or SIGINT end it.
 *
 *     redis-cli -p 6379 SET greeting hello
 *     redis-benchmark -p 6379 -t set,get,incr -n 1000000 -c 50 -P 16
 *
 * What makes it quick: requests are parsed where the kernel has put them; the replies to all requests that came together are one
 * write; a client that does not take its replies is not read from until it does.
 */
import { parseArgs } from 'node:util';
import { listen } from 'iouring/socket';
import type { ServerInfo } from './resp/commands.ts';
import { Connection } from './resp/connection.ts';
import { Keyspace } from './resp/keyspace.ts';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '6379' },
    host: { type: 'string', default: '127.0.0.1' },
    unix: { type: 'string' },
    maxclients: { type: 'string', default: '10000' },
  },
});
const clientsMax = Number(options.maxclients);

const keyspace = new Keyspace();
const server: ServerInfo = {
  parameters: { version: '7.0.0', save: '', appendonly: 'no', maxclients: options.maxclients, port: options.port },
  startedAt: Date.now(),
  get clients() {
    return listener.connections;
  },
  requests: 0,
};

const listener = listen<Connection | undefined>({
  ...(options.unix === undefined ? { hostname: options.host, port: Number(options.port) } : { unix: options.unix }),
  // A client that ends its side after its requests still gets the replies.
  allowHalfOpen: true,
  socket: {
    open(socket) {
      if (listener.connections <= clientsMax) socket.data = new Connection(socket, keyspace, server);
      else socket.end('-ERR max number of clients reached\r\n');
    },
    data: (socket, data) => socket.data?.received(data),
    drain: (socket) => socket.data?.drained(),
    end: (socket) => (socket.data === undefined ? socket.end() : socket.data.ended()),
    // Whoever has gone is gone: close follows.
    error() {},
  },
});
console.log(`listening on ${listener.unix ?? listener.port}`);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    listener.stop(true);
    keyspace.close();
  });
}
