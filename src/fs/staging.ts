import { allocateAligned } from '../ring/memory/aligned-memory.ts';
import type { Reactor } from '../reactor/reactor.ts';

/** The sizes that memory is handed out in. */
const SIZES = [4096, 16_384, 65_536, 524_288] as const;

/** The most that is transferred at once through staged memory, in bytes. */
export const STAGED_MAX = SIZES[SIZES.length - 1];

/**
 * The most that is written at once through staged memory, in bytes. The kernel hands buffered writes to threads of its
 * own on most file systems, as Node does: for larger ones the copying outweighs what the ring saves.
 */
export const STAGED_WRITE_MAX = 32_768;

/** Memory is registered in pieces of at least so many bytes, and so many bytes altogether. */
const ARENA = 262_144;
const REGISTERED_MAX = 16 * 2 ** 20;

/**
 * How the ring is told where memory is registered. All that it may be told is there, so that none of it is inherited.
 */
export function registeredAt(place: number): Staged['transfer'] {
  return { fixed: place, rwFlags: undefined, pi: undefined } as { fixed: number };
}

/** A piece of staged memory. */
export interface Staged {
  readonly bytes: Buffer;
  /** How the ring is told that it is registered. */
  readonly transfer: { readonly fixed: number } | undefined;
  /** The registered memory: it is registered as long as this is alive. */
  readonly arena: Uint8Array;
}

/**
 * Memory between the caller's and the kernel's. Lending a caller's buffer to the kernel would forbid for good that it
 * is ever transferred to another thread, which nobody who changes one import expects; to copy it costs less than to
 * find out where a buffer is that was never lent before. It is page-aligned, and registered as far as that is allowed.
 */
export class Staging {
  readonly #io: Reactor;
  readonly #vacant = SIZES.map((): Staged[] => []);
  #registered = 0;

  constructor(io: Reactor) {
    this.#io = io;
  }

  /** Memory for at least `length` bytes, at most {@link STAGED_MAX}, with anything in it. */
  take(length: number): Staged {
    const size = length <= SIZES[0] ? 0 : length <= SIZES[1] ? 1 : length <= SIZES[2] ? 2 : 3;
    return this.#vacant[size].pop() ?? this.#more(size);
  }

  /** Nobody uses it any more: neither the kernel nor the caller. */
  give(memory: Staged): void {
    const size = SIZES.indexOf(memory.bytes.length as (typeof SIZES)[number]);
    // What was made in excess of what is kept goes.
    if (this.#vacant[size].length * SIZES[size] < REGISTERED_MAX) this.#vacant[size].push(memory);
  }

  #more(size: number): Staged {
    const bytes = SIZES[size];
    if (this.#registered >= REGISTERED_MAX) {
      const arena = allocateAligned(bytes);
      return { bytes: Buffer.from(arena.buffer, arena.byteOffset, bytes), transfer: undefined, arena };
    }
    const length = Math.max(ARENA, 2 * bytes);
    const arena = this.#io.allocate(length);
    const place = this.#io.placeOf(arena);
    const transfer = place === undefined ? undefined : registeredAt(place);
    this.#registered += length;
    const { buffer, byteOffset } = arena;
    for (let at = 0; at < length; at += bytes) {
      this.#vacant[size].push({ bytes: Buffer.from(buffer, byteOffset + at, bytes), transfer, arena });
    }
    return this.#vacant[size].pop()!;
  }
}

let last: { readonly io: Reactor; readonly staging: Staging } | undefined;

/** The staged memory of a reactor. */
export function stagingOf(io: Reactor): Staging {
  if (last?.io !== io) last = { io, staging: new Staging(io) };
  return last.staging;
}
