// A write that fails says so, and bytes that are said to be written are in the file: on a full disk, and where files
// must not grow, each call comes to the same as of node:fs/promises, with the same bytes in the file, which stands at
// the same place afterwards.
// slow: fills a small disk, in programs of their own
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import ours from '../../src/fs/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { outcomeOf } from './outcome.ts';
import { noSizeLimit, noSmallDisk, noSpoiltDisk, SizeLimit, SmallDisk, SpoiltDisk, standingAt } from './scarce-disk.ts';

type Fs = typeof promises;
type Handle = promises.FileHandle;

/** So much can be written to a file. */
const ROOM = 16_384;

const byNode = process.env['IOURING_DISABLED'] === '1' && 'this is the run without io_uring';

const bytes = (length: number, of = 'bytes '): Buffer => Buffer.alloc(length, of);

/** Calls that make a file. */
const CALLS: Record<string, (fs: Fs, path: string, folder: string) => Promise<unknown>> = {
  'writeFile, at once': (fs, path) => fs.writeFile(path, bytes(100_000)),
  'writeFile, as long as there is room': (fs, path) => fs.writeFile(path, bytes(ROOM)),
  'writeFile, one byte more': (fs, path) => fs.writeFile(path, bytes(ROOM + 1)),
  'writeFile, text': (fs, path) => fs.writeFile(path, 'ü'.repeat(20_000)),
  'writeFile, much': (fs, path) => fs.writeFile(path, bytes(700_000)),
  'writeFile, flushed': (fs, path) => fs.writeFile(path, bytes(20_000), { flush: true }),
  'writeFile, with a signal': (fs, path) =>
    fs.writeFile(path, bytes(700_000), { signal: new AbortController().signal }),
  'writeFile, in pieces': (fs, path) =>
    fs.writeFile(path, [bytes(5000), bytes(5000), bytes(5000), bytes(5000), bytes(5000)] as never),
  'writeFile, over something': async (fs, path) => {
    await fs.writeFile(path, 'something');
    await fs.writeFile(path, bytes(20_000), { flag: 'r+' });
  },
  'appendFile, again and again': async (fs, path) => {
    for (let i = 0; i < 5; i++) await fs.appendFile(path, bytes(5000, `${i}`));
  },
  copyFile: async (fs, path, folder) => fs.copyFile(join(folder, '../large'), path),
  // Since Node 26 the words are others.
  'cp of a tree': (fs, path, folder) =>
    fs.cp(join(folder, '../tree'), `${path} tree`, { recursive: true }).catch(({ code }) => code as string),
};

/** Transfers of an open file. */
const TRANSFERS: Record<string, (handle: Handle, note: (what: unknown) => Promise<void>) => Promise<unknown>> = {
  write: async (handle, note) => {
    for (let i = 0; i < 4; i++) await note(handle.write(bytes(5000, `${i}`)));
  },
  'write of text': async (handle, note) => {
    for (let i = 0; i < 4; i++) await note(handle.write('ü'.repeat(2500)));
  },
  'write of much': async (handle, note) => {
    for (let i = 0; i < 3; i++) await note(handle.write(bytes(90_000)));
  },
  'write, here and elsewhere': async (handle, note) => {
    await note(handle.write(bytes(3000)));
    await note(handle.write(bytes(30_000), 0, 30_000, 1000));
    await note(handle.write(bytes(30_000)));
    await note(handle.write('behind'));
  },
  writev: async (handle, note) => {
    for (let i = 0; i < 4; i++) await note(handle.writev([bytes(3000), bytes(1), bytes(4000)]));
  },
  'write, and then read': async (handle, note) => {
    await note(handle.write(bytes(20_000)));
    await note(handle.read(Buffer.alloc(100), 0, 100, 16_300));
    await note(handle.read(Buffer.alloc(100)));
    await note(handle.write('more'));
  },
  'read, and then write': async (handle, note) => {
    await note(handle.read(Buffer.alloc(300)));
    await note(handle.write(bytes(20_000)));
    await note(handle.write(bytes(20_000)));
  },
  writeFile: async (handle, note) => {
    await note(handle.writeFile(bytes(5000)));
    await note(handle.writeFile(bytes(30_000)));
    await note(handle.writeFile('more'));
  },
  'writeFile of much': async (handle, note) => {
    await note(handle.writeFile(bytes(700_000)));
    await note(handle.writeFile(bytes(5000)));
  },
  'writeFile in pieces': async (handle, note) =>
    note(handle.writeFile([bytes(9000), bytes(9000), bytes(9000)] as never)),
  appendFile: async (handle, note) => {
    for (let i = 0; i < 3; i++) await note(handle.appendFile(bytes(7000)));
  },
  createWriteStream: (handle, note) =>
    note(pipeline([bytes(9000), bytes(9000), bytes(9000)], handle.createWriteStream())),
  'createWriteStream, several pieces at once': async (handle, note) => {
    const stream = handle.createWriteStream();
    stream.cork();
    for (let i = 0; i < 5; i++) stream.write(bytes(5000));
    stream.uncork();
    stream.end();
    await note(once(stream, 'finish'));
  },
  truncate: async (handle, note) => {
    await note(handle.write(bytes(20_000)));
    await note(handle.truncate(100));
    await note(handle.write('behind a hole'));
  },
};

