import type { BigIntStats, Stats } from 'node:fs';
import { IORING_OP_FTRUNCATE } from '../abi/operations.ts';
import { outOfRange, wrongType } from '../ring/arguments/argument-errors.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { HandleBase } from './handle-base.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import {
  isObject,
  abortedBy,
  isOwnPosition,
  isPosition,
  NOTHING,
  plainEncoding,
  plainFileOptions,
} from './plain-arguments.ts';
import { readDescriptor } from './read-descriptor.ts';
import { hasPermissionModel, ringForFiles } from './ring-or-node.ts';
import { IS_SHOWN, shownHandleClass } from './shown-handle.ts';
import { STAGED_MAX, STAGED_WRITE_MAX } from './staging.ts';
import { isPlain, isSeekable, learnBigInts, plainStatOptions, statOpen } from './stat.ts';
import {
  PIECES_MAX,
  readInto,
  readIntoAll,
  userOf,
  writeFrom,
  writeFromAll,
  type Position,
  type User,
} from './transfer.ts';
import { byteLengthOf, bytesAt, bytesOf, honest, isBytes, isHonest } from './view.ts';
import { arrayBuffers, streamsNatively, type WebStream } from './web-stream.ts';
import { isIterable, plainData, writeAll, writeEach } from './write-descriptor.ts';

/** The state of one kind of transfer that goes on where the file stands. */
interface Lane {
  last: Promise<unknown>;
  waiting: number;
}

/** The request of a transfer, if it is plain. */
interface Plan {
  offset: number;
  length: number;
  position: Position;
}

const DONE = Promise.resolve();

/**
 * The class of the handles that {@link open} gives: the runtime's own, with the operations that the ring has done by
 * it. What is not plain goes to Node's method, and so do reads of more than {@link STAGED_MAX} bytes and writes of more
 * than {@link STAGED_WRITE_MAX}: those gain nothing here. So does what is read and written where the file stands, if
 * the descriptor may be shared; see {@link shownHandleClass}. A method that is called on something else is Node's,
 * which refuses that.
 */
