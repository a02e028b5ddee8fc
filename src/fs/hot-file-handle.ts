import { constants, type PathLike } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { AT_EMPTY_PATH, STATX_DIOALIGN } from '../abi/file-flags.ts';
import { checkInteger } from '../ring/arguments/argument-errors.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { HandleBase } from './handle-base.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { isPosition } from './plain-arguments.ts';
import { registeredAt, STAGED_MAX, STAGED_WRITE_MAX } from './staging.ts';
import { readInto, readLent, userOf, writeFrom, writeLent, type User } from './transfer.ts';
import { byteLengthOf, bytesAt, isBytes } from './view.ts';

/** How a file is opened beyond what Node has. */
export interface OpenOptions {
  /** As of `fs.open`; default `'r'`. */
  flags?: string | number | undefined;
  mode?: string | number | undefined;
  /** Past the page cache (O_DIRECT), from and to aligned memory. */
  direct?: boolean | undefined;
  /** Register the file with the ring, for one that is read or written very often. */
  fixed?: boolean | undefined;
}

/**
 * A file that is opened with {@link OpenOptions}. Reads and writes at a position are made for speed: those from and to
 * memory of {@link allocate} are not copied on the way, and the kernel has both the file and the memory at hand. Such
 * memory cannot be transferred to another thread. Where io_uring is not used, and under the permission model, it is a
 * file as Node opens it: through the page cache, with an {@link alignment} of 1.
 */
export interface HotFileHandle extends FileHandle {
  /** Position and length of direct transfers have to be a multiple of this, in bytes; 1 without `direct`. */
  readonly alignment: number;
  /** Memory that is pinned and registered, and begins at a multiple of what direct transfers need. */
  allocate(bytes: number): Uint8Array<ArrayBuffer>;
}

/** The alignment of direct transfers where the kernel does not say it (before 6.1), in bytes. */
const ALIGNMENT = 4096;
/** As of a reactor's memory. */
const ALLOCATED_MAX = 2 ** 30;

/** Flags of the opening. */
export function directFlag({ direct = false }: OpenOptions): number {
  return direct ? constants.O_DIRECT : 0;
}

/** Are these ours, and not what Node should refuse? */
export function isOpenOptions(options: unknown): options is OpenOptions {
  return typeof options === 'object' && options !== null && ('direct' in options || 'fixed' in options);
}

/** One that Node has opened, where there is no ring: it can do the same, not as fast. */
export function withoutRing(handle: FileHandle): HotFileHandle {
  return Object.defineProperties(handle, {
    alignment: { value: 1 },
    allocate: { value: (bytes: number) => new Uint8Array(checkInteger('bytes', bytes, 1, ALLOCATED_MAX)) },
  }) as HotFileHandle;
}

/** The alignment of direct transfers from and to a file, in bytes. */
export async function alignmentOf(io: Reactor, fd: number, { direct = false }: OpenOptions): Promise<number> {
  if (!direct) return 1;
  const { dioOffsetAlign } = await io.statx(fd, '', AT_EMPTY_PATH, STATX_DIOALIGN, FSTAT);
  return dioOffsetAlign || ALIGNMENT;
}

const FSTAT = ownOptions({ syscall: 'fstat' });

export type HotFileHandleClass = new (
  io: Reactor,
  place: number | undefined,
  alignment: number,
  ...args: readonly unknown[]
) => HotFileHandle;

/** Node closes the descriptor of a handle that is collected; registered, its file would stay open all the same. */
const collected = new FinalizationRegistry<{ io: Reactor; place: number }>(({ io, place }) => io.unregisterFile(place));

/**
 * The class of such handles, over that of the others. What is not plain, or too large to gain anything, is done by
 * that.
 */
export function hotFileHandleClass(Base: HandleBase['FileHandle'], base: HandleBase): HotFileHandleClass {
  return class FileHandle extends Base implements HotFileHandle {
    readonly alignment: number;
    readonly #io: Reactor;
    readonly #user: User;

    constructor(io: Reactor, place: number | undefined, alignment: number, ...args: readonly unknown[]) {
      super(...args);
      this.#io = io;
      this.#user = userOf(this, base, place);
      this.alignment = alignment;
      if (place === undefined) return;
      collected.register(this, { io, place }, this);
      const { close } = this;
      this.close = async () => {
        // Node's is bound to the handle, Bun's is a method.
        await close.call(this);
        if (collected.unregister(this)) io.unregisterFile(place);
      };
    }

    allocate(bytes: number): Uint8Array<ArrayBuffer> {
      return this.#io.allocate(bytes);
    }

    /** A method may be called on anything. */
    static #is(value: unknown): boolean {
      return typeof value === 'object' && value !== null && #user in value;
    }

    override read(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.read(...(args as [])) as Promise<never>;
      const [buffer, offset = 0, length, position] = args;
      const memory = this.#user.fd !== -1 && isPosition(position) ? rangeOf(buffer, offset, length) : undefined;
      const place = memory && this.#io.placeOf(memory);
      if (memory === undefined || (place === undefined && byteLengthOf(memory) > STAGED_MAX)) {
        return super.read(...(args as [])) as Promise<never>;
      }
      const [io, user, at] = [this.#io, this.#user, position as number];
      return (
        place === undefined
          ? readInto(io, user, buffer as Uint8Array, offset as number, byteLengthOf(memory), at)
          : readLent(io, user, buffer, memory, registeredAt(place), at)
      ) as Promise<never>;
    }

    override write(...args: readonly unknown[]): Promise<never> {
      if (!FileHandle.#is(this)) return super.write(...(args as unknown as [''])) as Promise<unknown> as Promise<never>;
      const [buffer, offset = 0, length, position] = args;
      const memory = this.#user.fd !== -1 && isPosition(position) ? rangeOf(buffer, offset, length) : undefined;
      const place = memory && this.#io.placeOf(memory);
      if (memory === undefined || (place === undefined && byteLengthOf(memory) > STAGED_WRITE_MAX)) {
        return super.write(...(args as unknown as [''])) as Promise<unknown> as Promise<never>;
      }
      const [io, user, at] = [this.#io, this.#user, position as number];
      return (
        place === undefined ? writeFrom(io, user.fd, user, buffer, memory, at)
          : writeLent(io, user, buffer, memory, registeredAt(place), at)
      ) as Promise<unknown> as Promise<never>;
    }
  };
}

/** Which part of a Uint8Array is meant, if that is plain. */
export function rangeOf(buffer: unknown, offset: unknown, length: unknown): Uint8Array | undefined {
  if (!isBytes(buffer) || !isIndex(offset)) return undefined;
  const byteLength = byteLengthOf(buffer);
  const bytes = length ?? byteLength - offset;
  if (!isIndex(bytes) || bytes === 0 || offset + bytes > byteLength) return undefined;
  return offset === 0 && bytes === byteLength ? buffer : bytesAt(buffer, offset, bytes);
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

/** Node's is the last: that is the one which `ReturnType` tells of. */
export type Open =
  & ((path: PathLike, options: OpenOptions) => Promise<HotFileHandle>)
  & typeof import('node:fs/promises').open;
