// The README says what is true: its example is the one that runs here, and its table comes from the results.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { run } from './run.ts';

const readme = readFileSync('README.md', 'utf8');
const example = (name: string): string => new URL(`../examples/${name}.js`, import.meta.url).pathname;

describe('README', () => {
  it('shows examples/readme.ts, to the letter, and it runs', async () => {
    const source = readFileSync('examples/readme.ts', 'utf8');
    assert.ok(readme.includes(`\`\`\`ts\n${source}\`\`\``), 'the example stands in the README');
    const { status, stdout } = await run(process.execPath, [example('readme')]);
    assert.equal(status, 0);
    const name = readFileSync('/etc/hostname', 'utf8');
    // In whatever order they complete.
    const lines = stdout.trimEnd().split('\n').sort();
    assert.deepEqual(lines, ['nothing, done: 0', `read ${Buffer.byteLength(name)} bytes: ${name.trim()}`]);
  });

  it('shows examples/fs.ts, and that runs', async () => {
    const source = readFileSync('examples/fs.ts', 'utf8');
    const shown = /\/\/ #region readme\n([\s\S]*?)\/\/ #endregion/.exec(source)![1];
    assert.ok(readme.includes(`\`\`\`ts\n${shown}\`\`\``), 'the example stands in the README');
    const { status, stdout, stderr } = await run(process.execPath, [example('fs')]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'number 42\n true\nnumber 7\n10890 bytes in 1000 files\n');
  });

  it('shows examples/net.ts, and that runs', async () => {
    const source = readFileSync('examples/net.ts', 'utf8');
    const shown = /\/\/ #region readme\n([\s\S]*?)\/\/ #endregion/.exec(source)![1];
    assert.ok(readme.includes(`\`\`\`ts\n${shown}\`\`\``), 'the example stands in the README');
    const { status, stdout, stderr } = await run(process.execPath, [example('net')]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trimEnd().split('\n').filter((line) => line !== '').sort(), ['echoed: hello', 'hello from /ring']);
  });

  it('shows the heart of examples/durable-append.ts, and that runs', async () => {
    const source = readFileSync('examples/durable-append.ts', 'utf8');
    const shown = /```ts\n\/\/ A durable append.*\n([\s\S]*?)```/.exec(readme)![1];
    for (const line of shown.trimEnd().split('\n')) assert.ok(source.includes(line), line);
    const { status, stdout } = await run(process.execPath, [example('durable-append')]);
    assert.equal(status, 0);
    assert.match(stdout, /^open: 0\nwrite: \d+\nflush: 0\nclose: 0\nthe log ends with: .* hello\n$/);
  });

  it('shows examples/reactor.ts, to the letter, and it runs', async () => {
    const source = readFileSync('examples/reactor.ts', 'utf8');
    assert.ok(readme.includes(`\`\`\`ts\n${source}\`\`\``), 'the example stands in the README');
    const { status, stdout } = await run(process.execPath, [example('reactor')]);
    assert.equal(status, 0);
    const name = readFileSync('/etc/hostname', 'utf8');
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      `read ${Buffer.byteLength(name)} bytes: ${name.trim()}`,
      '[ true, true ]',
      'ETIMEDOUT: not done after 10 ms, sleep',
    ]);
  });

  it('shows the benchmark’s saved results', async () => {
    const { status, stderr } = await run(process.execPath, ['build/bench/readme-table.js', '--check']);
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });

  it('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    for (const [, name] of readme.matchAll(/npm run ([\w:-]+)/g)) assert.ok(name in scripts, name);
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
