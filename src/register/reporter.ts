import { subscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { release } from 'node:os';
import { isMainThread, threadId } from 'node:worker_threads';
import type { OperationMessage } from '../reactor/observer.ts';
import type { Outcome, Registration } from './registration.ts';
import { renderReport, type Report, type SocketCount } from './report.ts';

/** Sockets are looked at again when so many have come: those that are closed are added up, and forgotten. */
const SWEEP_AT = 1024;

/** Methods of the reactor that are no work on files. */
const NOT_FILES = new Set(['connect', 'accept', 'sleep', 'pollAdd', 'recv', 'send', 'sendZc', 'sendmsg', 'recvmsg',
  'shutdown', 'socket', 'nop']);

/**
 * Counts what a thread does, from when it is made on. It listens to what Node tells of sockets, and changes none of
 * them.
 */
export class Reporter {
  readonly #registration: Registration;
  readonly #open = new Set<Socket>();
  readonly #counts = new Map<string, SocketCount>();
  readonly #files: Record<string, number> = {};

  constructor(registration: Registration) {
    this.#registration = registration;
    subscribe('net.server.socket', (message) => this.#came((message as { socket: Socket }).socket));
    subscribe('net.client.socket', (message) => this.#came((message as { socket: Socket }).socket));
    subscribe('udp.socket', (message) => {
      const { datagrams } = this.#registration.sides;
      const isRing = datagrams !== undefined && (message as { socket: object }).socket instanceof datagrams.UdpSocket;
      this.#count(isRing, 'UDP', 0, 0);
    });
    subscribe('iouring:operation', (message) => {
      const { name } = message as OperationMessage;
      if (!NOT_FILES.has(name)) this.#files[name] = (this.#files[name] ?? 0) + 1;
    });
  }

  #came(socket: Socket): void {
    this.#open.add(socket);
    if (this.#open.size % SWEEP_AT === 0) this.#sweep(({ destroyed }) => destroyed);
  }

  #sweep(isDone: (socket: Socket) => boolean): void {
    for (const socket of this.#open) {
      if (!isDone(socket)) continue;
      this.#open.delete(socket);
      const isRing = this.#wayOf(socket) === 'ring';
      this.#count(isRing, isRing ? kindOf(socket) : this.#reasonOf(socket), socket.bytesRead, socket.bytesWritten);
    }
  }

  #count(isRing: boolean, reason: string, bytesRead: number, bytesWritten: number): void {
    const way = isRing ? 'ring' : 'node';
    const key = `${way} ${reason}`;
    let count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, count = { way, reason, sockets: 0, bytesRead: 0, bytesWritten: 0 });
    count.sockets++;
    count.bytesRead += bytesRead;
    count.bytesWritten += bytesWritten;
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
    const { outcomes, sides, unloadable } = this.#registration;
    const outcome = outcomes.find(({ part }) => part === KINDS[kind]);
    if (outcome?.left !== undefined) return `${kind}: ${outcome.left}`;
    if (this.#wayOf(socket) === 'early') return `${kind}: Node’s for its first 16 writes`;
    if (sides.sockets === undefined && unloadable.sockets !== undefined) {
      return `${kind}: not loaded: ${unloadable.sockets}`;
    }
    return `${kind}: stays Node’s, as TLS, HTTP/2, classes that extend net.Socket, and handles that others have taken do`;
  }

  get report(): Report {
    this.#sweep(() => true);
    const { outcomes, sides } = this.#registration;
    const ring = (sides.sockets ?? sides.datagrams ?? sides.files)?.ringSoFar();
    const left = outcomes.filter((row): row is Outcome & { left: string } => row.left !== undefined);
    return {
      pid: process.pid,
      thread: isMainThread ? 0 : threadId,
      program: process.argv[1] ?? '',
      node: process.version,
      kernel: release(),
      ring: useOf(ring, outcomes),
      sockets: [...this.#counts.values()],
      files: this.#files,
      systemCalls: ring?.enters ?? 0,
      operations: ring?.submitted ?? 0,
      replaced: outcomes.filter((row) => row.left === undefined).map(({ part, name }) => `${part}: ${name}`),
      left: left.map(({ part, name, left: reason }) => ({ name: `${part}: ${name}`, reason })),
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
    return ring.hasSockets ? 'multishot accept and receive, provided buffers' : 'files only: sockets need Linux 6.0';
  }
  if (outcomes.some(({ left }) => left === undefined)) return 'none was needed';
  const reasons = [...new Set(outcomes.map(({ left }) => left!))];
  const others = reasons.filter((reason) => !reason.startsWith('IOURING does not name'));
  return `none: ${(others.length > 0 ? others : ['IOURING is off']).join('; ')}`;
}

/** Signals that end a program that does not heed them, without an 'exit'. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Print the report on stderr when this thread ends. */
export function reportAtEnd(reporter: Reporter, format: 'table' | 'json'): void {
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
  if (!isMainThread) return;
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
