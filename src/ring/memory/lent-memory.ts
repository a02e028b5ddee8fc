import { types } from '../../native/node-util.ts';
import type { Native } from '../../native/native.ts';
import { outOfRange, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { isWebAssemblyMemory } from './webassembly-memory.ts';

/** A piece of memory that a caller may lend to the kernel: memory that neither moves nor shrinks while it is lent. */
export type Lendable = ArrayBufferView | ArrayBufferLike;

/** An entry's `len` has 32 bits. */
const LENGTH_MAX = 2 ** 32 - 1;

/**
 * Finds where a buffer's bytes are, and refuses those whose bytes could go away under the kernel:
 * resizable and growable ones (their end moves), detached ones (their memory is somebody else's), those of WebAssembly
 * (they move when they grow).
 * Memory seen once is kept in place for good (see {@link Native.keepInPlace}), so that it cannot be
 * transferred while it is lent.
 *
 * The answer is remembered on the buffer itself, in private fields that no other code can read or forge:
 * a WeakMap look-up at every operation would cost ten times as much. It is given in two fields of this
 * object rather than in a new one, to allocate nothing.
 */
export class LentMemory {
  readonly #native: Native;
  /** The address last found, its low and high 32 bits. */
  addressLow = 0;
  addressHigh = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  /**
   * Look up `buffer` and check that `length` bytes of it can be lent.
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not a buffer; `ERR_INVALID_ARG_VALUE` resizable, growable,
   *   detached or of WebAssembly; RangeError `ERR_OUT_OF_RANGE` `length` is no integer from 0 to the buffer's byte
   *   length.
   */
  find(buffer: Lendable, length: number): void {
    if (
      Located.is(buffer) &&
      typeof length === 'number' &&
      length >>> 0 === length &&
      length <= Located.byteLength(buffer) &&
      isAttachedView(buffer)
    ) {
      this.addressLow = Located.low(buffer);
      this.addressHigh = Located.high(buffer);
      return;
    }
    this.#inspect(buffer, length);
  }

  /**
   * Look up all of `buffer`. Its length in bytes.
   * @throws {TypeError|RangeError} as {@link find} does, of an argument called `name`
   */
  findWhole(buffer: Lendable, name = 'buf'): number {
    if (Located.is(buffer) && isAttachedView(buffer)) {
      this.addressLow = Located.low(buffer);
      this.addressHigh = Located.high(buffer);
      return Located.byteLength(buffer);
    }
    const isView = ArrayBuffer.isView(buffer);
    // Of a detached one the engine tells no length, but an error of its own.
    if (isView) refuseIfItCanGoAway(name, viewed(buffer));
    const length = isView ? viewLength(buffer) : types.isAnyArrayBuffer(buffer) ? memoryLength(buffer) : 0;
    this.#inspect(buffer, length, name);
    return length;
  }

  #inspect(buffer: Lendable, length: number, name = 'buf'): void {
    const isView = ArrayBuffer.isView(buffer);
    if (!isView && !types.isAnyArrayBuffer(buffer)) {
      throw wrongType(name, 'an ArrayBufferView or an ArrayBuffer', buffer);
    }
    const memory = isView ? viewed(buffer) : buffer;
    refuseIfItCanGoAway(name, memory);
    if (!Located.is(memory) && isWebAssemblyMemory(memory, this.#native)) {
      const reason =
        'memory of WebAssembly can move when it grows, while the kernel uses it: copy it, and lend the copy';
      throw wrongValue(name, reason);
    }
    const byteLength = isView ? viewLength(buffer) : memoryLength(memory);
    if (typeof length !== 'number') throw wrongType('len', 'of type number', length);
    if (!Number.isInteger(length) || length < 0 || length > byteLength || length > LENGTH_MAX) {
      const limit = byteLength > LENGTH_MAX ? '4294967295 (2^32-1)' : `the buffer's ${byteLength} bytes`;
      throw outOfRange('len', `an integer from 0 to ${limit}`, length);
    }
    if (!Located.is(memory)) {
      if (!types.isSharedArrayBuffer(memory)) this.#native.keepInPlace(memory);
      Located.mark(memory, this.#native.addressOf(memory), memoryLength(memory));
    }
    let address = Located.high(memory) * 2 ** 32 + (Located.low(memory) >>> 0);
    if (isView) address += viewOffset(buffer);
    // A DataView is left unmarked: it has no first element to tell by whether it is detached.
    if (isView && !types.isDataView(buffer) && !Located.is(buffer)) {
      Located.mark(buffer, address, byteLength);
    }
    this.addressLow = address | 0;
    this.addressHigh = (address / 2 ** 32) | 0;
  }
}

function refuseIfItCanGoAway(name: string, memory: ArrayBufferLike): void {
  if (isResizable(memory)) {
    const shared = types.isSharedArrayBuffer(memory);
    const kind = shared ? 'a growable SharedArrayBuffer' : 'a resizable ArrayBuffer';
    throw wrongValue(name, `${kind} can change size while the kernel uses it: lend a fixed-length one`);
  }
  if (isDetached(memory)) {
    throw wrongValue(name, 'its ArrayBuffer is detached: it was transferred, and its memory with it');
  }
}

function isDetached(memory: ArrayBufferLike): boolean {
  // Not the property `detached`, which came with ES2024: a view over a detached buffer throws everywhere.
  try {
    return new Uint8Array(memory, 0, 0).length > 0;
  } catch {
    return true;
  }
}

/**
 * Is this a view, and was it left where it is since it was lent first? A detached one has no first element, which
 * is found out in a tenth of the time that V8 takes to tell its byteLength.
 */
function isAttachedView(buffer: Lendable): boolean {
  return ArrayBuffer.isView(buffer) && (buffer as unknown as { 0: unknown })[0] !== undefined;
}

// The intrinsic getters: an object may shadow the properties themselves with whatever it likes.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const getter = (prototype: object, name: string): ((this: unknown) => unknown) | undefined =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get;
const ofView = <T>(name: string): (view: ArrayBufferView) => T => {
  const ofTypedArray = getter(typedArray, name)!;
  const ofDataView = getter(DataView.prototype, name)!;
  return (view) => (types.isDataView(view) ? ofDataView : ofTypedArray).call(view) as T;
};
const viewed = ofView<ArrayBufferLike>('buffer');
const viewOffset = ofView<number>('byteOffset');
const viewLength = ofView<number>('byteLength');
const ofMemory = <T>(unshared: string, shared: string): (memory: ArrayBufferLike) => T => {
  const ofUnshared = getter(ArrayBuffer.prototype, unshared);
  const ofShared = getter(SharedArrayBuffer.prototype, shared);
  return (memory) => (types.isSharedArrayBuffer(memory) ? ofShared : ofUnshared)?.call(memory) as T;
};
const memoryLength = ofMemory<number>('byteLength', 'byteLength');
/** The memory that a buffer is, or is a view of, whatever it says itself. */
export function memoryOf(buffer: Lendable): ArrayBufferLike {
  return ArrayBuffer.isView(buffer) ? viewed(buffer) : buffer;
}

/** The length of a buffer in bytes, whatever it says itself. */
export function byteLengthOf(buffer: Lendable): number {
  return ArrayBuffer.isView(buffer) ? viewLength(buffer) : memoryLength(buffer);
}

/** A view of the same bytes, whatever the array says itself. @throws {TypeError} from the engine, of a detached one */
export function viewOf(bytes: ArrayBufferView): DataView {
  return new DataView(viewed(bytes), viewOffset(bytes), viewLength(bytes));
}

/** Undefined in an engine that has no such memory. */
const isResizable = ofMemory<boolean | undefined>('resizable', 'growable');

/** A base class whose constructor returns its argument, so that a subclass's private fields land on it. */
const Returning = function (target: object) {
  return target;
} as unknown as new (target: object) => object;

class Located extends Returning {
  readonly #low: number;
  readonly #high: number;
  readonly #byteLength: number;

  private constructor(target: Lendable, address: number, byteLength: number) {
    super(target);
    this.#low = address | 0;
    this.#high = (address / 2 ** 32) | 0;
    this.#byteLength = byteLength;
  }

  static mark(target: Lendable, address: number, byteLength: number): void {
    // oxlint-disable-next-line no-new -- the fields are put on `target`
    new Located(target, address, byteLength);
  }

  static is(target: unknown): boolean {
    return typeof target === 'object' && target !== null && #low in target;
  }

  static low(target: Lendable): number {
    return (target as unknown as Located).#low;
  }

  static high(target: Lendable): number {
    return (target as unknown as Located).#high;
  }

  static byteLength(target: Lendable): number {
    return (target as unknown as Located).#byteLength;
  }
}
