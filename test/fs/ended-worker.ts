// A worker that makes one call of iouring/fs when it is told to, and tells of each of its operations that is over: its
// parent ends it then.
import { subscribe } from 'node:diagnostics_channel';
import { parentPort, workerData } from 'node:worker_threads';
import * as fs from '../../src/fs/index.ts';
import type { OperationMessage } from '../../src/reactor/observer.ts';

const { name, path } = workerData as { name: 'readFile' | 'writeFile'; path: string };

// The ring is there before the call, so that all of its operations are told of.
await fs.stat('/');
subscribe('iouring:operation', (message) => parentPort!.postMessage((message as OperationMessage).name));
parentPort!.once('message', () => {
  const much = [Buffer.alloc(200_000), Buffer.alloc(200_000)];
  void (name === 'readFile' ? fs.readFile(path) : fs.writeFile(path, much)).catch(() => {});
});
parentPort!.postMessage('ready');
