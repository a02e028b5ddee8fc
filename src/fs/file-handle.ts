import { types } from 'node:util';
import type { BigIntStats, Stats } from 'node:fs';
import { IORING_OP_FTRUNCATE } from '../abi/operations.ts';
import { outOfRange, wrongType } from '../reactor/misuse.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { HandleBase } from './handle-base.ts';
import { isOwnPosition, isPosition, plainEncoding, plainFileOptions } from './plain-arguments.ts';
import { readOpen } from './read-open.ts';
import { hasPermissionModel, ringForFiles } from './ring-or-node.ts';
import { STAGED_MAX, STAGED_WRITE_MAX } from './staging.ts';
import { isPlain, isSeekable, learnBigInts, plainStatOptions, statOpen } from './stat.ts';
import { PIECES_MAX, readInto, readIntoAll, userOf, writeFrom, writeFromAll, type Position, type User } from './transfer.ts';
import { arrayBuffers, streamsNatively, type WebStream } from './web-stream.ts';
import { isIterable, plainData, writeAll, writeEach } from './write-open.ts';

/** What one kind of transfer that goes on where the file stands is at. */
interface Lane {
  last: Promise<unknown>;
  waiting: number;
}

/** What a transfer is asked to do, if that is plain. */
interface Plan {
  offset: number;
  length: number;
  position: Position;
}

const DONE = Promise.resolve();

/**
 * The class of the handles that {@link open} gives: the runtime's own, with the operations that the ring has done by it. What
 * is not plain goes to Node's method, and so do reads of more than {@link STAGED_MAX} bytes and writes of more than
 * {@link STAGED_WRITE_MAX}: those gain nothing here.
 */
