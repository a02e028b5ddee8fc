// What is compared: a row for every helper of liburing and for what liburing has no helper for.
import { isDeepStrictEqual } from 'node:util';
import type { UserData } from '../../src/ring/arguments/user-data.ts';
import type { Lendable } from '../../src/ring/memory/lent-memory.ts';
import type { IoUring } from '../../src/ring/io-uring.ts';
import type { MemoryKernel } from './memory-kernel.ts';
import type { Path, Piece, Random } from './random.ts';

/** The 64-bit fields of an entry that can be addresses, by their byte offset. */
const ADDRESS_FIELDS = { off: 8, addr: 16, addr3: 48 } as const;

export type AddressField = keyof typeof ADDRESS_FIELDS;

/**
 * An address that only our side knows. It is looked up in our entry and must be that of the right memory; then it is
 * replaced by one that is the same in every run, which the other side gets for its argument.
 */
export class Pointer {
  readonly field: AddressField;
  readonly what: string;
  readonly isRight: (address: number) => boolean;

  constructor(field: AddressField, what: string, isRight: (address: number) => boolean) {
    this.field = field;
    this.what = what;
    this.isRight = isRight;
  }

  get offset(): number {
    return ADDRESS_FIELDS[this.field];
  }

  /** Stands for the address. */
  get symbol(): bigint {
    return 0x5a5b_5c5d_0000n + BigInt(this.offset) * 0x0101_0101n;
  }
}

/** An argument of a helper, or a field: null is the null pointer, true is 1. */
export type Value = number | bigint | boolean | null | Pointer;

/** A call of a helper; the entry is left out of its arguments. */
export type HelperCall = readonly [helper: string, ...args: Value[]];

/** The fields of an entry by name, those left out being 0. */
export type Fields = { readonly opcode: number } & { readonly [Name in FieldName]?: Value };

export type FieldName = keyof typeof FIELDS;

/** Offset and size of an entry's fields, written down once more and apart from the tables that are tested with it. */
const FIELDS = {
  opcode: [0, 1],
  flags: [1, 1],
  ioprio: [2, 2],
  fd: [4, 4],
  off: [8, 8],
  addr2: [8, 8],
  cmd_op: [8, 4],
  addr: [16, 8],
  level: [16, 4],
  optname: [20, 4],
  len: [24, 4],
  op_flags: [28, 4],
  user_data: [32, 8],
  buf_index: [40, 2],
  buf_group: [40, 2],
  personality: [42, 2],
  file_index: [44, 4],
  optlen: [44, 4],
  zcrx_ifq_idx: [44, 4],
  addr_len: [44, 2],
  addr3: [48, 8],
  optval: [48, 8],
  pad2: [56, 8],
} as const;

/** An entry made of `fields`, as hexadecimal digits. */
export function encode(fields: Partial<Record<FieldName, Value>>): string {
  const bytes = new DataView(new ArrayBuffer(64));
  for (const [name, value] of Object.entries(fields)) {
    const [offset, size] = FIELDS[name as FieldName];
    const bits = BigInt.asUintN(size * 8, number(value));
    for (let i = 0; i < size; i++) bytes.setUint8(offset + i, Number((bits >> BigInt(8 * i)) & 0xffn));
  }
  return Buffer.from(bytes.buffer).toString('hex');
}

/** A value as a number, addresses by their symbols. */
export function number(value: Value): bigint {
  if (value instanceof Pointer) return value.symbol;
  return BigInt(value ?? 0);
}

/** How two entries differ, by what is where. */
export function difference(ours: string, theirs: string): string {
  const parts: [string, number, number][] = [
    ['opcode', 0, 1],
    ['flags', 1, 1],
    ['ioprio', 2, 2],
    ['fd', 4, 4],
    ['off', 8, 8],
    ['addr', 16, 8],
    ['len', 24, 4],
    ['op flags', 28, 4],
    ['user_data', 32, 8],
    ['buf_index', 40, 2],
    ['personality', 42, 2],
    ['file_index', 44, 4],
    ['addr3', 48, 8],
    ['pad2', 56, 8],
  ];
  const read = (entry: string, offset: number, size: number): string =>
    `0x${Buffer.from(entry.slice(offset * 2, (offset + size) * 2), 'hex').reverse().toString('hex')}`;
  return parts
    .map(([name, ...where]) => [name, read(ours, ...where), read(theirs, ...where)])
    .filter(([, our, their]) => our !== their)
    .map(([name, our, their]) => `${name}: ours ${our}, theirs ${their}`)
    .join('; ');
}

/** One comparison; A is what the arguments are. */
export interface Row<A = never> {
  /** The helper, and what is special if it has several rows. */
  readonly name: string;
  /** Random arguments. They are stored as JSON: nothing but plain values. */
  readonly draw: (random: Random) => A;
  readonly ours: (ring: IoUring, args: A, userData: UserData, memory: Memory) => boolean;
  /** The helpers that do the same; none where liburing has none. */
  readonly theirs?: (args: A, memory: Memory) => readonly HelperCall[];
  /** What the entry must be as the kernel wants it. Where a liburing may lack the helper, or there is none. */
  readonly fields?: (args: A, memory: Memory) => Fields;
  /** It takes an entry of 128 bytes. */
  readonly big?: boolean;
  /** The second half of that, as hexadecimal digits; zeroes if left out. */
  readonly rest?: (args: A) => string;
  /** The group of provided buffers that must be there. */
  readonly group?: (args: A) => number;
}

/** A row, with its arguments' type inferred and then forgotten. */
export function row<A>(row: Row<A>): Row {
  return row as unknown as Row;
}

