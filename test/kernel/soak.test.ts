// Millions of mixed operations: every completion comes, with its own userData, and nothing is left behind.
// slow: hundreds of thousands of operations
import assert from 'node:assert/strict';
import { openSync, readdirSync } from 'node:fs';
import { allocateAligned, IoUring } from '../../src/index.ts';
import { it } from '../asking.ts';
import { collect } from './collect.ts';
import { Descriptors } from './libc.ts';
import { Temporary } from './temporary.ts';

const OPERATIONS = 3_000_000;
const ENTRIES = 256;
const BLOCK = 512;

it('3 million nops, reads, writes, sends, receives, timers and cancels; no descriptor, slot or byte leaks', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(ENTRIES);
  const fd = files.own(openSync(folder.file('data', Buffer.alloc(ENTRIES * BLOCK, 'x')), 'r+'));
  const [a, b] = files.socketPair();
  const buffers = ring.registerBufRing(64, BLOCK, 1);
  const arena = allocateAligned(ENTRIES * BLOCK);
  const slots = Array.from({ length: ENTRIES }, (_, i) => arena.subarray(i * BLOCK, (i + 1) * BLOCK));
  const descriptors = readdirSync('/proc/self/fd').length;

  const RECEIVE = 2 ** 40;
  let done = 0;
  let queued = 0;
  let cancels = 0;
  let sent = 0;
  let received = 0;
  let armed = false;
  let memoryEarly = 0;
  const inFlight = new Uint8Array(ENTRIES);

  const queue = (slot: number): boolean => {
    switch (queued % 8) {
      case 0:
        return ring.prepRead(fd, slots[slot], BLOCK, slot, slot * BLOCK);
      case 1:
        return ring.prepWrite(fd, slots[slot], BLOCK, slot, slot * BLOCK);
      case 2:
        return ring.prepTimeout(0, slot);
      case 3:
        cancels++;
        return ring.prepCancel(2 ** 50, slot);
      case 4:
        // A fresh buffer each time, and only the ring to hold it.
        return ring.prepRead(fd, new Uint8Array(64), 64, BigInt(slot), 0n);
      case 5:
        if (sent - received > 32 * 64) return ring.prepNop(slot);
        sent += 64;
        return ring.prepSend(b, slots[slot], 64, slot);
      default:
        return ring.prepNop(slot);
    }
  };

  while (done < OPERATIONS) {
    if (!armed) armed = ring.prepRecvMultishot(a, 1, RECEIVE);
    for (let slot = 0; slot < ENTRIES; slot++) {
      if (inFlight[slot] === 1) continue;
      if (!queue(slot)) break;
      inFlight[slot] = 1;
      queued++;
    }
    ring.submitAndWait(1);
    ring.forEachCompletion((c) => {
      const { userData } = c;
      if (userData === RECEIVE) {
        const id = c.bufferId();
        if (id !== undefined) {
          received += c.res;
          buffers.recycle(id);
        }
        armed = c.hasMore();
        return;
      }
      assert.equal(inFlight[userData], 1, 'each completes once');
      inFlight[userData] = 0;
      done++;
      if (c.res < 0 && c.res !== -2 && c.res !== -62) assert.fail(`operation ${userData}: ${c.res}`);
    });
    if (memoryEarly === 0 && done > OPERATIONS / 4) {
      collect();
      memoryEarly = total();
    }
  }
  collect();
  const growth = total() - memoryEarly;
  assert.ok(cancels > 100_000);
  assert.equal(readdirSync('/proc/self/fd').length, descriptors);
  assert.ok(growth < 8 << 20, `${growth} bytes more than after a quarter of the way`);
});

/** JavaScript's memory: the heap and what it holds outside. */
function total(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
