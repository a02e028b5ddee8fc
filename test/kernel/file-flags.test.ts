// Flags of open(2) whose numbers differ between processors: each is shown by what the kernel makes of it.
import assert from 'node:assert/strict';
import { constants, readFileSync, symlinkSync, truncateSync } from 'node:fs';
import { describe, type TestContext } from 'node:test';
import { EINVAL, ELOOP, ENOTDIR } from '../../src/abi/errno.ts';
import { IoUring } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Descriptors } from './libc.ts';
import { complete } from './reap.ts';
import { Temporary } from './temporary.ts';

/** As <asm/fcntl.h> of each has them. */
const NUMBERS = {
  x64: { O_DIRECT: 0o40000, O_LARGEFILE: 0o100000, O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000 },
  arm64: { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000, O_DIRECT: 0o200000, O_LARGEFILE: 0o400000 },
}[process.arch as 'x64' | 'arm64'];

const { O_DIRECT, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;

/** What the kernel says that a descriptor was opened with. */
function flagsOf(fd: number): number {
  return Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1], 8);
}

/** Both ways to open by a path. */
const ways: Record<string, (ring: IoUring, path: string, flags: number) => void> = {
  prepOpen: (ring, path, flags) => void ring.prepOpen(path, flags, 1),
  prepOpenat2: (ring, path, flags) => void ring.prepOpenat2(-100, path, { flags }, 1),
};

describe('flags of files', () => {
  for (const [name, open] of Object.entries(ways)) {
    it(`given ${name}, O_DIRECTORY and O_NOFOLLOW are heeded, and not taken for something else`, () => {
      using ring = new IoUring(8);
      using folder = new Temporary();
      using files = new Descriptors();
      const file = folder.file('file');
      const link = `${folder.path}/link`;
      symlinkSync(file, link);
      const res = (path: string, flags: number): number => {
        open(ring, path, flags);
        const { res } = complete(ring);
        return res >= 0 ? files.own(res) : res;
      };
      assert.equal(res(file, O_DIRECTORY), -ENOTDIR);
      assert.ok(res(folder.path, O_DIRECTORY) >= 0);
      assert.equal(res(link, O_NOFOLLOW), -ELOOP);
      assert.ok(res(file, O_NOFOLLOW) >= 0);
    });

    it(`given ${name}, O_DIRECT demands aligned memory`, (t: TestContext) => {
      using ring = new IoUring(8);
      using folder = new Temporary();
      using files = new Descriptors();
      open(ring, folder.file('file', Buffer.alloc(8192)), O_RDONLY | O_DIRECT);
      const { res } = complete(ring);
      if (res === -EINVAL) return t.skip('needs a file system with O_DIRECT');
      const fd = files.own(res);
      assert.equal(flagsOf(fd) & NUMBERS.O_DIRECT, NUMBERS.O_DIRECT);
      ring.prepRead(fd, new Uint8Array(1 << 16).subarray(1), 11, 1, 3);
      const read = complete(ring).res;
      if (read === 11) {
        return t.skip('needs a file system whose O_DIRECT is not a matter of form, as that of a tmpfs is');
      }
      assert.equal(read, -EINVAL);
    });

    it(`given ${name}, files are larger than 2 GiB without O_LARGEFILE: the kernel adds it`, () => {
      using ring = new IoUring(8);
      using folder = new Temporary();
      using files = new Descriptors();
      const path = folder.file('file');
      truncateSync(path, 2 ** 32);
      open(ring, path, O_RDWR);
      const fd = files.own(complete(ring).res);
      assert.equal(flagsOf(fd) & NUMBERS.O_LARGEFILE, NUMBERS.O_LARGEFILE);
      ring.prepWrite(fd, Buffer.from('far'), 3, 1, 2 ** 32 + 7);
      assert.equal(complete(ring).res, 3);
      const bytes = Buffer.alloc(8);
      ring.prepRead(fd, bytes, 8, 1, 2 ** 32 + 7);
      assert.equal(complete(ring).res, 3);
      assert.equal(bytes.toString('utf8', 0, 3), 'far');
    });
  }

  it('have the numbers of this processor in fs.constants, from which the product takes them', () => {
    const { O_LARGEFILE: _, ...named } = NUMBERS;
    assert.deepEqual({ O_DIRECT, O_DIRECTORY, O_NOFOLLOW }, named);
  });
});
