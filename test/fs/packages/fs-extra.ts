// fs-extra: copies, moves, JSON, links, and Node's functions as it offers them.
import { chmodSync, existsSync, lstatSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import fse from 'fs-extra';
import { at, bytes, end, given, tell, tellTree } from './program.ts';

const FOLDERS = 12;
const FILES = 12;

async function copies(): Promise<void> {
  for (let i = 0; i < FOLDERS; i++) {
    for (let j = 0; j < FILES; j++) given(`tree/${i % 3}/folder ${i}/file-${j}`, bytes(j * 997, i * FILES + j));
  }
  given('tree/big', bytes(300_000));
  given('tree/ü/ß €.txt', 'unicode');
  given('tree/private', 'mine');
  chmodSync(at('tree/private'), 0o600);
  // What the umask forbids for new files, it does not for copies.
  given('tree/open', 'everybody’s');
  chmodSync(at('tree/open'), 0o666);
  given('tree/script', '#!/bin/sh\n');
  chmodSync(at('tree/script'), 0o755);
  mkdirSync(at('tree/empty'));
  symlinkSync('script', at('tree/link'));
  symlinkSync('nowhere', at('tree/dangling'));
  symlinkSync('0', at('tree/link to a folder'));
  utimesSync(at('tree/script'), 1_000_000_000.5, 1_100_000_000.25);

  await tell('copy a tree', () => fse.copy(at('tree'), at('copy')));
  tellTree('copy');
  await tell('copy with times', () => fse.copy(at('tree'), at('copy with times'), { preserveTimestamps: true }));
  await tell('the time', () => lstatSync(at('copy with times/script')).mtimeMs);
  const filter = (from: string): boolean => !from.endsWith('5') && !from.includes('folder 7');
  await tell('copy what a filter lets through', () => fse.copy(at('tree'), at('filtered'), { filter }));
  await tell(
    'copy what an async filter lets through',
    () => fse.copy(at('tree/1'), at('filtered too'), { filter: async (from) => (await fse.stat(from)).size !== 1994 }),
  );
  await tell('copy what links lead to', () => fse.copy(at('tree/link'), at('followed'), { dereference: true }));
  await tell('copy over what is there', () => fse.copy(at('tree/0'), at('filtered/1')));
  const gentle = { overwrite: false };
  await tell('copy, but not over what is there', () => fse.copy(at('tree/big'), at('copy/script'), gentle));
  const strict = { overwrite: false, errorOnExist: true };
  await tell('copy to what is there, strictly', () => fse.copy(at('tree/big'), at('copy/script'), strict));
  await tell('copy into itself', () => fse.copy(at('tree'), at('tree/0/inside')));
  await tell('copy to itself', () => fse.copy(at('tree'), at('tree')));
  await tell('copy a folder over a file', () => fse.copy(at('tree/0'), at('tree/big')));
  await tell('copy nothing', () => fse.copy(at('none'), at('some')));
  const byCallback = (): Promise<unknown> => new Promise((resolve) => fse.copy(at('none'), at('some'), resolve));
  await tell('copy nothing, with a callback', byCallback);
}

async function moves(): Promise<void> {
  await tell('move a tree', () => fse.move(at('copy'), at('deep/er/moved')));
  await tell('move to what is there', () => fse.move(at('filtered/big'), at('deep/er/moved/big')));
  await tell('move over it', () => fse.move(at('filtered/big'), at('deep/er/moved/big'), { overwrite: true }));
  await tell('move a folder over another', () => fse.move(at('filtered too'), at('filtered'), { overwrite: true }));
  await tell('move into itself', () => fse.move(at('deep'), at('deep/er/x')));
  await tell('move nothing', () => fse.move(at('none'), at('some')));
}

async function json(): Promise<void> {
  const value = { text: 'ü ß €', list: Array.from({ length: 2000 }, (_, i) => ({ i, half: i / 2 })), none: null };
  await tell('outputJson', () => fse.outputJson(at('json/deep/value.json'), value, { spaces: 2, EOL: '\r\n' }));
  await tell('readJson', () => fse.readJson(at('json/deep/value.json')));
  await tell('writeJson', () => fse.writeJson(at('json/small.json'), [1, 2, 3], { mode: 0o600, flag: 'wx' }));
  await tell('writeJson again', () => fse.writeJson(at('json/small.json'), [1, 2, 3], { flag: 'wx' }));
  await tell('readJson of nothing', () => fse.readJson(at('json/none.json')));
  given('json/broken.json', '{ "a": ');
  await tell('readJson of what is none', () => fse.readJson(at('json/broken.json')));
  await tell('readJson of what is none, calmly', () => fse.readJson(at('json/broken.json'), { throws: false }));
  const many = Array.from({ length: 100 }, (_, i) => at(`json/many/${i % 7}/${i}.json`));
  await tell('many at once', () => Promise.all(many.map((path, i) => fse.outputJson(path, { i }))));
  await tell('many read at once', () => Promise.all(many.map((path) => fse.readJson(path))));
}

async function makes(): Promise<void> {
  await tell('ensureDir', () => fse.ensureDir(at('made/a/b/c'), 0o750));
  await tell('ensureDir again', () => fse.ensureDir(at('made/a/b/c')));
  await tell('ensureFile', () => fse.ensureFile(at('made/file/in/here')));
  await tell('ensureDir over a file', () => fse.ensureDir(at('made/file/in/here')));
  await tell('ensureDir below a file', () => fse.ensureDir(at('made/file/in/here/below')));
  await tell('outputFile', () => fse.outputFile(at('made/out/put'), bytes(5000)));
  await tell('ensureLink', () => fse.ensureLink(at('made/out/put'), at('made/links/hard')));
  await tell('ensureLink of nothing', () => fse.ensureLink(at('none'), at('made/links/none')));
  await tell('ensureSymlink', () => fse.ensureSymlink(at('made/out/put'), at('made/links/soft')));
  await tell('ensureSymlink again', () => fse.ensureSymlink(at('made/out/put'), at('made/links/soft')));
  await tell('ensureSymlink of a folder', () => fse.ensureSymlink(at('made/a'), at('made/links/folder')));
  await tell('ensureSymlink, relative', () => fse.ensureSymlink('../out/put', at('made/links/relative')));
  await tell('ensureSymlink of nothing', () => fse.ensureSymlink(at('none'), at('made/links/nothing')));
  await tell('ensureSymlink over a file', () => fse.ensureSymlink(at('made/a'), at('made/out/put')));
  await tell('mkdirp of a name too long', () => fse.mkdirp(at('made', 'x'.repeat(256))));
  tellTree('made');
}

/** `fs` as fs-extra hands it on: promises made of callbacks. */
async function handedOn(): Promise<void> {
  const path = at('raw');
  const fd = await fse.open(path, 'w+', 0o640);
  await tell('write', () => fse.write(fd, Buffer.from('hello world'), 0, 11, 0));
  await tell('write a text', () => fse.write(fd, 'text', 20, 'utf8'));
  await tell('writev', () => fse.writev(fd, [Buffer.from('one'), Buffer.from('two')], 30));
  await tell('read', () => fse.read(fd, Buffer.alloc(8), 1, 6, 3));
  await tell('readv', () => fse.readv(fd, [new Uint8Array(3), new Uint8Array(4)], 28));
  await tell('fstat', () => fse.fstat(fd));
  await tell('ftruncate', () => fse.ftruncate(fd, 25));
  await tell('futimes', () => fse.futimes(fd, 1e9, 1e9));
  await tell('fchmod', () => fse.fchmod(fd, 0o600));
  await tell('fsync', () => fse.fsync(fd));
  await tell('fdatasync', () => fse.fdatasync(fd));
  await tell('writeFile', () => fse.writeFile(fd, ' and more'));
  await tell('close', () => fse.close(fd));
  await tell('close again', () => fse.close(fd));
  await tell('readFile', () => fse.readFile(path, 'latin1'));
  await tell('stat', () => fse.stat(path));
  await tell('lstat with BigInts', () => fse.lstat(path, { bigint: true }));
  await tell('stat of nothing', () => fse.stat(at('none')));
  await tell('truncate', () => fse.truncate(path, 3));
  await tell('appendFile', () => fse.appendFile(path, 'appended'));
  await tell('copyFile', () => fse.copyFile(path, at('raw copy'), fse.constants.COPYFILE_EXCL));
  await tell('copyFile again', () => fse.copyFile(path, at('raw copy'), fse.constants.COPYFILE_EXCL));
  await tell('copyFile of another mode', () => fse.copyFile(at('tree/open'), at('open copy')));
  await tell('rename', () => fse.rename(path, at('renamed')));
  await tell('rename nothing', () => fse.rename(path, at('renamed')));
  await tell('link', () => fse.link(at('renamed'), at('linked')));
  await tell('mkdtemp', async () => existsSync(await fse.mkdtemp(at('temporary-'))));
  await tell('rmdir of what is not empty', () => fse.rmdir(at('made')));
  await tell('unlink of a folder', () => fse.unlink(at('made')));
  await tell('readdir', async () => (await fse.readdir(at('made'))).sort());
  await tell('exists', () => fse.exists(at('renamed')));
}

async function removes(): Promise<void> {
  await tell('pathExists', () => Promise.all([fse.pathExists(at('made')), fse.pathExists(at('none'))]));
  await tell('emptyDir', () => fse.emptyDir(at('deep')));
  await tell('emptyDir of nothing', () => fse.emptyDir(at('fresh/folder')));
  await tell('emptyDir of a file', () => fse.emptyDir(at('renamed')));
  await tell('remove a tree', () => fse.remove(at('filtered')));
  await tell('remove a link', () => fse.remove(at('made/links/folder')));
  await tell('remove nothing', () => fse.remove(at('none')));
  await fse.remove(at('copy with times'));
  const temporary = (await fse.readdir(at('.'))).find((name) => name.startsWith('temporary-'))!;
  await fse.remove(at(temporary));
  tellTree();
}

await copies();
await moves();
await json();
await makes();
await handedOn();
await removes();
end();
