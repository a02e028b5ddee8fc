// Files of a program with the flag: what is behind the replaced functions is loaded by the first that is called, and
// calls Node's own functions then, which are replaced.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Temporary } from '../kernel/temporary.ts';
import { EAGER, program, REGISTER } from './flagged.ts';

/** A call of each function that is replaced: as most programs call it, and in a way that only Node's knows. */
const CALLS: Record<string, readonly [ordinary: string, ofNode: string]> = {
  appendFile: [`fs.appendFile(at('a'), 'x')`, `fs.appendFile(Buffer.from(at('a')), 'x', { signal: undefined })`],
  copyFile: [`fs.copyFile(at('file'), at('copy'))`, `fs.copyFile(new URL('file://' + at('file')), at('copy'), 0)`],
  cp: [`fs.cp(at('file'), at('cp'))`, `fs.cp(at('file'), at('cp'), { filter: () => true })`],
  link: [`fs.link(at('file'), at('link1'))`, `fs.link(Buffer.from(at('file')), at('link2'))`],
  lstat: [`fs.lstat(at('file')).then(sizeOf)`, `fs.lstat(at('file'), { bigint: true }).then(sizeOf)`],
  mkdir: [`fs.mkdir(at('d1'))`, `fs.mkdir(at('d2/e'), { recursive: true })`],
  open: [`fs.open(at('file')).then(closed)`, `fs.open(Buffer.from(at('file')), 'r+', '0600').then(closed)`],
  readFile: [`fs.readFile(at('file'), 'utf8')`,
    `fs.readFile(new URL('file://' + at('file')), { flag: 'r' }).then(String)`],
  rename: [`fs.rename(at('a'), at('b'))`, `fs.rename(Buffer.from(at('b')), at('a'))`],
  rm: [`fs.rm(at('a'))`, `fs.rm(at('d2'), { recursive: true, force: true })`],
  rmdir: [`fs.rmdir(at('d1'))`, `fs.rmdir(Buffer.from(at('d1')))`],
  stat: [`fs.stat(at('file')).then(sizeOf)`, `fs.stat(at('file'), { bigint: true }).then(sizeOf)`],
  symlink: [`fs.symlink(at('file'), at('s1'))`, `fs.symlink('nowhere', at('s2'), 'file')`],
  truncate: [`fs.truncate(at('copy'), 1)`, `fs.truncate(Buffer.from(at('copy')))`],
  unlink: [`fs.unlink(at('copy'))`, `fs.unlink(Buffer.from(at('copy')))`],
  writeFile: [`fs.writeFile(at('w'), 'x')`, `fs.writeFile(at('w'), ['x', 'y'])`],
};

/** Makes each call, and says how it ends. */
const BODY = `
  import { writeFileSync } from 'node:fs';
  import { join } from 'node:path';
  const at = (name) => join(process.env.FOLDER, name);
  const sizeOf = ({ size }) => String(size);
  const closed = async (handle) => { await handle.close(); return handle.constructor.name; };
  writeFileSync(at('file'), 'contents');
  const calls = Object.entries({ ${
  Object.entries(CALLS).map(([name, calls]) => `${name}: [${calls.map((call) => `() => ${call}`).join(', ')}]`).join(
    ', ',
  )
} });
  const first = calls.findIndex(([name]) => name === process.env.FIRST);
  for (const [name, ways] of [...calls.splice(first, 1), ...calls]) {
    for (const call of ways) console.log(name, await call().catch(({ code, message }) => code ?? message));
  }`;

const OF_NODE = `import fs from 'node:fs/promises'; ${BODY}`;
const OWN = `import fs from ${JSON.stringify(pathToFileURL(resolve('dist/fs/index.js')).href)}; ${BODY}`;
/** Somebody wraps the functions once more. */
const WRAPPED = `
  import modules from 'node:module';
  import fs from 'node:fs/promises';
  for (const name of ${JSON.stringify(Object.keys(CALLS))}) {
    const before = fs[name];
    fs[name] = (...args) => before(...args);
  }
  modules.syncBuiltinESMExports();
  ${BODY}`;

async function outputOf(text: string, env: Record<string, string>, flags?: string[]): Promise<string> {
  using folder = new Temporary();
  const { status, stdout, stderr } = await program(text, { ...env, FOLDER: folder.path }, flags);
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout.replaceAll(folder.path, '');
}

describe('with IOURING=fs', { timeout: 60_000 }, () => {
  for (const FIRST of ['open', 'readFile', 'cp']) {
    it(`given that ${FIRST} is the first to be called, all functions do as Node’s`, async () => {
      const expected = await outputOf(OF_NODE, { FIRST }, []);
      assert.equal(expected.split('\n').length, 2 * Object.keys(CALLS).length + 1);
      const flagged = (text: string, entry = REGISTER) => outputOf(text, { FIRST, IOURING: 'fs' }, ['--import', entry]);
      const outputs = await Promise.all([
        flagged(OF_NODE),
        flagged(OF_NODE, EAGER),
        flagged(WRAPPED),
        flagged(OWN),
      ]);
      for (const output of outputs) assert.equal(output, expected);
    });
  }
});
