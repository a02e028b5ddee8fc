/**
 * Everything that `iouring/register` replaces in Node's own modules: all of it stands in this table, and no other file
 * replaces anything. Two methods of `process` are replaced as well when a socket goes through the ring, as they are for
 * `iouring/net`: see `active-resources.ts`.
 *
 * Classes are never replaced, for node:http, node:tls and node:net itself hold the originals; methods of their
 * prototypes are. Those reach TLS, HTTP/2 and child processes as well, so each looks at the class that it is called on,
 * and leaves alone what is not its own.
 */
import type dgram from 'node:dgram';
import type fs from 'node:fs';
import type * as http from 'node:http';
import type net from 'node:net';
import { promisesOfNode } from '../native/promises-of-node.ts';
import { builtin } from '../native/builtin.ts';
import type { ListenPlace, ServerClass } from '../net/dropin/node-net.ts';
import type { UdpHandle } from '../net/udp/node-dgram.ts';
import { fileCalls } from './file-calls.ts';
import { Choice, type Part } from './parts.ts';
import type { SideName, Sides } from './sides.ts';
import { ringPaysForFiles } from '../native/runtime.ts';
import { isEager } from '../native/eager.ts';

/** A function of Node's, or what stands in its place. */
export type Call = (...args: never[]) => unknown;

/**
 * The parts that are on when IOURING is not set, as IOURING itself would say it: `'http.server, net.server'`. Only what
 * was measured never to be slower than Node alone is.
 */
const BY_DEFAULT = new Choice('http');

/** One function that is replaced. */
interface Row<S extends SideName> {
  /** The words of IOURING that turn it on; so does the name of their module. */
  readonly parts: readonly Part[];
  /** The side of us that is behind it. */
  readonly side: S;
  /** The function, as one writes it in a program. */
  readonly name: string;
  /** Why it is this one that is replaced. */
  readonly reason: string;
  /** The part of Node that it relies on, in words. */
  readonly needs: string;
  /** The object whose property it is; Node's module is loaded by this. */
  owner(): object;
  readonly key: string;
  /** Does another row do its work in this version? Then it is as if it were not there. */
  isUnneeded?(): boolean;
  /** In which way this Node looks otherwise than it is expected to; undefined if it does not. */
  misfit(): string | undefined;
  /** @param ring is what is behind it; undefined where there is nothing, or not any more: then `original` is called */
  replace(original: Call, ring: () => Sides[S] | undefined): Call;
}

/** A row of the table. */
export type Replacement = Row<'sockets'> | Row<'datagrams'> | Row<'files'>;

/** Is it on when IOURING is not set? */
export function isDefault({ parts }: Replacement): boolean {
  return parts.some((part) => BY_DEFAULT.has(part));
}

/** The word for what a row replaces: its part, or `sockets` where it is for all of them. */
export function wordFor({ parts }: Replacement): string {
  return parts.length === 1 ? parts[0] : 'sockets';
}

// Node's modules are loaded when a row is chosen that needs them.
const nodeNet = (): typeof net => builtin('node:net') as typeof net;
const nodeHttp = (): typeof http => builtin('node:http') as typeof http;

const LISTEN = 'net.Server.prototype._listen2';
/** How many arguments Node gives it, in all versions. */
const LISTEN_ARGUMENTS = 6;

