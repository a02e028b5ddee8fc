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
});
