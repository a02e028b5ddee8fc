import { aligned } from './aligned-memory.ts';
import { kernelError } from './kernel-error.ts';
import { NetPreparation } from './prepare-net.ts';

/** What an error of io_uring_register(2) is likely to mean, by errno. */
export type Hints = Readonly<Record<number, string>>;

/** Memory for the arguments of one call. */
interface Argument {
  view: DataView;
  address: number;
}

/** The base of all registrations: one call, its arguments, and its refusal in words. */
export abstract class Registration extends NetPreparation {
  /** The array of the call that is being made: it must live as long. */
  #arrays: Uint8Array[] = [];

  /**
   * io_uring_register(2) on this ring.
   * @returns what the kernel answers
   * @throws {Error} the kernel's refusal
   * @internal
   */
  protected register(opcode: number, address: number, count: number, hints?: Hints): number {
    const result = this.holdings.register(opcode, address, count);
    this.#arrays = [];
    if (result < 0) throw kernelError(-result, 'io_uring_register', hints?.[-result]);
    return result;
  }

  /** A struct of up to 256 bytes, all zero. @internal */
  protected scratch(length: number): Argument {
    const { view, address } = this.holdings.registerArgument;
    new Uint8Array(view.buffer, view.byteOffset, length).fill(0);
    return { view, address };
  }

  /** An array of `length` bytes, all zero, until the next call is made. @internal */
  protected array(length: number): Argument {
    const { bytes, address } = aligned(this.holdings.native, Math.max(8, length), 8);
    this.#arrays.push(bytes);
    return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), address };
  }
}
