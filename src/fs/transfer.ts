import { markRegisteredFile } from '../reactor/registered-files.ts';
import { moveBehindRead, moveBehindWrite, positionOf } from '../reactor/file-position.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Sequence } from '../reactor/sequence.ts';
import type { HandleBase } from './handle-base.ts';
import { abortedBy } from './plain-arguments.ts';
import { stagingOf, type Staged, type Staging } from './staging.ts';
import { byteLengthOf, bytesOf, putBytes } from './view.ts';

type Ring = Parameters<Sequence<unknown>['prepare']>[0];

/** Where a transfer begins if it does not begin where the file stands. */
export type Position = number | undefined;

/** A handle that is not to be closed before a transfer is over. */
export interface User {
  readonly fd: number;
  /** Where the file is registered, if it is: the kernel need not look it up then. */
  readonly place?: number | undefined;
  ref(): void;
  unref(): void;
}

/** A handle as a user of its own descriptor: under names that are not those of Node's symbols. */
export function userOf(handle: object, { ref, unref, fdOf }: HandleBase, place?: number): User {
  const counted = handle as Record<symbol, () => void> & { readonly fd: number };
  return {
    get fd() {
      return fdOf === undefined ? counted.fd : fdOf(handle);
    },
    place,
    ref: () => counted[ref](),
    unref: () => counted[unref](),
  };
}

/**
 * A transfer through staged memory: it writes its own entry, and takes the answer. An object more for each read would
 * be felt, and so would looking up which memory is registered.
 */
abstract class StagedTransfer<T> extends Sequence<T> {
  readonly fd: number;
  readonly staging: Staging;
  readonly memory: Staged;
  readonly user: User | undefined;
  readonly length: number;
  readonly offset: number | null;

  constructor(io: Reactor, fd: number, user: User | undefined, length: number, position: Position) {
    super();
    this.fd = fd;
    this.staging = stagingOf(io);
    this.memory = this.staging.take(length);
    this.user = user;
    this.length = length;
    this.offset = position ?? null;
    user?.ref();
  }

  get subject(): undefined {
    return undefined;
  }

  failed(): void {
    this.staging.give(this.memory);
    this.user?.unref();
  }
}

/** Node's answers to a read and to a write: objects without a prototype. */
interface ReadResult {
  readonly bytesRead: number;
  readonly buffer: unknown;
}

class Read extends StagedTransfer<ReadResult> {
  readonly #target: ArrayBufferView;
  readonly #at: number;

  constructor(io: Reactor, user: User, target: ArrayBufferView, at: number, length: number, position: Position) {
    super(io, user.fd, user, length, position);
    this.#target = target;
    this.#at = at;
  }

  get name(): string {
    return 'read';
  }

  prepare(ring: Ring, slot: number): boolean {
    const { bytes, transfer } = this.memory;
    const place = this.user?.place;
    if (place === undefined) return ring.prepRead(this.fd, bytes, this.length, slot, this.offset, transfer);
    return ring.prepRead(place, bytes, this.length, slot, this.offset, transfer) && markRegisteredFile(ring);
  }

