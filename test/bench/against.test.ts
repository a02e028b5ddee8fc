// The benchmark against another commit: who takes part, and what is called worse.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { changesForTheWorse, withTwins } from '../../bench/against.ts';
import { compare } from '../../bench/compare.ts';
import { paired } from '../../bench/pairs.ts';
import { Progress } from '../../bench/progress.ts';
import type { Case, Competitor, Context, Scenario } from '../../bench/scenario.ts';

const program = resolve('build/bench/competitors/nop-iouring.js');
const competitor = (name: string, isOurs: boolean): Competitor<Case> => ({
  name,
  isOurs,
  command: () => ({ file: 'node', args: [program, '--batch', '8'] }),
});

/** A scenario whose numbers are those of `rate`, told which competitor is measured. */
function scenarioOf(rate: (name: string) => number, measured: string[] = []): Scenario<Case> {
  return {
    name: 'made up',
    title: 'Made up',
    metrics: [{ key: 'rate', title: 'operations/s', better: 'higher', digits: 0 }],
    cases: [{ group: 'all', name: 'one' }],
    competitors: [competitor('iouring', true), competitor('node:fs', false)],
    notes: [],
    measure(which) {
      measured.push(which.name);
      return Promise.resolve({ rate: rate(which.name) });
    },
    async [Symbol.asyncDispose]() {},
  };
}

const then = { label: 'main', folder: '/elsewhere' };
const compared = async (whole: Scenario<Case>, rounds: number): Promise<string[]> => {
  const scenario = withTwins(whole, then);
  const context = { rounds, seconds: 1 } as Context;
  const result = await compare(scenario, context, new AbortController().signal, new Progress());
  return changesForTheWorse(paired(result, scenario), rounds);
};

describe('the benchmark against another commit', () => {
  it('given a scenario, has what stands on this package, and its twin with the same program over there', () => {
    const [ours, twin, ...others] = withTwins(scenarioOf(() => 1), then).competitors;
    assert.deepEqual([ours.name, twin.name, twin.against], ['iouring', 'iouring, main', 'iouring']);
    assert.deepEqual(twin.command({ group: '', name: '' }).args, ['/elsewhere/build/bench/competitors/nop-iouring.js',
      '--batch', '8']);
    assert.deepEqual(others, []);
  });

  it('given a scenario without this package, refuses it', () => {
    const whole = { ...scenarioOf(() => 1), competitors: [competitor('node:fs', false)] };
    assert.throws(() => withTwins(whole, then), /nothing in it stands on this package/);
  });

  it('given rounds, takes turns, and changes who begins', async () => {
    const measured: string[] = [];
    await compared(scenarioOf(() => 1, measured), 3);
    assert.deepEqual(measured, ['iouring', 'iouring, main', 'iouring, main', 'iouring', 'iouring', 'iouring, main']);
  });

  it('given 10 % less in every round, says what is worse', async () => {
    const worse = await compared(scenarioOf((name) => (name === 'iouring' ? 90 : 100)), 3);
    assert.deepEqual(worse, ['WORSE: all, one, against iouring, main, operations/s: 0.90× (0.90–0.90)']);
  });

  it('given less in some rounds and more in others, says nothing', async () => {
    let calls = 0;
    assert.deepEqual(await compared(scenarioOf(() => 100 + (calls++ % 2) * 20), 4), []);
  });

  it('given more, says nothing', async () => {
    assert.deepEqual(await compared(scenarioOf((name) => (name === 'iouring' ? 120 : 100)), 3), []);
  });

  it('given two rounds, says that it cannot tell', async () => {
    assert.match((await compared(scenarioOf(() => 1), 2))[0], /^Cannot tell/);
  });
});
