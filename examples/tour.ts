// `npm start`: io_uring from TypeScript, on real input, next to Node's own way.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { diagnose } from 'iouring';
import { descriptorOf, echo } from './echo-server.ts';
import { sha256 } from './read-file.ts';
import { sideBySide } from './side-by-side.ts';

const { usable, problem, kernel, runtime, ring } = diagnose();
if (!usable || !ring) {
  console.error(`io_uring is not usable here: ${problem?.message}`);
  console.error(`  cause:  ${problem?.cause}\n  remedy: ${problem?.remedy}`);
  process.exit(1);
}
console.log(`io_uring on Linux ${kernel}, ${runtime}`);
console.log(`  rings are set up with ${ring.setupFlags.join(' ')}\n`);

readAFile();
await echoOverLoopback();
await sideBySide();

function readAFile(): void {
  const path = process.execPath;
  const mebibytes = (statSync(path).size / 2 ** 20).toFixed(1);
  console.log(`1. Read ${path} (${mebibytes} MiB) through a ring, 32 reads in flight`);
  const { digest, enters, bytes } = sha256(path);
  const expected = createHash('sha256').update(readFileSync(path)).digest('hex');
  console.log(`   ${bytes} bytes in ${enters} system calls, sha256 ${digest.slice(0, 16)}…`);
  if (digest !== expected) throw new Error(`node:fs reads something else: ${expected}`);
  console.log('   node:fs reads the same ✓\n');
}

async function echoOverLoopback(): Promise<void> {
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i} of a conversation over loopback\n`);
  console.log('2. A TCP echo server on a ring: multishot accept, multishot receive into provided buffers');
  // node:net makes the listener; the ring accepts from it, because this thread never returns to the event loop
  // while there is a client.
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = new Worker(new URL('./echo-client.js', import.meta.url), { workerData: { port, lines } });
  const answer = once(client, 'message');
  const { arrivals, bytes } = echo(descriptorOf(server), 1);
  server.close();
  const [{ ok }] = (await answer) as [{ ok: boolean }];
  console.log(`   an ordinary node:net client sent ${bytes} bytes in ${arrivals} arrivals`);
  if (!ok) throw new Error('the client did not get back what it sent');
  console.log('   and got every line back ✓\n');
}
