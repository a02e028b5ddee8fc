import { subscribe } from '../native/node-hooks.ts';
import type * as fs from 'node:fs';
import type { Socket } from 'node:net';
import type * as os from 'node:os';
import type * as workers from 'node:worker_threads';
import { builtin } from '../native/builtin.ts';
import { runtimeName } from '../native/runtime.ts';
import type { OperationMessage } from '../reactor/observer.ts';
import { fileCalls } from './file-calls.ts';
import { NOT_DEFAULT, type Outcome, type Registration } from './registration.ts';
import type { Part } from './parts.ts';
import { HOW_TO_SEE, renderReport, type Report, type SocketCount } from './report.ts';
import type { DatagramSide, SocketSide } from './sides.ts';

/** Sockets are looked at again when so many have come: those that are closed are added up, and forgotten. */
const SWEEP_AT = 1024;

const NO_BYTES = { bytesRead: 0, bytesWritten: 0, bytesReadByNode: 0, bytesWrittenByNode: 0 };

const STAYS = 'stays Node’s, as TLS, HTTP/2, classes that extend net.Socket, and handles that others have taken do';

const NO_TURNS = 'this version of Node does not show whether the ring pays: 20.18, 22.8 and later do';

/** Methods of the reactor that are no work on files. */
const NOT_FILES = new Set(['connect', 'accept', 'sleep', 'pollAdd', 'recv', 'send', 'sendZc', 'sendmsg', 'recvmsg',
  'shutdown', 'socket', 'nop']);

type UdpSocket = InstanceType<DatagramSide['UdpSocket']>;

/** Sockets by their way and reason. */
class Tally {
  readonly #counts: Map<string, SocketCount>;

  constructor(counts: Iterable<SocketCount> = []) {
    this.#counts = new Map(Array.from(counts, (count) => [keyOf(count), { ...count }]));
  }

  add(way: SocketCount['way'], reason: string, bytes: Partial<typeof NO_BYTES> = NO_BYTES): void {
    const key = keyOf({ way, reason });
    let count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, count = { way, reason, sockets: 0, ...NO_BYTES });
    count.sockets++;
    for (const name of Object.keys(NO_BYTES) as (keyof typeof NO_BYTES)[]) count[name] += bytes[name] ?? 0;
  }

  /** Those of the ring come first. */
  get counts(): SocketCount[] {
    return [...this.#counts.values()].sort((one, other) => Number(one.way === 'node') - Number(other.way === 'node'));
  }
}

function keyOf({ way, reason }: Pick<SocketCount, 'way' | 'reason'>): string {
  return `${way} ${reason}`;
}

/**
 * Counts what a thread does, from when it is made on. It listens to what Node tells of sockets, and changes none of
 * them.
 */
export class Reporter {
  readonly #registration: Registration;
  readonly #open = new Set<Socket>();
  readonly #openUdp = new Set<UdpSocket>();
  /** Sockets that are closed. */
  readonly #closed = new Tally();
  readonly #files: Record<string, number> = {};
  /** Some sockets were Node's because the ring did not pay for them. */
  #isEarly = false;
  /** Parts whose sockets were Node's because IOURING is not set. */
  readonly #unset = new Set<string>();

