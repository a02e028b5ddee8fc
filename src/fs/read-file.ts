import { constants } from 'node:fs';
import { AT_FDCWD, O_CLOEXEC } from '../abi/file-flags.ts';
import type { Engine } from '../reactor/engine.ts';
import { AGAIN } from '../reactor/operation.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { isOpenHandle } from './open.ts';
import { closing } from './open-file.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { abortedBy, plainFileOptions, plainPath, type FileOptions, type PlainPath } from './plain-arguments.ts';
import { FIRST_READ, readRest, type Contents } from './read-descriptor.ts';
import { ringForPaths } from './ring-or-node.ts';
import { stagingOf, type Staged, type Staging } from './staging.ts';
import { WholeFile } from './whole-file.ts';

/** Where a read finds nothing is the end; what it finds of a file that has grown is not much. */
const PROBE = 4096;

/** `readFile` of a path or a handle. What the ring does not serve is Node's. */
export const readFile = function readFile(path: unknown, options: unknown): Promise<Contents> {
  if (isOpenHandle(path)) return path.readFile(options as BufferEncoding);
  const io = ringForPaths();
  const name = io && plainPath(path);
  const plain = name === undefined ? undefined : plainFileOptions(options, 'r');
  if (io === undefined || name === undefined || plain === undefined) {
    return node.readFile(path as string, options as BufferEncoding);
  }
  if (!admission.enter()) return admission.run(() => readPath(io, name, plain));
  // A promise less.
  return readPath(io, name, plain, leave);
} as typeof node.readFile;

/** Read a file that is not open. */
export function readPath(
  io: Reactor,
  path: PlainPath,
  options: FileOptions,
  done: () => void = () => {},
): Promise<Contents> {
  return io.perform(new WholeRead(io, path, options, done), abortedBy(options.signal));
}

const leave = (): void => admission.leave();

type Ring = Parameters<WholeFile<unknown>['prepare']>[0];

/** Open a file, read it, see that this was its end, close it. What does not fit into one read goes on elsewhere. */
class WholeRead extends WholeFile<Contents> {
  readonly #io: Reactor;
  readonly #path: PlainPath;
  readonly #options: FileOptions;
  readonly #staging: Staging;
  readonly #done: () => void;
  #memory: Staged | undefined;
  #probe: Staged | undefined;
  name: 'open' | 'read' | 'close' = 'open';
  /** The bytes that were read; -1 before. */
  #length = -1;
  #contents: Contents | undefined;

  constructor(io: Reactor, path: PlainPath, options: FileOptions, done: () => void) {
    super();
    this.#io = io;
    this.#path = path;
    this.#options = options;
    this.#staging = stagingOf(io);
    this.#done = done;
  }

  get subject(): { path: PlainPath } | undefined {
    return this.name === 'open' ? { path: this.#path } : undefined;
  }

  prepare(ring: Ring, slot: number): boolean {
    const { name } = this;
    if (name === 'open') return ring.prepOpenat(AT_FDCWD, this.#path, this.#options.flags | O_CLOEXEC, slot);
    if (name === 'close') return this.prepareClose(ring, slot);
    if (this.#length < 0) {
      const { bytes, transfer } = (this.#memory ??= this.#staging.take(FIRST_READ));
      return ring.prepRead(this.opened, bytes, FIRST_READ, slot, 0, transfer);
    }
    const { bytes, transfer } = (this.#probe ??= this.#staging.take(PROBE));
    return ring.prepRead(this.opened, bytes, PROBE, slot, this.#length, transfer);
  }

  value(res: number): Contents | Promise<Contents> | typeof AGAIN {
    if (this.name === 'open') {
      this.own(this.#io, res);
      this.name = 'read';
    } else if (this.name === 'close') {
      this.#done();
      return this.#contents!;
    } else if (this.#length < 0) {
      this.#length = res;
      if (res === FIRST_READ) return this.#rest(0);
    } else if (res > 0) {
      return this.#rest(res);
    } else {
      this.#contents = contentsOf(this.#memory!.bytes, this.#length, this.#options.encoding);
      this.#giveBack();
      this.name = 'close';
    }
    return AGAIN;
  }

  /** There is more, or there may be. */
  #rest(probed: number): Promise<Contents> {
    const io = this.#io;
    const fd = this.opened;
    const read = this.#memory!.bytes.subarray(0, this.#length);
    const head = probed === 0 ? Buffer.from(read) : Buffer.concat([read, this.#probe!.bytes.subarray(0, probed)]);
    this.#giveBack();
    const rest = readRest(io, fd, this.#options, head, head.length);
    return closing(io, fd, rest, this.disown()).finally(this.#done);
  }

  #giveBack(): void {
    if (this.#memory !== undefined) this.#staging.give(this.#memory);
    if (this.#probe !== undefined) this.#staging.give(this.#probe);
    this.#memory = this.#probe = undefined;
  }

  override failed(engine: Engine, error: Error): void | Promise<Contents> {
    this.#giveBack();
    this.#done();
    void super.failed(engine, error);
    // Some versions name the path in the error of a read, and some do not: it is met again, in the words of this one.
    const { flags, encoding } = this.#options;
    const isOfRead = this.name === 'read' && (error as NodeJS.ErrnoException).syscall === 'read';
    if (!isOfRead || (flags & constants.O_EXCL) !== 0) return undefined;
    return node.readFile(this.#path as string, ownOptions({ encoding, flag: flags as unknown as string }));
  }

  override discard(engine: Engine, res: number): void {
    if (this.name === 'open') engine.discard(res);
  }
}

/** In memory of its own, as Node gives it: it may be transferred to another thread. */
function contentsOf(memory: Buffer, length: number, encoding: BufferEncoding | null): Contents {
  if (encoding !== null) return memory.toString(encoding, 0, length);
  const copy = Buffer.allocUnsafeSlow(length);
  copy.set(length === memory.length ? memory : memory.subarray(0, length));
  return copy;
}
