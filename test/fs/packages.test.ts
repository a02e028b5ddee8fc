// Packages that much is built on do the same on top of iouring/fs as on top of Node's own: swap-fs.ts has put it in its place.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { treeOf } from './tree.ts';

const SWAP = new URL('./swap-fs.js', import.meta.url).href;

/** Programs work in the folder that is their first argument, and print what they find. */
const PROGRAMS: Record<string, string> = {
  'fs-extra': `
    import fs from 'fs-extra';
    const { join } = await import('node:path');
    const at = (...names) => join(root, ...names);
    await fs.outputJson(at('a/b/config.json'), { answer: 42, list: [1, 2, 3] }, { spaces: 2 });
    print(await fs.readJson(at('a/b/config.json')));
    await fs.ensureDir(at('deep/er/still'));
    for (let i = 0; i < 200; i++) await fs.outputFile(at('many', String(i % 10), i + '.txt'), 'file ' + i);
    await fs.copy(at('many'), at('copy'), { filter: (from) => !from.endsWith('7.txt') });
    await fs.copy(at('a'), at('copy/a'), { preserveTimestamps: true });
    await fs.move(at('copy/3'), at('moved/here'));
    await fs.ensureSymlink(at('a'), at('link'));
    await fs.ensureLink(at('a/b/config.json'), at('hard.json'));
    await fs.emptyDir(at('many/4'));
    await fs.remove(at('many/5'));
    print(await fs.pathExists(at('many/5')), await fs.pathExists(at('many/6/6.txt')));
    await fs.copy(at('nothing'), at('x')).catch(({ code, syscall }) => print(code, syscall));
    await fs.move(at('a'), at('moved')).catch(({ message }) => print(message));
    print((await fs.readdir(at('moved/here'))).length, (await fs.stat(at('hard.json'))).nlink);
    await new Promise((resolve) => fs.writeFile(at('by callback'), 'called', resolve));
    print(await fs.readFile(at('by callback'), 'utf8'));
    const fd = await fs.open(at('by descriptor'), 'w+');
    print((await fs.write(fd, Buffer.from('hello'), 0, 5, 0)).bytesWritten, (await fs.fstat(fd)).size);
    await fs.ftruncate(fd, 3);
    print((await fs.read(fd, Buffer.alloc(10), 0, 10, 0)).bytesRead);
    await fs.close(fd);
  `,
  'graceful-fs': `
    import { createRequire } from 'node:module';
    import { promisify } from 'node:util';
    import { join } from 'node:path';
    const fs = createRequire(process.cwd() + '/x.js')('graceful-fs');
    const [mkdir, writeFile, readFile, rename, readdir, appendFile, copyFile, stat] =
      ['mkdir', 'writeFile', 'readFile', 'rename', 'readdir', 'appendFile', 'copyFile', 'stat'].map((name) => promisify(fs[name]));
    await mkdir(join(root, 'd'));
    const at = (i) => join(root, 'd', 'f' + i);
    await Promise.all(Array.from({ length: 1500 }, (_, i) => writeFile(at(i), 'contents ' + i)));
    await Promise.all(Array.from({ length: 1500 }, (_, i) => appendFile(at(i), '!')));
    print((await Promise.all(Array.from({ length: 1500 }, (_, i) => readFile(at(i), 'utf8')))).join().length);
    await Promise.all(Array.from({ length: 500 }, (_, i) => rename(at(i), at('renamed' + i))));
    await Promise.all(Array.from({ length: 100 }, (_, i) => copyFile(at('renamed' + i), at('copied' + i))));
    print((await readdir(join(root, 'd'))).sort().join(), (await stat(at('copied5'))).size);
    await readFile(at('none')).catch(({ code, path, syscall }) => print(code, syscall, path.slice(root.length)));
  `,
  tar: `
    import * as tar from 'tar';
    import { mkdir, symlink, writeFile, chmod, link } from 'node:fs/promises';
    import { join } from 'node:path';
    const source = join(root, 'source');
    for (let i = 0; i < 120; i++) {
      const folder = join(source, String(i % 7), 'deep');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, i + '-' + 'long'.repeat(i % 40)), Buffer.alloc((i * 991) % 70000, i), { mode: 0o600 + (i % 8) });
    }
    await symlink('../0/deep', join(source, '1', 'link'));
    await link(join(source, '0/deep/0-'), join(source, 'hard'));
    await chmod(join(source, '2'), 0o711);
    await tar.create({ gzip: true, file: join(root, 'all.tgz'), cwd: root, portable: true }, ['source']);
    const names = [];
    await tar.list({ file: join(root, 'all.tgz'), onReadEntry: ({ path, type, size, mode }) => names.push([path, type, size, mode].join(' ')) });
    print(names.sort());
    await mkdir(join(root, 'out'));
    await tar.extract({ file: join(root, 'all.tgz'), cwd: join(root, 'out'), preserveOwner: false });
    await (await import('node:fs/promises')).rm(join(root, 'all.tgz'));
  `,
  'fast-glob': `
    import glob from 'fast-glob';
    import { mkdir, symlink, writeFile } from 'node:fs/promises';
    import { join } from 'node:path';
    for (let i = 0; i < 300; i++) {
      const folder = join(root, 'd' + (i % 9), i % 2 ? '.hidden' : 'seen', 's' + (i % 3));
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, i + (i % 4 ? '.ts' : '.js')), 'x'.repeat(i));
    }
    await symlink(join(root, 'd1'), join(root, 'linked'));
    for (const [pattern, options] of [
      ['**/*.ts', {}], ['**/*.{ts,js}', { dot: true }], ['d[1-3]/**', { ignore: ['**/s1/**'] }], ['**', { onlyDirectories: true }],
      ['**/*.js', { followSymbolicLinks: false }], ['*/seen/s?/*', { deep: 4, absolute: false, markDirectories: true }],
    ]) print((await glob(pattern, { cwd: root, ...options })).sort());
    const stats = await glob('**/*.js', { cwd: root, stats: true, dot: true });
    print(stats.map(({ path, stats: { size } }) => path + ' ' + size).sort());
    const streamed = [];
    for await (const name of glob.stream('**/s2/*', { cwd: root })) streamed.push(name);
    print(streamed.sort());
  `,
  chokidar: `
    import { watch } from 'chokidar';
    import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
    import { join } from 'node:path';
    await mkdir(join(root, 'a/b'), { recursive: true });
    await writeFile(join(root, 'a/b/first'), '1');
    const seen = [];
    let wanted;
    const watcher = watch(root, { ignoreInitial: false, alwaysStat: true });
    watcher.on('all', (event, path, stats) => {
      const line = event + ' ' + path.slice(root.length) + (stats?.isFile() ? ' ' + stats.size : '');
      if (!seen.includes(line)) seen.push(line);
      if (wanted !== undefined && line.startsWith(wanted.line)) wanted.resolve();
    });
    const next = (line) => new Promise((resolve) => { wanted = { line, resolve }; });
    await new Promise((resolve) => watcher.on('ready', resolve));
    for (const [line, change] of [
      ['add /a/new 5', () => writeFile(join(root, 'a/new'), 'hello')],
      ['change /a/new 11', () => appendFile(join(root, 'a/new'), ' world')],
      ['addDir /a/c', () => mkdir(join(root, 'a/c'))],
      ['add /a/c/inner 3', () => writeFile(join(root, 'a/c/inner'), 'xyz')],
      ['unlink /a/new', () => rm(join(root, 'a/new'))],
      ['unlinkDir /a/c', () => rm(join(root, 'a/c'), { recursive: true })],
    ]) {
      const event = next(line);
      await change();
      await event;
    }
    await watcher.close();
    // How writes are told of in between is a matter of chance.
    print(seen.filter((line) => !/^(add|change) .* 0$/.test(line)).sort());
  `,
};

