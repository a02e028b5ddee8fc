import { constants, type PathLike } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { AT_EMPTY_PATH, STATX_DIOALIGN } from '../abi/file-flags.ts';
import { checkInteger, wrongState, wrongValue } from '../reactor/misuse.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { HandleBase } from './handle-base.ts';
import { isPosition } from './plain-arguments.ts';
import { STAGED_MAX, stagingOf } from './staging.ts';

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
 * A file that is opened with {@link OpenOptions}. Reads and writes at a position are made for speed: those from and to memory of
 * {@link allocate} are not copied on the way, and the kernel has both the file and the memory at hand. Such memory cannot be
 * transferred to another thread. Where io_uring is not used, and under the permission model, it is a file as Node opens it: through
 * the page cache, with an {@link alignment} of 1.
 */
export interface HotFileHandle extends FileHandle {
  /** What direct transfers have to be a multiple of, in bytes: position and length; 1 without `direct`. */
  readonly alignment: number;
  /** Memory that is pinned and registered, and begins at a multiple of what direct transfers need. */
  allocate(bytes: number): Uint8Array<ArrayBuffer>;
}

/** What direct transfers are aligned to where the kernel does not say (before 6.1). */
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

/** What direct transfers from and to a file have to be a multiple of. */
export async function alignmentOf(io: Reactor, fd: number, { direct = false }: OpenOptions): Promise<number> {
  if (!direct) return 1;
  const { dioOffsetAlign } = await io.statx(fd, '', AT_EMPTY_PATH, STATX_DIOALIGN, { syscall: 'fstat' });
  return dioOffsetAlign || ALIGNMENT;
}

