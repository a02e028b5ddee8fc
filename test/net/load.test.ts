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
  readonly load = new Load({ ...CHANGING, pays: 14, costs: 4 }, { now: () => this.now, turns: () => this.turns });

  run(messagesPerTurn: number, measurements = 2): this {
    for (let i = 0; i < measurements; i++) {
      this.now += this.milliseconds;
      this.turns += MESSAGES / messagesPerTurn;
      for (let message = 0; message < MESSAGES; message++) this.load.count(true);
    }
    return this;
  }

  /** Whether the ring is worth taking, and whether it is worth keeping. */
  get verdict(): [boolean, boolean] {
    return [this.load.isWorthTaking, this.load.isWorthKeeping];
  }
}

describe('whether the ring pays', () => {
  for (
    const [messages, verdict] of [
      [16, [true, true]],
      [14, [true, true]],
      [13, [false, true]],
      [4, [false, true]],
      [3, [false, false]],
    ] as const
  ) {
    it(`given ${messages} messages in a turn`, () => {
      assert.deepEqual(new Program().run(messages).verdict, verdict);
    });
  }

  it('given nothing so far, and one measurement that only begins: no', () => {
    const program = new Program();
    assert.deepEqual(program.verdict, [false, false]);
    program.now += 10_000;
    assert.deepEqual(program.run(32, 1).verdict, [false, false]);
  });

  it('given a burst that is over before a measurement is: no', () => {
    const program = new Program();
    program.milliseconds = 1;
    assert.deepEqual(program.run(32, 50).verdict, [false, false]);
  });

  it('given a pause of two seconds: no, until it was measured anew', () => {
    const program = new Program().run(32);
    assert.deepEqual(program.verdict, [true, true]);
    program.now += 2000;
    assert.deepEqual(program.verdict, [false, false]);
    assert.deepEqual(program.run(32, 1).verdict, [false, false]);
    assert.deepEqual(program.run(32, 1).verdict, [true, true]);
  });

  it('given writes that are more of the message before, does not count them as others', () => {
    const program = new Program();
    for (let i = 0; i < 2; i++) {
      program.now += program.milliseconds;
      program.turns += 8;
      for (let message = 0; message < MESSAGES; message++) program.load.count(message % 4 === 0);
    }
    assert.deepEqual(program.verdict, [false, true]);
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