  constructor(registration: Registration) {
    this.#registration = registration;
    subscribe('net.server.socket', (message) => this.#came((message as { socket: Socket }).socket));
    subscribe('net.client.socket', (message) => this.#came((message as { socket: Socket }).socket));
    subscribe('udp.socket', (message) => this.#udpCame((message as { socket: object }).socket));
    subscribe('iouring:operation', (message) => {
      const { name } = message as OperationMessage;
      if (!NOT_FILES.has(name)) this.#files[name] = (this.#files[name] ?? 0) + 1;
    });
  }

  #came(socket: Socket): void {
    this.#open.add(socket);
    if (this.#open.size % SWEEP_AT === 0) this.#sweep();
  }

  #udpCame(socket: object): void {
    const { datagrams } = this.#registration.sides;
    if (datagrams === undefined || !(socket instanceof datagrams.UdpSocket)) {
      return this.#closed.add('node', `UDP: ${this.#leftOf('dgram') ?? 'not made by dgram.createSocket'}`);
    }
    this.#openUdp.add(socket);
    if (this.#openUdp.size % SWEEP_AT === 0) this.#sweep();
  }

  #sweep(): void {
    for (const socket of this.#open) {
      if (!socket.destroyed) continue;
      this.#open.delete(socket);
      this.#add(socket, this.#closed);
    }
    const { datagrams } = this.#registration.sides;
    for (const socket of this.#openUdp) {
      if (!datagrams!.lifeOf(socket).isClosed) continue;
      this.#openUdp.delete(socket);
      this.#addUdp(socket, this.#closed);
    }
  }

  /** Bytes of UDP sockets are not counted. */
  #addUdp(socket: UdpSocket, tally: Tally): void {
    const { lifeOf, showsTurns, worth: { pays } } = this.#registration.sides.datagrams!;
    const { way, wasOnRing } = lifeOf(socket);
    if (wasOnRing) return tally.add('ring', 'UDP');
    if (way === 'node') return tally.add('node', 'UDP: stays Node’s, as those do whose handle others have');
    this.#isEarly = true;
    const why = showsTurns()
      ? `the ring did not pay: fewer than ${pays} received in a turn of the loop, or not for long`
      : NO_TURNS;
    tally.add('node', `UDP: ${why}`);
  }

  #add(socket: Socket, tally: Tally): void {
    const { bytesRead, bytesWritten } = socket;
    const byRing = this.#registration.sides.sockets?.bytesByRing(socket);
    if (byRing === undefined) return tally.add('node', this.#reasonOf(socket), { bytesRead, bytesWritten });
    const { read, written } = byRing;
    tally.add('ring', kindOf(socket), {
      bytesRead: read,
      bytesWritten: written,
      bytesReadByNode: bytesRead - read,
      bytesWrittenByNode: bytesWritten - written,
    });
  }

  /** How its data goes, as `wayOf` of the drop-in says. */
  #wayOf(socket: Socket): 'ring' | 'node' | 'early' | undefined {
    const { sockets } = this.#registration.sides;
    return sockets === undefined ? 'node' : sockets.wayOf(socket);
  }

  /** Why a socket is Node's. */
  #reasonOf(socket: Socket): string {
    const kind = kindOf(socket);
    if (this.#wayOf(socket) === undefined) return `${kind}: closed before anything was read or written`;
    const { sides, unloadable } = this.#registration;
    const left = this.#leftOf(KINDS[kind]) ?? this.#leftOf('sockets');
    if (left !== undefined) return `${kind}: ${left}`;
    const missing = (['sockets', 'ring'] as const).find((side) => sides[side] === undefined && side in unloadable);
    if (missing !== undefined) return `${kind}: not loaded: ${unloadable[missing]}`;
    if (this.#wayOf(socket) === 'early') return `${kind}: ${this.#whyEarly(socket, sides.sockets!)}`;
    return `${kind}: ${STAYS}`;
  }

  /** Why a part is Node's altogether. */
  #leftOf(part: Part | 'sockets'): string | undefined {
    const rows = this.#registration.outcomes.filter(({ word }) => word === part);
    const left = rows.every((row) => row.left !== undefined) ? rows[0]?.left : undefined;
    if (left === NOT_DEFAULT && part !== 'sockets') this.#unset.add(part);
    return left;
  }

  /** How to have the ring used, if it was not and could have been. */
  #adviceOn(outcomes: readonly Outcome[]): string | undefined {
    if (this.#isEarly || fileCalls.byNode > 0) return HOW_TO_SEE;
    const isNothingOn = outcomes.every(({ left }) => left === NOT_DEFAULT);
    if (this.#unset.size === 0) return isNothingOn ? `set IOURING, for example IOURING=${outcomes[0].word}` : undefined;
    // Nothing that was on is: there can be no ring here.
    if (!isNothingOn && outcomes.every(({ left }) => left !== undefined)) return undefined;
    // The parts that are on by default are on no more when it is set.
    const parts = outcomes.filter(({ word, left }) =>
      this.#unset.has(word) || (left === undefined && word !== 'sockets')
    );
    return `set IOURING=${parts.map(({ word }) => word).join(',')}`;
  }

  /** Why the ring did not pay for a socket. */
  #whyEarly(socket: Socket, { showsTurns, wasLookedAt, worth }: SocketSide): string {
    const { pays, received, sent, sustained, writes } = worth;
    this.#isEarly = true;
    if (!showsTurns()) return NO_TURNS;
    if (!wasLookedAt(socket)) {
      return `too short for the ring to pay, or one of a few that write: it pays for many that have ${writes} messages each`;
    }
    const large = `more than ${received / 1024} KiB that come or ${sent / 1024} KiB that go`;
    return `the ring did not pay: fewer than ${pays} messages in a turn of the loop, for less than ${
      sustained / 1000
    } s, or large ones (${large})`;
  }