const FLAGS = ['w', 'w+', 'a', 'a+', 'r+'];

/** Do all this in a folder, and say what came of it. */
async function account(fs: Fs, folder: string): Promise<string[]> {
  const lines: string[] = [];
  const path = join(folder, 'file');
  const note = async (name: string, work: unknown): Promise<void> => {
    const { text: outcome } = await outcomeOf(folder, () => work);
    lines.push(`${name}: ${outcome.replaceAll(folder, 'FOLDER')}`);
  };
  const contents = (name: string): void => {
    const has = statSync(path, { throwIfNoEntry: false });
    lines.push(
      `${name}: ${has === undefined ? 'no file' : `${has.size} bytes, ${readFileSync(path).toString('latin1')}`}`,
    );
    rmSync(path, { force: true });
    rmSync(`${path} tree`, { recursive: true, force: true });
  };
  for (const [name, call] of Object.entries(CALLS)) {
    await note(name, call(fs, path, folder));
    contents(name);
  }
  for (const flags of FLAGS) {
    for (const [name, transfer] of Object.entries(TRANSFERS)) {
      writeFileSync(path, bytes(1000, 'before '));
      const where = `${name}, ${flags}`;
      const handle = await fs.open(path, flags);
      await transfer(handle, (work) => note(where, work));
      lines.push(`${where}: it stands at ${handle.fd === -1 ? 'no place, being closed' : standingAt(handle.fd)}`);
      await handle.close();
      contents(where);
    }
  }
  return lines;
}

/** The lines in which two accounts differ would be lost among those in which they do not. */
function compare(actual: readonly string[], expected: readonly string[]): void {
  const short = (
    line = 'nothing',
  ): string => (line.length > 300 ? `${line.slice(0, 150)} … ${line.slice(-150)}` : line);
  for (const [i, line] of expected.entries()) {
    assert.ok(actual[i] === line, `${short(actual[i])}\nbut Node: ${short(line)}`);
  }
  assert.equal(actual.length, expected.length);
}

/** Make files to copy, beside the folder that everything else happens in. */
function prepare(folder: string): void {
  mkdirSync(join(folder, '../tree'));
  writeFileSync(join(folder, '../large'), bytes(40_000));
  for (let i = 0; i < 5; i++) writeFileSync(join(folder, `../tree/${i}`), bytes(i === 3 ? 20_000 : 100));
}

const both: Fs[] = [promises, ours];

