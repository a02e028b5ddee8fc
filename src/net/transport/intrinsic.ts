import { types } from '../../native/node-util.ts';

/*
 * A view as it really is. Its properties say what its owner likes: an own `length`, or a subclass's getter, would have
 * memory read that is not the view's.
 */

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;

function getterOf<T>(prototype: object, name: string): (view: unknown) => T {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name)!;
  return (view) => get!.call(view) as T;
}

/** Bytes of a typed array. 0 if it is detached. */
export const lengthOf = getterOf<number>(typedArray, 'byteLength');
/** The memory that it is a view of. */
export const bufferOf = getterOf<ArrayBufferLike>(typedArray, 'buffer');
/** Bytes of an ArrayBuffer. 0 if it is detached. */
export const memoryLength = getterOf<number>(ArrayBuffer.prototype, 'byteLength');
const offsetOf = getterOf<number>(typedArray, 'byteOffset');

const ofDataView = {
  length: getterOf<number>(DataView.prototype, 'byteLength'),
  buffer: getterOf<ArrayBufferLike>(DataView.prototype, 'buffer'),
  offset: getterOf<number>(DataView.prototype, 'byteOffset'),
};

/** The bytes of a view, or of a typed array those from one place to another, as a view of our own. */
export function bytesIn(view: NodeJS.TypedArray, from = 0, to = lengthOf(view)): Uint8Array {
  return new Uint8Array(bufferOf(view), offsetOf(view) + from, to - from);
}

/** All bytes of a view of any kind. */
export function bytesInView(view: ArrayBufferView): Uint8Array {
  if (!types.isDataView(view)) return bytesIn(view as NodeJS.TypedArray);
  return new Uint8Array(ofDataView.buffer(view), ofDataView.offset(view), ofDataView.length(view));
}