/** The class of such handles, over that of the others. */
export function hotFileHandleClass(
  Base: HandleBase['FileHandle'],
  { ref, unref }: HandleBase,
): new (io: Reactor, place: number | undefined, alignment: number, ...args: readonly unknown[]) => HotFileHandle {
  class FileHandle extends Base implements HotFileHandle {
    readonly alignment: number;
    readonly #io: Reactor;
    readonly #place: number | undefined;
    /** Where a direct file stands: the kernel's own position would have to be aligned. */
    #position = 0;

    constructor(io: Reactor, place: number | undefined, alignment: number, ...args: readonly unknown[]) {
      super(...args);
      this.#io = io;
      this.#place = place;
      this.alignment = alignment;
      const { close } = this;
      this.close = async () => {
        const closed = close();
        await closed;
        if (place !== undefined) io.unregisterFile(place);
      };
    }

    allocate(bytes: number): Uint8Array<ArrayBuffer> {
      return this.#io.allocate(bytes);
    }

    override read(...args: readonly unknown[]): Promise<never> {
      const [buffer, offset = 0, length, position] = args;
      const isBuffer = buffer instanceof Uint8Array && Number.isInteger(offset);
      if (!isBuffer) return this.alignment === 1 ? super.read(...(args as [])) as Promise<never> : Promise.reject(this.#unusual());
      const bytes = length ?? buffer.byteLength - (offset as number);
      return this.#read(buffer, offset as number, bytes as number, position) as Promise<never>;
    }

    async #read(buffer: Uint8Array, offset: number, length: number, position: unknown): Promise<object> {
      checkInteger('offset', offset, 0, buffer.byteLength);
      checkInteger('length', length, 0, buffer.byteLength - offset);
      this.#checkOpen();
      if (length === 0) return { __proto__: null, bytesRead: 0, buffer };
      const isDirect = this.alignment > 1;
      if (!isDirect && !isPosition(position)) return super.read(buffer, offset, length, null);
      const at = isPosition(position) ? position : this.#position;
      const isLent = this.#io.placeOf(buffer) !== undefined && isMultiple(this.alignment, at, length, buffer.byteOffset + offset);
      const bytesRead = isLent
        ? await this.#transfer('read', partOf(buffer, offset, length), length, at)
        : await this.#readStaged(buffer, offset, length, at);
      if (!isPosition(position)) this.#position = at + bytesRead;
      return { __proto__: null, bytesRead, buffer };
    }

    /** Of what is not aligned, more is read around it. */
    async #readStaged(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
      const { alignment } = this;
      const before = position % alignment;
      const wanted = Math.min(length, STAGED_MAX - before - alignment);
      const staging = stagingOf(this.#io);
      const all = Math.ceil((before + wanted) / alignment) * alignment;
      const memory = staging.take(all);
      try {
        const bytes = Math.max(0, Math.min(wanted, (await this.#transfer('read', memory.bytes, all, position - before)) - before));
        if (offset + bytes <= buffer.byteLength) buffer.set(memory.bytes.subarray(before, before + bytes), offset);
        if (bytes < wanted || wanted === length) return bytes;
        return bytes + (await this.#readStaged(buffer, offset + bytes, length - bytes, position + bytes));
      } finally {
        staging.give(memory);
      }
    }

    override write(...args: readonly unknown[]): Promise<never> {
      const [buffer, offset = 0, length, position] = args;
      const isBuffer = buffer instanceof Uint8Array && Number.isInteger(offset);
      if (!isBuffer) {
        return this.alignment === 1 ? super.write(...(args as unknown as [''])) as unknown as Promise<never> : Promise.reject(this.#unusual());
      }
      const bytes = length ?? buffer.byteLength - (offset as number);
      return this.#write(buffer, offset as number, bytes as number, position) as Promise<never>;
    }

    async #write(buffer: Uint8Array, offset: number, length: number, position: unknown): Promise<object> {
      checkInteger('offset', offset, 0, buffer.byteLength);
      checkInteger('length', length, 0, buffer.byteLength - offset);
      this.#checkOpen();
      const { alignment } = this;
      if (length === 0) return { __proto__: null, bytesWritten: 0, buffer };
      if (alignment === 1 && !isPosition(position)) return super.write(buffer, offset, length, null);
      const at = isPosition(position) ? position : this.#position;
      if (!isMultiple(alignment, at, length)) {
        throw wrongValue('position', `a direct write begins at a multiple of ${alignment} and is as long: not ${length} bytes at ${at}`);
      }
      const isLent = this.#io.placeOf(buffer) !== undefined && isMultiple(alignment, buffer.byteOffset + offset);
      const bytesWritten = isLent
        ? await this.#transfer('write', partOf(buffer, offset, length), length, at)
        : await this.#writeStaged(partOf(buffer, offset, length), at);
      if (!isPosition(position)) this.#position = at + bytesWritten;
      return { __proto__: null, bytesWritten, buffer };
    }

    async #writeStaged(bytes: Uint8Array, position: number): Promise<number> {
      const length = Math.min(bytes.length, STAGED_MAX);
      const staging = stagingOf(this.#io);
      const memory = staging.take(length);
      memory.bytes.set(bytes.subarray(0, length));
      try {
        const written = await this.#transfer('write', memory.bytes, length, position);
        if (written < length || length === bytes.length) return written;
        return written + (await this.#writeStaged(bytes.subarray(length), position + length));
      } finally {
        staging.give(memory);
      }
    }

    async #transfer(way: 'read' | 'write', memory: Uint8Array, length: number, offset: number): Promise<number> {
      const counted = this as unknown as Record<symbol, () => void>;
      // Its place is not given up, and its descriptor not closed, as long as somebody uses them.
      counted[ref]();
      try {
        return await this.#io[way](this.fd, memory, { length, offset, registeredFile: this.#place });
      } finally {
        counted[unref]();
      }
    }

    /** The descriptor may be another file's by now. */
    #checkOpen(): void {
      if (this.fd === -1) throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall: 'read' });
    }

    #unusual(): Error {
      return wrongState('ERR_INVALID_STATE', 'A direct file reads and writes Uint8Arrays only: pass one, its offset, length and position');
    }
  }
  return FileHandle;
}

function isMultiple(of: number, ...numbers: number[]): boolean {
  return numbers.every((number) => number % of === 0);
}

function partOf(buffer: Uint8Array, offset: number, length: number): Uint8Array {
  return offset === 0 && length === buffer.byteLength ? buffer : buffer.subarray(offset, offset + length);
}

/** Node's is the last: that is the one which `ReturnType` tells of. */
export type Open = ((path: PathLike, options: OpenOptions) => Promise<HotFileHandle>) & typeof import('node:fs/promises').open;
