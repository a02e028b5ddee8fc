/*
 * Memory that datagrams are copied to, and sent from. Pieces of two sizes are used again: ordinary datagrams fit into
 * the one, and any into the other.
 */

const SMALL = 2048;
const LARGE = 64 * 1024;
/** So many of each are kept. */
const SMALL_KEPT = 1024;
const LARGE_KEPT = 64;

const small: Buffer[] = [];
const large: Buffer[] = [];

/** Room for so many bytes. More than a datagram can have is for the kernel to refuse. */
export function takeMemory(bytes: number): Buffer {
  if (bytes <= SMALL) return small.pop() ?? Buffer.allocUnsafeSlow(SMALL);
  if (bytes <= LARGE) return large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
  return Buffer.allocUnsafeSlow(bytes);
}

/** It is sent. */
export function giveMemory(memory: Buffer): void {
  if (memory.length === SMALL) {
    if (small.length < SMALL_KEPT) small.push(memory);
  } else if (memory.length === LARGE && large.length < LARGE_KEPT) {
    large.push(memory);
  }
}
