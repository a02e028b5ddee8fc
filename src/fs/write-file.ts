import type { FileHandle } from 'node:fs/promises';
import { AT_FDCWD, O_CLOEXEC } from '../abi/file-flags.ts';
import type { Engine } from '../reactor/engine.ts';
import { AGAIN } from '../reactor/operation.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { isOpenHandle } from './open.ts';
import { closing, openFile } from './open-file.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import {
  abortedBy,
  modeMisuse,
  plainFileOptions,
  plainPath,
  type FileOptions,
  type PlainPath,
} from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';
import { STAGED_MAX, stagingOf, type Staged, type Staging } from './staging.ts';
import { honest } from './view.ts';
import { WholeFile } from './whole-file.ts';
import { isIterable, plainData, writeAll, writeEach, type Pieces } from './write-descriptor.ts';

const FSYNC = ownOptions({ syscall: 'fsync' });

/** `writeFile` of a path or a handle. What the ring does not serve is Node's. */
export const writeFile = function writeFile(path: unknown, data: unknown, options: unknown): Promise<void> {
  return write('writeFile', 'w', path, data, options);
} as typeof node.writeFile;

/** `appendFile` of a path or a handle. */
export const appendFile = function appendFile(path: unknown, data: unknown, options: unknown): Promise<void> {
  return write('appendFile', 'a', path, data, options);
} as typeof node.appendFile;

function write(
  method: 'writeFile' | 'appendFile',
  flag: 'w' | 'a',
  path: unknown,
  data: unknown,
  options: unknown,
): Promise<void> {
  if (isOpenHandle(path)) return path[method](data as string, options as BufferEncoding);
  const io = ringForPaths();
  const name = io && plainPath(path);
  const plain = name === undefined ? undefined : plainFileOptions(options, flag);
  if (io !== undefined && name !== undefined && plain !== undefined) {
    const bytes = plainData(data, plain.encoding);
    if (bytes !== undefined && bytes.length > 0 && bytes.length <= STAGED_MAX) {
      if (!admission.enter()) return admission.run(() => writePath(io, name, bytes, plain));
      return writePath(io, name, bytes, plain, leave);
    }
    // Larger ones gain nothing here, except that they can be stopped: a pipe may never be read.
    if (bytes !== undefined && plain.signal !== null) return admission.run(() => writePieces(io, name, [bytes], plain));
    if (bytes?.length === 0) return admission.run(() => writePieces(io, name, [], plain));
    if (bytes === undefined && isIterable(data)) return admission.run(() => writePieces(io, name, data, plain));
  }
  const misuse = modeMisuse((options as { mode?: unknown } | undefined | null)?.mode);
  if (misuse !== undefined) return Promise.reject(misuse);
  return node[method](path as FileHandle, honest(data) as string, options as BufferEncoding);
}

function writePath(
  io: Reactor,
  path: PlainPath,
  bytes: Uint8Array,
  options: FileOptions,
  done: () => void = () => {},
): Promise<void> {
  return io.perform(new WholeWrite(io, path, bytes, options, done), abortedBy(options.signal));
}

const leave = (): void => admission.leave();

async function writePieces(
  io: Reactor,
  path: PlainPath,
  pieces: Pieces,
  { flags, mode, encoding, flush, signal }: FileOptions,
): Promise<void> {
  const fd = await openFile(io, path, flags, mode, signal);
  const write = async (): Promise<void> => {
    let written = 0;
    await writeEach(pieces, encoding, signal, async (piece) => {
      await writeAll(io, fd, piece, signal, written);
      written += piece.length;
    });
    if (flush) await io.fsync(fd, FSYNC);
  };
  return closing(io, fd, write());
}

/** The mode of most files. */
const MODE = ownOptions({ mode: 0o666 });

type Ring = Parameters<WholeFile<unknown>['prepare']>[0];

/** Open a file, write it in as many writes as that takes, flush it if that is wanted, close it. */
class WholeWrite extends WholeFile<void> {
  readonly #io: Reactor;
  readonly #path: PlainPath;
  readonly #options: FileOptions;
  readonly #staging: Staging;
  readonly #length: number;
  readonly #opening: { mode: number };
  readonly #done: () => void;
  #memory: Staged | undefined;
  name: 'open' | 'write' | 'fsync' | 'close' = 'open';
  #written = 0;

  constructor(io: Reactor, path: PlainPath, bytes: Uint8Array, options: FileOptions, done: () => void) {
    super();
    this.#io = io;
    this.#path = path;
    this.#options = options;
    this.#opening = options.mode === 0o666 ? MODE : ownOptions({ mode: options.mode });
    this.#staging = stagingOf(io);
    this.#length = bytes.length;
    this.#done = done;
    // As they are now, whatever becomes of them.
    this.#memory = this.#staging.take(bytes.length);
    this.#memory.bytes.set(bytes);
  }

  get subject(): { path: PlainPath } | undefined {
    return this.name === 'open' ? { path: this.#path } : undefined;
  }

  prepare(ring: Ring, slot: number): boolean {
    const { name } = this;
    if (name === 'open') {
      return ring.prepOpenat(AT_FDCWD, this.#path, this.#options.flags | O_CLOEXEC, slot, this.#opening);
    }
    if (name === 'close') return this.prepareClose(ring, slot);
    if (name === 'fsync') return ring.prepFsync(this.opened, slot);
    const { bytes, transfer } = this.#memory!;
    const rest = this.#written === 0 ? bytes : bytes.subarray(this.#written);
    return ring.prepWrite(this.opened, rest, this.#length - this.#written, slot, this.#written, transfer);
  }

  value(res: number): void | typeof AGAIN {
    const { name } = this;
    if (name === 'close') return this.#done();
    if (name === 'open') {
      this.own(this.#io, res);
      this.name = 'write';
      return AGAIN;
    }
    this.#written += res;
    if (this.#written === this.#length) {
      this.#giveBack();
      this.name = name === 'write' && this.#options.flush ? 'fsync' : 'close';
    }
    return AGAIN;
  }

  #giveBack(): void {
    if (this.#memory !== undefined) this.#staging.give(this.#memory);
    this.#memory = undefined;
  }

  override failed(engine: Engine, error: Error): void {
    this.#giveBack();
    this.#done();
    void super.failed(engine, error);
  }

  override discard(engine: Engine, res: number): void {
    if (this.name === 'open') engine.discard(res);
  }
}
