// The states of an armed multishot: every transition of the table, with a kernel that completes what the test says,
// when it says so.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { EBADF, ECANCELED, ENOBUFS } from '../../src/abi/errno.ts';
import { IORING_CQE_F_MORE, IORING_OP_ASYNC_CANCEL, POLLIN } from '../../src/abi/index.ts';
import { Engine } from '../../src/reactor/engine.ts';
import { ArmedMultishot, type ArmedState } from '../../src/reactor/engine/armed-multishot.ts';
import { Observer } from '../../src/reactor/observer.ts';
import type { Completion, IoUring } from '../../src/reactor/submission.ts';
import { it } from '../asking.ts';
import { LoopingKernel } from './looping-kernel.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Does what the test says, and keeps a list of what it was told. */
class Probe extends ArmedMultishot {
  readonly told: string[] = [];
  /** The ring has no room for it. */
  isKeptOut = false;
  /** It starves when that is told. */
  wants = 0;
  /** And is fed before it is over. */
  isFedAtOnce = false;

  override prepare(ring: IoUring): boolean {
    if (this.isKeptOut || !ring.prepPollAdd(this.fd, POLLIN, this.slot, { multishot: true })) return false;
    this.owed = 1;
    return true;
  }

  protected override received({ res }: Completion): void {
    this.told.push(`received ${res} ${this.state}`);
    if (res !== this.wants) return;
    this.starve();
    this.told.push(`${this.state} ${this.isUnderWay}`);
    if (!this.isFedAtOnce) return;
    this.fed();
    this.told.push(`${this.state} ${this.isUnderWay}`);
    assert.equal(this.arm(), false);
    assert.equal(this.halt(), true);
  }

  protected override left(): void {
    this.told.push('left');
  }

  protected override resumed(): void {
    this.told.push('resumed');
  }

  protected override lost(): void {
    this.told.push('lost');
  }

  override cancelled(): void {}

  start(): boolean {
    return this.arm();
  }

  stop(): boolean {
    return this.halt();
  }

  hunger(): void {
    this.starve();
  }
}

class Bench implements AsyncDisposable {
  readonly kernel = new LoopingKernel();
  readonly engine: Engine;
  readonly probe: Probe;

  constructor() {
    // Everything stays in flight.
    this.kernel.result = () => undefined;
    this.engine = new Engine(8, {}, this.kernel, new Observer(false));
    this.probe = new Probe(this.engine, 7);
  }

  /** What the kernel has, the oldest first. */
  get userData(): bigint[] {
    return [...this.kernel.inFlight];
  }

  /** Complete the multishot itself, and tell of it. */
  async complete(res: number, flags = 0): Promise<void> {
    this.kernel.complete(BigInt(this.probe.slot), res, flags);
    if (flags !== 0) this.kernel.inFlight.add(BigInt(this.probe.slot));
    await this.settled();
  }

  get cancellations(): number {
    return this.kernel.entriesSeen.filter(({ opcode }) => opcode === IORING_OP_ASYNC_CANCEL).length;
  }

  async settled(): Promise<void> {
    for (let i = 0; i < 4; i++) await turn();
  }

  async armed(): Promise<Probe> {
    assert.equal(this.probe.start(), true);
    await this.settled();
    assert.equal(this.kernel.inFlight.size, 1);
    this.is('armed', true);
    return this.probe;
  }

  /** The kernel was asked to end it, and has not found it: so it goes on to its own last completion. */
  async stopping(): Promise<Probe> {
    this.kernel.cancels = false;
    const probe = await this.armed();
    assert.equal(probe.stop(), true);
    await this.settled();
    this.is('stopping', true);
    return probe;
  }

  is(state: ArmedState, isUnderWay: boolean): void {
    assert.equal(this.probe.state, state);
    assert.equal(this.probe.isUnderWay, isUnderWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.engine.close(false);
    for (const one of this.userData) this.kernel.complete(one, -ECANCELED);
    await closing;
  }
}

describe('an armed multishot', () => {
  it('is free in the beginning, and to halt, starve or feed it then does nothing', async () => {
    await using bench = new Bench();
    const { probe } = bench;
    bench.is('free', false);
    assert.equal(probe.stop(), true);
    probe.hunger();
    probe.fed();
    bench.is('free', false);
    assert.deepEqual(probe.told, []);
  });

  it('given a completion that others follow, stays armed; to arm it again does nothing', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    await bench.complete(1, IORING_CQE_F_MORE);
    bench.is('armed', true);
    assert.equal(probe.start(), false);
    assert.equal(bench.kernel.inFlight.size, 1);
    assert.deepEqual(probe.told, ['received 1 armed']);
  });

  it('given its last completion, is spent when that is told, and free when it is over', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    await bench.complete(2);
    assert.deepEqual(probe.told, ['received 2 spent', 'left']);
    bench.is('free', false);
    await bench.armed();
  });

