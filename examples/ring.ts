import { openSync } from 'node:fs';
import { IoUring } from 'iouring';

using ring = new IoUring(8);
const fd = openSync('/etc/hostname', 'r');
const buffer = Buffer.alloc(256);

ring.prepRead(fd, buffer, buffer.length, 42, 0); // queued: nothing has happened yet
ring.prepNop(43);
ring.submitAndWait(2); // one system call for both
ring.forEachCompletion((c) => {
  if (c.userData === 42) console.log(`read ${c.res} bytes: ${buffer.toString('utf8', 0, c.res).trim()}`);
  else console.log(`nothing, done: ${c.res}`);
});