  value(bytes: number): ReadResult {
    if (bytes < this.length && this.offset === null) moveBehindRead(this.fd, bytes);
    try {
      put(this.memory.bytes, bytes, this.#target, this.#at);
    } finally {
      this.failed();
    }
    return { __proto__: null, bytesRead: bytes, buffer: this.#target } as ReadResult;
  }
}

/**
 * Read into a caller's memory: `length` bytes, 1 … {@link STAGED_MAX}, of which it has at least so many behind `at`.
 */
export function readInto(
  io: Reactor,
  user: User,
  target: ArrayBufferView,
  at: number,
  length: number,
  position: Position,
): Promise<ReadResult> {
  return io.perform(new Read(io, user, target, at, length, position));
}

/** Copy what was read. If the caller has transferred or shrunk the memory meanwhile, there is nowhere to put it. */
export function put(memory: Buffer, bytes: number, target: ArrayBufferView, at: number): void {
  if (at + bytes > byteLengthOf(target)) return;
  putBytes(bytes === memory.length ? memory : memory.subarray(0, bytes), target, at);
}

interface WriteResult {
  readonly bytesWritten: number;
  readonly buffer: unknown;
}

class Write extends StagedTransfer<WriteResult> {
  readonly #data: unknown;
  /** Where the file stood before, if that is where it begins. */
  #before = -1;

  constructor(io: Reactor, fd: number, user: User | undefined, data: unknown, length: number, position: Position) {
    super(io, fd, user, length, position);
    this.#data = data;
  }

  get name(): string {
    return 'write';
  }

  prepare(ring: Ring, slot: number): boolean {
    const { bytes, transfer } = this.memory;
    const place = this.user?.place;
    if (this.offset === null) this.#before = positionOf(this.fd);
    if (place === undefined) return ring.prepWrite(this.fd, bytes, this.length, slot, this.offset, transfer);
    return ring.prepWrite(place, bytes, this.length, slot, this.offset, transfer) && markRegisteredFile(ring);
  }

  value(bytes: number): WriteResult {
    this.discard(undefined, bytes);
    this.failed();
    return { __proto__: null, bytesWritten: bytes, buffer: this.#data } as WriteResult;
  }

  override discard(_engine: unknown, bytes: number): void {
    if (bytes < this.length && this.offset === null) moveBehindWrite(this.fd, this.#before, bytes);
  }
}

/** Write `bytes` of `data`, 1 … {@link STAGED_MAX}: as they are now, whatever becomes of them. */
export function writeFrom(
  io: Reactor,
  fd: number,
  user: User | undefined,
  data: unknown,
  bytes: Uint8Array,
  position: Position,
  signal: AbortSignal | null = null,
): Promise<WriteResult> {
  const write = new Write(io, fd, user, data, byteLengthOf(bytes), position);
  write.memory.bytes.set(bytes);
  return io.perform(write, abortedBy(signal));
}

/** A transfer from or to memory that is registered, or the caller's, who keeps it in place: nothing is copied. */
class LentTransfer<T> extends Sequence<T> {
  readonly name: 'read' | 'write';
  readonly fd: number;
  readonly #user: User;
  readonly #memory: Uint8Array;
  readonly #length: number;
  #transfer: Staged['transfer'];
  readonly #offset: number;
  readonly #buffer: unknown;
  #io: Reactor | undefined;

  constructor(
    name: 'read' | 'write',
    user: User,
    buffer: unknown,
    memory: Uint8Array,
    transfer: Staged['transfer'],
    offset: number,
  ) {
    super();
    this.name = name;
    this.fd = user.fd;
    this.#user = user;
    this.#memory = memory;
    this.#length = byteLengthOf(memory);
    this.#transfer = transfer;
    this.#offset = offset;
    this.#buffer = buffer;
    user.ref();
  }

  begin(io: Reactor): Promise<T> {
    const promise = io.perform(this);
    this.#io = io;
    return promise;
  }

  get subject(): undefined {
    return undefined;
  }

  prepare(ring: Ring, slot: number): boolean {
    const memory = this.#memory;
    // It has waited for room. A view outlives the array that it is of, and with that goes the registration.
    if (this.#io !== undefined && this.#io.placeOf(memory) !== this.#transfer?.fixed) this.#transfer = undefined;
    const { place } = this.#user;
    const file = place ?? this.fd;
    const isQueued = this.name === 'read'
      ? ring.prepRead(file, memory, this.#length, slot, this.#offset, this.#transfer)
      : ring.prepWrite(file, memory, this.#length, slot, this.#offset, this.#transfer);
    return isQueued && (place === undefined || markRegisteredFile(ring));
  }

  value(bytes: number): T {
    this.failed();
    const buffer = this.#buffer;
    return (
      this.name === 'read' ? { __proto__: null, bytesRead: bytes, buffer }
        : { __proto__: null, bytesWritten: bytes, buffer }
    ) as T;
  }

  failed(): void {
    this.#user.unref();
  }
}

/** Read into `memory`, which is part of `buffer` or stands for it. */
export function readLent(
  io: Reactor,
  user: User,
  buffer: unknown,
  memory: Uint8Array,
  transfer: Staged['transfer'],
  position: number,
): Promise<ReadResult> {
  return new LentTransfer<ReadResult>('read', user, buffer, memory, transfer, position).begin(io);
}

/** Write `memory`, which is part of `buffer` or stands for it. */
export function writeLent(
  io: Reactor,
  user: User,
  buffer: unknown,
  memory: Uint8Array,
  transfer: Staged['transfer'],
  position: number,
): Promise<WriteResult> {
  return new LentTransfer<WriteResult>('write', user, buffer, memory, transfer, position).begin(io);
}

/** The pieces of a scattered transfer: at most so many, and {@link STAGED_MAX} bytes altogether. */
export const PIECES_MAX = 1024;

/** Read into several of the caller's, one after the other: one read in one piece is the same to the file. */
export async function readIntoAll(
  io: Reactor,
  user: User,
  targets: readonly ArrayBufferView[],
  length: number,
  position: Position,
): Promise<number> {
  const all = Buffer.allocUnsafe(length);
  const lengths = targets.map(byteLengthOf);
  const { bytesRead } = await readInto(io, user, all, 0, length, position);
  putAll(all, bytesRead, targets, lengths);
  return bytesRead;
}

/** Copy what was read to several, which were so long when that was asked for. */
export function putAll(
  memory: Buffer,
  bytes: number,
  targets: readonly ArrayBufferView[],
  lengths: readonly number[],
): void {
  let at = 0;
  for (const [i, target] of targets.entries()) {
    if (at >= bytes) return;
    const piece = memory.subarray(at, Math.min(bytes, at + lengths[i]));
    put(piece, piece.length, target, 0);
    at += lengths[i];
  }
}

/** Write several of the caller's, one after the other: `length` bytes, unless there are fewer by now. */
export async function writeFromAll(
  io: Reactor,
  user: User,
  sources: readonly ArrayBufferView[],
  length: number,
  position: Position,
): Promise<number> {
  const present = sources.filter((source) => byteLengthOf(source) > 0);
  const all = Buffer.concat(present.map(bytesOf)).subarray(0, length);
  return (await writeFrom(io, user.fd, user, sources, all, position)).bytesWritten;
}