async function outcome(text: string, root: string, swapped: boolean): Promise<{ printed: string; tree: string[]; errors: string }> {
  mkdirSync(root);
  const head = `const root = ${JSON.stringify(root)};
    const print = (...values) => console.log(...values.map((value) => JSON.stringify(value)));`;
  const args = [...(swapped ? ['--import', SWAP] : []), '--input-type=module', '-e', `${head}\n${text}`];
  const { status, stdout, stderr } = await run(process.execPath, args);
  assert.equal(status, 0, stderr);
  return { printed: stdout.replaceAll(root, 'ROOT'), tree: treeOf(root), errors: stderr };
}

describe('packages on top of iouring/fs', () => {
  for (const [name, text] of Object.entries(PROGRAMS)) {
    it(name, async () => {
      using folder = new Temporary();
      const expected = await outcome(text, join(folder.path, 'node'), false);
      const actual = await outcome(text, join(folder.path, 'ours'), true);
      assert.equal(actual.printed, expected.printed);
      assert.deepEqual(actual.tree, expected.tree);
      assert.ok(expected.printed.length > 20);
      const through = Number(/through the ring: (\d+)/.exec(actual.errors)?.[1] ?? 0);
      assert.ok(process.env['IOURING_DISABLED'] === '1' || through > 20, actual.errors);
    });
  }
});