  get report(): Report {
    this.#sweep();
    // Those that are open go on: in the next report they stand with what they have done by then.
    const tally = new Tally(this.#closed.counts);
    for (const socket of this.#open) this.#add(socket, tally);
    for (const socket of this.#openUdp) this.#addUdp(socket, tally);
    const sockets = tally.counts;
    const { outcomes, sides } = this.#registration;
    const ring = (sides.ring ?? sides.files)?.ringSoFar();
    const advice = this.#adviceOn(outcomes);
    const isUnused = !sockets.some(({ way }) => way === 'ring') && Object.keys(this.#files).length === 0;
    const left = outcomes.filter((row): row is Outcome & { left: string } => row.left !== undefined);
    return {
      pid: process.pid,
      thread: threadOfProcess(),
      program: process.argv[1] ?? '',
      runtime: runtimeName(),
      node: process.version,
      kernel: (builtin('node:os') as typeof os).release(),
      ring: useOf(ring, outcomes),
      sockets,
      files: this.#files,
      fileCallsByNode: fileCalls.byNode,
      systemCalls: ring?.enters ?? 0,
      operations: ring?.submitted ?? 0,
      ...(isUnused && advice !== undefined && { advice }),
      replaced: outcomes.filter((row) => row.left === undefined).map(({ word, name }) => `${word}: ${name}`),
      left: left.map(({ word, name, left: reason }) => ({ name: `${word}: ${name}`, reason })),
    };
  }
}

/** The row that puts a kind of socket on the ring. */
const KINDS = {
  accepted: 'net.server',
  'accepted by node:http': 'http.server',
  connected: 'net.client',
  'connected by an agent': 'http.client',
} as const;

function kindOf(socket: Socket & { server?: object | null }): keyof typeof KINDS {
  const { server } = socket;
  if (server !== undefined && server !== null) {
    return 'closeIdleConnections' in server ? 'accepted by node:http' : 'accepted';
  }
  return socket.listenerCount('agentRemove') > 0 ? 'connected by an agent' : 'connected';
}

/** The use that is made of io_uring, in words. */
function useOf(ring: { hasSockets: boolean } | undefined, outcomes: readonly Outcome[]): string {
  if (ring !== undefined) {
    return ring.hasSockets ? 'multishot receive, provided buffers' : 'files only: sockets need Linux 6.0';
  }
  if (outcomes.some(({ left }) => left === undefined)) return 'none was needed';
  const reasons = [...new Set(outcomes.map(({ left }) => left!))];
  const others = reasons.filter((reason) => !reason.startsWith('IOURING does not name'));
  return `none: ${(others.length > 0 ? others : ['IOURING is off']).join('; ')}`;
}

/** The number of this thread; 0 is the main one, whatever number an embedder has given it. */
function threadOfProcess(): number {
  const { isMainThread, threadId } = builtin('node:worker_threads') as typeof workers;
  return isMainThread ? 0 : threadId;
}

/** Signals that end a program that does not heed them, without an 'exit'. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Print the report on stderr when this thread ends. */
export function reportAtEnd(reporter: Reporter, format: 'table' | 'json'): void {
  const { writeSync } = builtin('node:fs') as typeof fs;
  let isPrinted = false;
  const print = (): void => {
    if (isPrinted) return;
    isPrinted = true;
    const { report } = reporter;
    const text = format === 'json' ? `${JSON.stringify(report)}\n` : renderReport(report);
    try {
      writeSync(2, text);
    } catch {
      // Nobody reads it, or nobody does at the moment.
    }
  };
  process.on('exit', print);
  if (threadOfProcess() !== 0) return;
  for (const signal of SIGNALS) {
    const heed = (): void => {
      // The program heeds it itself.
      if (process.listenerCount(signal) > 1) return;
      print();
      process.off(signal, heed);
      process.kill(process.pid, signal);
    };
    process.on(signal, heed);
  }
}
