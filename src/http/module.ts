import http, {
  type Agent as NodeAgent,
  type ClientRequest,
  type RequestOptions,
  type Server as NodeServer,
} from 'node:http';
import type { Socket } from 'node:net';
import { imitate } from '../native/imitate.ts';
import { constructorFunction } from '../net/dropin/constructor-function.ts';
import { createConnection } from '../net/module.ts';
import { isBuiltAsNode, type ListenPlace, type ServerClass } from '../net/dropin/node-net.ts';
import { haveOurSockets } from '../net/dropin/connected.ts';

/** Node's own module as it is when this one is loaded. */
const { Agent: BaseAgent, Server: BaseServer, request: requestOfNode } = http;
const isOurs = isBuiltAsNode();

class ServerMethods extends (BaseServer as unknown as new () => ServerClass) {
  override _listen2(...place: ListenPlace): void {
    super._listen2(...place);
    haveOurSockets(this);
  }
}

/** `http.Server`, whose connections go through the ring when that pays. An instance of Node's class as well. */
const RingServer = constructorFunction(
  BaseServer,
  ServerMethods as unknown as typeof BaseServer,
  function init(this: NodeServer, options?: object, listener?: () => void): void {
    Reflect.apply(BaseServer, this, [options, listener]);
  },
);

/** Versions differ in what they say of it. */
declare class AgentClass {
  createConnection(...args: unknown[]): Socket;
}

class AgentMethods extends (BaseAgent as unknown as typeof AgentClass) {
  override createConnection(...args: unknown[]): Socket {
    // A proxy is for Node to talk to.
    return hasProxy(this) ? super.createConnection(...args) : Reflect.apply(createConnection, undefined, args);
  }
}

function hasProxy(agent: object): boolean {
  const symbol = Object.getOwnPropertySymbols(agent).find(({ description }) => description === 'kProxyConfig');
  return symbol !== undefined && Boolean((agent as Record<symbol, unknown>)[symbol]);
}

const RingAgent = constructorFunction(
  BaseAgent,
  AgentMethods as unknown as typeof BaseAgent,
  function init(this: NodeAgent, options?: object): void {
    Reflect.apply(BaseAgent, this, [options]);
  },
);

export const Server: typeof BaseServer = isOurs ? RingServer : BaseServer;
export const Agent: typeof BaseAgent = isOurs ? RingAgent : BaseAgent;

export const createServer = function createServer(options?: object, listener?: () => void): NodeServer {
  return new Server(options!, listener);
} as typeof http.createServer;

type Answer = (response: http.IncomingMessage) => void;
type Input = string | URL | RequestOptions;

/** As `http.request`, with our agent where none is chosen. */
export const request = function request(input: Input, options?: RequestOptions | Answer, done?: Answer): ClientRequest {
  const isPlace = typeof input === 'string' || input instanceof URL;
  if (isPlace) {
    return typeof options === 'function' ? requestOfNode(input, ours(), options)
      : requestOfNode(input, ours(options), done);
  }
  return requestOfNode(ours(input), options as Answer | undefined);
} as typeof http.request;

export const get = function get(...args: Parameters<typeof request>): ClientRequest {
  const outgoing = request(...args);
  outgoing.end();
  return outgoing;
} as typeof http.get;

/** Options that say which agent is the default one, as node:https says it. Node takes what is the options' own. */
function ours(options?: RequestOptions | null): RequestOptions {
  const own: RequestOptions & { _defaultAgent: NodeAgent } = { ...options, _defaultAgent: module.globalAgent };
  return own;
}

imitate(get, http.get);

const throughRing = {
  Agent,
  Server,
  createServer,
  get,
  globalAgent: new Agent({ ...(http.globalAgent as unknown as { options: object }).options }),
  request,
};

/**
 * Every name that `node:http` has in this version of Node; those that stand here go through the ring. Node makes some
 * when they are asked for.
 */
export const module: typeof http = Object.defineProperties({} as typeof http, {
  ...Object.getOwnPropertyDescriptors(http),
  ...Object.getOwnPropertyDescriptors(throughRing),
});
