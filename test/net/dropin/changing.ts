// A connection that is about to change between Node and the ring, and what can be done to it meanwhile: with the real
// kernel, which is made to do at a certain moment what it does once in a long time by itself.
import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type * as node from 'node:net';
import { join } from 'node:path';
import ours from '../../../src/net/index.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import type { SocketClass } from '../../../src/net/dropin/node-net.ts';
import { beginConnected, stateOf } from '../../../src/net/dropin/socket-state.ts';
import { worth } from '../../../src/net/dropin/worth.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import type { Engine } from '../../../src/reactor/engine.ts';
import { partsOf } from '../../../src/reactor/reactor.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atOnce } from '../from-the-first-byte.ts';
import { RawListener, RawPeer } from './raw-peer.ts';

export type Kind = 'TCP' | 'unix';
export const KINDS = ['TCP', 'unix'] as const;

export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** It pays whatever comes, or never does; each write leads to a look. */
export function pays(does: boolean): void {
  const least = does ? 0 : Number.POSITIVE_INFINITY;
  atOnce();
  Object.assign(worth, {
    writes: 1,
    patience: 1,
    milliseconds: 0,
    pause: 0,
    pays: least,
    costs: least,
    received: Number.POSITIVE_INFINITY,
    sent: Number.POSITIVE_INFINITY,
  });
}

/** Of a userData that is nobody's: such completions are dropped and counted. */
export const NOBODYS = 2 ** 50;

/** The engine of this thread's sockets. */
export function currentEngine(): Engine {
  return partsOf(defaultReactor()).engine;
}

/** Have a completion queue that has room for `left` more. */
export function fillCompletions({ ring }: Engine, left = 0): void {
  while (ring.cqReady < ring.cqEntries - left) {
    for (let i = Math.min(ring.sqSpaceLeft, ring.cqEntries - left - ring.cqReady); i > 0; i--) ring.prepNop(NOBODYS);
    ring.submit();
  }
}

/** Have a submission queue without room, and no completion of it would find room: so it is not handed over early. */
export function fillEntries(engine: Engine): void {
  const { ring } = engine;
  fillCompletions(engine, 2 * ring.sqEntries - 1);
  while (ring.sqSpaceLeft > 0) ring.prepNop(NOBODYS);
}

/** The kernel takes nothing for want of memory, until the function returned is called. */
export function takesNothing({ ring }: Engine): () => void {
  ring.submit = ring.submitAndWait = () => {
    throw Object.assign(new Error('EAGAIN: io_uring_enter'), { errno: -11, code: 'EAGAIN', syscall: 'io_uring_enter' });
  };
  return () => {
    Reflect.deleteProperty(ring, 'submit');
    Reflect.deleteProperty(ring, 'submitAndWait');
  };
}

/** A moment of a change: before the kernel is asked to end the receive, before it hears of that, and behind that. */
export type Moment = 'before it is asked for' | 'before the call' | 'behind the call';
export const MOMENTS = ['before it is asked for', 'before the call', 'behind the call'] as const;

/** Have `act` called when a receive is to be ended the next time, at that moment. */
export function whenCancelling(engine: Engine, moment: Moment, act: () => void): void {
  engine.cancel = (submission) => {
    Reflect.deleteProperty(engine, 'cancel');
    if (moment === 'before it is asked for') act();
    engine.flush = () => {
      Reflect.deleteProperty(engine, 'flush');
      if (moment === 'before the call') act();
      const isDone = engine.flush();
      if (moment === 'behind the call') act();
      return isDone;
    };
    return engine.cancel(submission);
  };
}

/** A client of ours, or of Node's, and its peer by system calls. */
export interface Pair {
  readonly socket: node.Socket;
  readonly peer: RawPeer;
}

let count = 0;

export async function connected(
  kind: Kind,
  folder: Temporary,
  options: Partial<node.NetConnectOpts> = {},
  net: Pick<typeof node, 'connect'> = ours,
): Promise<Pair> {
  const path = join(folder.path, `s${count++}`);
  using listener = new RawListener(kind === 'TCP' ? { address: '127.0.0.1', port: 0 } : { path });
  const where = kind === 'TCP' ? { host: '127.0.0.1', port: listener.port } : { path };
  const socket = net.connect({ ...where, ...options } as node.NetConnectOpts);
  await once(socket, 'connect');
  noteScope(socket);
  return { socket, peer: listener.accept() };
}

/** The context of a client is noted when it reads, and before that it stays Node's: here it is known without. */
function noteScope(socket: node.Socket): void {
  // Of one of Node's it is nothing that anybody looks at.
  const state = stateOf(socket) ?? beginConnected(socket as unknown as SocketClass);
  state.scope = new AsyncResource('IOURINGSOCKET');
}

/** Such a pair, whose socket is on the ring and is going to be given back at the next write. Its peer has no data left. */
export async function onRing(kind: Kind, folder: Temporary, options: Partial<node.NetConnectOpts> = {}): Promise<Pair> {
  const pair = await connected(kind, folder, options);
  pays(true);
  await exchangeUntil(pair, 'ring');
  pays(false);
  return pair;
}

/** Such a pair, whose socket is Node's and is going to be taken at the next write. */
export async function atNode(kind: Kind, folder: Temporary, options: Partial<node.NetConnectOpts> = {}): Promise<Pair> {
  pays(false);
  const pair = await connected(kind, folder, options);
  pair.socket.write('x');
  await turns(2);
  pair.peer.drain();
  pays(true);
  return pair;
}

/** Write, until the socket is on that way. */
export async function exchangeUntil({ socket, peer }: Pair, way: ReturnType<typeof wayOf>): Promise<void> {
  for (let i = 0; wayOf(socket) !== way; i++) {
    if (i === 1000) throw new Error(`it never came to ${way}: it is ${wayOf(socket)}`);
    socket.write('x');
    await turn();
    peer.drain();
  }
  peer.drain();
  peer.bytes = 0;
}

/** Open files until it is called off: the lowest numbers, those that were just closed among them. */
export function openOften(): { once(): void; readonly opened: number[]; [Symbol.dispose](): void } {
  const opened: number[] = [];
  return {
    opened,
    once: () => void opened.push(openSync('/dev/null', 'r')),
    [Symbol.dispose]: () => opened.splice(0).forEach((fd) => closeSync(fd)),
  };
}
