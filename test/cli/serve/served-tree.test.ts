// Three ways to open what is below a folder, and nothing else: by the ring, by descriptors, and by real paths where
// there is no /proc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NodeTree, RealPathTree } from '../../../src/cli/serve/served-tree-node.ts';
import { RingTree, type ServedTree } from '../../../src/cli/serve/served-tree.ts';
import { stat } from '../../../src/fs/index.ts';
import { Reactor } from '../../../src/index.ts';
import { Temporary } from '../../kernel/temporary.ts';

const O_PATH = 0o10000000;
const io = new Reactor();
const WAYS: Record<string, (folder: string) => Promise<ServedTree>> = {
  'the ring': (folder) => RingTree.of(io, folder),
  'descriptors of Node’s': (folder) => NodeTree.of(folder),
  'real paths': (folder) => Promise.resolve(new RealPathTree(Buffer.from(realpathSync(folder)))),
};

describe('a folder that is served', () => {
  for (const [way, treeOf] of Object.entries(WAYS)) {
    it(`by ${way}: opens what is in it, refuses what is not, and leaves no descriptor`, async () => {
      using folder = new Temporary();
      const site = join(folder.path, 'site');
      mkdirSync(join(site, 'sub'), { recursive: true });
      mkdirSync(join(folder.path, 'site-beside'));
      writeFileSync(join(site, 'sub/file'), '0123456789');
      writeFileSync(join(folder.path, 'secret'), 'secret');
      symlinkSync('sub', join(site, 'inside'));
      symlinkSync('../secret', join(site, 'out'));
      symlinkSync('../site-beside', join(site, 'beside'));
      symlinkSync('loop', join(site, 'loop'));
      mkdirSync(join(site, '.git'));
      writeFileSync(join(site, '.git/config'), 'hidden');
      symlinkSync('.git/config', join(site, 'hidden'));
      symlinkSync('.git', join(site, 'hidden-folder'));
      execFileSync('mkfifo', [join(site, 'pipe')]);
      // The reactor that iouring/fs makes for itself is no leak.
      await stat(site);
      const before = readdirSync('/proc/self/fd').length;
      const tree = await treeOf(site);
      for (const path of ['sub/file', 'inside/file']) {
        const file = await tree.open(path);
        assert.deepEqual([file.status.kind, file.status.size], ['file', 10]);
        const into = Buffer.alloc(4);
        assert.deepEqual([await file.read(into, 8, 4), into.toString('latin1', 0, 2)], [2, '89']);
        assert.equal(await file.read(into, 10, 4), 0);
        await file.close();
      }
      for (
        const [path, names] of [['', ['.git', 'beside', 'hidden', 'hidden-folder', 'inside', 'loop', 'out', 'pipe',
          'sub']], ['sub', ['file']]] as const
      ) {
        const directory = await tree.open(path);
        assert.equal(directory.status.kind, 'directory');
        assert.deepEqual(readdirSync(directory.path).sort(), names);
        await directory.close();
      }
      const refused: [string, string][] = [
        ['out', 'EXDEV'],
        ['beside', 'EXDEV'],
        ['..', 'EXDEV'],
        ['../secret', 'EXDEV'],
        ['sub/../../secret', 'EXDEV'],
        ['loop', 'ELOOP'],
        ['nothing', 'ENOENT'],
        ['sub/file/x', 'ENOTDIR'],
        ['pipe', 'ENXIO'],
        ['hidden', 'ENOENT'],
        ['hidden-folder', 'ENOENT'],
        ['hidden-folder/config', 'ENOENT'],
      ];
      for (const [path, code] of refused) await assert.rejects(tree.open(path), { code }, path);
      await tree.close();
      assert.equal(readdirSync('/proc/self/fd').length, before);
    });
  }

  it('by the ring: opens what it has seen to be a file, and looks at everything else without opening it', async () => {
    using folder = new Temporary();
    folder.file('file', 'x');
    execFileSync('mkfifo', [join(folder.path, 'pipe')]);
    symlinkSync('pipe', join(folder.path, 'link'));
    const opened: string[] = [];
    const watched = new Proxy(io, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const isOpening = name === 'open' || name === 'openat2';
          const flags = name === 'open' ? args[1] : (args[2] as { flags: number } | undefined)?.flags;
          const result = await (value as (...args: unknown[]) => Promise<unknown>).apply(target, args);
          if (isOpening && (Number(flags) & O_PATH) === 0) opened.push(readlinkSync(`/proc/self/fd/${String(result)}`));
          return result;
        };
      },
    });
    const tree = await RingTree.of(watched, folder.path);
    opened.length = 0;
    for (const path of ['pipe', 'link']) await assert.rejects(tree.open(path), { code: 'ENXIO' });
    assert.deepEqual(opened, []);
    await (await tree.open('file')).close();
    assert.deepEqual(opened, [realpathSync(join(folder.path, 'file'))]);
    await tree.close();
  });

  it('is a folder', async () => {
    using folder = new Temporary();
    for (const way of ['the ring', 'descriptors of Node’s']) {
      await assert.rejects(WAYS[way](folder.file('file')), { code: 'ENOTDIR' });
      await assert.rejects(WAYS[way](join(folder.path, 'nothing')), { code: 'ENOENT' });
    }
    await io.close();
  });
});
