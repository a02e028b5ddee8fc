// slow: runs the commands of the README
// The README is short, and its numbers come from the saved results.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { run } from './run.ts';

const LINES_MAX = 220;

const readme = readFileSync('README.md', 'utf8');
const example = (name: string): string => new URL(`../examples/${name}.js`, import.meta.url).pathname;

describe('README', () => {
  it('has at most 220 lines, and one table of performance', () => {
    assert.ok(readme.trimEnd().split('\n').length <= LINES_MAX);
    assert.equal(readme.match(/<!-- bench:start -->/g)?.length, 1);
  });

  it('and docs/performance.md show the benchmark’s saved results', async () => {
    const { status, stderr } = await run(process.execPath, ['build/bench/performance-tables.js', '--check']);
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });

  it('shows losses beside gains: rows above 1 and rows below', () => {
    const table = /<!-- bench:start -->([\s\S]*?)<!-- bench:end -->/.exec(readme)![1];
    const ratios = [...table.matchAll(/ (\d+\.\d+)× \(/g)].map(([, ratio]) => Number(ratio));
    assert.equal(ratios.length, 10);
    assert.ok(ratios.some((ratio) => ratio > 1) && ratios.some((ratio) => ratio < 1));
  });

  it('has each command of the command line', () => {
    const commands = [...readFileSync('src/cli/main.ts', 'utf8').matchAll(/^  \['(\w+)', /gm)].map(([, name]) => name);
    assert.ok(commands.length >= 3);
    for (const command of commands) assert.ok(readme.includes(`npx iouring ${command}`), command);
  });
});

describe('examples', () => {
  it('npm start: the tour verifies what it reads and echoes, and ends by itself', async () => {
    const { status, stdout, stderr } = await run(process.execPath, [example('tour')]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /node:fs reads the same/);
    assert.match(stdout, /got every line back/);
    assert.match(stdout, /random 4 KiB reads/);
  });
});
