// The table of what is with the kernel, and the list of what has completed and was not told.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Arrivals } from '../../src/reactor/engine/arrivals.ts';
import { CANCEL, partOf, Slots, TIMER } from '../../src/reactor/engine/slots.ts';
import type { Submission } from '../../src/reactor/submission.ts';
import { it } from '../asking.ts';

const PLACES = 2 ** 18;
const GENERATIONS = 2 ** 11;

function occupied(slots: Slots): Submission {
  // All that the table looks at.
  const submission = { slot: -1 } as Submission;
  submission.slot = slots.occupy(submission);
  return submission;
}

function vacated(slots: Slots, submission: Submission): number {
  const { slot } = submission;
  slots.vacate(slot);
  submission.slot = -1;
  return slot;
}

describe('places', () => {
  it('are found by their userData, whatever of the submission has completed', () => {
    const slots = new Slots();
    const all = Array.from({ length: 100 }, () => occupied(slots));
    for (const one of all) {
      assert.ok(one.slot >= 0 && one.slot < 2 ** 31);
      for (const part of [0, TIMER, CANCEL]) {
        assert.equal(slots.find(one.slot + part), one);
        assert.equal(partOf(one.slot + part), part);
      }
    }
    assert.deepEqual([...slots], all);
  });

  it('have no fourth part: userData with one is a stranger', () => {
    const slots = new Slots();
    const one = occupied(slots);
    assert.equal(slots.find(one.slot + TIMER + CANCEL), undefined);
  });

  it('that are used again have another generation: what was before is not found', () => {
    const slots = new Slots();
    const other = occupied(slots);
    const seen = new Set<number>();
    for (let i = 0; i < GENERATIONS; i++) {
      const one = occupied(slots);
      assert.equal(slots.find(one.slot), one);
      const before = vacated(slots, one);
      assert.equal(slots.find(before), undefined);
      const next = occupied(slots);
      for (const part of [0, TIMER, CANCEL]) assert.equal(slots.find(before + part), undefined);
      vacated(slots, next);
      // Two at a time.
      seen.add(before);
    }
    assert.equal(seen.size, GENERATIONS / 2);
    assert.equal(slots.find(other.slot), other);
  });

  it('begin with a generation that another ring cannot know', () => {
    const first = new Set(Array.from({ length: 64 }, () => occupied(new Slots()).slot));
    assert.ok(first.size > 32);
  });

  it('are as good beyond 262,144', () => {
    const slots = new Slots();
    const count = PLACES + 10;
    const all = Array.from({ length: count }, () => occupied(slots));
    assert.equal(new Set(all.map(({ slot }) => slot)).size, count);
    for (const i of [0, 1, PLACES - 1, PLACES, PLACES + 1, count - 1]) {
      for (const part of [0, TIMER, CANCEL]) {
        assert.equal(slots.find(all[i].slot + part), all[i]);
        assert.equal(partOf(all[i].slot + part), part);
      }
    }
    const late = all[PLACES + 1];
    for (let i = 0; i < GENERATIONS; i++) {
      const before = vacated(slots, late);
      assert.equal(slots.find(before), undefined);
      late.slot = slots.occupy(late);
      assert.notEqual(late.slot, before);
      assert.equal(slots.find(late.slot), late);
      assert.equal(Math.floor(late.slot / 2 ** 32), 1);
    }
    assert.equal(slots.find(all[1].slot), all[1]);
  });

  it('given a place that was never used, finds nothing', () => {
    const slots = new Slots();
    occupied(slots);
    for (const userData of [1, 2 ** 17, 2 ** 31, 2 ** 32, 2 ** 40 + 1, 2 ** 48, 2 ** 51, 2 ** 53 - 1]) {
      assert.equal(slots.find(userData), undefined);
    }
  });

  it('given the end, finds nothing', () => {
    const slots = new Slots();
    const one = occupied(slots);
    slots.clear();
    assert.equal(slots.find(one.slot), undefined);
    assert.deepEqual([...slots], []);
  });
});

describe('completions that were reaped', () => {
  it('are told in their order, however many there are, again and again', () => {
    const arrivals = new Arrivals();
    const all = Array.from({ length: 7 }, () => ({ slot: -1 }) as Submission);
    for (const count of [1, 64, 65, 1000, 3]) {
      for (let i = 0; i < count; i++) arrivals.push(all[i % 7], i % 3 === 0 ? 0 : CANCEL, i - 10, i);
      assert.equal(arrivals.length, count);
      for (let i = 0; i < count; i++) {
        assert.equal(arrivals.shift(), all[i % 7]);
        const { res, flags } = arrivals.completion;
        assert.deepEqual([arrivals.part, res, flags], [i % 3 === 0 ? 0 : CANCEL, i - 10, i]);
      }
      assert.equal(arrivals.length, 0);
    }
  });

  it('may come while others are told', () => {
    const arrivals = new Arrivals();
    const one = ({ slot: -1 }) as Submission;
    let pushed = 0;
    let shifted = 0;
    while (shifted < 10_000) {
      for (let i = 0; i < 3 && pushed < 10_000; i++) arrivals.push(one, 0, pushed++, 0);
      for (let i = 0; i < 2 && shifted < pushed; i++) {
        arrivals.shift();
        assert.equal(arrivals.completion.res, shifted++);
      }
    }
    assert.equal(arrivals.length, 0);
  });

  it('are told as they were, though another is told meanwhile', () => {
    const arrivals = new Arrivals();
    const one = { slot: 1 } as Submission;
    const two = { slot: 2 } as Submission;
    arrivals.push(one, TIMER, -5, 0);
    arrivals.push(two, 0, 6, 2);
    assert.equal(arrivals.shift(), one);
    arrivals.push(one, 0, 7, 0);
    assert.deepEqual([arrivals.part, arrivals.completion.res], [TIMER, -5]);
  });
});
