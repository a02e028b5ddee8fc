// Calls without options do what they do, whatever a program has put into `Object.prototype`: options that are made here
// inherit nothing.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { moduleText, run } from '../run.ts';

const FS = new URL('../../src/fs/index.js', import.meta.url).href;

/** Names that options have somewhere on the way to the kernel, and values that would do harm. */
const program = `
  import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
  import { tmpdir } from 'node:os';
  import { join } from 'node:path';
  import * as fs from ${JSON.stringify(FS)};

  const names = ['minLeft', 'signal', 'timeoutMs', 'flag', 'flags', 'encoding', 'mode', 'flush', 'offset', 'length', 'position', 'rwFlags', 'fixed',
    'pi', 'into', 'datasync', 'registeredFile', 'recursive', 'withFileTypes', 'force', 'bigint', 'throwIfNoEntry', 'concurrency', 'base',
    'FileHandle', 'type', 'autoAllocateChunkSize', 'size', 'alignment', 'syscall', 'isExclusive', 'success'];
  const values = [() => 7, 3, 'x', AbortSignal.abort(), true, {}];
  // Node's own functions would look there, too: only what is done by the ring is called.
  const calls = {
    writeFile: (path) => fs.writeFile(path, 'hello'),
    'writeFile with a mode': (path) => fs.writeFile(path, 'hello', 0o600 && null),
    'writeFile in pieces': (path) => fs.writeFile(path, ['hel', 'lo']),
    appendFile: (path) => fs.appendFile(path, 'hello'),
    readFile: (path) => fs.readFile(path),
    'readFile as text': (path) => fs.readFile(path, 'latin1'),
    'readFile of much': async () => (await fs.readFile(much)).length,
    readFiles: async (path) => { for await (const { data } of fs.readFiles([path])) return data; },
    statMany: async (path) => { for await (const { stats } of fs.statMany([path])) return stats.size; },
    stat: async (path) => (await fs.stat(path)).size,
    copyFile: async (path) => { await fs.copyFile(path, path + '.copy'); const copy = readFileSync(path + '.copy', { __proto__: null, encoding: 'latin1' }); await fs.unlink(path + '.copy'); return copy; },
    truncate: (path) => fs.truncate(path),
    mkdir: async (path) => { await fs.mkdir(path + '.d'); await fs.rmdir(path + '.d'); },
    rename: async (path) => { await fs.rename(path, path + '.x'); await fs.rename(path + '.x', path); },
    handle: async (path) => {
      const handle = await fs.open(path, 'w+');
      await handle.write('hello');
      await handle.writev([Buffer.from('hello')]);
      await handle.writeFile('hello');
      await handle.writeFile(['hel', 'lo']);
      await handle.sync();
      await handle.datasync();
      await handle.truncate(7);
      const seen = [(await handle.read()).bytesRead, (await handle.read(Buffer.alloc(5), 0, 5, 0)).bytesRead, (await handle.stat()).size];
      const whole = await fs.open(path);
      seen.push(await whole.readFile('latin1'));
      await whole.close();
      await handle.close();
      return seen;
    },
  };
  const folder = mkdtempSync(join(tmpdir(), 'iouring-test-'));
  const path = join(folder, 'file');
  const much = join(folder, 'much');
  writeFileSync(much, Buffer.alloc(200_000));
  const outcomes = async () => {
    const all = [];
    for (const [name, call] of Object.entries(calls)) {
      const outcome = await call(path).then((value) => value, ({ message }) => message);
      all.push([name, String(outcome), readFileSync(path, { __proto__: null, encoding: 'latin1' })]);
    }
    return all;
  };
  await outcomes();
  const expected = await outcomes();
  const wrong = [];
  for (const name of names) {
    for (const value of values) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
      const seen = await outcomes();
      delete Object.prototype[name];
      for (const [i, one] of seen.entries()) {
        if (String(one) !== String(expected[i])) wrong.push(name + ' ' + typeof value + ' ' + one + ' instead of ' + expected[i]);
      }
    }
  }
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify(wrong));
`;

it('given options in Object.prototype, calls ignore them', {
  skip: process.env['IOURING_DISABLED'] === '1' && 'this is the run without io_uring',
}, async () => {
  const { status, stdout, stderr } = await run(process.execPath, moduleText(program, '--no-warnings'));
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), []);
});
