import { types } from '../../native/node-util.ts';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { memoryLength } from './intrinsic.ts';

/** Such memory has whole pages of so many bytes. */
const PAGE = 64 * 1024;

/**
 * The answers found so far, for it is asked again and again of the same memory, and what is lent cannot be told from it
 * any more.
 */
const known = new WeakMap<ArrayBufferLike, boolean>();
let port: MessagePort | undefined;

/**
 * May this be the memory of a WebAssembly.Memory? It can be grown, which takes the bytes away under whoever has
 * borrowed them; and since version 24, Node ends the process when it is grown after it was marked as not to be
 * transferred.
 *
 * Nothing says what it is. But it cannot be transferred, and whether memory can be is looked at before a list of what
 * is to be transferred is refused because it names something twice. So the refusal of such a list tells, and nothing is
 * transferred.
 */
export function mayBeWebAssembly(memory: ArrayBufferLike): boolean {
  // Where it is shared it stays where it is, and is not marked.
  if (types.isSharedArrayBuffer(memory)) return false;
  const length = memoryLength(memory);
  if (length === 0 || length % PAGE !== 0) return false;
  let is = known.get(memory);
  if (is === undefined) known.set(memory, is = !canBeTransferred(memory));
  return is;
}

function canBeTransferred(memory: ArrayBuffer): boolean {
  if (port === undefined) {
    port = new MessageChannel().port1;
    port.unref();
  }
  try {
    port.postMessage(null, [memory, memory]);
  } catch (error) {
    return /\bduplicate\b/.test((error as Error).message);
  }
  return false;
}
