/**
 * The memory of a view, whatever its properties say: those can be shadowed, by `Object.defineProperty` or in a
 * subclass, and code that believes them reads or writes memory that is somebody else's.
 */
type Getter<T> = (this: ArrayBufferView) => T;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const getter = <T>(prototype: object, name: string | symbol): Getter<T> =>
  Object.getOwnPropertyDescriptor(prototype, name)!.get as Getter<T>;

const tagOf = getter<string | undefined>(typedArray, Symbol.toStringTag);
const [bytesOfArray, offsetOfArray, memoryOfArray] = [
  getter<number>(typedArray, 'byteLength'),
  getter<number>(typedArray, 'byteOffset'),
  getter<ArrayBufferLike>(typedArray, 'buffer'),
];
const [bytesOfDataView, offsetOfDataView, memoryOfDataView] = [
  getter<number>(DataView.prototype, 'byteLength'),
  getter<number>(DataView.prototype, 'byteOffset'),
  getter<ArrayBufferLike>(DataView.prototype, 'buffer'),
];
const setBytes = Object.getOwnPropertyDescriptor(typedArray, 'set')!.value as (
  this: Uint8Array,
  from: Uint8Array,
  at: number,
) => void;

/** Is it a Uint8Array, or a Buffer? */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && tagOf.call(value) === 'Uint8Array';
}

/** How many bytes there are; 0 where the memory is gone. */
export function byteLengthOf(view: ArrayBufferView): number {
  if (tagOf.call(view) !== undefined) return bytesOfArray.call(view);
  try {
    return bytesOfDataView.call(view);
  } catch {
    // The engine answers with an error for a DataView whose memory is gone.
    return 0;
  }
}

/** `length` bytes of a view from `offset` on, which it has, as an array that says of itself what is so. */
export function bytesAt(view: ArrayBufferView, offset: number, length: number): Uint8Array {
  if (tagOf.call(view) !== undefined) {
    return new Uint8Array(memoryOfArray.call(view), offsetOfArray.call(view) + offset, length);
  }
  return new Uint8Array(memoryOfDataView.call(view), offsetOfDataView.call(view) + offset, length);
}

/** All bytes of a view, as such an array; none where the memory is gone. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  const length = byteLengthOf(view);
  return length === 0 ? new Uint8Array(0) : bytesAt(view, 0, length);
}

/** Copy bytes to a place in a view that has as many there. */
export function putBytes(from: Uint8Array, target: ArrayBufferView, at: number): void {
  const isOfBytes = tagOf.call(target) === 'Uint8Array';
  setBytes.call(isOfBytes ? (target as Uint8Array) : bytesOf(target), from, at);
}

const PLAIN = new Set<unknown>([Buffer.prototype, DataView.prototype]);
for (
  const Kind of [
    Uint8Array,
    Uint8ClampedArray,
    Int8Array,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ]
) {
  PLAIN.add(Kind.prototype);
}
const SHADOWABLE = ['length', 'byteLength', 'byteOffset', 'buffer'] as const;

/** Do its properties say what is so? Node believes them, and ends the process where they lie. */
export function isHonest(view: ArrayBufferView): boolean {
  return PLAIN.has(Object.getPrototypeOf(view)) && !SHADOWABLE.some((name) => Object.hasOwn(view, name));
}

/** The view that Node is given in the place of one that lies; anything else as it is. */
export function honest(data: unknown): unknown {
  return ArrayBuffer.isView(data) && !isHonest(data) ? bytesOf(data) : data;
}
