/** Numbers that look random and come again with the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 … 2^32-1 (Mulberry32). */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 … end-1. */
  below(end: number): number {
    return Math.floor((this.word() / 2 ** 32) * end);
  }

  bool(): boolean {
    return (this.word() & 1) === 1;
  }

  of<const T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** One of the edges as often as not, else anything. */
  #edgy<T>(edges: readonly T[], any: () => T): T {
    return this.bool() ? this.of(edges) : any();
  }

  /** From `min` to `max`, numbers of 53 bits. Small ones come as often as large ones. */
  between(min: number, max: number): number {
    const any = (): number => {
      const bits = this.below(54);
      const value = (this.below(2 ** 21) * 2 ** 32 + this.word()) % 2 ** bits;
      return min + (value % (max - min + 1));
    };
    return this.#edgy([min, max, Math.min(min + 1, max)], any);
  }

  u8(): number {
    return this.between(0, 0xff);
  }

  u16(): number {
    return this.between(0, 0xffff);
  }

  u32(): number {
    return this.#edgy([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff], () => this.word());
  }

  /** An `int` that is not negative. */
  count(): number {
    return this.between(0, 0x7fff_ffff);
  }

  /** A descriptor, open or not; AT_FDCWD. */
  fd(): number {
    return this.#edgy([0, 1, 3, -1, -100, 0x7fff_ffff, -0x8000_0000], () => this.word() | 0);
  }

  /** Any 64 bits: numbers as far as they go, and bigints. */
  u64(): number | bigint {
    const edges = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 0n, 1n << 63n, (1n << 64n) - 1n];
    return this.#edgy<number | bigint>(
      edges,
      () => this.bool() ? this.between(0, 2 ** 53 - 1) : (BigInt(this.word()) << 32n) | BigInt(this.word()),
    );
  }

  /** Up to 2^63-1. */
  length(): number | bigint {
    const value = this.u64();
    return typeof value === 'bigint' ? BigInt.asUintN(63, value) : value;
  }

  /** A position in a file: the file's own is -1, or null. */
  offset(): number | bigint | null {
    return this.below(5) === 0 ? this.of([-1, -1n, null]) : this.length();
  }

  /** Any of `bits`, together or none. */
  flags(bits: readonly number[]): number {
    return bits.reduce((flags, bit) => (this.bool() ? flags | bit : flags), 0) >>> 0;
  }

  /** A place in a table of registered files. */
  slot(): number | 'alloc' {
    return this.below(4) === 0 ? 'alloc' : this.between(0, 0xffff_fffd);
  }

  word26(): string {
    return Array.from({ length: 1 + this.below(12) }, () => String.fromCharCode(97 + this.below(26))).join('');
  }

  path(): Path {
    const form = this.of(['string', 'bytes', 'url']);
    const text = Array.from({ length: 1 + this.below(5) }, () => this.word26()).join('/');
    return { path: this.bool() || form === 'url' ? `/${text}` : text, form };
  }

  buffer(): Piece {
    const form = this.of(FORMS);
    const offset = form.endsWith('Buffer') ? 0 : this.below(200) * 8;
    return { size: (1 + this.below(64)) * 8, offset, form };
  }

  buffers(): Piece[] {
    return Array.from({ length: this.below(6) }, () => this.buffer());
  }

  /** A raw socket address, as hexadecimal digits. */
  bytes(min: number, max: number): string {
    const length = min + this.below(max - min + 1);
    return Array.from({ length }, () => this.u8().toString(16).padStart(2, '0')).join('');
  }
}

/** A path in one of the forms that it may be given in. */
export interface Path {
  path: string;
  form: 'string' | 'bytes' | 'url';
}

/** Memory to be lent: `size` bytes of a larger piece, from byte `offset` on. */
export interface Piece {
  size: number;
  offset: number;
  form: (typeof FORMS)[number];
}

const FORMS = ['Uint8Array', 'Uint16Array', 'Float64Array', 'DataView', 'ArrayBuffer', 'SharedArrayBuffer'] as const;
