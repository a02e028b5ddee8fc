// A thread of messages.test.ts: answers each message with its value's opposite, under its ring's number, until it is
// told to stop.
import { parentPort, workerData } from 'node:worker_threads';
import { Reactor } from '../../src/index.ts';

const { ringFd } = workerData as { ringFd: number };
await using io = new Reactor();
const messages = io.messages();
parentPort!.postMessage(io.ringFd);
for await (const { value, tag } of messages) {
  if (tag === 1) break;
  await io.message(ringFd, -value, io.ringFd);
}
