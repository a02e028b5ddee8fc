import { channel } from '../../native/node-hooks.ts';
import type { SocketConstructorOpts } from 'node:net';
import { node, type NameOf, type NativeHandle, type ServerClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { isRegistered, register } from './prototypes.ts';
import { acceptHandle, announced } from './socket.ts';
import { worth } from './worth.ts';

const accepted = channel('net.server.socket');

type Options = SocketConstructorOpts & { pauseOnCreate: boolean };

/**
 * Have the sockets of a server that listens be ours. It is Node that listens and accepts: a short connection gains
 * nothing from the ring, and one that lasts goes through it when that pays.
 * @param isWanted is asked at each: where it says no, the socket is Node's
 */
export function haveOurSockets(server: ServerClass, isWanted = () => true): void {
  const handle = server._handle;
  const onconnection = handle?.onconnection;
  if (handle === null || onconnection === undefined) return;
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined || !isWanted()) onconnection.call(handle, status, client);
    else connected(server, client);
  };
}

/**
 * The same for a server whose sockets are to be of Node's class: Node makes them, unless each is to go through the ring
 * from its first byte on.
 */
export function haveNodesSockets(server: ServerClass): void {
  register(server);
  if (worth.writes === 0) haveOurSockets(server, () => isRegistered(server));
}

/** Does with a connection as Node does. */
function connected(server: ServerClass, client: NativeHandle): void {
  if (isFull(server)) return drop(server, client);
  if (server.blockList !== undefined && client.getpeername !== undefined && isBlocked(server.blockList, client)) {
    return client.close();
  }
  const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
  const options = ownOptions({
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
  } as Options);
  const socket = acceptHandle(client, options, (made) => {
    if (server.noDelay) made.setNoDelay(true);
    if (server.keepAlive) made.setKeepAlive(true, server.keepAliveInitialDelay * 1000);
  });
  server._connections++;
  Object.assign(socket, { server, _server: server });
  try {
    server.emit('connection', socket);
  } finally {
    announced(socket);
  }
  if (accepted.hasSubscribers) accepted.publish({ socket });
}

function drop(server: ServerClass, client: NativeHandle): void {
  if (client.getpeername === undefined) {
    server.emit('drop');
  } else {
    const [local, remote] = [nameOf(client, 'getsockname'), nameOf(client, 'getpeername')];
    const data = {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    };
    server.emit('drop', Object.assign(Object.create(null) as object, data));
  }
  client.close();
}

function nameOf(client: NativeHandle, end: 'getsockname' | 'getpeername'): NameOf {
  const out: NameOf = {};
  client[end]?.(out);
  return out;
}

function isFull({ maxConnections, _connections }: ServerClass): boolean {
  if (maxConnections === undefined || maxConnections === null) return false;
  if (maxConnections === 0 && !isZeroNone()) return false;
  return _connections >= maxConnections;
}

let zeroIsNone: boolean | undefined;

/** A server that `iouring/register` takes for nobody's: it does as Node's do. */
class Probe extends node.Server {}

/**
 * Does a maximum of 0 mean none, or any number as it once did? Node is asked: with a server that has nothing under it.
 */
function isZeroNone(): boolean {
  if (zeroIsNone !== undefined) return zeroIsNone;
  const nothing = { reading: false, listen: () => 0, readStart: () => 0, close() {} };
  const handle: NativeHandle = { ...nothing };
  const server = new Probe() as unknown as ServerClass;
  server.maxConnections = 0;
  server._handle = handle;
  server._listen2(null, null, null, 0, undefined, undefined);
  let dropped = false;
  server.on('drop', () => (dropped = true));
  handle.onconnection!(0, { ...nothing });
  return (zeroIsNone = dropped);
}

function isBlocked(blockList: NonNullable<ServerClass['blockList']>, client: NativeHandle): boolean {
  const { address = '' } = nameOf(client, 'getpeername');
  const version = node.isIP(address);
  return version !== 0 && blockList.check(address, `ipv${version}`);
}
