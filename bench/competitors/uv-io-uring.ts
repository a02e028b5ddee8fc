/**
 * Whether this Node, started with UV_USE_IO_URING=1, reads files through an io_uring: the kernel
 * shows the tail of each ring's submission queue in fdinfo, and it must move with the reads.
 */
import { openSync, read, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { printLine } from './measurement.ts';

const READS = 100;

function submitted(): number {
  let total = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]') {
        const tail = /SqTail:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
        total += Number(tail?.[1] ?? 0);
      }
    } catch {
      // The descriptor that listed the folder is gone already.
    }
  }
  return total;
}

const fd = openSync(process.execPath, 'r');
const block = Buffer.alloc(4096);
let reads = 0;
let before = 0;
function next(): void {
  if (reads === 1) {
    before = submitted();
  }
  if (reads === READS + 1) {
    printLine({ reads: READS, submitted: submitted() - before });
    return;
  }
  reads++;
  read(fd, block, 0, block.length, reads * block.length, next);
}
next();
