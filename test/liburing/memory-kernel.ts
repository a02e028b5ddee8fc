import { FakeKernel, placeInPage } from '../ring/fake-kernel.ts';
import { Random } from './random.ts';

/**
 * A fake kernel that can read what an address points to, whose addresses use all the bits that real ones do, and that
 * shows what it consumed last as bytes, in rings with entries of 128 bytes too.
 */
export class MemoryKernel extends FakeKernel {
  /** The entry consumed last, all of it. */
  lastEntry = new Uint8Array(0);
  /** Entries of 128 bytes, and the memory of the entries of 64 that the fake kernel knows. */
  #big: { from: Uint8Array; to: Uint8Array } | undefined;
  readonly #random = new Random(1);
  readonly #known = new Map<ArrayBufferLike, number>();

  override addressOf(memory: ArrayBufferLike): number {
    let address = this.#known.get(memory);
    if (address === undefined) {
      const inPage = placeInPage(memory);
      do address = this.#random.below(2 ** 14) * 2 ** 32 + this.#random.below(2 ** 20) * 4096 + 2 ** 32 + inPage;
      while (this.#at(address, memory.byteLength) !== undefined);
      this.#known.set(memory, address);
    }
    return address;
  }

  override view(address: number, length = 0): ArrayBuffer {
    const memory = super.view(address);
    if (length <= memory.byteLength) return memory;
    const big = new ArrayBuffer(length);
    this.#big = { from: new Uint8Array(big), to: new Uint8Array(memory) };
    return big;
  }

  override consume(count: number): number {
    const { from, to } = this.#big ?? {};
    for (let i = 0; from && to && i * 64 < to.length; i++) to.set(from.subarray(i * 128, i * 128 + 64), i * 64);
    const taken = super.consume(count);
    const { words } = this.entriesSeen.at(-1)!;
    this.lastEntry = Uint8Array.from(from ? from.subarray(0, 128) : new Uint8Array(words.buffer));
    return taken;
  }

  /** The memory from `address` on, as far as it goes; empty where there is none. */
  bytesAt(address: number): Uint8Array {
    const found = this.#at(address, 1);
    return found ? new Uint8Array(found[0], address - found[1]) : new Uint8Array(0);
  }

  #at(address: number, length: number): [ArrayBufferLike, number] | undefined {
    const meets = ([memory, start]: [ArrayBufferLike, number]): boolean =>
      address < start + memory.byteLength && start < address + length;
    return [...this.#known].find(meets);
  }
}