/** The memory of one operation: what is lent, and what our side's addresses should point to. */
export class Memory {
  readonly #kernel: MemoryKernel;
  readonly #lent = new Map<object, Lendable>();
  /** The addresses expected in our entry. */
  readonly pointers: Pointer[] = [];

  constructor(kernel: MemoryKernel) {
    this.#kernel = kernel;
  }

  /** The buffer that `piece` describes: always the same one. */
  lend(piece: Piece): Uint8Array;
  lend(piece: Piece | null): Uint8Array | null;
  lend(piece: Piece | null): Uint8Array | null {
    if (piece === null) return null;
    let buffer = this.#lent.get(piece);
    if (buffer === undefined) this.#lent.set(piece, buffer = make(piece));
    // Whatever it is: a Lendable as good as any.
    return buffer as Uint8Array;
  }

  /** Numbers to be lent as they are. */
  int32(list: readonly number[]): Int32Array {
    let buffer = this.#lent.get(list);
    if (buffer === undefined) this.#lent.set(list, buffer = Int32Array.from(list));
    return buffer as Int32Array;
  }

  /** Something else that one operation makes once. */
  once<T extends object>(key: object, make: () => T): T {
    let made = this.#lent.get(key) as T | undefined;
    if (made === undefined) this.#lent.set(key, (made = make()) as unknown as Lendable);
    return made;
  }

  /** The beginning of memory that is lent, and no other. */
  address(buffer: Lendable): number {
    return ArrayBuffer.isView(buffer)
      ? this.#kernel.addressOf(buffer.buffer) + buffer.byteOffset
      : this.#kernel.addressOf(buffer);
  }

  lent(field: AddressField, buffer: Lendable): Pointer;
  lent(field: AddressField, buffer: Lendable | null): Pointer | null;
  lent(field: AddressField, buffer: Lendable | null): Pointer | null {
    if (buffer === null) return null;
    return this.#pointer(field, 'the memory that was lent', (address) => address === this.address(buffer));
  }

  /** A copy of `bytes`. */
  copy(field: AddressField, what: string, bytes: Uint8Array): Pointer {
    return this.#pointer(field, what, (address) => {
      const found = this.#kernel.bytesAt(address).slice(0, bytes.length);
      return isDeepStrictEqual(found, Uint8Array.from(bytes));
    });
  }

  /** A string that ends with NUL. */
  text(field: AddressField, text: string | Path): Pointer {
    const string = typeof text === 'string' ? text : text.path;
    return this.copy(field, `the string ${string}`, new TextEncoder().encode(`${string}\0`));
  }

  iovecs(field: AddressField, pieces: readonly Piece[]): Pointer {
    return this.copy(field, 'the iovecs', this.#iovecs(pieces));
  }

  /** A struct msghdr with these buffers. */
  message(field: AddressField, pieces: readonly Piece[]): Pointer {
    return this.#pointer(field, 'the msghdr', (address) => {
      const bytes = this.#kernel.bytesAt(address);
      if (bytes.length < 56) return false;
      const [iov, count] = new BigUint64Array(bytes.slice(16, 32).buffer);
      const iovecs = this.#kernel.bytesAt(Number(iov)).slice(0, pieces.length * 16);
      return Number(count) === pieces.length && isDeepStrictEqual(iovecs, this.#iovecs(pieces));
    });
  }

  #iovecs(pieces: readonly Piece[]): Uint8Array {
    const words = pieces.flatMap((piece) => [this.address(this.lend(piece)), piece.size]);
    return new Uint8Array(BigUint64Array.from(words, BigInt).buffer);
  }

  /** struct __kernel_timespec of a time in nanoseconds. */
  timespec(field: AddressField, nanoseconds: bigint): Pointer {
    const words = BigUint64Array.of(nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n);
    return this.copy(field, `the time ${nanoseconds} ns`, new Uint8Array(words.buffer));
  }

  /** Memory that our side keeps to itself. */
  own(field: AddressField, what: string): Pointer {
    return this.#pointer(field, what, (address) => this.#kernel.bytesAt(address).length > 0);
  }

  #pointer(field: AddressField, what: string, isRight: (address: number) => boolean): Pointer {
    const pointer = new Pointer(field, what, isRight);
    this.pointers.push(pointer);
    return pointer;
  }
}

/**
 * What helpers get for a place in the table of registered files. They add 1, to IORING_FILE_INDEX_ALLOC too in some
 * versions and not in others, where that stands for "any"; what is 1 less is the same to all of them.
 */
export function fileIndex(slot: number | 'alloc'): number {
  return slot === 'alloc' ? 0xffff_fffe : slot;
}

/** A path in the form that was drawn. */
export function pathLike({ path, form }: Path): string | Uint8Array | URL {
  if (form === 'url') return new URL(`file://${path}`);
  return form === 'bytes' ? new TextEncoder().encode(path) : path;
}

function make({ size, offset, form }: Piece): Lendable {
  if (form === 'SharedArrayBuffer') return new SharedArrayBuffer(size);
  // Whole pages where pages are asked for.
  const memory = new ArrayBuffer(size + offset + (offset < 65536 ? offset % 3 : 0));
  if (form === 'ArrayBuffer') return memory;
  if (form === 'DataView') return new DataView(memory, offset, size);
  if (form === 'Uint16Array') return new Uint16Array(memory, offset, size / 2);
  if (form === 'Float64Array') return new Float64Array(memory, offset, size / 8);
  return new Uint8Array(memory, offset, size);
}
