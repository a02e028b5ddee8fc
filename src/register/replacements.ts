/**
 * What `iouring/register` replaces in Node's own modules: all of it stands in this table, and no other file replaces anything.
 *
 * Classes are never replaced, for node:http, node:tls and node:net itself hold the originals; methods of their prototypes are. Those
 * reach TLS, HTTP/2 and child processes as well, so each looks at the class that it is called on, and leaves alone what is not its own.
 */
import dgram from 'node:dgram';
import fsPromises from 'node:fs/promises';
import type * as http from 'node:http';
import modules from 'node:module';
import net from 'node:net';
import { createSocket } from '../dgram/index.ts';
import { promises as ringPromises } from '../fs/promises.ts';
import { isBuiltAsNode, type ListenPlace, type ServerClass } from '../net/node-net.ts';
import { listenThroughRing } from '../net/server.ts';
import { adopt } from '../net/socket.ts';
import type { Part } from './parts.ts';

/** A function of Node's, or what stands in its place. */
export type Call = (...args: never[]) => unknown;

/** One function that is replaced. */
export interface Replacement {
  /** The word of IOURING that turns it on. */
  readonly part: Part;
  /** The function, as one writes it in a program. */
  readonly name: string;
  /** Why it is this one that is replaced. */
  readonly reason: string;
  /** What it relies on in Node. */
  readonly needs: string;
  /** Is it on when IOURING is not set? Only what was measured never to be slower is. */
  readonly isDefault: boolean;
  readonly owner: object;
  readonly key: string;
  /** In which way this Node looks otherwise than it is expected to; undefined if it does not. */
  misfit(): string | undefined;
  /** @param isOn is false when the registration was taken back; `original` is called then */
  replace(original: Call, isOn: () => boolean): Call;
}

const NOT_AS_NODE = 'sockets of this runtime are not built as Node’s';
const LISTEN = 'net.Server.prototype._listen2';
/** How many arguments Node gives it, in all versions. */
const LISTEN_ARGUMENTS = 6;

/** A row for the servers that `isOurs` knows. */
function servers(part: Part, reason: string, isOurs: (server: ServerClass) => boolean): Replacement {
  return {
    part,
    name: LISTEN,
    reason,
    needs: 'every listen() ends in it, called on the server itself, when the address is known',
    isDefault: false,
    owner: net.Server.prototype,
    key: '_listen2',
    misfit: () => (isBuiltAsNode() ? misfitOfLength(net.Server.prototype, '_listen2', LISTEN_ARGUMENTS) : NOT_AS_NODE),
    replace(original, isOn) {
      const listen = original as unknown as (this: ServerClass, ...place: ListenPlace) => void;
      return function _listen2(this: ServerClass, ...place: ListenPlace): void {
        if (!isOn() || !isOurs(this)) listen.apply(this, place);
        else listenThroughRing(this, place, (...bound) => listen.apply(this, bound));
      };
    },
  };
}

/** Does the function take another number of arguments than Node gives it? */
function misfitOfLength(owner: object, key: string, expected: number): string | undefined {
  const { length } = (owner as Record<string, { length: number }>)[key];
  return length === expected ? undefined : `${key} takes ${length} arguments and not ${expected}`;
}

let httpServer: typeof http.Server | undefined;

/** Is it a server of node:http? Of node:https and node:http2 are other classes. */
function isHttpServer(server: object): boolean {
  // Loaded when it is wanted: whoever listens with such a server has loaded it.
  httpServer ??= (modules.createRequire(process.execPath)('node:http') as typeof http).Server;
  return server instanceof httpServer;
}

/** Is it a server that `net.createServer` makes, and of no class that extends it? */
function isPlainServer(server: ServerClass): boolean {
  return Object.getPrototypeOf(server) === net.Server.prototype && !server.listeners('connection').some(isOfCluster);
}

/**
 * The primary process of a cluster makes a server by `net.createServer(assert.fail)`, and takes its handle: a socket that was made of one of
 * its connections would be the end of the process.
 */
