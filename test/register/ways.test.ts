// Files whose calls change between the ring and Node: by the load, and by unregister(). What is in flight ends as it
// began, and a handle of the one is a handle to the other, as with node:fs/promises alone.
import assert from 'node:assert/strict';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import ours from '../../src/fs/index.ts';
import { outcomeOf } from '../fs/outcome.ts';
import { Temporary } from '../kernel/temporary.ts';
import { program } from './flagged.ts';

type Files = typeof node;

/** What is done with a handle, by functions of a module and by the handle's own. */
const USES: Record<string, (fs: Files, handle: node.FileHandle, path: string) => Promise<unknown>> = {
  'readFile': async (fs, handle) => [await fs.readFile(handle, 'utf8'), await fs.readFile(handle, 'utf8')],
  'readFile behind a read': async (fs, handle) => {
    const { bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, null);
    return [bytesRead, String(await fs.readFile(handle)).length];
  },
  'writeFile and appendFile': async (fs, handle, path) => {
    await fs.writeFile(handle, 'some');
    await fs.appendFile(handle, ' more');
    await handle.write(' and more');
    return fs.readFile(path, 'utf8');
  },
  'both at the same time': async (fs, handle, path) => {
    await Promise.all([fs.writeFile(handle, 'a'.repeat(100_000)), handle.stat()]);
    return (await fs.readFile(path, 'utf8')).length;
  },
  'a stream that writes and closes it': async (fs, handle, path) => {
    const stream = handle.createWriteStream({ start: 5 });
    await new Promise<void>((resolve, reject) =>
      void stream.once('error', reject).once('close', resolve).end('stream')
    );
    return [handle.fd, (await fs.readFile(path, 'utf8')).slice(0, 20)];
  },
  'a stream that reads and closes it': async (fs, handle) => {
    const length = (await text(handle.createReadStream())).length;
    return [length, handle.fd, await fs.readFile(handle).catch(({ code }: NodeJS.ErrnoException) => code)];
  },
  'truncate, stat and close, and a use afterwards': async (fs, handle) => {
    await handle.truncate(7);
    const { size } = await handle.stat();
    await handle.close();
    return [size, await fs.readFile(handle).catch(({ code, syscall }: NodeJS.ErrnoException) => `${code} ${syscall}`)];
  },
};

describe('a handle of the one way that is used by the other', () => {
  for (const [name, use] of Object.entries(USES)) {
    it(`given ${name}, does as if all were node:fs/promises`, async () => {
      const outcomes: string[] = [];
      for (const opener of [node, ours] as Files[]) {
        for (const user of [node, ours] as Files[]) {
          using temporary = new Temporary();
          const path = temporary.file('file', 'contents '.repeat(30_000));
          const handle = await opener.open(path, 'r+');
          try {
            outcomes.push((await outcomeOf(temporary.path, () => use(user, handle, path))).text);
          } finally {
            await handle.close().catch(() => {});
          }
        }
      }
      for (const outcome of outcomes) assert.equal(outcome, outcomes[0]);
    });
  }
});

/** Begins calls, takes the registration back, and uses what there was before by what there is then. */
const BODY = `
  import fs from 'node:fs/promises';
  import { readdirSync, readlinkSync } from 'node:fs';
  import { text } from 'node:stream/consumers';
  const flagged = process.env.FLAGGED === '1';
  const { unregister } = flagged ? await import('iouring/register') : { unregister: () => true };
  const at = (name) => process.env.FOLDER + '/' + name;
  const { readFile, open, writeFile } = fs;
  await fs.writeFile(at('large'), Buffer.alloc(1_500_000, 'large'));
  await fs.writeFile(at('small'), 'small');
  const before = await Promise.all([1, 2, 3, 4].map(() => fs.open(at('large'), 'r+')));
  const inFlight = [
    fs.readFile(at('large'), 'utf8').then(({ length }) => length), fs.readFile(at('small'), 'utf8'),
    fs.writeFile(at('w'), 'x'.repeat(300_000)), fs.writeFile(at('v'), ['x', 'y']), fs.stat(at('small')).then(({ size }) => size),
    fs.open(at('small')), before[0].readFile().then(({ length }) => length), before[1].write('by the ring', 10),
    before[2].close(), fs.readFile(at('missing')).catch(({ code }) => code),
  ];
  console.log(unregister(), flagged && unregister());
  const results = await Promise.all(inFlight);
  const opened = results[5];
  results[5] = await opened.readFile('utf8');
  results[7] = results[7].bytesWritten;
  console.log(JSON.stringify(results));
  console.log((await fs.readFile(before[1])).length, await fs.readFile(before[2]).catch(({ code }) => code));
  console.log((await text(before[3].createReadStream())).length, before[3].fd);
  await fs.writeFile(before[0], 'end');
  await before[0].sync();
  console.log((await before[0].stat()).size, await readFile(at('small'), 'utf8'), (await readFile(opened)).length);
  const late = await open(at('small'), 'r+');
  await writeFile(late, 'late');
  console.log(await readFile(at('small'), 'utf8'), late.constructor.name);
  for (const handle of [before[0], before[1], opened, late]) await handle.close();
  for (const handle of before) console.log(handle.fd, await handle.close().catch(({ code }) => code));
  const left = readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
  console.log(left.filter((path) => path.startsWith(process.env.FOLDER)).length);`;

describe('unregister()', () => {
  it('given calls in flight, handles that are open and functions taken before, ends all as with node:fs/promises', async () => {
    const outputOf = async (FLAGGED: string, flags?: string[]): Promise<string> => {
      using folder = new Temporary();
      const env = { FLAGGED, IOURING: 'fs', FOLDER: join(folder.path) };
      const { status, stdout, stderr } = await program(BODY, env, flags);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const expected = await outputOf('0', []);
    assert.equal(await outputOf('1'), expected);
  });
});
