// How many cases of the kernel's behaviour these tests show: it must not become fewer unnoticed.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from '../../asking.ts';

/** The numbers of the cases in the titles of these tests; a test that is skipped for good does not count. */
function casesShown(): Set<number> {
  const numbers = new Set<number>();
  for (const name of readdirSync(new URL('.', import.meta.url))) {
    if (!name.endsWith('.test.js') || name === 'count.test.js') continue;
    const source = readFileSync(new URL(name, import.meta.url), 'utf8');
    for (const [, number] of source.matchAll(/^\s*it\(['"`]case (\d+): /gm)) numbers.add(Number(number));
  }
  return numbers;
}

it('at least sixty of the semantic cases are shown on the real kernel, each under its number', () => {
  const shown = casesShown();
  assert.ok([...shown].every((number) => number >= 1 && number <= 126));
  assert.ok(shown.size >= 60, `${shown.size} cases: ${[...shown].sort((a, b) => a - b).join(', ')}`);
});
