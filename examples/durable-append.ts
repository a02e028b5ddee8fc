/** Appends a line to a log, durably, in one submission: open, write, flush, linked in the kernel. */
import { constants, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IoUring } from 'iouring';
import { IOSQE_FIXED_FILE, IOSQE_IO_LINK } from 'iouring/abi';

const path = process.argv[2] ?? join(tmpdir(), `durable-append-${process.pid}.log`);
const line = Buffer.from(`${new Date().toISOString()} hello\n`);

using ring = new IoUring(8);
ring.registerFilesSparse(1);

// The file goes to slot 0 of the ring's own table: it is never a descriptor of the process.
ring.prepOpen(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 1, { mode: 0o644, direct: 0 });
ring.sqeSetFlags(IOSQE_IO_LINK);
ring.prepWrite(0, line, line.length, 2);
ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_IO_LINK);
ring.prepFsync(0, 3, { datasync: true });
ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_IO_LINK);
ring.prepCloseDirect(0, 4);

ring.submitAndWait(4);
for (const c of ring.completions()) {
  console.log(`${['', 'open', 'write', 'flush', 'close'][c.userData]}: ${c.res}`);
}
console.log(`the log ends with: ${readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)}`);
if (process.argv[2] === undefined) rmSync(path);
