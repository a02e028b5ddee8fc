import type { Server as NodeServer, ServerOpts } from 'node:net';
import { haveOurSockets } from './connected.ts';
import { constructorFunction } from './constructor-function.ts';
import { node, type ListenPlace, type ServerClass } from './node-net.ts';

const Base = node.Server as unknown as new () => ServerClass;

/** The methods of `net.Server` that are not Node's. */
class ServerMethods extends Base {
  override _listen2(...place: ListenPlace): void {
    super._listen2(...place);
    haveOurSockets(this);
  }
}

/**
 * `net.Server`, whose connections go through the ring when that pays. An instance of Node's class as well; arguments,
 * events and errors are Node's.
 */
export const Server: typeof node.Server = constructorFunction(
  node.Server,
  ServerMethods as unknown as typeof node.Server,
  function init(this: NodeServer, options?: ServerOpts | (() => void), listener?: () => void): void {
    Reflect.apply(node.Server, this, [options, listener]);
  },
);