export function fileHandleClass(base: HandleBase): HandleBase['FileHandle'] {
  const { FileHandle: Base, ref, unref } = base;
  let isNative: boolean | undefined;

  return class FileHandle extends Base {
    #reads: Lane | undefined;
    #writes: Lane | undefined;
    #isSeekable: boolean | undefined;
    readonly #user: User = userOf(this, ref, unref);

    // The arguments are those of all the forms that Node's have.
    override read(...args: readonly unknown[]): Promise<never> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      let [buffer, offset, length, position] = args;
      if (!ArrayBuffer.isView(buffer) && (buffer === undefined || isObject(buffer))) {
        ({ buffer = Buffer.alloc(16_384), offset, length, position } = (buffer ?? {}) as Record<string, unknown>);
      } else if (isObject(offset)) {
        ({ offset, length, position } = offset as Record<string, unknown>);
      }
      const plan = ArrayBuffer.isView(buffer) ? planOf(buffer, offset, length, position) : undefined;
      const misuse = plan === undefined ? lengthMisuse(length) : undefined;
      if (misuse !== undefined) return Promise.reject(misuse);
      if (io === undefined || plan === undefined) {
        return this.#inOrder('read', position, () => super.read(...(args as [])) as Promise<unknown>) as Promise<never>;
      }
      const target = buffer as ArrayBufferView;
      return this.#read(io, target, plan) as Promise<never>;
    }

    #read(io: Reactor, target: ArrayBufferView, { offset, length, position }: Plan): Promise<unknown> {
      if (position !== undefined) return readInto(io, this.#user, target, offset, length, position);
      return this.#used(() => this.#inOrder('read', null, () => readInto(io, this.#user, target, offset, length, undefined)));
    }

    override write(...args: readonly unknown[]): Promise<never> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const [data] = args;
      let [, offset, length, position] = args;
      let bytes: Uint8Array | undefined;
      let plan: Plan | undefined;
      if (typeof data === 'string') {
        // What stands second is the position, and then the encoding.
        const encoding = plainEncoding(length);
        position = offset;
        const isPlainText = encoding !== undefined && encoding !== 'hex' && data.length > 0 && data.length <= STAGED_WRITE_MAX;
        if (isPlainText) plan = planOf((bytes = Buffer.from(data, encoding ?? 'utf8')), 0, undefined, offset);
      } else if (ArrayBuffer.isView(data)) {
        // To Node null is options here, without anything in them.
        if (offset === null || isObject(offset)) ({ offset, length, position } = (offset ?? {}) as Record<string, unknown>);
        plan = planOf(data, offset, length, position);
        if (plan !== undefined) bytes = part(data, plan);
      }
      if (io === undefined || plan === undefined || plan.length > STAGED_WRITE_MAX) {
        return this.#inOrder('write', position, () => super.write(...(args as unknown as [''])) as Promise<unknown>) as Promise<never>;
      }
      return this.#write(io, data, bytes!, plan.position) as Promise<never>;
    }

    #write(io: Reactor, data: unknown, bytes: Uint8Array, position: Position): Promise<unknown> {
      const user = this.#user;
      if (position !== undefined) return writeFrom(io, user.fd, user, data, bytes, position);
      return this.#used(() => this.#inOrder('write', null, () => writeFrom(io, user.fd, user, data, bytes, undefined)));
    }

    override readv(...args: readonly unknown[]): Promise<never> {
      const [buffers, position] = args;
      return this.#vectored('read', buffers, position, readIntoAll, () => super.readv(...(args as [[]]))) as Promise<never>;
    }

    override writev(...args: readonly unknown[]): Promise<never> {
      const [buffers, position] = args;
      return this.#vectored('write', buffers, position, writeFromAll, () => super.writev(...(args as [[]]))) as Promise<never>;
    }

    async #vectored(
      way: 'read' | 'write',
      buffers: unknown,
      position: unknown,
      transfer: typeof readIntoAll,
      byNode: () => Promise<unknown>,
    ): Promise<unknown> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const isPlain = io !== undefined && (isOwnPosition(position) || isPosition(position)) && areViews(buffers);
      const length = isPlain ? buffers.reduce((sum, { byteLength }) => sum + byteLength, 0) : 0;
      const most = way === 'read' ? STAGED_MAX : STAGED_WRITE_MAX;
      if (!isPlain || length === 0 || length > most) return this.#inOrder(way, position, byNode);
      const user = this.#user;
      user.ref();
      try {
        const place = isPosition(position) ? position : undefined;
        const bytes = await this.#inOrder(way, position, () => transfer(io, user, buffers, length, place));
        return way === 'read'
          ? { __proto__: null, bytesRead: bytes, buffers }
          : { __proto__: null, bytesWritten: bytes, buffers };
      } finally {
        user.unref();
      }
    }

    override readFile(...args: readonly unknown[]): Promise<never> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const options = plainFileOptions(args[0], 'r');
      const { fd } = this;
      const work =
        io === undefined || options === undefined
          ? (): Promise<unknown> => super.readFile(...(args as []))
          : (): Promise<unknown> => readOpen(io, fd, options);
      return this.#inUse('read', work) as Promise<never>;
    }

    override writeFile(...args: readonly unknown[]): Promise<void> {
      return this.#writeFile(args, () => super.writeFile(...(args as [''])));
    }

    override appendFile(...args: readonly unknown[]): Promise<void> {
      return this.#writeFile(args, () => super.appendFile(...(args as [''])));
    }

    #writeFile([data, given]: readonly unknown[], byNode: () => Promise<void>): Promise<void> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const options = plainFileOptions(given, 'w');
      if (io === undefined || options === undefined) return this.#inUse('write', byNode);
      const { encoding, signal } = options;
      const { fd } = this;
      const bytes = plainData(data, encoding);
      if (bytes !== undefined) return this.#inUse('write', () => writeAll(io, fd, bytes, signal));
      if (!isIterable(data)) return this.#inUse('write', byNode);
      // Each piece is written in its turn: what others write meanwhile may come between two of them, as in Node.
      const write = (piece: Uint8Array): Promise<void> => this.#inOrder('write', null, () => writeAll(io, fd, piece, signal));
      return this.#used(() => writeEach(data, encoding, signal, write));
    }

    override readableWebStream(...args: readonly unknown[]): WebStream {
      const [options] = args as [({ type?: unknown } | null)?];
      const type = options?.type;
      const isOther = options !== null && type !== 'bytes' && (type === undefined || typeof type === 'string');
      if (!isOther || !(isNative ??= streamsNatively(base))) return super.readableWebStream(...(args as []));
      return arrayBuffers(this, super.readableWebStream({ ...options, type: 'bytes' } as never));
    }

    override stat(...args: readonly unknown[]): Promise<never> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const isBigint = plainStatOptions(args[0]);
      const { fd } = this;
      let made: Promise<Stats | BigIntStats>;
      if (io !== undefined && isPlain(isBigint)) {
        made = this.#used(() => statOpen(io, fd, isBigint));
      } else {
        made = super.stat(...(args as []));
        if (isBigint === true) made = learnBigInts(made as Promise<unknown> as Promise<BigIntStats>);
      }
      return made as Promise<never>;
    }

    override truncate(...args: readonly unknown[]): Promise<void> {
      const io = this.fd === -1 ? undefined : ringForFiles();
      const [length = 0] = args;
      const { fd } = this;
      if (!io?.supports(IORING_OP_FTRUNCATE) || !Number.isSafeInteger(length)) return super.truncate(...(args as []));
      const bytes = Math.max(0, length as number);
      return this.#used(() => io.ftruncate(fd, bytes, FTRUNCATE));
    }

    override sync(): Promise<void> {
      const io = this.fd === -1 || hasPermissionModel ? undefined : ringForFiles();
      const { fd } = this;
      return io === undefined ? super.sync() : this.#used(() => io.fsync(fd, FSYNC));
    }

    override datasync(): Promise<void> {
      const io = this.fd === -1 || hasPermissionModel ? undefined : ringForFiles();
      const { fd } = this;
      return io === undefined ? super.datasync() : this.#used(() => io.fsync(fd, FDATASYNC));
    }

    /** It is not closed before this is done. */
    async #used<T>(work: () => Promise<T>): Promise<T> {
      this.#user.ref();
      try {
        return await work();
      } finally {
        this.#user.unref();
      }
    }

    #inUse<T>(way: 'read' | 'write', work: () => Promise<T>): Promise<T> {
      // Node's own methods say what is wrong with one that is closed.
      if (this.fd === -1) return work();
      return this.#used(() => this.#inOrder(way, null, work));
    }

    /**
     * What begins where the file stands begins when the one before it is done: two at the same time would find it standing at
     * the same place. Reads do not wait for writes where each has its own end, as in a pipe or a terminal.
     */
    #inOrder<T>(way: 'read' | 'write', position: unknown, work: () => Promise<T>): Promise<T> {
      if (!isOwnPosition(position)) return work();
      const own = way === 'read' ? (this.#reads ??= newLane()) : (this.#writes ??= newLane());
      const other = way === 'read' ? this.#writes : this.#reads;
      const isShared = other !== undefined && other.waiting > 0 && (this.#isSeekable ??= isSeekable(this.fd));
      const before: Promise<unknown>[] = [];
      if (own.waiting > 0) before.push(own.last);
      if (isShared) before.push(other.last);
      const result = before.length === 0 ? work() : Promise.allSettled(before).then(work);
      own.waiting++;
      const leave = (): void => void own.waiting--;
      own.last = result.then(leave, leave);
      return result;
    }
  };
}

