// Only compiled: the module and its classes can stand where Node's stand, and the other way round.
import http from 'node:http';
import type * as nodeDgram from 'node:dgram';
import type * as node from 'node:net';
import tls from 'node:tls';
import * as namedHttp from '../../src/http/index.ts';
import type * as typesOfHttp from '../../src/http/types.ts';
import type * as typesOfDgram from '../../src/dgram/types.ts';
import type * as types from '../../src/net/types.ts';
import * as namedDgram from '../../src/dgram/index.ts';
import * as named from '../../src/net/index.ts';
import dgram, { createSocket, Socket as UdpSocket } from '../../src/dgram/index.ts';
import ours, { connect, createServer, Socket, type Server } from '../../src/net/index.ts';
import { connect as connectLean, listen, type LeanSocket } from '../../src/socket/index.ts';

/** Compiles only if the one can stand for the other. */
const stands = <T>(value: T): T => value;

type Module = typeof node;
stands<Omit<Module, 'default'>>(ours);
stands<Omit<Module, 'default'>>(named);

// The types that are published are of what there is.
stands<typeof types>(named);
stands<typeof typesOfDgram>(namedDgram);
stands<typeof typesOfHttp>(namedHttp);

/** And the other way round, but for what `connect` can do here besides. */
export const back = (module: Module): Omit<typeof ours, 'connect' | 'default'> => module;

export async function sockets(nodes: node.Socket, servers: node.Server): Promise<void> {
  stands<node.Socket>(new Socket());
  stands<Socket>(nodes);
  stands<Server>(servers);
  stands<node.Server>(createServer((socket) => stands<node.Socket>(socket)));
  stands<node.Socket>(connect(80, 'host'));
  stands<node.Socket>(connect({ port: 80 }, () => {}));
  stands<node.Socket>(connect('/path'));
  stands<node.Socket>(ours.createConnection({ path: '/path' }));
  const lean = await connectLean({ port: 80, socket: { data: (socket, data) => void socket.write(data) } });
  stands<LeanSocket>(lean);
  listen({ socket: {} }).stop();
  // For one version.
  stands<LeanSocket>(await connect({ unix: '/path', socket: { data: (socket, data) => void socket.write(data) } }));
  stands<node.Socket>(connect({ port: 80, socket: { data: 1 } } as node.NetConnectOpts));
  stands<nodeDgram.Socket>(createSocket('udp4', (message) => stands<Buffer>(message)));
  stands<nodeDgram.Socket>(new UdpSocket({ type: 'udp6', reuseAddr: true }));
  stands<Omit<typeof nodeDgram, 'default' | 'Socket'>>(dgram);
  http.request({ createConnection: (options) => connect(options as node.NetConnectOpts) });
  tls.connect({ socket: new Socket() });
  http.createServer().emit('connection', new Socket());
  stands<named.ListenOptions>({ port: 1, exclusive: true });
  class Derived extends Socket {
    own = 1;
  }
  stands<node.Socket>(new Derived());
  // @ts-expect-error -- as of Node's: there is no such event
  stands<number>(new Socket().write('x'));
}