describe('room for 16 KiB: the same outcome, the same bytes, the same place afterwards, as of Node', () => {
  it('a full disk', { skip: noSmallDisk }, async () => {
    const accounts: string[][] = [];
    for (const fs of both) {
      using disk = new SmallDisk(ROOM);
      prepare(disk.path);
      accounts.push(await account(fs, disk.path));
    }
    assert.match(accounts[0].join('\n'), /ENOSPC/);
    compare(accounts[1], accounts[0]);
  });

  it('files that must not be larger', { skip: noSizeLimit }, async () => {
    const accounts: string[][] = [];
    for (const fs of both) {
      using folder = new Temporary();
      const inner = join(folder.path, 'inner');
      mkdirSync(inner);
      prepare(inner);
      using _limit = new SizeLimit(ROOM);
      accounts.push(await account(fs, inner));
    }
    assert.match(accounts[0].join('\n'), /EFBIG/);
    compare(accounts[1], accounts[0]);
  });

  // Node's own threads overtake each other.
  it(
    'given writes that do not wait for each other, and one that is short',
    { skip: byNode || noSizeLimit },
    async () => {
      using folder = new Temporary();
      const path = join(folder.path, 'file');
      const handle = await ours.open(path, 'w');
      using _limit = new SizeLimit(ROOM);
      const writes = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => handle.write(bytes(5000, `${i}`))));
      const counts = writes.map((
        one,
      ) => (one.status === 'fulfilled' ? one.value.bytesWritten : (one.reason as NodeJS.ErrnoException).code));
      assert.deepEqual(counts, [5000, 5000, 5000, ROOM - 15_000, 'EFBIG']);
      assert.equal(standingAt(handle.fd), ROOM);
      await handle.close();
      assert.equal(
        readFileSync(path, 'latin1'),
        Array.from({ length: 4 }, (_, i) => `${i}`.repeat(5000)).join('').slice(0, ROOM),
      );
    },
  );
});

describe('sectors that cannot be read', () => {
  it('given data before them, that is read once, and then the error is told', { skip: noSpoiltDisk }, async () => {
    using disk = new SpoiltDisk();
    const reads: Record<string, (fs: Fs, handle: Handle) => Promise<unknown>> = {
      read: async (_fs, handle) => {
        const results: unknown[] = [];
        for (let i = 0; i < 3; i++) {
          results.push(
            await handle.read(Buffer.alloc(5000)).then(({ bytesRead }) => bytesRead, ({ code }) => code as string),
          );
        }
        return results;
      },
      readv: async (_fs, handle) => {
        const { bytesRead } = await handle.readv([Buffer.alloc(5000), Buffer.alloc(5000)]);
        return [bytesRead, await handle.readv([Buffer.alloc(5)]).catch(({ code }) => code as string)];
      },
      'readFile of a handle': (_fs, handle) => handle.readFile(),
      createReadStream: (_fs, handle) => text(handle.createReadStream()),
      readFile: (fs) => fs.readFile(disk.path),
    };
    for (const [name, read] of Object.entries(reads)) {
      const outcomes: string[] = [];
      for (const fs of both) {
        const handle = await fs.open(disk.path);
        const { text: outcome } = await outcomeOf(disk.path, () => read(fs, handle));
        outcomes.push(
          `${outcome}, it stands at ${handle.fd === -1 ? 'no place, being closed' : standingAt(handle.fd)}`,
        );
        await handle.close();
      }
      assert.equal(outcomes[1], outcomes[0], name);
    }
  });
});

describe('a descriptor that a child process has, too', () => {
  it('given writes of both, neither overwrites the other’s', async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'file');
    await using handle = await ours.open(path, 'w');
    const lines = 20_000;
    const program = `i=0; while [ $i -lt ${lines} ]; do echo child; i=$((i+1)); done`;
    const child = spawn('sh', ['-c', program], { stdio: ['ignore', handle.fd, 'inherit'] });
    let isOver = false;
    child.once('close', () => (isOver = true));
    let written = 0;
    while (!isOver) {
      await handle.write('parent\n');
      // Let it be seen that the child has ended.
      if (++written % 20 === 0) await new Promise(setImmediate);
    }
    const all = readFileSync(path, 'latin1').split('\n');
    assert.deepEqual([all.filter((line) => line === 'child').length, all.filter((line) => line === 'parent').length], [
      lines,
      written,
    ]);
  });
});