export function fileHandleClass(base: HandleBase): HandleBase['FileHandle'] {
  const Base = shownHandleClass(base);
  let isNative: boolean | undefined;

  return class FileHandle extends Base {
    #reads: Lane | undefined;
    #writes: Lane | undefined;
    #isSeekable: boolean | undefined;
    readonly #user: User = userOf(this, base);

    /** A method may be called on anything. */
    static #is(value: unknown): boolean {
      return typeof value === 'object' && value !== null && #user in value;
    }

    // The arguments are those of all the forms that Node's have.
    override read(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.read(...(args as [])) as Promise<never>;
      const io = this.#io;
      let [buffer, offset, length, position] = args;
      if (!ArrayBuffer.isView(buffer) && (buffer === undefined || isObject(buffer))) {
        ({ buffer = Buffer.alloc(16_384), offset, length, position } = (buffer ?? NOTHING) as Record<string, unknown>);
      } else if (isObject(offset)) {
        ({ offset, length, position } = offset as Record<string, unknown>);
      }
      const plan = ArrayBuffer.isView(buffer) ? planOf(buffer, offset, length, position) : undefined;
      const misuse = plan === undefined ? lengthMisuse(length) : undefined;
      if (misuse !== undefined) return Promise.reject(misuse);
      if (io !== undefined && plan !== undefined && !this.#isNodes(plan.position)) {
        return this.#read(io, buffer as ArrayBufferView, plan) as Promise<never>;
      }
      if (!ArrayBuffer.isView(buffer) || isHonest(buffer)) {
        return this.#inOrder('read', position, () => super.read(...(args as []))) as Promise<never>;
      }
      const all = { __proto__: null, buffer: bytesOf(buffer), offset, length, position };
      const reading = this.#inOrder('read', position, () => super.read(all as never) as Promise<{ bytesRead: number }>);
      return reading.then(({ bytesRead }) => ({ __proto__: null, bytesRead, buffer })) as Promise<never>;
    }

    #read(io: Reactor, target: ArrayBufferView, { offset, length, position }: Plan): Promise<unknown> {
      if (position !== undefined) return readInto(io, this.#user, target, offset, length, position);
      return this.#used(() =>
        this.#inOrder('read', null, () => readInto(io, this.#user, target, offset, length, undefined))
      );
    }

    override write(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.write(...(args as unknown as [''])) as Promise<unknown> as Promise<never>;
      const io = this.#io;
      const [data] = args;
      let [, offset, length, position] = args;
      let bytes: Uint8Array | undefined;
      let plan: Plan | undefined;
      if (typeof data === 'string') {
        // The second argument is the position, and the third the encoding.
        const encoding = plainEncoding(length);
        position = offset;
        const isPlainText = encoding !== undefined && encoding !== 'hex' && data.length > 0 &&
          data.length <= STAGED_WRITE_MAX;
        if (isPlainText) plan = planOf(bytes = Buffer.from(data, encoding ?? 'utf8'), 0, undefined, offset);
      } else if (ArrayBuffer.isView(data)) {
        // To Node null is options here, without anything in them.
        if (offset === null || isObject(offset)) {
          ({ offset, length, position } = (offset ?? NOTHING) as Record<string, unknown>);
        }
        plan = planOf(data, offset, length, position);
        if (plan !== undefined) bytes = part(data, plan);
      }
      if (io !== undefined && plan !== undefined && plan.length <= STAGED_WRITE_MAX && !this.#isNodes(plan.position)) {
        return this.#write(io, data, bytes!, plan.position) as Promise<never>;
      }
      if (!ArrayBuffer.isView(data) || isHonest(data)) {
        return this.#inOrder(
          'write',
          position,
          () => super.write(...(args as unknown as [''])) as Promise<unknown>,
        ) as Promise<never>;
      }
      const all = [bytesOf(data), offset, length, position] as unknown as [Uint8Array];
      const writing = this.#inOrder('write', position, () => super.write(...all));
      return writing.then(({ bytesWritten }) => ({ __proto__: null, bytesWritten, buffer: data })) as Promise<never>;
    }

    #write(io: Reactor, data: unknown, bytes: Uint8Array, position: Position): Promise<unknown> {
      const user = this.#user;
      if (position !== undefined) return writeFrom(io, user.fd, user, data, bytes, position);
      return this.#used(() => this.#inOrder('write', null, () => writeFrom(io, user.fd, user, data, bytes, undefined)));
    }

    override readv(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.readv(...(args as [[]])) as Promise<never>;
      const [buffers, position] = args;
      return this.#vectored(
        'read',
        buffers,
        position,
        readIntoAll,
        (honest) => super.readv(honest as [], ...(args.slice(1) as [])),
      ) as Promise<never>;
    }

    override writev(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.writev(...(args as [[]])) as Promise<never>;
      const [buffers, position] = args;
      return this.#vectored(
        'write',
        buffers,
        position,
        writeFromAll,
        (honest) => super.writev(honest as [], ...(args.slice(1) as [])),
      ) as Promise<never>;
    }

    async #vectored(
      way: 'read' | 'write',
      buffers: unknown,
      position: unknown,
      transfer: typeof readIntoAll,
      byNode: (buffers: unknown) => Promise<object>,
    ): Promise<unknown> {
      const io = this.#io;
      const isPlain = io !== undefined && (isOwnPosition(position) || isPosition(position)) && areViews(buffers);
      const length = isPlain ? buffers.reduce((sum, buffer) => sum + byteLengthOf(buffer), 0) : 0;
      const most = way === 'read' ? STAGED_MAX : STAGED_WRITE_MAX;
      if (!isPlain || length === 0 || length > most || this.#isNodes(position)) {
        if (!Array.isArray(buffers) || buffers.every((buffer) => honest(buffer) === buffer)) {
          return this.#inOrder(way, position, () => byNode(buffers));
        }
        const plain = buffers.map(honest);
        return { __proto__: null, ...(await this.#inOrder(way, position, () => byNode(plain))), buffers };
      }
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
      if (!FileHandle.#is(this)) return super.readFile(...(args as [])) as Promise<never>;
      const io = this.#io;
      const options = plainFileOptions(args[0], 'r');
      const { fd } = this.#user;
      const work = io === undefined || options === undefined || this.#isNodes(undefined)
        ? (): Promise<unknown> => super.readFile(...(args as []))
        : (): Promise<unknown> => readDescriptor(io, fd, options);
      return this.#inUse('read', work) as Promise<never>;
    }

    override writeFile(...args: readonly unknown[]): Promise<void> {
      const byNode = (data: unknown, options: unknown): Promise<void> =>
        super.writeFile(data as string, options as BufferEncoding);
      return FileHandle.#is(this) ? this.#writeFile(args, byNode) : byNode(args[0], args[1]);
    }

    override appendFile(...args: readonly unknown[]): Promise<void> {
      const byNode = (data: unknown, options: unknown): Promise<void> =>
        super.appendFile(data as string, options as BufferEncoding);
      return FileHandle.#is(this) ? this.#writeFile(args, byNode) : byNode(args[0], args[1]);
    }

    #writeFile(
      [data, given]: readonly unknown[],
      byNode: (data: unknown, options: unknown) => Promise<void>,
    ): Promise<void> {
      const io = this.#io;
      const options = plainFileOptions(given, 'w');
      if (io === undefined || options === undefined) return this.#inUse('write', () => byNode(honest(data), given));
      const { encoding, signal } = options;
      const { fd } = this.#user;
      const isNodes = this.#isNodes(undefined);
      const writeBytes = (some: Uint8Array): Promise<void> =>
        isNodes ? byNode(some, abortedBy(signal)) : writeAll(io, fd, some, signal, undefined);
      const bytes = plainData(data, encoding);
      if (bytes !== undefined) return this.#inUse('write', () => writeBytes(bytes));
      if (!isIterable(data)) return this.#inUse('write', () => byNode(data, given));
      // Each piece is written in its turn: what others write meanwhile may come between two of them, as in Node.
      const write = (piece: Uint8Array): Promise<void> => this.#inOrder('write', null, () => writeBytes(piece));
      return this.#used(() => writeEach(data, encoding, signal, write));
    }

    override readableWebStream(...args: readonly unknown[]): WebStream {
      if (!FileHandle.#is(this)) return super.readableWebStream(...(args as []));
      const [options] = args as [({ type?: unknown } | null)?];
      const type = options?.type;
      const isOther = options !== null && type !== 'bytes' && (type === undefined || typeof type === 'string');
      if (!isOther || !(isNative ??= streamsNatively(base))) return super.readableWebStream(...(args as []));
      return arrayBuffers(this, super.readableWebStream(ownOptions({ ...options, type: 'bytes' }) as never));
    }

    override stat(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.stat(...(args as [])) as Promise<unknown> as Promise<never>;
      const io = this.#io;
      const isBigint = plainStatOptions(args[0]);
      const { fd } = this.#user;
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
      if (!FileHandle.#is(this)) return super.truncate(...(args as []));
      const io = this.#io;
      const [length = 0] = args;
      const { fd } = this.#user;
      if (!io?.supports(IORING_OP_FTRUNCATE) || !Number.isSafeInteger(length)) return super.truncate(...(args as []));
      const bytes = Math.max(0, length as number);
      return this.#used(() => io.ftruncate(fd, bytes, FTRUNCATE));
    }

    override sync(): Promise<void> {
      if (!FileHandle.#is(this)) return super.sync();
      const io = hasPermissionModel ? undefined : this.#io;
      const { fd } = this.#user;
      return io === undefined ? super.sync() : this.#used(() => io.fsync(fd, FSYNC));
    }

    override datasync(): Promise<void> {
      if (!FileHandle.#is(this)) return super.datasync();
      const io = hasPermissionModel ? undefined : this.#io;
      const { fd } = this.#user;
      return io === undefined ? super.datasync() : this.#used(() => io.fsync(fd, FDATASYNC));
    }

    /** The ring; undefined if there is none, or the handle is closed. */
    get #io(): Reactor | undefined {
      return this.#user.fd === -1 ? undefined : ringForFiles();
    }

    /** Is a transfer there Node's? A pipe and a terminal stand nowhere: it does not matter whether they are shared. */
    #isNodes(position: unknown): boolean {
      return this[IS_SHOWN] && isOwnPosition(position) && (this.#isSeekable ??= isSeekable(this.#user.fd));
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
      if (this.#user.fd === -1) return work();
      return this.#used(() => this.#inOrder(way, null, work));
    }

    /**
     * A transfer that begins where the file stands begins when the one before it is done: two at the same time would
     * find it standing at the same place. Reads do not wait for writes where each has its own end, as in a pipe or a
     * terminal.
     */
    #inOrder<T>(way: 'read' | 'write', position: unknown, work: () => Promise<T>): Promise<T> {
      if (!isOwnPosition(position)) return work();
      const own = way === 'read' ? (this.#reads ??= newLane()) : (this.#writes ??= newLane());
      const other = way === 'read' ? this.#writes : this.#reads;
      const isShared = other !== undefined && other.waiting > 0 && (this.#isSeekable ??= isSeekable(this.#user.fd));
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

const FTRUNCATE = ownOptions({ syscall: 'ftruncate' });
const FSYNC = ownOptions({ syscall: 'fsync' });
const FDATASYNC = ownOptions({ syscall: 'fdatasync', datasync: true });

function newLane(): Lane {
  return { last: DONE, waiting: 0 };
}

export function areViews(buffers: unknown): buffers is readonly ArrayBufferView[] {
  return Array.isArray(buffers) && buffers.length <= PIECES_MAX &&
    buffers.every((buffer) => ArrayBuffer.isView(buffer));
}

/** Which bytes of `view`, and where in the file; undefined unless all of it is plain. */
function planOf(view: ArrayBufferView, offset: unknown, length: unknown, position: unknown): Plan | undefined {
  const byteLength = byteLengthOf(view);
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
  return Number.isInteger(length) && Math.abs(length) < 2 ** 31 ? undefined
    : outOfRange('length', 'an integer', length);
}

function part(view: ArrayBufferView, { offset, length }: Plan): Uint8Array {
  if (offset === 0 && isBytes(view) && length === byteLengthOf(view)) return view;
  return bytesAt(view, offset, length);
}