  it('halted while the kernel has it, is stopping until it is over; to halt, arm or feed it then does nothing', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    probe.stop();
    bench.is('stopping', true);
    assert.equal(probe.stop(), true);
    assert.equal(probe.start(), false);
    probe.fed();
    bench.is('stopping', true);
    await bench.settled();
    bench.is('free', false);
    assert.deepEqual(probe.told, [`received ${-ECANCELED} stopping`, 'left']);
    assert.equal(bench.cancellations, 1);
  });

  it('halted, and the cancellation finds nothing: is stopping until the last completion is told', async () => {
    await using bench = new Bench();
    const probe = await bench.stopping();
    await bench.complete(3, IORING_CQE_F_MORE);
    bench.is('stopping', true);
    await bench.complete(4);
    bench.is('free', false);
    assert.deepEqual(probe.told, ['received 3 stopping', 'received 4 stopping', 'left']);
  });

  it('halted in front of the ring, is free at once, and nothing comes of it', async () => {
    await using bench = new Bench();
    const { probe } = bench;
    probe.isKeptOut = true;
    assert.equal(probe.start(), true);
    bench.is('armed', true);
    assert.equal(bench.engine.queued, 1);
    assert.equal(probe.stop(), false);
    bench.is('free', false);
    probe.isKeptOut = false;
    await bench.settled();
    assert.deepEqual(probe.told, []);
    assert.deepEqual(bench.userData, []);
  });

  it('halted in front of the ring and armed again before its place comes, is handed over once', async () => {
    await using bench = new Bench();
    const { probe } = bench;
    probe.isKeptOut = true;
    probe.start();
    probe.stop();
    probe.start();
    bench.is('armed', true);
    probe.isKeptOut = false;
    await bench.settled();
    assert.equal(bench.kernel.inFlight.size, 1);
    await bench.complete(5);
    bench.is('free', false);
  });

  it('starved by its last completion, is so when it is over, and is armed no more until it is fed', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    probe.wants = -ENOBUFS;
    await bench.complete(-ENOBUFS);
    bench.is('starved', false);
    assert.deepEqual(probe.told, [`received ${-ENOBUFS} spent`, 'starved true', 'left']);
    assert.equal(probe.start(), false);
    assert.equal(probe.stop(), true);
    bench.is('starved', false);
    probe.fed();
    bench.is('free', false);
    assert.deepEqual(probe.told.splice(3), ['resumed']);
    await bench.armed();
  });

  it('starved by the last completion before the cancellation has come, is under way until that is there', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    probe.wants = -ECANCELED;
    probe.stop();
    await bench.settled();
    bench.is('starved', false);
    assert.deepEqual(probe.told, [`received ${-ECANCELED} stopping`, 'starved true', 'left']);
  });

  it('starved when it was stopping, and its last completion is the last of all, is not armed either', async () => {
    await using bench = new Bench();
    const probe = await bench.stopping();
    probe.wants = -ENOBUFS;
    await bench.complete(-ENOBUFS);
    bench.is('starved', false);
    assert.equal(probe.start(), false);
  });

  it('fed before it is over, is spent, and free when it is', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    probe.wants = -ECANCELED;
    probe.isFedAtOnce = true;
    probe.stop();
    await bench.settled();
    bench.is('free', false);
    assert.deepEqual(probe.told, [`received ${-ECANCELED} stopping`, 'starved true', 'spent true', 'left']);
  });

  it('cannot be starved while others follow', async () => {
    await using bench = new Bench();
    const probe = await bench.armed();
    probe.wants = 6;
    await bench.complete(6, IORING_CQE_F_MORE);
    bench.is('armed', true);
  });

  for (
    const [name, prepare] of [
      ['armed', (bench: Bench) => bench.armed()],
      ['stopping', (bench: Bench) => bench.stopping()],
    ] as const
  ) {
    it(`${name} when the ring breaks, is free and lost`, async () => {
      await using bench = new Bench();
      const probe = await prepare(bench);
      bench.kernel.answers.push(-EBADF);
      new Probe(bench.engine, 8).start();
      await bench.settled();
      assert.equal(bench.engine.closed, true);
      bench.is('free', false);
      assert.deepEqual(probe.told, ['lost']);
      assert.equal(probe.slot, -1);
      assert.equal(probe.stop(), true);
    });
  }

  it('armed when the ring is closed already, is lost in the call', async () => {
    const bench = new Bench();
    await bench.engine.close(false);
    assert.equal(bench.probe.start(), true);
    bench.is('free', false);
    assert.deepEqual(bench.probe.told, ['lost']);
  });
});