const FTRUNCATE = { syscall: 'ftruncate' };
const FSYNC = { syscall: 'fsync' };
const FDATASYNC = { syscall: 'fdatasync', datasync: true };

function newLane(): Lane {
  return { last: DONE, waiting: 0 };
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

export function areViews(buffers: unknown): buffers is readonly ArrayBufferView[] {
  return Array.isArray(buffers) && buffers.length <= PIECES_MAX && buffers.every((buffer) => ArrayBuffer.isView(buffer));
}

/** Which bytes of `view`, and where in the file; undefined unless all of it is plain. */
function planOf(view: ArrayBufferView, offset: unknown, length: unknown, position: unknown): Plan | undefined {
  const { byteLength } = view;
  const from = offset ?? 0;
  if (typeof from !== 'number' || !Number.isInteger(from) || from < 0) return undefined;
  const bytes = length ?? byteLength - from;
  if (typeof bytes !== 'number' || !Number.isInteger(bytes) || bytes < 1 || bytes > STAGED_MAX) return undefined;
  if (from + bytes > byteLength) return undefined;
  if (isPosition(position)) return { offset: from, length: bytes, position };
  return isOwnPosition(position) ? { offset: from, length: bytes, position: undefined } : undefined;
}

/** With a length that is none Node 20 to 24 end the process. */
function lengthMisuse(length: unknown): Error | undefined {
  if (length === undefined || length === null) return undefined;
  if (typeof length !== 'number') return wrongType('length', 'of type number', length);
  return Number.isInteger(length) && Math.abs(length) < 2 ** 31 ? undefined : outOfRange('length', 'an integer', length);
}

function part(view: ArrayBufferView, { offset, length }: Plan): Uint8Array {
  if (offset === 0 && length === view.byteLength && types.isUint8Array(view)) return view;
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
