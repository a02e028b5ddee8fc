/** Whether the ring pays is found out by a trial: with a clock, a loop and a processor that do as they are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHANGING, Load } from '../../src/net/transport/load.ts';

/** Messages between two measurements; the load measures after 256 counts, if its time is over. */
const MESSAGES = 256;

const COMPARISONS = 5;

/** A load that costs so many microseconds a message on each way, and sockets that change ways when they are told to. */
class Program {
  now = 1;
  turns = 0;
  cpuMicroseconds = 0;
  isOnRing = false;
  messagesPerTurn = 32;
  milliseconds = 100;
  readonly ways: ('ring' | 'node')[] = [];
  readonly load = new Load({ ...CHANGING, comparisons: COMPARISONS, pays: 14, costs: 4 }, {
    now: () => this.now,
    turns: () => this.turns,
    cpuMicroseconds: () => this.cpuMicroseconds,
  });

  /** Works for so many measurements, at a cost that may depend on how many there were. */
  run(measurements: number, cost: (isOnRing: boolean, measurement: number) => number, share = 1): this {
    for (let i = 0; i < measurements; i++) {
      this.now += this.milliseconds;
      this.turns += MESSAGES / this.messagesPerTurn;
      this.cpuMicroseconds += MESSAGES * cost(this.isOnRing, this.ways.length);
      for (let message = 0; message < MESSAGES; message++) {
        this.load.count(true, this.isOnRing && message < share * MESSAGES);
      }
      this.isOnRing = this.isOnRing ? this.load.isWorthKeeping : this.load.isWorthTaking;
      this.ways.push(this.isOnRing ? 'ring' : 'node');
    }
    return this;
  }

  get stretches(): string {
    let text = '';
    for (const [i, way] of this.ways.entries()) {
      if (way !== this.ways[i - 1]) text += ` ${way}`;
    }
    return text.trim();
  }
}

const TRIAL = `node${' ring node'.repeat(COMPARISONS + 2)}`;
const cheaper = (isOnRing: boolean): number => (isOnRing ? 9 : 10);
const dearer = (isOnRing: boolean): number => (isOnRing ? 11 : 10);

describe('a load of many messages in a turn', () => {
  it('given a ring that is cheaper, compares it with Node five times, and stays on it', () => {
    const program = new Program().run(60, cheaper);
    assert.equal(program.stretches, `${TRIAL} ring`);
    assert.deepEqual(program.load.trial, { byRing: 9, byNode: 10 });
  });

  it("given a ring that is dearer, compares it five times, and is Node's", () => {
    const program = new Program().run(200, dearer);
    assert.equal(program.stretches, TRIAL);
    assert.deepEqual(program.load.trial, { byRing: 11, byNode: 10 });
  });

  it("given a ring that is as dear as Node, is Node's", () => {
    assert.equal(new Program().run(200, () => 10).stretches, TRIAL);
  });

  it("given a program that becomes faster as it runs, does not take that for the ring's doing", () => {
    assert.equal(new Program().run(60, (_, i) => 200 - 2 * i).stretches, TRIAL);
  });

  it("given a machine that becomes slower as it runs, sees the ring's part all the same", () => {
    assert.equal(new Program().run(60, (isOnRing, i) => (isOnRing ? 85 : 100) + i).stretches, `${TRIAL} ring`);
  });

  it('given a ring that was dearer, tries it again after half a minute, and then after two', () => {
    const program = new Program();
    const trials = (): number => (program.stretches.split(' ring').length - 1) / (COMPARISONS + 2);
    assert.equal(program.run(60, dearer) && trials(), 1);
    assert.equal(program.run(320, dearer) && trials(), 2);
    assert.equal(program.run(900, dearer) && trials(), 2);
    assert.equal(program.run(450, dearer) && trials(), 3);
  });

  it('given a ring that was cheaper, and becomes dearer, goes back to Node at the next trial', () => {
    const program = new Program().run(60, cheaper);
    assert.equal(program.ways.at(-1), 'ring');
    program.run(400, dearer);
    assert.equal(program.ways.at(-1), 'node');
  });

  it('given most of the messages by sockets that do not change, does not judge by the rest', () => {
    const program = new Program().run(200, cheaper, 0.2);
    assert.equal(program.ways.at(-1), 'node');
    assert.equal(program.ways.filter((way) => way === 'ring').length > 0, true);
  });

  it('given a pause in the trial, begins anew', () => {
    const program = new Program();
    while (program.ways.at(-1) !== 'ring') program.run(1, cheaper);
    program.now += 10_000;
    program.run(1, cheaper);
    assert.equal(program.ways.at(-1), 'node');
    program.run(60, cheaper);
    assert.equal(program.ways.at(-1), 'ring');
  });
});

describe('a load of few messages in a turn', () => {
  it('given a ring that is cheaper, never tries it', () => {
    const program = new Program();
    program.messagesPerTurn = 13;
    assert.equal(program.run(200, cheaper).stretches, 'node');
  });

  it('given that there were many, leaves the ring, and takes it again when there are many again', () => {
    const program = new Program().run(60, cheaper);
    program.messagesPerTurn = 2;
    assert.equal(program.run(5, cheaper).ways.at(-1), 'node');
    program.messagesPerTurn = 32;
    assert.equal(program.run(5, cheaper).ways.at(-1), 'ring');
  });
});
