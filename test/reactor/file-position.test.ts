// A transfer that begins where a file stands, and comes short: the file stands behind it then, so that the next
// transfer does not overwrite it, or read it again.
import assert from 'node:assert/strict';
import { closeSync, constants, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { Reactor } from '../../src/index.ts';
import { moveBehindRead, moveBehindWrite, positionOf } from '../../src/reactor/file-position.ts';
import { it } from '../asking.ts';
import {
  noSizeLimit,
  noSmallDisk,
  noSpoiltDisk,
  READABLE,
  SizeLimit,
  SmallDisk,
  SpoiltDisk,
} from '../fs/scarce-disk.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';

/** So much can be written to a file. */
const ROOM = 16_384;

type Write = (io: Reactor, fd: number, data: Buffer) => Promise<number>;
const WRITES: Record<string, Write> = {
  write: (io, fd, data) => io.write(fd, data),
  'write at -1': (io, fd, data) => io.write(fd, data, { offset: -1 }),
  'write from registered memory': (io, fd, data) => {
    const memory = io.allocate(data.length);
    memory.set(data);
    return io.write(fd, memory, { offset: null });
  },
  'write of a part': (io, fd, data) => io.write(fd, Buffer.concat([data, data]), { length: data.length }),
  writev: (io, fd, data) => io.writev(fd, [data.subarray(0, 100), data.subarray(100)]),
  'a step of a chain': async (io, fd, data) => {
    // One that comes short ends the chain, which says what it came to.
    const failure = await io.chain([['write', fd, data]]).catch((
      error: { results: [{ value?: number; reason?: Error }] },
    ) => error);
    if (Array.isArray(failure)) return failure[0];
    const [{ value, reason }] = failure.results;
    if (value === undefined) throw reason;
    return value;
  },
};

/** Write 10,000 bytes three times, with room for 16,384. What came of each, and where the file stood then. */
async function writeThrice(write: Write, path: string, flags: number): Promise<unknown[]> {
  await using io = new Reactor({ entries: 8 });
  const fd = openSync(path, flags | constants.O_CREAT, 0o600);
  const seen: unknown[] = [];
  try {
    for (const of of 'abc') {
      const result = await write(io, fd, Buffer.alloc(10_000, of)).catch((error: NodeJS.ErrnoException) => error.code);
      seen.push(result, positionOf(fd));
    }
  } finally {
    closeSync(fd);
  }
  assert.equal(readFileSync(path, 'latin1'), 'a'.repeat(10_000) + 'b'.repeat(ROOM - 10_000));
  return seen;
}

describe('a short write where the file stands', () => {
  for (const [name, write] of Object.entries(WRITES)) {
    for (
      const [kind, flags] of [['a file', constants.O_RDWR], ['a file that is appended to',
        constants.O_WRONLY | constants.O_APPEND]] as const
    ) {
      const expected = (code: string): unknown[] => [10_000, 10_000, ROOM - 10_000, ROOM, code, ROOM];

      it(`${name}, ${kind}, on a full disk`, { skip: noSmallDisk }, async () => {
        using disk = new SmallDisk(ROOM);
        assert.deepEqual(await writeThrice(write, join(disk.path, 'x'), flags), expected('ENOSPC'));
      });

      it(`${name}, ${kind}, that must not be larger`, { skip: noSizeLimit }, async () => {
        using folder = new Temporary();
        using _limit = new SizeLimit(ROOM);
        assert.deepEqual(await writeThrice(write, join(folder.path, 'x'), flags), expected('EFBIG'));
      });
    }
  }

  it('the second step of a chain: the file stands behind what it has written', { skip: noSizeLimit }, async () => {
    using folder = new Temporary();
    await using io = new Reactor({ entries: 8 });
    const fd = openSync(folder.file('x', 'before'), 'r+');
    using _limit = new SizeLimit(ROOM);
    const [one, other] = ['a', 'b'].map((of) => Buffer.alloc(10_000, of));
    await assert.rejects(io.chain([['write', fd, one], ['write', fd, other], ['write', fd, one]]), {
      name: 'LinkError',
    });
    assert.equal(positionOf(fd), ROOM);
    closeSync(fd);
  });

  it('with an offset the file stands where it stood', { skip: noSizeLimit }, async () => {
    using folder = new Temporary();
    await using io = new Reactor({ entries: 8 });
    const fd = openSync(folder.file('x', 'x'.repeat(100)), 'r+');
    readSync(fd, Buffer.alloc(7));
    using _limit = new SizeLimit(ROOM);
    assert.equal(await io.write(fd, Buffer.alloc(20_000), { offset: 0 }), ROOM);
    assert.equal(positionOf(fd), 7);
    closeSync(fd);
  });
});

describe('a short read where the file stands', () => {
  it('in front of a sector that cannot be read: the next one says so', { skip: noSpoiltDisk }, async () => {
    using disk = new SpoiltDisk();
    await using io = new Reactor({ entries: 8 });
    const reads: ((fd: number) => Promise<number>)[] = [
      (fd) => io.read(fd, Buffer.alloc(20_000)),
      (fd) => io.readv(fd, [Buffer.alloc(100), Buffer.alloc(19_900)]),
    ];
    for (const read of reads) {
      const fd = openSync(disk.path, 'r');
      assert.equal(await read(fd), READABLE);
      assert.equal(positionOf(fd), READABLE);
      await assert.rejects(read(fd), { code: 'EIO' });
      assert.equal(positionOf(fd), READABLE);
      closeSync(fd);
    }
  });

  it('at the end of a file, and of a pipe: nothing is moved', async () => {
    using folder = new Temporary();
    using descriptors = new Descriptors();
    await using io = new Reactor({ entries: 8 });
    const fd = openSync(folder.file('x', 'x'.repeat(100)), 'r');
    assert.deepEqual([await io.read(fd, Buffer.alloc(70)), await io.read(fd, Buffer.alloc(70)), positionOf(fd)], [70,
      30, 100]);
    closeSync(fd);
    const [reader, writer] = descriptors.pipe();
    writeSync(writer, 'hello');
    assert.equal(await io.read(reader, Buffer.alloc(70)), 5);
    assert.equal(await io.write(writer, 'more'), 4);
    assert.ok(positionOf(reader) < 0);
  });
});

describe('a kernel that moves the file itself', () => {
  it('a write: it is left where it stands', () => {
    using folder = new Temporary();
    const fd = openSync(folder.file('x'), 'w');
    const before = positionOf(fd);
    writeSync(fd, 'hello');
    moveBehindWrite(fd, before, 5);
    assert.equal(positionOf(fd), 5);
    moveBehindWrite(fd, 5, 0);
    assert.equal(positionOf(fd), 5);
    closeSync(fd);
  });

  it('a read at the end, of a file that has grown since, or shrunk: the same', () => {
    using folder = new Temporary();
    const fd = openSync(folder.file('x', 'x'.repeat(100)), 'r+');
    assert.equal(readSync(fd, Buffer.alloc(200), 0, 200, null), 100);
    for (const size of [100, 150, 100_000, 50]) {
      ftruncateSync(fd, size);
      moveBehindRead(fd, 100);
      assert.equal(positionOf(fd), 100);
    }
    closeSync(fd);
  });

  it('a device stands where its driver says', () => {
    const fd = openSync('/dev/null', 'r+');
    moveBehindWrite(fd, 0, 5);
    moveBehindRead(fd, 5);
    assert.equal(positionOf(fd), 0);
    closeSync(fd);
  });
});
