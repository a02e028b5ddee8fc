import { types } from '../../native/node-util.ts';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import threads from 'node:worker_threads';
import type { Native } from '../../native/native.ts';
import { monotonicNow } from '../../native/timers.ts';
import { ownOptions } from '../arguments/own-options.ts';

/** Their types come with the browser's, which this project has not. */
declare const WebAssembly: {
  Memory: new (descriptor: object) => { readonly buffer: ArrayBuffer };
  validate(bytes: Uint8Array): boolean;
};
type Places = Pick<Native, 'addressOf'>;
type Transfer = (this: ArrayBuffer, length: number) => ArrayBuffer;

/** More bytes than there can be: a transfer to as many fails before anything is moved. */
const TOO_LONG = Number.MAX_SAFE_INTEGER;

/**
 * Bytes of the smallest page of a processor: the memory of an instance begins with one, as its end is guarded by pages.
 */
const PROCESSOR_PAGE = 4096;

/** `(module (memory 1 (pagesize 1)))`: does the engine know of memories whose pages are not of 64 KiB? */
const WITH_SMALL_PAGES = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 8, 1, 0);

// As they were when this was loaded.
const clone = structuredClone;
const { isMarkedAsUntransferable: isMarked } = threads as { isMarkedAsUntransferable?: (memory: object) => boolean };
const { get } = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength')!;
const lengthOf = get as (this: ArrayBuffer) => number;

/** How many times as long as a refusal took, none is risked afterwards. */
const REST = 100;

/** The findings about memory that might have been such. */
const known = new WeakMap<ArrayBufferLike, boolean>();

/**
 * Is this the memory of a WebAssembly instance? When that grows, its bytes may move, and the ArrayBuffer is detached in
 * spite of every mark; some engines end the process if there is one.
 *
 * No property tells, but that nothing else can detach it: an engine that is asked to transfer it to a length that
 * cannot be names that as the reason, where of other memory it names the length. Neither is touched. Shared memory is
 * none: it never moves, and is not detached.
 *
 * Costs some microseconds for memory of whole pages of 64 KiB, once, and next to nothing for all other.
 *
 * @param places tells where memory is
 */
export function isWebAssemblyMemory(memory: ArrayBufferLike, places: Places): boolean {
  if (types.isSharedArrayBuffer(memory)) return false;
  pageSize ??= typeof WebAssembly === 'object' && WebAssembly.validate(WITH_SMALL_PAGES) ? 1 : 65536;
  if (lengthOf.call(memory) % pageSize !== 0) return false;
  let answer = known.get(memory);
  if (answer === undefined) known.set(memory, answer = isIt(memory, places));
  return answer;
}

/** This is memory of an instance that can never grow: it is as good as any other. */
export function vouchFor(memory: ArrayBuffer): void {
  known.set(memory, false);
}

/** Before this time no memory is asked for: it was refused. */
let notBefore = -Infinity;

/**
 * The memory of an instance of so many pages of 64 KiB, which is the instance's for good: it cannot grow. Undefined
 * where WebAssembly is switched off, or address space is short.
 *
 * V8 reserves some 10 GiB of address space for each, which is much under a limit (`ulimit -v`), and where a process
 * has no more than 512 GiB: with the 39 bits of some kernels for arm64, and in user-mode Linux. It collects all
 * garbage, and that more than once, before it says that there is none. With many objects that takes seconds; so who
 * was refused does not ask again at once.
 */
export function fixedMemory(pages: number): ArrayBuffer | undefined {
  const start = monotonicNow();
  if (start < notBefore) return undefined;
  try {
    return new WebAssembly.Memory(ownOptions({ initial: pages, maximum: pages })).buffer;
  } catch {
    const end = monotonicNow();
    notBefore = end + REST * (end - start);
    return undefined;
  }
}

// The behaviour of an engine is found out by trying, when it is needed.
let pageSize: number | undefined;
let ordinary: { tells: ((memory: ArrayBuffer) => boolean) | undefined } | undefined;
let transfers: { transfer: Transfer | undefined; isMarkHeeded: boolean } | undefined;

function isIt(memory: ArrayBuffer, places: Places): boolean {
  // Asked first: where nothing else is wrong, some engines collect all garbage before they say that a length is too
  // great.
  ordinary ??= whatTellsOrdinary();
  const tells = ordinary?.tells;
  if (tells?.(memory) === true) return false;
  // Where nothing tells, as in Deno: that collection takes 30 ms, and hardly any other memory begins with a page.
  if (tells === undefined && places.addressOf(memory) % PROCESSOR_PAGE !== 0) return false;
  transfers ??= howItTransfers();
  const { transfer, isMarkHeeded } = transfers;
  if (transfer !== undefined && !isUndetachable(memory, transfer)) return false;
  // Where a transfer heeds the mark nothing else can detach such memory, nor can it grow.
  return !isMarkHeeded || isMarked?.(memory) !== true;
}

/**
 * A way to tell ordinary memory from WebAssembly's by a structured clone, if there is one: Deno's clone detaches
 * ordinary memory before it reads what is cloned. Undefined if it cannot be found out now, as there is no
 * WebAssembly's.
 */
function whatTellsOrdinary(): typeof ordinary {
  if (typeof WebAssembly !== 'object') return { tells: undefined };
  const buffer = fixedMemory(0);
  if (buffer === undefined) return undefined;
  const tells = [isReadOnCloning, isRefusedTwice].find((says) => {
    const plain = new ArrayBuffer(8);
    return says(plain) && lengthOf.call(plain) === 8 && !says(buffer);
  });
  return { tells };
}

function howItTransfers(): { transfer: Transfer | undefined; isMarkHeeded: boolean } {
  const transfer = transferOf();
  const marked = new ArrayBuffer(8);
  threads.markAsUntransferable(marked);
  return { transfer, isMarkHeeded: transfer === undefined || isUndetachable(marked, transfer) };
}

/**
 * `ArrayBuffer.prototype.transfer`. Before Node 21 it is there, but only in a context that was made while a switch is
 * set; such a context is used for nothing else.
 */
function transferOf(): Transfer | undefined {
  const { transfer } = ArrayBuffer.prototype as unknown as { transfer?: Transfer };
  if (transfer !== undefined) return transfer;
  try {
    setFlagsFromString('--harmony-rab-gsab-transfer');
    const found: unknown = runInNewContext('ArrayBuffer.prototype.transfer');
    return typeof found === 'function' ? (found as Transfer) : undefined;
  } finally {
    setFlagsFromString('--no-harmony-rab-gsab-transfer');
  }
}

function isUndetachable(memory: ArrayBuffer, transfer: Transfer): boolean {
  try {
    Reflect.apply(transfer, memory, [TOO_LONG]);
  } catch (error) {
    // Not by its class, which may be another context's.
    return (error as Error).name === 'TypeError';
  }
  return false;
}

/** Since Node 21: a structured clone that was to transfer other memory is refused before it reads what is cloned. */
const isReadOnCloning = (memory: ArrayBuffer): boolean => isRead(memory);

/** Before: it makes a copy of other memory, and refuses to transfer the same memory twice. */
const isRefusedTwice = (memory: ArrayBuffer): boolean => !isRead(memory, memory);

/** Does a structured clone that was to transfer these come so far as to read what is cloned? That stops it. */
function isRead(...transfer: ArrayBuffer[]): boolean {
  let read = false;
  const value = {
    get stop(): never {
      read = true;
      throw new Error('Stop');
    },
  };
  try {
    clone(value, ownOptions({ transfer }));
  } catch {
    // That, or the refusal.
  }
  return read;
}
