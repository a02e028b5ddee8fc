// A peer in a thread of its own: it does what it is told while this thread does nothing else, so that all of it has
// happened when the event loop turns again.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export type Place = { port: number; host: string } | { path: string };

/** What the peer does, one after the other, each when the one before is done. */
export type Deed =
  | readonly ['connect', place: Place]
  | readonly ['connect many', { readonly place: Place; readonly count: number; readonly data?: string | undefined }]
  | readonly ['write', bytes: number | string]
  | readonly ['write by each', data: string]
  | readonly ['end' | 'destroy' | 'reset'];

const CODE = `
const net = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const state = new Int32Array(workerData);
let socket;
const ends = [];
const many = [];
const deeds = {
  connect: (place, done) => {
    socket = net.connect({ ...place, allowHalfOpen: true }, done);
    socket.on('error', () => {});
  },
  'connect many': ({ place, count, data }, done) => {
    let left = count;
    for (let i = 0; i < count; i++) {
      const one = net.connect(place, () => {
        one.resume();
        if (data !== undefined) one.write(data);
        // What it wrote is with the kernel by then.
        if (--left === 0) setImmediate(done);
      });
      many.push(one);
      one.on('error', (error) => (one.told = error.code));
      one.on('end', () => (one.told = 'end'));
      ends.push(new Promise((resolve) => one.on('close', () => resolve(one.told))));
    }
  },
  'write by each': (data, done) => {
    let left = many.length;
    for (const one of many) one.write(data, () => --left === 0 && done());
  },
  write: (bytes, done) => socket.write(typeof bytes === 'number' ? Buffer.alloc(bytes, 'w') : bytes, done),
  end: (_, done) => socket.end(done),
  destroy: (_, done) => socket.once('close', done).destroy(),
  reset: (_, done) => socket.once('close', done).resetAndDestroy(),
};
parentPort.on('message', async (all) => {
  if (all === 'ends') return parentPort.postMessage(await Promise.all(ends));
  const next = () => {
    const deed = all.shift();
    if (deed !== undefined) return deeds[deed[0]](deed[1], next);
    // It is with the kernel; over loopback that is with the other end.
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
  };
  next();
});
parentPort.postMessage('ready');
`;

export class PeerThread {
  readonly #worker: Worker;
  readonly #state: Int32Array;

  private constructor(worker: Worker, state: Int32Array) {
    this.#worker = worker;
    this.#state = state;
  }

  static async start(): Promise<PeerThread> {
    const memory = new SharedArrayBuffer(4);
    const worker = new Worker(CODE, { eval: true, workerData: memory });
    await once(worker, 'message');
    return new PeerThread(worker, new Int32Array(memory));
  }

  /** Returns when all of it is done; this thread waits. */
  do(...deeds: Deed[]): void {
    Atomics.store(this.#state, 0, 0);
    this.#worker.postMessage(deeds);
    const answer = Atomics.wait(this.#state, 0, 0, 5000);
    if (answer === 'timed-out') throw new Error(`The peer is stuck at ${JSON.stringify(deeds)}`);
  }

  /** How those ended that were connected by `'connect many'`: `'end'`, or the code of an error. */
  async ends(): Promise<string[]> {
    this.#worker.postMessage('ends');
    return ((await once(this.#worker, 'message')) as [string[]])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
