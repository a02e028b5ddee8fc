// What each worker of workers.test.ts does: reads, receives, sleeps, iterates, until it is ended.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

// As it is published, in a few files: to load those of the source takes most of the time of hundreds of workers.
const { Reactor } = (await import(pathToFileURL(resolve('dist/index.js')).href)) as typeof import('../../src/index.ts');

const { file, socket, how } = workerData as { file: number; socket: number; how?: 'return' | 'exit' };
const io = new Reactor({ entries: 64 });

async function readOn(): Promise<never> {
  const buffer = new Uint8Array(4096);
  for (let i = 0;; i++) await io.read(file, buffer, { offset: (i % 16) * 4096 });
}

if (how === undefined) {
  for (let i = 0; i < 8; i++) void readOn();
  for (let i = 0; i < 4; i++) void io.recv(socket, new Uint8Array(64));
  for (let i = 0; i < 4; i++) void io.sleep(1e6);
  void io.recvMany(socket).next();
  void io.allocate(65536);
  await io.nop();
  parentPort!.postMessage('ready');
} else {
  void io.sleep(1e6).catch(() => {});
  void io
    .recvMany(socket)
    .next()
    .catch(() => {});
  await io.sleep(1);
  if (how === 'exit') process.exit();
  else await io.close();
}