function isOfCluster({ name }: { name: string }): boolean {
  return name === 'fail';
}

const CLIENTS: Replacement = {
  part: 'net',
  name: 'net.Socket.prototype.connect',
  reason: 'net.connect, fetch, the agents of node:http and database drivers come through it, whenever they took their functions',
  needs: 'a socket that connects has no handle before, and keeps `onread` under the symbol kBuffer',
  isDefault: false,
  owner: net.Socket.prototype,
  key: 'connect',
  misfit() {
    if (!isBuiltAsNode()) return NOT_AS_NODE;
    const socket = new net.Socket();
    return userBuffer(socket) === null ? undefined : 'a new socket has no symbol kBuffer';
  },
  replace(original, isOn) {
    const connect = original as unknown as (this: net.Socket, ...args: unknown[]) => unknown;
    return function (this: net.Socket, ...args: unknown[]): unknown {
      if (!isOn() || !isPlainSocket(this)) return connect.apply(this, args);
      adopt(this);
      return this.connect(...(args as Parameters<net.Socket['connect']>));
    };
  },
};

/** Is it a socket of the very class, not of TLS or another that extends it, with nothing under it and no memory of the user's? */
function isPlainSocket(socket: net.Socket): boolean {
  return Object.getPrototypeOf(socket) === net.Socket.prototype && hasNoHandle(socket) && userBuffer(socket) === null;
}

function hasNoHandle(socket: net.Socket): boolean {
  return ((socket as unknown as { _handle: unknown })._handle ?? null) === null;
}

let kBuffer: symbol | undefined;

/** What node:net keeps of a socket's `onread`: null if there is none. */
function userBuffer(socket: net.Socket): unknown {
  kBuffer ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer');
  return kBuffer === undefined ? undefined : (socket as unknown as Record<symbol, unknown>)[kBuffer];
}

const DATAGRAMS: Replacement = {
  part: 'dgram',
  name: 'dgram.createSocket',
  reason: 'UDP sockets are made by it; those of `new dgram.Socket()` stay Node’s',
  needs: 'what iouring/dgram needs: a handle that is kept under a symbol',
  isDefault: false,
  owner: dgram,
  key: 'createSocket',
  misfit: () => (isBuiltAsNode() ? undefined : NOT_AS_NODE),
  replace(original, isOn) {
    return (...args) => (isOn() ? (createSocket as unknown as Call) : original)(...args);
  },
};

/** A row for a function of node:fs/promises. The callbacks and streams of node:fs are to follow. */
function file(name: string): Replacement {
  return {
    part: 'fs',
    name: `fs.promises.${name}`,
    reason: 'the ring has an operation for it',
    needs: 'fs.promises is an ordinary object',
    isDefault: false,
    owner: fsPromises,
    key: name,
    misfit: () => undefined,
    replace: () => (ringPromises as unknown as Record<string, Call>)[name],
  };
}

const FILES = Object.keys(ringPromises).filter(
  (name) => ringPromises[name as keyof typeof ringPromises] !== (fsPromises as Record<string, unknown>)[name],
);

/** In this order they are put in place; they are taken back in the opposite one. */
export const REPLACEMENTS: readonly Replacement[] = [
  servers('http', 'servers of node:http, and with them express, fastify, koa and ws, listen by it', isHttpServer),
  servers('net', 'servers of net.createServer listen by it', isPlainServer),
  CLIENTS,
  DATAGRAMS,
  ...FILES.map(file),
];

/** Why a row cannot be put in place here; undefined if it can. */
export function misfitOf({ owner, key, misfit }: Replacement): string | undefined {
  if (typeof (owner as Record<string, unknown>)[key] !== 'function') return 'there is no such function';
  const { writable, configurable } = Object.getOwnPropertyDescriptor(owner, key) ?? {};
  if (!writable || !configurable) return 'it is no ordinary property';
  return misfit();
}
