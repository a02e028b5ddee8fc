// A worker that never comes to submit the close of its files: it works on, for ever, when the entry was written, and has
// told its parent by then, which terminates it.
import { subscribe } from 'node:diagnostics_channel';
import { parentPort, workerData } from 'node:worker_threads';
import * as fs from '../../src/fs/index.ts';
import type { OperationMessage } from '../../src/reactor/observer.ts';

const { name, paths } = workerData as { name: 'close' | 'readFile'; paths: string[] };

function workOn(): never {
  parentPort!.postMessage('at work');
  for (;;);
}

if (name === 'close') {
  const handles = await Promise.all(paths.map((path) => fs.open(path)));
  for (const handle of handles) void handle.close();
  workOn();
} else {
  await fs.stat('/');
  // The end of a file is read behind its contents. That of the first was told of then, and its close is prepared.
  let reads = 0;
  subscribe('iouring:operation', (message) => {
    if ((message as OperationMessage).name === 'read' && ++reads === 2 * paths.length) workOn();
  });
  await Promise.all(paths.map((path) => fs.readFile(path)));
}
