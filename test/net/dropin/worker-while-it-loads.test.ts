// A worker that ends while what is behind the ring is being loaded in it, by the first socket of its that goes there:
// wherever that is, the process goes on, no descriptor is left, and its peer hears of the end.
// slow: 40 workers
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from '../../run.ts';

const SRC = new URL('../../../src/', import.meta.url).href;

const { uvMetricsInfo } = performance.nodeTiming as unknown as { uvMetricsInfo?: object };
const { require_module: requiresModules } = process.features as { require_module?: boolean };
const skip = (uvMetricsInfo === undefined || requiresModules !== true) &&
  'this version of Node cannot load an ES module when it is needed';

/** A worker counts the steps of the loading, and ends at one of them: it tells of that, or of the last one. */
const WORKER = `
  const { step: end, how, port } = workerData;
  let steps = 0;
  const step = () => {
    if (steps++ !== end) return;
    parentPort.postMessage('now');
    if (how === 'exit') process.exit();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  /** A step before each call of a method, and one behind it. */
  const watch = (object, name, returned = () => {}) => {
    const method = object[name];
    const value = function (...args) {
      step();
      const result = Reflect.apply(method, this, args);
      returned(result, args);
      step();
      return result;
    };
    Object.defineProperty(object, name, { value, writable: true, configurable: true });
  };
  const load = (name) => import(${JSON.stringify(SRC)} + name);
  const { default: ours } = await load('net/index.js');
  const { wayOf } = await load('net/dropin/changing-ways.js');
  const { worth } = await load('net/dropin/worth.js');
  Object.assign(worth, { writes: 1, unwatched: 1, rest: 0, sustained: 0, patience: 1, milliseconds: 0, pause: 0, pays: 0, costs: 0,
    received: Infinity, sent: Infinity });
  const client = ours.connect(port, '127.0.0.1');
  await once(client, 'connect');
  // Files are looked for, native code is loaded, its functions are declared, and the ring is made and shared.
  watch(modules, 'createRequire');
  watch(process, 'dlopen', (_, [{ exports }]) => watch(exports, 'load', (libc) => watch(libc, 'func')));
  watch(process, 'on');
  watch(process, 'prependListener');
  watch(client, '_unrefTimer');
  while (wayOf(client) !== 'ring') {
    client.write('x');
    await once(client, 'data');
  }
  client.write('x');
  await once(client, 'data');
  parentPort.postMessage(steps);
  client.destroy();`;

const PROGRAM = `
  import { once } from 'node:events';
  import { readdirSync } from 'node:fs';
  import modules from 'node:module';
  import * as node from 'node:net';
  import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
  if (!isMainThread) {
    ${WORKER}
  } else {
    const how = process.argv[2];
    const workers = Number(process.argv[3]);
    const open = new Set();
    const server = node.createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const isOver = async (before) => {
      const limit = performance.now() + 30_000;
      while ((open.size > 0 || descriptors() > before) && performance.now() < limit) {
        await new Promise(setImmediate);
      }
      return open.size === 0 && descriptors() <= before;
    };
    const start = (step) => {
      const text = new URL('data:text/javascript,' + encodeURIComponent(process.argv[1]));
      const worker = new Worker(text, { workerData: { how, port, step } });
      return { worker, message: once(worker, 'message'), exit: once(worker, 'exit') };
    };
    const { message, exit } = start(-1);
    const [steps] = await message;
    await exit;
    const before = descriptors();
    const left = [];
    for (let i = 0; i < workers; i++) {
      const step = Math.round((i * (steps - 1)) / (workers - 1));
      const { worker, message, exit } = start(step);
      await message;
      if (how === 'terminate') await worker.terminate();
      await exit;
      if (await isOver(before)) continue;
      left.push(step);
      break;
    }
    console.log(JSON.stringify([steps, left]));
    server.close();
  }`;

describe('a worker in which what is behind the ring is being loaded', () => {
  for (const [how, end, workers] of [['terminate', 'is terminated', 30], ['exit', 'exits', 10]] as const) {
    it(
      `given that it ${end} at any step, nothing crashes, and nothing is left`,
      { skip, timeout: 240_000 },
      async () => {
        const args = ['--input-type=module', '-e', PROGRAM, PROGRAM, how, String(workers)];
        const { status, stdout, stderr } = await run(process.execPath, args);
        assert.deepEqual([status, stderr], [0, '']);
        const [steps, left] = JSON.parse(stdout) as [number, number[]];
        assert.ok(steps > workers, `${steps} steps`);
        assert.deepEqual(left, [], `of ${steps} steps`);
      },
    );
  }
});
