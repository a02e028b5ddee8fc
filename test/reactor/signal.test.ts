// The signal that the event loop is woken by, on kernels where it is broken.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { IORING_SETUP_COOP_TASKRUN, IORING_SETUP_DEFER_TASKRUN } from '../../src/abi/index.ts';
import { Engine } from '../../src/reactor/engine.ts';
import { Observer } from '../../src/reactor/observer.ts';
import { AWAITED, kind, Operation } from '../../src/reactor/operation.ts';
import { partsOf, Reactor } from '../../src/reactor/reactor.ts';
import { it, without } from '../asking.ts';
import { LoopingKernel } from './looping-kernel.ts';

describe('an eventfd that is never signalled for deferred work', () => {
  it('loses nothing: an operation that completes while the loop sleeps settles', { timeout: 60_000 }, async () => {
    const kernel = new LoopingKernel();
    kernel.result = () => undefined;
    const engine = new Engine(8, {}, kernel, new Observer(false));
    const poll = kind('poll', undefined, AWAITED, (ring, { fd, slot }) => ring.prepPollAdd(fd, 1, slot));
    const operation = new Operation(
      engine,
      poll,
      7,
      undefined,
      AWAITED,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    );
    const promise = operation.promise();
    engine.submit(operation);
    await new Promise((resolve) => void setImmediate(resolve));
    const [userData] = kernel.inFlight;
    assert.equal(typeof userData, 'bigint');
    kernel.complete(userData, 1);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => void (timer = setTimeout(resolve, 10_000, 'nobody was woken')));
    assert.equal(await Promise.race([promise, late]), 1);
    clearTimeout(timer);
    await engine.close(false);
  });

  it('is not what the ring of a reactor asks for: COOP_TASKRUN takes the place of DEFER_TASKRUN', {
    skip: without('5.19', 'IORING_SETUP_COOP_TASKRUN'),
  }, async () => {
    await using io = new Reactor();
    const { setupFlags } = partsOf(io).engine.ring;
    assert.equal(setupFlags & IORING_SETUP_DEFER_TASKRUN, 0);
    assert.notEqual(setupFlags & IORING_SETUP_COOP_TASKRUN, 0);
  });
});
