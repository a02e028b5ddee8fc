import type { FileHandle } from 'node:fs/promises';

/** The number of a handle's descriptor, without the handle taking notice; -1 of one that is closed. */
export function descriptorOf(handle: FileHandle): number {
  let get: (() => number) | undefined;
  // Node's own is the last of them.
  for (
    let above = Object.getPrototypeOf(handle) as object | null;
    above !== null;
    above = Object.getPrototypeOf(above) as object | null
  ) {
    get = (Object.getOwnPropertyDescriptor(above, 'fd')?.get as (() => number) | undefined) ?? get;
  }
  return get === undefined ? handle.fd : get.call(handle);
}