/** A row for the servers that `isOurs` knows. */
function servers(
  { isOurs, ...row }: Pick<Replacement, 'parts' | 'reason'> & { isOurs(server: ServerClass): boolean },
): Row<'sockets'> {
  return {
    ...row,
    side: 'sockets',
    name: LISTEN,
    needs: 'every listen() ends in it, called on the server itself; its handle calls `onconnection` for what comes',
    owner: () => nodeNet().Server.prototype,
    key: '_listen2',
    misfit: () => misfitOfLength(nodeNet().Server.prototype, '_listen2', LISTEN_ARGUMENTS),
    replace(original, ring) {
      const listen = original as unknown as (this: ServerClass, ...place: ListenPlace) => void;
      return function _listen2(this: ServerClass, ...place: ListenPlace): void {
        const side = isOurs(this) ? ring() : undefined;
        listen.apply(this, place);
        side?.haveNodesSockets(this);
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
  httpServer ??= nodeHttp().Server;
  return server instanceof httpServer;
}

/** Is it a server that `net.createServer` makes, and of no class that extends it? */
function isPlainServer(server: ServerClass): boolean {
  return Object.getPrototypeOf(server) === nodeNet().Server.prototype &&
    !server.listeners('connection').some(isOfCluster);
}

/**
 * The primary process of a cluster makes a server by `net.createServer(assert.fail)`, and takes its handle: a socket
 * that was made of one of its connections would be the end of the process.
 */
function isOfCluster({ name }: { name: string }): boolean {
  return name === 'fail';
}

/** Which sockets that connect are ours, by what they are told to connect to. */
interface ClientsRow extends Pick<Replacement, 'parts' | 'reason' | 'needs'> {
  isOurs(target: unknown): boolean;
}

const CONNECT_NEEDS = 'a socket that connects has no handle before, and keeps `onread` under the symbol kBuffer';

function clients({ isOurs, ...row }: ClientsRow): Row<'sockets'> {
  return {
    ...row,
    side: 'sockets',
    name: 'net.Socket.prototype.connect',
    owner: () => nodeNet().Socket.prototype,
    key: 'connect',
    misfit: () => userBuffer(new (nodeNet().Socket)()) === null ? undefined : 'a new socket has no symbol kBuffer',
    replace(original, ring) {
      const connect = original as unknown as (this: net.Socket, ...args: unknown[]) => unknown;
      return function (this: net.Socket, ...args: unknown[]): unknown {
        const side = isPlainSocket(this) && isOurs(args[0]) ? ring() : undefined;
        return side === undefined ? connect.apply(this, args)
          : side.connectAdopted(this, args, () => connect.apply(this, args));
      };
    },
  };
}

/** Is it what an agent of node:http connects to? It comes as `net.connect` hands arguments on: in an array. */
function isOfAgent(target: unknown): boolean {
  const [options] = Array.isArray(target) ? (target as unknown[]) : [target];
  return typeof options === 'object' && options !== null && '_agentKey' in options;
}

/**
 * Is it a socket of the very class, not of TLS or another that extends it, with nothing under it and no memory of the
 * user's?
 */
function isPlainSocket(socket: net.Socket): boolean {
  return Object.getPrototypeOf(socket) === nodeNet().Socket.prototype && hasNoHandle(socket) &&
    userBuffer(socket) === null;
}

function hasNoHandle(socket: net.Socket): boolean {
  return ((socket as unknown as { _handle: unknown })._handle ?? null) === null;
}

let kBuffer: symbol | undefined;

/** The buffer of a socket's `onread`, as node:net keeps it: null if there is none. */
function userBuffer(socket: net.Socket): unknown {
  kBuffer ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer');
  return kBuffer === undefined ? undefined : (socket as unknown as Record<symbol, unknown>)[kBuffer];
}

/** How many arguments Node gives it, in all versions. */
const WRITE_ARGUMENTS = 4;
/** So many writes later it is asked again where there is nothing behind it, or not any more. */
const UNKNOWN = 1 << 16;

/** The one that all kinds of sockets need: nothing else of ours is at work while they are Node's. */
const WRITES: Row<'sockets'> = {
  parts: ['http.server', 'net.server', 'http.client', 'net.client'],
  side: 'sockets',
  name: 'net.Socket.prototype._writeGeneric',
  reason: 'every write of a socket ends in it: it is counted, until there are so many that the ring may pay',
  needs: 'every write ends in it, called on the socket itself',
  owner: () => nodeNet().Socket.prototype,
  key: '_writeGeneric',
  isUnneeded: () => isEager,
  misfit: () => misfitOfLength(nodeNet().Socket.prototype, '_writeGeneric', WRITE_ARGUMENTS),
  replace(original, ring) {
    const write = original as unknown as (this: object, ...args: unknown[]) => unknown;
    let unwatched = 1;
    return function _writeGeneric(this: object, isMany: unknown, data: unknown, encoding: unknown, done: unknown) {
      if (--unwatched <= 0) unwatched = ring()?.observe(this) ?? UNKNOWN;
      return write.call(this, isMany, data, encoding, done);
    };
  },
};

const nodeDgram = (): typeof dgram => builtin('node:dgram') as typeof dgram;
/** How many arguments it takes, in all versions. */
const CREATE_ARGUMENTS = 2;

/** Has a UDP socket a handle where iouring/dgram looks for it? A socket that is not bound has no descriptor yet. */
function hasUdpHandle(): boolean {
  try {
    // Without a function that looks names up node:dns would be loaded, which async_hooks tell of.
    const options = { type: 'udp4', lookup: (): void => undefined };
    const socket = Reflect.construct(nodeDgram().Socket, [options]) as object;
    const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
    const { handle } = (socket as Record<symbol, { handle?: Partial<UdpHandle> } | undefined>)[state!] ?? {};
    const isKnown = [handle?.recvStart, handle?.recvStop, handle?.send].every((one) => typeof one === 'function');
    // Nobody is told of its end, and it is not named among what is active until the event loop has closed it.
    handle?.unref?.();
    handle?.close?.();
    return isKnown;
  } catch {
    return false;
  }
}

const DATAGRAMS: Row<'datagrams'> = {
  parts: ['dgram'],
  side: 'datagrams',
  name: 'dgram.createSocket',
  reason: 'UDP sockets are made by it; those of `new dgram.Socket()` stay Node’s',
  needs: 'a socket keeps its handle under a symbol `state symbol`, and the handle receives and sends',
  owner: nodeDgram,
  key: 'createSocket',
  misfit: () =>
    misfitOfLength(nodeDgram(), 'createSocket', CREATE_ARGUMENTS) ??
      (hasUdpHandle() ? undefined : 'a new UDP socket has no handle under a symbol'),
  // Node's is called with `new` by some.
  replace: (original, ring) =>
    function (...args) {
      return ((ring()?.createNodesSocket as Call | undefined) ?? original)(...args);
    },
};

/**
 * The functions that `iouring/fs` does through the ring, and how many arguments they say to take, in all versions. The
 * callbacks and streams of node:fs are to follow.
 */
const FILES = {
  appendFile: 3,
  cp: 3,
  link: 2,
  lstat: 1,
  mkdir: 2,
  open: 3,
  readFile: 2,
  rename: 2,
  rm: 2,
  rmdir: 2,
  stat: 1,
  symlink: 3,
  truncate: 1,
  unlink: 1,
  writeFile: 3,
} as const;

const promisesOf = (): object => builtin('node:fs/promises') as object;

/** Is what programs find as `fs.promises` the object whose functions are replaced, and nothing but an object? */
function misfitOfPromises(): string | undefined {
  const { promises } = builtin('node:fs') as typeof fs;
  if (promises !== promisesOf()) return 'fs.promises and node:fs/promises are not the same';
  return Object.getPrototypeOf(promises) === Object.prototype ? undefined : 'fs.promises is no ordinary object';
}

/** A row for a function of node:fs/promises. */
function file(name: keyof typeof FILES): Row<'files'> {
  return {
    parts: [`fs.${name}`],
    side: 'files',
    name: `fs.promises.${name}`,
    reason: 'the ring has an operation for it',
    needs:
      '`fs.promises` is an ordinary object, and node:fs/promises the same; its functions take the arguments that they take',
    owner: promisesOf,
    key: name,
    misfit: () =>
      ringPaysForFiles() ? misfitOfPromises() ?? misfitOfLength(promisesOf(), name, FILES[name])
        : 'the calls of this runtime are the faster ones',
    // As they were before any of them was replaced: what is behind them is loaded later, and calls Node's as well.
    replace(_original, ring) {
      const node = promisesOfNode();
      return (...args) => {
        const side = fileCalls.count() ? ring() : undefined;
        return ((side?.promises ?? node)[name] as Call)(...args);
      };
    },
  };
}

/** In this order they are put in place; they are taken back in the opposite one. */
export const REPLACEMENTS: readonly Replacement[] = [
  servers({
    parts: ['http.server'],
    reason:
      'servers of node:http, and with them express, fastify, hono, koa and ws, listen by it: what they accept is ours',
    isOurs: isHttpServer,
  }),
  servers({ parts: ['net.server'], reason: 'servers of net.createServer likewise', isOurs: isPlainServer }),
  clients({
    parts: ['http.client'],
    reason: 'the agents of node:http connect by it',
    needs:
      `${CONNECT_NEEDS}; an agent calls its options \`_agentKey\`, and where it does not, its sockets are those of net.client`,
    isOurs: isOfAgent,
  }),
  clients({
    parts: ['net.client'],
    reason: 'net.connect, fetch and database drivers come through it',
    needs: CONNECT_NEEDS,
    isOurs: (target) => !isOfAgent(target),
  }),
  WRITES,
  DATAGRAMS,
  ...(Object.keys(FILES) as (keyof typeof FILES)[]).map(file),
];

/** Why a row cannot be put in place here; undefined if it can. */
export function misfitOf(row: Replacement): string | undefined {
  const owner = row.owner();
  if (typeof (owner as Record<string, unknown>)[row.key] !== 'function') return 'there is no such function';
  const { writable, configurable } = Object.getOwnPropertyDescriptor(owner, row.key) ?? {};
  if (!writable || !configurable) return 'it is no ordinary property';
  return row.misfit();
}
