// `iouring cp` where others are: what a copy may not give away, to whom it may not give it, and where others must not
// lead it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  type Dirent,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { CopyCalls } from '../../../src/cli/cp/copy-calls.ts';
import { TreeCopy } from '../../../src/cli/cp/copy-tree.ts';
import { NodeCalls } from '../../../src/cli/cp/node-calls.ts';
import { Reactor } from '../../../src/index.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';

const MAIN = join(process.cwd(), 'dist/cli/main.js');
const WAYS: readonly [string, NodeJS.ProcessEnv][] = [['through io_uring', {}], ['through Node', {
  IOURING_DISABLED: '1',
}]];
const SOMEBODY = 12_345;
const OTHER_GROUP = 23_456;
const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';
const NEEDS_ROOT = process.getuid!() === 0 ? false : 'needs root';

const io = new Reactor();
after(() => io.close());
const CALLS: readonly [string, () => CopyCalls][] = [['through io_uring', () => io], ['through Node',
  () => new NodeCalls()]];

/** All that can be told of what is in a tree, but when it was read. */
function listing(root: string): string[] {
  const names = ['.', ...(readdirSync(root, { recursive: true }) as string[])].sort();
  return names.map((name) => {
    const { mode, uid, gid, size, mtimeMs, ctimeMs, nlink } = lstatSync(join(root, name));
    return [name, mode, uid, gid, size, mtimeMs, ctimeMs, nlink].join(' ');
  });
}

function modes(root: string): string {
  return execFileSync('find', ['.', '-printf', '%P|%y|%m|%U|%G\\0'], { cwd: root }).toString('latin1').split('\0')
    .sort().join('\n');
}

/** An ACL as an attribute: with one user and one group more than the owner's, and a mask. */
function acl(owner: number, user: number, group: number, namedGroup: number, mask: number, others: number): Buffer {
  const entries = [[0x01, owner, -1], [0x02, user, SOMEBODY], [0x04, group, -1], [0x08, namedGroup, OTHER_GROUP], [0x10,
    mask, -1], [0x20, others, -1]];
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2);
  for (const [i, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i);
    bytes.writeUInt16LE(permissions, 6 + 8 * i);
    bytes.writeInt32LE(id, 8 + 8 * i);
  }
  return bytes;
}

/** The ACLs of all that is in a tree. */
async function acls(root: string): Promise<string[]> {
  const all: string[] = [];
  for (const name of ['.', ...(readdirSync(root, { recursive: true }) as string[])].sort()) {
    const path = join(root, name);
    if (lstatSync(path).isSymbolicLink()) continue;
    for (const attribute of io.listxattr(path).filter((one) => one.startsWith('system.')).sort()) {
      const value = Buffer.alloc(200);
      all.push(`${name} ${attribute} ${value.toString('hex', 0, await io.getxattr(path, attribute, value))}`);
    }
  }
  return all;
}

