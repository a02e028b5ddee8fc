// The scripts of the project say how they are used.
// slow: starts each of them
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { run } from './run.ts';

const scripts = ['scripts', 'scripts/kernels']
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((path) => /\.(mjs|ts)$/.test(path) && path !== 'scripts/usage.mjs')
  .filter((path) => /process\.argv\.|parseArgs/.test(readFileSync(path, 'utf8')));

describe('a script that takes arguments', () => {
  it('is found', () => {
    for (const name of ['runtimes', 'kernels/main', 'test']) assert.ok(scripts.includes(`scripts/${name}.mjs`), name);
  });

  for (const path of scripts) {
    it(`given --help, says how it is used, and does nothing: ${path}`, async () => {
      const { status, stdout, stderr } = await run(process.execPath, [path, '--help']);
      assert.equal(stderr, '');
      assert.match(stdout, /^[A-Z][^`]+\nusage: (npm run |node scripts\/)[^`]+$/);
      // What it prints is the text of its call, to the last word.
      const [, text] = /(?:answerHelp\(|USAGE =)\s*`([^`]+)`/.exec(readFileSync(path, 'utf8'))!;
      assert.equal(stdout.trimEnd().split('\n').at(-1), text.split('\n').at(-1));
      assert.equal(status, 0);
    });
  }
});
