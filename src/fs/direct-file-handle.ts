import { wrongValue } from '../ring/arguments/argument-errors.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { areViews } from './file-handle.ts';
import type { HandleBase } from './handle-base.ts';
import { rangeOf, type HotFileHandleClass } from './hot-file-handle.ts';
import { isObject, isOwnPosition, isPosition, NOTHING, plainEncoding, plainFileOptions } from './plain-arguments.ts';
import { registeredAt, STAGED_MAX, stagingOf, type Staged } from './staging.ts';
import { put, putAll, readLent, userOf, writeLent, type User } from './transfer.ts';
import { byteLengthOf, bytesOf } from './view.ts';
import { isIterable, plainData, refuseIfAborted, writeEach } from './write-descriptor.ts';

/**
 * The class of the handles that go past the page cache, over that of hot ones. The kernel wants positions, lengths and
 * memory that are multiples of the alignment: of what is read, more is read around it; what is written has to be such.
 * Arguments that are wrong in other ways go to Node's method.
 */
export function directFileHandleClass(Base: HotFileHandleClass, base: HandleBase): HotFileHandleClass {
  return class FileHandle extends Base {
    readonly #io: Reactor;
    readonly #user: User;
    /** Where it stands: the kernel's own position would have to be aligned. */
    #position = 0;
    /** Transfers that begin where the file stands, one after the other. */
    #last: Promise<unknown> = Promise.resolve();

    constructor(io: Reactor, place: number | undefined, alignment: number, ...args: readonly unknown[]) {
      super(io, place, alignment, ...args);
      this.#io = io;
      this.#user = userOf(this, base, place);
    }

    /** A method may be called on anything. */
    static #is(value: unknown): boolean {
      return typeof value === 'object' && value !== null && #user in value;
    }

    override read(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.read(...(args as [])) as Promise<never>;
      let [buffer, offset, length, position] = args;
      if (!ArrayBuffer.isView(buffer) && (buffer === undefined || isObject(buffer))) {
        ({ buffer = Buffer.alloc(16_384), offset, length, position } = (buffer ?? NOTHING) as Record<string, unknown>);
      } else if (isObject(offset)) {
        ({ offset, length, position } = offset as Record<string, unknown>);
      }
      const target = ArrayBuffer.isView(buffer) ? rangeOf(bytesOf(buffer), offset ?? 0, length) : undefined;
      if (target === undefined || !this.#isPlain(position)) return super.read(...(args as [])) as Promise<never>;
      const transfer = this.#lent(target, position);
      if (transfer !== undefined) {
        return readLent(this.#io, this.#user, buffer, target, transfer, position as number) as Promise<never>;
      }
      return this.#read(target, position).then((bytesRead) => ({ __proto__: null, bytesRead, buffer })) as Promise<
        never
      >;
    }

    override readv(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.readv(...(args as unknown as [[]])) as Promise<never>;
      const [buffers, position] = args;
      if (!areViews(buffers) || !this.#isPlain(position)) {
        return super.readv(...(args as unknown as [[]])) as Promise<never>;
      }
      const lengths = buffers.map(byteLengthOf);
      const all = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length, 0));
      return this.#read(all, position).then((bytesRead) => {
        putAll(all, bytesRead, buffers, lengths);
        return { __proto__: null, bytesRead, buffers };
      }) as Promise<never>;
    }

    override readFile(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.readFile(...(args as [])) as Promise<never>;
      const options = plainFileOptions(args[0], 'r');
      if (options === undefined || this.#user.fd === -1) return super.readFile(...(args as [])) as Promise<never>;
      return this.#readFile(options.encoding, options.signal) as Promise<unknown> as Promise<never>;
    }

    async #readFile(encoding: BufferEncoding | null, signal: AbortSignal | null): Promise<Buffer | string> {
      const pieces: Buffer[] = [];
      for (let bytes = -1; bytes !== 0;) {
        refuseIfAborted(signal);
        const memory = Buffer.allocUnsafeSlow(STAGED_MAX);
        bytes = await this.#read(memory, null);
        pieces.push(memory.subarray(0, bytes));
      }
      const all = Buffer.concat(pieces);
      return encoding === null ? all : all.toString(encoding);
    }

    override write(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.write(...(args as unknown as [''])) as Promise<unknown> as Promise<never>;
      const [data] = args;
      let [, offset, length, position] = args;
      let source: Uint8Array | undefined;
      if (typeof data === 'string') {
        // The second argument is the position, and the third the encoding.
        const encoding = plainEncoding(length);
        position = offset;
        if (encoding !== undefined && data.length > 0) source = Buffer.from(data, encoding ?? 'utf8');
      } else if (ArrayBuffer.isView(data)) {
        // To Node null is options here, without anything in them.
        if (offset === null || isObject(offset)) {
          ({ offset, length, position } = (offset ?? NOTHING) as Record<string, unknown>);
        }
        source = rangeOf(bytesOf(data), offset ?? 0, length);
      }
      if (source === undefined || !this.#isPlain(position)) {
        return super.write(...(args as unknown as [''])) as Promise<unknown> as Promise<never>;
      }
      const transfer = this.#lent(source, position);
      if (transfer !== undefined) {
        return writeLent(this.#io, this.#user, data, source, transfer, position as number) as Promise<
          unknown
        > as Promise<never>;
      }
      return this.#write(source, position).then((bytesWritten) => ({
        __proto__: null,
        bytesWritten,
        buffer: data,
      })) as Promise<never>;
    }

    override writev(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.writev(...(args as unknown as [[]])) as Promise<never>;
      const [buffers, position] = args;
      if (!areViews(buffers) || !this.#isPlain(position)) {
        return super.writev(...(args as unknown as [[]])) as Promise<never>;
      }
      const all = Buffer.concat(buffers.map(bytesOf));
      return this.#write(all, position).then((bytesWritten) => ({ __proto__: null, bytesWritten, buffers })) as Promise<
        never
      >;
    }

    override writeFile(...args: readonly unknown[]): Promise<void> {
      return (FileHandle.#is(this) ? this.#writeFile(args) : undefined) ??
        super.writeFile(...(args as unknown as ['']));
    }

    override appendFile(...args: readonly unknown[]): Promise<void> {
      return (FileHandle.#is(this) ? this.#writeFile(args) : undefined) ??
        super.appendFile(...(args as unknown as ['']));
    }

    #writeFile([data, given]: readonly unknown[]): Promise<void> | undefined {
      const options = plainFileOptions(given, 'w');
      if (options === undefined || this.#user.fd === -1) return undefined;
      const bytes = plainData(data, options.encoding);
      const pieces = bytes === undefined ? data : [bytes];
      if (!isIterable(pieces)) return undefined;
      return writeEach(pieces, options.encoding, options.signal, async (piece) => {
        for (let at = 0; at < piece.length;) at += await this.#write(piece.subarray(at), null);
      });
    }

    /** How memory is registered that can be lent to a transfer at this position as it is; undefined if it cannot. */
    #lent(memory: Uint8Array, position: unknown): Staged['transfer'] {
      const { alignment } = this;
      const fixed = isPosition(position) && memory.length > 0 ? this.#io.placeOf(memory) : undefined;
      if (fixed === undefined || !isMultiple(alignment, position as number, memory.length, memory.byteOffset)) {
        return undefined;
      }
      return registeredAt(fixed);
    }

    /** Is it open, and is that a place in it? */
    #isPlain(position: unknown): boolean {
      return this.#user.fd !== -1 && (isOwnPosition(position) || isPosition(placeOf(position)));
    }

    #read(target: Uint8Array, position: unknown): Promise<number> {
      return this.#from(position, (at) => this.#readAt(target, at));
    }

    #write(source: Uint8Array, position: unknown): Promise<number> {
      return this.#from(position, (at) => this.#writeAt(source, at));
    }

    /**
     * A transfer that begins where the file stands begins when the one before it is done. The file is not closed before
     * this is.
     */
    async #from(position: unknown, work: (at: number) => Promise<number>): Promise<number> {
      const user = this.#user;
      // Its place is not given up either, which may be another file's then.
      user.ref();
      try {
        const place = placeOf(position);
        if (isPosition(place)) return await work(place);
        const moved = this.#last.then(async () => {
          const bytes = await work(this.#position);
          this.#position += bytes;
          return bytes;
        });
        this.#last = moved.catch(() => {});
        return await moved;
      } finally {
        user.unref();
      }
    }

    async #readAt(target: Uint8Array, position: number): Promise<number> {
      const [io, user, { alignment }] = [this.#io, this.#user, this];
      const transfer = this.#lent(target, position);
      if (transfer !== undefined) return (await readLent(io, user, target, target, transfer, position)).bytesRead;
      const staging = stagingOf(io);
      let done = 0;
      while (done < target.length) {
        const before = (position + done) % alignment;
        const wanted = Math.min(target.length - done, STAGED_MAX - before - alignment);
        const all = Math.ceil((before + wanted) / alignment) * alignment;
        const memory = staging.take(all);
        try {
          const { bytesRead } = await readLent(
            io,
            user,
            target,
            memory.bytes.subarray(0, all),
            memory.transfer,
            position + done - before,
          );
          const bytes = Math.max(0, Math.min(wanted, bytesRead - before));
          put(memory.bytes.subarray(before, before + bytes), bytes, target, done);
          done += bytes;
          if (bytes < wanted) break;
        } catch (error) {
          // The bytes that were read are told first, and then what is wrong, as read(2) does.
          if (done === 0) throw error;
          break;
        } finally {
          staging.give(memory);
        }
      }
      return done;
    }

    async #writeAt(source: Uint8Array, position: number): Promise<number> {
      const [io, user, { alignment }] = [this.#io, this.#user, this];
      const { length } = source;
      if (!isMultiple(alignment, position, length)) {
        throw wrongValue(
          'position',
          `a direct write begins at a multiple of ${alignment} and is as long: not ${length} bytes at ${position}`,
        );
      }
      const transfer = this.#lent(source, position);
      if (transfer !== undefined) return (await writeLent(io, user, source, source, transfer, position)).bytesWritten;
      const staging = stagingOf(io);
      let done = 0;
      while (done < length) {
        const piece = source.subarray(done, done + STAGED_MAX);
        const memory = staging.take(piece.length);
        memory.bytes.set(piece);
        try {
          const { bytesWritten } = await writeLent(
            io,
            user,
            source,
            memory.bytes.subarray(0, piece.length),
            memory.transfer,
            position + done,
          );
          done += bytesWritten;
          if (bytesWritten < piece.length) break;
        } catch (error) {
          if (done === 0) throw error;
          break;
        } finally {
          staging.give(memory);
        }
      }
      return done;
    }
  };
}

function placeOf(position: unknown): unknown {
  return typeof position === 'bigint' ? Number(position) : position;
}

function isMultiple(of: number, ...numbers: number[]): boolean {
  return numbers.every((number) => number % of === 0);
}
