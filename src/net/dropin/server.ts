import type { Server as NodeServer, ServerOpts } from 'node:net';
import { constructorFunction } from './constructor-function.ts';
import { acceptThroughNode } from './connected.ts';
import { Listening } from './listening.ts';
import { isNative } from './node-internals.ts';
import { node, type ListenPlace, type ServerClass } from './node-net.ts';
import { ringForSockets } from '../transport/ring-or-node.ts';
import { transportOf } from '../transport/transport.ts';

const Base = node.Server as unknown as new () => ServerClass;

/**
 * Where Node would have the native handle of a server listen, connections are accepted by the ring. What `listen` is
 * given, what is looked up, shared in a cluster or refused, is Node's to do.
 * @param listen Node's own `_listen2`
 */
export function listenThroughRing(
  server: ServerClass,
  place: ListenPlace,
  listen: (...place: ListenPlace) => void,
): void {
  const io = ringForSockets();
  const [bound, address, addressType] = server._handle === null && io !== undefined ? bind(place)
    : [server._handle, place[0], place[2]];
  const isOurs = io !== undefined && typeof bound === 'object' && bound !== null && isNative(bound);
  const listening = isOurs ? new Listening(server, transportOf(io), bound) : undefined;
  if (isOurs) {
    server._handle = bound;
    listening!.takeOver();
  }
  // If it could not be bound Node tries again, and tells why not.
  listen(address, place[1], addressType, place[3], place[4], place[5]);
  acceptThroughNode(server);
  listening?.expect(server._handle?.onconnection);
}

/** The methods of `net.Server` that are not Node's. */
class ServerMethods extends Base {
  override _listen2(...place: ListenPlace): void {
    listenThroughRing(this, place, (...bound) => super._listen2(...bound));
  }
}

/** A handle that is bound as Node binds it when nothing is said of the address; or -errno. And to what. */
function bind([address, port, addressType, , fd, flags]: ListenPlace): [
  handle: ServerClass['_handle'] & object | number,
  address: string | null,
  addressType: number | null,
] {
  if (!address && typeof fd !== 'number') {
    const both = node._createServerHandle('::', port, 6, fd, flags);
    if (typeof both !== 'number') return [both, '::', 6];
    return [node._createServerHandle('0.0.0.0', port, 4, fd, flags), '0.0.0.0', 4];
  }
  return [node._createServerHandle(address, port, addressType, fd, flags), address, addressType];
}

/**
 * `net.Server` on the ring. An instance of Node's class as well; arguments, events and errors are Node's. Where there
 * is no ring when it begins to listen, it is Node's altogether.
 */
export const Server: typeof node.Server = constructorFunction(
  node.Server,
  ServerMethods as unknown as typeof node.Server,
  function init(this: NodeServer, options?: ServerOpts | (() => void), listener?: () => void): void {
    Reflect.apply(node.Server, this, [options, listener]);
  },
);