/** The same calls, with something done before each one of them. */
function watched(calls: CopyCalls, before: (name: string, args: unknown[]) => void): CopyCalls {
  return new Proxy(calls, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        before(String(name), args);
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

describe('iouring cp: the owner of the copy', { skip: NEEDS_ROOT }, () => {
  for (const [way, env] of WAYS) {
    it(`${way}: given the files of another owner, somebody who is not root gets copies without setuid and setgid, as by cp -a`, async () => {
      using folder = new Temporary();
      const [source, out] = [join(folder.path, 'source'), join(folder.path, 'out')];
      mkdirSync(source);
      mkdirSync(out);
      for (const path of [folder.path, source, out]) chmodSync(path, 0o777);
      for (
        const [owner, uid, gid] of [['root', 0, 0], ['group', 0, SOMEBODY], ['own', SOMEBODY, SOMEBODY], ['user',
          SOMEBODY, 0]] as const
      ) {
        for (const mode of [0o755, 0o4755, 0o2755, 0o6755, 0o1755, 0o7777, 0o6711]) {
          const name = `${owner}-${mode.toString(8)}`;
          writeFileSync(join(source, name), 'program');
          writeFileSync(join(source, `${name}-large`), Buffer.alloc(70_000, 'program'));
          mkdirSync(join(source, `${name}-directory`));
          for (const path of [name, `${name}-large`, `${name}-directory`]) {
            chownSync(join(source, path), uid, gid);
            chmodSync(join(source, path), mode | 0o444);
          }
        }
      }
      const as = { uid: SOMEBODY, gid: SOMEBODY, cwd: '/', env: { ...process.env, ...env } };
      const expected = await run('cp', ['-a', source, join(out, 'expected')], as);
      assert.equal(expected.status, 0, expected.stderr);
      const { status, stderr } = await run(
        process.execPath,
        [MAIN, 'cp', '--no-progress', source, join(out, 'actual')],
        as,
      );
      assert.equal(status, 0, stderr);
      assert.equal(modes(join(out, 'actual')), modes(join(out, 'expected')));
      // Into what is there already, and allows too much, too.
      for (const one of readdirSync(join(out, 'actual'))) {
        if (one.endsWith('-directory')) chmodSync(join(out, 'actual', one), 0o7777);
      }
      const again = await run(process.execPath, [MAIN, 'cp', '--no-progress', `${source}/.`, join(out, 'actual')], as);
      assert.equal(again.status, 0, again.stderr);
      assert.equal(modes(join(out, 'actual')), modes(join(out, 'expected')));
    });

    it(`${way}: into a directory that gives its group to what is made in it, the group is that of the source`, async () => {
      using folder = new Temporary();
      const source = join(folder.path, 'source');
      mkdirSync(join(source, 'd'), { recursive: true });
      for (const name of ['file', 'd/file']) writeFileSync(join(source, name), 'x');
      symlinkSync('file', join(source, 'link'));
      const copy = join(folder.path, 'copy');
      mkdirSync(copy);
      chownSync(copy, 0, OTHER_GROUP);
      chmodSync(copy, 0o2777);
      const paths = [source, join(source, 'file'), join(source, 'link')];
      const { status, stderr } = await run(process.execPath, [MAIN, 'cp', '--no-progress', ...paths, copy], {
        env: { ...process.env, ...env },
      });
      assert.equal(status, 0, stderr);
      assert.equal(modes(join(copy, 'source')), modes(source));
      for (const name of ['file', 'link']) assert.equal(lstatSync(join(copy, name)).gid, 0);
    });
  }

  it('given an ACL, opens the copy to its group when the ACL is there, and not before', async (t) => {
    using folder = new Temporary();
    const source = join(folder.path, 'source');
    mkdirSync(join(source, 'd'), { recursive: true });
    const files = ['small', 'large', 'd/small'];
    for (const name of files) writeFileSync(join(source, name), Buffer.alloc(name === 'large' ? 200_000 : 5, 'x'));
    try {
      // The mask, which is the group's bits of the mode, allows what the group may not do.
      for (const name of [...files, 'd', '']) await io.setxattr(join(source, name), ACCESS, acl(7, 6, 0, 4, 7, 0));
      await io.setxattr(join(source, 'd'), DEFAULT, acl(7, 6, 5, 4, 7, 1));
    } catch (error) {
      return t.skip(`no ACLs in ${folder.path}: ${(error as Error).message}`);
    }
    chownSync(join(source, 'small'), SOMEBODY, OTHER_GROUP);
    assert.equal(statSync(join(source, 'small')).mode & 0o777, 0o770);
    const [expected, actual] = ['expected', 'actual'].map((name) => join(folder.path, name));
    execFileSync('cp', ['-a', source, expected]);
    let seen = 0;
    const look = (): void => {
      const made = readdirSync(folder.path).filter((name) => name.startsWith('.iouring') || name === 'actual');
      for (const root of made) {
        for (const name of ['.', ...(readdirSync(join(folder.path, root), { recursive: true }) as string[])]) {
          const path = join(folder.path, root, name);
          if ((lstatSync(path).mode & 0o077) === 0) continue;
          seen++;
          assert.ok(io.listxattr(path).includes(ACCESS), `${path} is open without an ACL`);
        }
      }
    };
    const copy = new TreeCopy(watched(io, look), 4);
    await copy.copy(source, actual);
    assert.deepEqual(copy.failures, []);
    assert.ok(seen > 0);
    assert.equal(modes(actual), modes(expected));
    assert.deepEqual(await acls(actual), await acls(expected));
    assert.equal((await acls(actual)).length, 6);
    // And into the tree that is there now, with ACLs that the source does not have.
    for (const root of [expected, actual]) {
      for (const name of ['', 'd']) await io.setxattr(join(root, name), DEFAULT, acl(7, 7, 7, 7, 7, 7));
      writeFileSync(join(source, 'd/new'), 'x');
    }
    await io.setxattr(join(source, 'd'), ACCESS, Buffer.from([2, 0, 0, 0]));
    await io.setxattr(join(source, 'd'), DEFAULT, Buffer.from([2, 0, 0, 0]));
    execFileSync('cp', ['-a', `${source}/.`, expected]);
    const merge = new TreeCopy(io, 4);
    await merge.copy(source, actual);
    assert.deepEqual(merge.failures, []);
    assert.equal(modes(actual), modes(expected));
    assert.deepEqual(await acls(actual), await acls(expected));
  });

  it('given a directory whose default ACL new files inherit, copies without it, as cp -a does', async (t) => {
    using folder = new Temporary();
    const source = join(folder.path, 'source');
    mkdirSync(join(source, 'd/inner'), { recursive: true });
    for (const name of ['file', 'd/file', 'd/inner/file']) writeFileSync(join(source, name), 'x');
    const outs = ['expected', 'actual'].map((name) => join(folder.path, name));
    for (const out of outs) {
      mkdirSync(join(out, 'there/d'), { recursive: true });
      try {
        for (const path of [out, join(out, 'there'), join(out, 'there/d')]) {
          await io.setxattr(path, DEFAULT, acl(7, 7, 7, 7, 7, 7));
        }
      } catch (error) {
        return t.skip(`no ACLs in ${folder.path}: ${(error as Error).message}`);
      }
    }
    const [expected, actual] = outs;
    for (const [from, to] of [[source, 'new'], [join(source, 'file'), 'file'], [`${source}/.`, 'there']]) {
      execFileSync('cp', ['-a', from, join(expected, to)]);
      const { status, stderr } = await run(process.execPath, [MAIN, 'cp', '--no-progress', from, join(actual, to)]);
      assert.equal(status, 0, stderr);
    }
    assert.equal(modes(actual), modes(expected));
    assert.deepEqual(await acls(actual), await acls(expected));
  });

  it('given an ACL and a file system that has none, gives the group what the group itself had', async (t) => {
    using folder = new Temporary();
    const [file, bare] = [folder.file('file', 'x'), join(folder.path, 'bare')];
    mkdirSync(bare);
    try {
      await io.setxattr(file, ACCESS, acl(6, 6, 4, 6, 6, 0));
      execFileSync('mount', ['-t', 'ramfs', 'ramfs', bare], { stdio: 'ignore' });
    } catch {
      return t.skip('no ACLs here, or a file system without them cannot be mounted');
    }
    try {
      assert.equal(statSync(file).mode & 0o777, 0o660);
      const copy = new TreeCopy(io, 4);
      await copy.copy(file, join(bare, 'copy'));
      assert.deepEqual(copy.failures, []);
      assert.equal(statSync(join(bare, 'copy')).mode & 0o777, 0o640);
    } finally {
      execFileSync('umount', [bare]);
    }
  });

  it('given a read-only file with attributes, somebody who is not root gets both', async (t) => {
    using folder = new Temporary();
    chmodSync(folder.path, 0o777);
    const file = folder.file('file', 'x');
    try {
      await io.setxattr(file, 'user.kind', Buffer.from('important'));
    } catch (error) {
      return t.skip(`no user attributes in ${folder.path}: ${(error as Error).message}`);
    }
    chownSync(file, SOMEBODY, SOMEBODY);
    chmodSync(file, 0o444);
    const copy = join(folder.path, 'copy');
    const { status, stderr } = await run(process.execPath, [MAIN, 'cp', '--no-progress', file, copy], {
      uid: SOMEBODY,
      gid: SOMEBODY,
      cwd: '/',
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual([statSync(copy).mode & 0o7777, io.listxattr(copy)], [0o444, ['user.kind']]);
  });
});

describe('iouring cp, while somebody turns directories into symbolic links', { skip: NEEDS_ROOT }, () => {
  const SECRET = 'a secret of root';

  /** A tree to copy, one that is there, and a third one with the same names, which is root's and nobody's business. */
  function scene(folder: Temporary): { source: string; target: string; victim: string } {
    const [source, target, victim] = ['source', 'target', 'victim'].map((name) => join(folder.path, name));
    for (const root of [source, target, victim]) {
      mkdirSync(join(root, 'sub/deep'), { recursive: true });
      const contents = root === victim ? SECRET : 'harmless';
      for (const name of ['sub/small', 'sub/deep/small']) writeFileSync(join(root, name), contents);
      writeFileSync(join(root, 'sub/large'), Buffer.alloc(70_000, contents));
      symlinkSync(contents, join(root, 'sub/link'));
    }
    linkSync(join(source, 'sub/small'), join(source, 'sub/deep/second'));
    for (const name of ['sub', 'sub/deep', 'sub/small', 'sub/large']) chownSync(join(source, name), SOMEBODY, SOMEBODY);
    lchownSync(join(source, 'sub/link'), SOMEBODY, SOMEBODY);
    for (const name of ['sub', 'sub/deep']) chmodSync(join(source, name), 0o777);
    return { source, target, victim };
  }

  interface Attempt {
    readonly folder?: Temporary;
    copy(tree: TreeCopy): Promise<void>;
    meddle(): void;
    check(when: string): void;
  }

  /**
   * Copy with something done before one of the calls: before the first, the second, and so on until there is none any
   * more.
   */
  async function atEachCall(make: () => CopyCalls, prepare: () => Attempt): Promise<number> {
    for (let when = 0;; when++) {
      const { folder, copy, meddle, check } = prepare();
      using _gone = folder;
      let calls = 0;
      let last = '';
      const tree = new TreeCopy(
        watched(make(), (name) => {
          if (calls++ !== when) return;
          last = name;
          meddle();
        }),
        2,
        1,
      );
      await copy(tree);
      if (calls <= when) return when;
      check(`${last}, call ${when}`);
    }
  }

  /** All that is in a directory; readdirSync itself follows links to directories from Node 22 on. */
  function* allIn(directory: string): Generator<Dirent> {
    for (const one of readdirSync(directory, { withFileTypes: true })) {
      yield one;
      if (one.isDirectory()) yield* allIn(join(directory, one.name));
    }
  }

  /** What was a directory is somewhere else, and its name leads to another one: which is the work of a user. */
  function swap(directory: string, to: string): void {
    if (!existsSync(directory) || lstatSync(directory).isSymbolicLink()) return;
    renameSync(directory, `${directory}-was`);
    symlinkSync(to, directory);
    lchownSync(directory, SOMEBODY, SOMEBODY);
  }

  for (const [way, make] of CALLS) {
    for (const name of way === 'through Node' ? ['sub'] : ['sub', 'sub/deep']) {
      it(`${way}: at no moment does ${name} in the target lead to another directory`, async () => {
        const calls = await atEachCall(make, () => {
          const folder = new Temporary();
          const { source, target, victim } = scene(folder);
          const before = listing(victim);
          return {
            folder,
            copy: (tree) => tree.copy(source, target),
            meddle: () => swap(join(target, name), join(victim, name)),
            check(when) {
              assert.deepEqual(listing(victim), before, when);
              assert.equal(readFileSync(join(victim, 'sub/small'), 'utf8'), SECRET);
            },
          };
        });
        assert.ok(calls > 20, `${calls} calls`);
      });

      it(`${way}: at no moment does ${name} in the source lead to another directory`, async () => {
        await atEachCall(make, () => {
          const folder = new Temporary();
          const { source, victim } = scene(folder);
          const copy = join(folder.path, 'copy');
          return {
            folder,
            copy: (tree) => tree.copy(source, copy),
            meddle: () => swap(join(source, name), join(victim, name)),
            check(when) {
              if (!existsSync(copy)) return;
              for (const one of allIn(copy)) {
                const path = join(one.parentPath, one.name);
                if (one.isSymbolicLink()) assert.notEqual(readlinkSync(path), SECRET, when);
                if (one.isFile()) assert.ok(!readFileSync(path).includes(SECRET), `${when}: ${path}`);
              }
            },
          };
        });
      });
    }

    it(`${way}: at no moment is something else that has the name of a copied link given away`, async () => {
      using folder = new Temporary();
      const [link, target, precious] = [join(folder.path, 'link'), join(folder.path, 'target'),
        folder.file('precious', SECRET)];
      symlinkSync('nowhere', link);
      lchownSync(link, SOMEBODY, SOMEBODY);
      const before = lstatSync(precious);
      await atEachCall(make, () => {
        execFileSync('rm', ['-rf', target]);
        mkdirSync(target);
        const place = join(target, 'link');
        return {
          copy: (tree) => tree.copy(link, place),
          meddle() {
            if (lstatSync(place, { throwIfNoEntry: false }) === undefined) return;
            unlinkSync(place);
            linkSync(precious, place);
          },
          check(when) {
            const { uid, gid, mode } = lstatSync(precious);
            assert.deepEqual([uid, gid, mode], [before.uid, before.gid, before.mode], when);
          },
        };
      });
    });

    it(`${way}: at no moment is a copy of a program that runs as its owner one that runs as root`, async () => {
      using folder = new Temporary();
      const source = folder.file('program', Buffer.alloc(70_000, 'x'));
      chownSync(source, SOMEBODY, SOMEBODY);
      chmodSync(source, 0o6755);
      const copies: number[] = [];
      const tree = new TreeCopy(
        watched(make(), () => {
          for (const name of readdirSync(folder.path)) {
            const { mode, uid } = lstatSync(join(folder.path, name));
            if (uid === 0) copies.push(mode & 0o7077);
          }
        }),
        2,
      );
      await tree.copy(source, join(folder.path, 'copy'));
      assert.deepEqual(tree.failures, []);
      assert.ok(copies.length > 0);
      assert.deepEqual(copies.filter((mode) => mode !== 0), []);
      assert.equal(statSync(join(folder.path, 'copy')).mode & 0o7777, 0o6755);
    });
  }
});

describe('iouring cp, and limits', { concurrency: 2 }, () => {
  for (const [way, env] of WAYS) {
    for (const bytes of [60_000, 100_000, 3_000_000]) {
      it(`${way}: given ${bytes} bytes and a limit of 16 KiB for a file, says EFBIG, exits 1 and leaves nothing`, async () => {
        using folder = new Temporary();
        const source = folder.file('source', Buffer.alloc(bytes, 'x'));
        for (const into of bytes === 100_000 ? ['out', 'tree'] : ['out']) {
          mkdirSync(join(folder.path, into));
          const from = into === 'out' ? source : join(folder.path, 'from');
          if (into === 'tree') {
            mkdirSync(from);
            writeFileSync(join(from, 'large'), readFileSync(source));
            writeFileSync(join(from, 'tiny'), 'x');
          }
          const command = `ulimit -f 16; exec ${process.execPath} ${MAIN} cp --no-progress ${from} ${
            join(folder.path, into)
          }`;
          const { status, stderr } = await run('bash', ['-c', command], { env: { ...process.env, ...env } });
          assert.equal(status, 1, stderr);
          assert.match(stderr, /EFBIG/);
          assert.deepEqual(
            readdirSync(join(folder.path, into), { recursive: true }).sort(),
            into === 'out' ? [] : ['from', 'from/tiny'],
          );
        }
      });
    }

    it(`${way}: given a disk with too little room left, says ENOSPC, exits 1 and leaves nothing`, async (t) => {
      using folder = new Temporary();
      const small = join(folder.path, 'small');
      mkdirSync(small);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small], { stdio: 'ignore' });
      } catch {
        return t.skip('a small file system cannot be mounted here');
      }
      try {
        for (const bytes of [65_000, 70_000, 3_000_000]) {
          writeFileSync(join(small, 'kept'), Buffer.alloc(8000));
          const source = folder.file('source', Buffer.alloc(bytes, 'x'));
          const command = `exec ${process.execPath} ${MAIN} cp --no-progress ${source} ${join(small, 'copy')}`;
          const { status, stderr } = await run('bash', ['-c', command], { env: { ...process.env, ...env } });
          assert.equal(status, 1, stderr);
          assert.match(stderr, /ENOSPC: no space left on device/);
          assert.deepEqual(readdirSync(small), ['kept']);
        }
      } finally {
        execFileSync('umount', [small]);
      }
    });

    it(`${way}: given few descriptors, copies a tree that is deep and wide`, async () => {
      using folder = new Temporary();
      const source = join(folder.path, 'source');
      for (let i = 0; i < 20; i++) {
        const directory = join(source, `${i}`, ...Array.from({ length: 12 }, (_, depth) => `level-${depth}`));
        mkdirSync(directory, { recursive: true });
        for (let j = 0; j < 10; j++) writeFileSync(join(directory, `${j}`), `${i} ${j}`);
      }
      const command = `ulimit -n 64; exec ${process.execPath} ${MAIN} cp --no-progress ${source} ${
        join(folder.path, 'copy')
      }`;
      const { status, stderr } = await run('bash', ['-c', command], { env: { ...process.env, ...env } });
      assert.equal(status, 0, stderr);
      execFileSync('diff', ['-r', source, join(folder.path, 'copy')]);
    });

    it(`${way}: given several trees that share files, keeps what is one file one file, as cp -a does`, async () => {
      using folder = new Temporary();
      const [one, two] = ['one', 'two'].map((name) => join(folder.path, name));
      for (const root of [one, two]) mkdirSync(join(root, 'd'), { recursive: true });
      writeFileSync(join(one, 'd/file'), 'x');
      linkSync(join(one, 'd/file'), join(two, 'd/file'));
      linkSync(join(one, 'd/file'), join(folder.path, 'third'));
      const out = join(folder.path, 'out');
      mkdirSync(out);
      const { status, stderr } = await run(process.execPath, [MAIN, 'cp', '--no-progress', one, two,
        join(folder.path, 'third'), out], { env: { ...process.env, ...env } });
      assert.equal(status, 0, stderr);
      const { ino, nlink } = statSync(join(out, 'one/d/file'));
      assert.equal(nlink, 3);
      for (const name of ['two/d/file', 'third']) assert.equal(statSync(join(out, name)).ino, ino);
    });
  }

  it('given a file system whose files can share their contents, has them shared', async (t) => {
    using folder = new Temporary();
    const [image, mounted] = [join(folder.path, 'image'), join(folder.path, 'mounted')];
    mkdirSync(mounted);
    try {
      execFileSync('truncate', ['-s', '120M', image]);
      execFileSync('mkfs.btrfs', ['-q', image], { stdio: 'ignore' });
      execFileSync('mount', ['-o', 'loop', image, mounted], { stdio: 'ignore' });
    } catch {
      return t.skip('needs btrfs, mkfs.btrfs, and to mount it');
    }
    try {
      writeFileSync(join(mounted, 'source'), Buffer.alloc(30_000_000, 'x'));
      for (const [way, env] of WAYS) {
        const copy = join(mounted, way);
        const { status, stderr } = await run(process.execPath, [MAIN, 'cp', '--no-progress', join(mounted, 'source'),
          copy], { env: { ...process.env, ...env } });
        assert.equal(status, 0, stderr);
        execFileSync('sync', ['-f', copy]);
        const used = execFileSync('btrfs', ['filesystem', 'du', '--raw', copy]).toString();
        assert.match(used, /^\s*30\d+\s+0\s/m, `${way}: ${used}`);
      }
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});
