// Read a file through a ring with many reads in flight, and hash it in order.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { allocateAligned, IoUring } from 'iouring';

const CHUNK = 128 * 1024;
const IN_FLIGHT = 32;

/** The SHA-256 of the file at `path`, and how many system calls reading it took. */
export function sha256(path: string): { digest: string; bytes: number; enters: number } {
  const fd = openSync(path, 'r');
  using ring = new IoUring(IN_FLIGHT);
  const { size } = fstatSync(fd);
  const chunks = Math.ceil(size / CHUNK);
  const buffers = Array.from({ length: IN_FLIGHT }, () => allocateAligned(CHUNK));
  const arrived = new Map<number, number>(); // chunk → bytes, those that wait for their turn
  const hash = createHash('sha256');
  let queued = 0;
  let hashed = 0;
  let enters = 0;
  try {
    while (hashed < chunks) {
      // Chunk n goes to buffer n mod IN_FLIGHT: it is free once chunk n - IN_FLIGHT is hashed.
      for (; queued < Math.min(chunks, hashed + IN_FLIGHT); queued++) {
        ring.prepRead(fd, buffers[queued % IN_FLIGHT], CHUNK, queued, queued * CHUNK);
      }
      ring.submitAndWait(1);
      enters++;
      ring.forEachCompletion((c) => {
        const expected = Math.min(CHUNK, size - c.userData * CHUNK);
        if (c.res !== expected) throw new Error(`chunk ${c.userData}: ${c.res} instead of ${expected}`);
        arrived.set(c.userData, c.res);
      });
      for (let bytes; (bytes = arrived.get(hashed)) !== undefined; hashed++) {
        hash.update(buffers[hashed % IN_FLIGHT].subarray(0, bytes));
        arrived.delete(hashed);
      }
    }
  } finally {
    closeSync(fd);
  }
  return { digest: hash.digest('hex'), bytes: size, enters };
}
