/** When the ring is said to pay: with a clock and a loop that do as they are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHANGING, Load } from '../../src/net/transport/load.ts';

/** Messages between two measurements; the load measures after 256 counts, if its time is over. */
const MESSAGES = 256;

/** A load of so many messages in a turn, and sockets that change ways when they are told to. */
class Program {
  now = 1;
  turns = 0;
  milliseconds = 100;
  readonly load = new Load({ ...CHANGING, pays: 26, costs: 12 }, { now: () => this.now, turns: () => this.turns });

  run(messagesPerTurn: number, measurements = 2): this {
    for (let i = 0; i < measurements; i++) {
      this.now += this.milliseconds;
      this.turns += MESSAGES / messagesPerTurn;
      for (let message = 0; message < MESSAGES; message++) this.load.count(true);
    }
    return this;
  }
}

describe('whether the ring pays', () => {
  for (const [messages, verdict] of [[64, true], [26, true], [25, false], [4, false]] as const) {
    it(`given ${messages} messages in a turn: ${verdict ? 'yes' : 'no'}`, () => {
      assert.equal(new Program().run(messages).load.pays, verdict);
    });
  }

  it('once it does, until there are fewer than half as many: sockets do not stay part Node’s and part the ring’s', () => {
    const program = new Program().run(26);
    const verdicts = [13, 12, 11, 13, 25, 26].map((messages) => program.run(messages, 1).load.pays);
    assert.deepEqual(verdicts, [true, true, false, false, false, true]);
  });

  it('given nothing so far, and one measurement that only begins: no', () => {
    const program = new Program();
    assert.equal(program.load.pays, false);
    program.now += 10_000;
    assert.equal(program.run(32, 1).load.pays, false);
  });

  it('given a burst that is over before a measurement is: no', () => {
    const program = new Program();
    program.milliseconds = 1;
    assert.equal(program.run(32, 50).load.pays, false);
  });

  it('given a pause of two seconds: no, until it was measured anew', () => {
    const program = new Program().run(32);
    assert.equal(program.load.pays, true);
    program.now += 2000;
    assert.equal(program.load.pays, false);
    assert.equal(program.run(32, 1).load.pays, false);
    assert.equal(program.run(32, 1).load.pays, true);
  });

  it('given writes that are more of the message before, does not count them as others', () => {
    const program = new Program();
    for (let i = 0; i < 2; i++) {
      program.now += program.milliseconds;
      program.turns += 8;
      for (let message = 0; message < MESSAGES; message++) program.load.count(message % 4 === 0);
    }
    assert.equal(program.load.pays, false);
  });
});

describe('sockets that are taken', () => {
  it('given many at once, one in a millisecond', () => {
    const program = new Program();
    const takes = (): boolean => program.load.takesTurn();
    assert.deepEqual([takes(), takes(), takes()], [true, false, false]);
    program.now++;
    assert.deepEqual([takes(), takes()], [true, false]);
  });

  it('one that is given back is looked at less and less often', () => {
    const { load } = new Program();
    const periods = [256];
    while (periods.length < 6) periods.push(load.nextPeriod(periods.at(-1)!));
    assert.deepEqual(periods, [256, 1024, 4096, 16_384, 65_536, 65_536]);
  });

  it('for so long as each measurement says so, and no longer: one that does not begins anew, and so does a pause', () => {
    const program = new Program().run(32);
    // Since the first of two measurements.
    const since = program.now - program.milliseconds;
    assert.deepEqual([program.load.paysFor(0), program.load.paysFor(1000)], [true, false]);
    while (program.now < since + 3000) {
      assert.equal(program.load.paysFor(3000), false);
      program.run(32, 1);
    }
    assert.equal(program.load.paysFor(3000), true);
    assert.equal(program.run(4, 1).run(32, 1).load.paysFor(1), false);
    assert.equal(program.run(32, 40).load.paysFor(3000), true);
    program.now += 5000;
    program.load.beginAnew();
    assert.equal(program.run(32, 1).load.paysFor(1), false);
  });

  it('given that not all was counted before, a measurement counts from where that is said', () => {
    const program = new Program();
    program.turns += 1000;
    program.now += 100;
    program.load.beginAnew();
    assert.equal(program.run(32, 1).load.pays, true);
    assert.equal(program.load.wasMeasuredSince(program.now - 1), true);
  });

  it('is far from it where a few write much in a turn', () => {
    const program = new Program();
    program.load.beginAnew();
    program.turns += 10;
    for (let i = 0; i < 129; i++) program.load.count(true);
    assert.equal(program.load.isFarFromPaying, true);
    program.load.count(true);
    assert.equal(program.load.isFarFromPaying, false);
  });

  it('is declined when sixteen were looked at and none was taken, until one is, or another stretch begins', () => {
    const { load } = new Program();
    const declined = (times: number): boolean => {
      for (let i = 0; i < times; i++) load.decline();
      return load.isDeclined;
    };
    assert.deepEqual([declined(15), declined(1)], [false, true]);
    assert.deepEqual([load.takesTurn(), load.isDeclined], [true, true]);
    load.took();
    assert.equal(load.isDeclined, false);
    assert.equal(declined(16), true);
    load.beginAnew();
    assert.equal(load.isDeclined, false);
  });
});
