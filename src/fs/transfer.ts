import type { Reactor } from '../reactor/reactor.ts';
import { stagingOf, type Staging } from './staging.ts';

const READ = { syscall: 'read' };
const WRITE = { syscall: 'write' };

/** Where a transfer begins if it does not begin where the file stands. */
export type Position = number | undefined;

/**
 * Read into a caller's memory: `length` bytes, 1 … {@link STAGED_MAX}, of which it has at least so many behind `offset`.
 * @returns the bytes read
 */
export async function readInto(
  io: Reactor,
  fd: number,
  target: ArrayBufferView,
  offset: number,
  length: number,
  position: Position,
): Promise<number> {
  const staging = stagingOf(io);
  const memory = staging.take(length);
  try {
    const options = position === undefined ? { ...READ, length } : { ...READ, length, offset: position };
    const bytes = await io.read(fd, memory, options);
    put(memory, bytes, target, offset);
    return bytes;
  } finally {
    staging.give(memory);
  }
}

/** Copy what was read. If the caller has transferred or shrunk the memory meanwhile, there is nowhere to put it. */
function put(memory: Buffer, bytes: number, target: ArrayBufferView, offset: number): void {
  if (offset + bytes > target.byteLength) return;
  const from = bytes === memory.length ? memory : memory.subarray(0, bytes);
  if (target instanceof Uint8Array) target.set(from, offset);
  else new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(from, offset);
}

/** Write `bytes`, at most {@link STAGED_MAX}: as they are now, whatever becomes of them. The bytes written. */
export async function writeFrom(
  io: Reactor,
  fd: number,
  bytes: Uint8Array,
  position: Position,
  signal: AbortSignal | null = null,
): Promise<number> {
  const staging = stagingOf(io);
  const { length } = bytes;
  const memory = staging.take(length);
  memory.set(bytes);
  try {
    return await io.write(fd, memory, { ...WRITE, length, offset: position ?? null, signal: signal ?? undefined });
  } finally {
    staging.give(memory);
  }
}

/** The pieces of a scattered transfer: at most so many, and {@link STAGED_MAX} bytes altogether. */
export const PIECES_MAX = 1024;

/** Read into several of the caller's, one after the other. */
export function readIntoAll(
  io: Reactor,
  fd: number,
  targets: readonly ArrayBufferView[],
  length: number,
  position: Position,
): Promise<number> {
  return withStaged(stagingOf(io), length, async (memory) => {
    // One read in one piece is the same to the file as one in many.
    const bytes = await io.read(fd, memory, { ...READ, length, offset: position ?? null });
    let at = 0;
    for (const target of targets) {
      const piece = memory.subarray(at, Math.min(bytes, at + target.byteLength));
      put(piece, piece.length, target, 0);
      at += target.byteLength;
      if (at >= bytes) break;
    }
    return bytes;
  });
}

/** Write several of the caller's, one after the other. */
export function writeFromAll(
  io: Reactor,
  fd: number,
  sources: readonly ArrayBufferView[],
  length: number,
  position: Position,
): Promise<number> {
  return withStaged(stagingOf(io), length, (memory) => {
    let at = 0;
    for (const source of sources) {
      memory.set(bytesOf(source), at);
      at += source.byteLength;
    }
    return io.write(fd, memory, { ...WRITE, length, offset: position ?? null });
  });
}

async function withStaged<T>(staging: Staging, length: number, work: (memory: Buffer) => Promise<T>): Promise<T> {
  const memory = staging.take(length);
  try {
    return await work(memory);
  } finally {
    staging.give(memory);
  }
}

export function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
