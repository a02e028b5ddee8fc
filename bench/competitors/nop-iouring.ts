/** NOPs in batches: queue `--batch` of them, enter the kernel once, reap as many. */
import { type Completion, IoUring } from 'iouring';
import { Measurement, option } from './measurement.ts';

const batch = Number(option('--batch'));
const sqArray = option('--sq-array') === 'yes';
const ring = new IoUring(128, { cqEntries: 256, ...(sqArray ? { noSqArray: false } : {}) });

// In an array: a variable that a closure shares becomes a new heap object with every large number
// that V8 puts there.
const sum = new Float64Array(1);
function onCompletion(completion: Completion): void {
  sum[0] += completion.userData;
}

/**
 * The loop stands in a function, as a program's would: V8 treats a module's top level as code that
 * runs once.
 */
function run(): number {
  const measurement = new Measurement();
  let ops = 0;
  while (measurement.proceeds(ops)) {
    for (let i = 0; i < batch; i++) {
      if (!ring.prepNop(i)) {
        throw new Error('Cannot queue: the submission queue is full');
      }
    }
    ring.submitAndWait(batch);
    ops += ring.forEachCompletion(onCompletion);
  }
  return ops;
}

const ops = run();
if (sum[0] !== (ops / batch) * ((batch * (batch - 1)) / 2)) {
  throw new Error('Cannot trust the count: the completions do not add up');
}
ring.close();
