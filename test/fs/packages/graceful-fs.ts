// graceful-fs: more files at once than there may be descriptors. It waits and tries again whenever it is told EMFILE,
// so it works only if that is what it is told. Run with few descriptors: `ulimit -n`.
import nodeFs from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import gracefulFs from 'graceful-fs';
import { at, bytes, end, given, tell, tellTree } from './program.ts';

const FILES = 300;
const all = <T>(one: (i: number) => T): T[] => Array.from({ length: FILES }, (_, i) => one(i));
const file = (i: number): string => at('files', `file ${i}`);

/** Without graceful-fs there is an error, and this is it. */
async function withoutGrace(): Promise<void> {
  const open = promisify(nodeFs.open);
  const opened = await Promise.allSettled(all((i) => open(file(i), 'r')));
  const errors = opened.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => String(reason));
  const kinds = new Set(errors.map((error) => error.replace(/file \d+/, 'file N')));
  await tell('opened without grace', () => [...kinds]);
  const close = promisify(nodeFs.close);
  const descriptors = opened.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
  await Promise.all(descriptors.map((fd) => close(fd)));
}

/** One file from its opening to its end, by callbacks. */
function update(i: number): Promise<string> {
  return new Promise((resolve, reject) => {
    gracefulFs.open(file(i), 'r+', (error, fd) => {
      if (error) return reject(error);
      const buffer = Buffer.alloc(8);
      gracefulFs.read(fd, buffer, 0, 8, 0, (error, bytesRead) => {
        if (error) return reject(error);
        gracefulFs.write(fd, `<${buffer.toString('hex', 0, bytesRead)}>`, 2, (error, written) => {
          if (error) return reject(error);
          gracefulFs.fstat(fd, (error, stats) => {
            if (error) return reject(error);
            const numbers = `${bytesRead} ${written} ${stats.size}`;
            gracefulFs.close(fd, (error) => (error ? reject(error) : resolve(numbers)));
          });
        });
      });
    });
  });
}

async function manyAtOnce(): Promise<void> {
  await tell('opened, read, written, closed', () => Promise.all(all(update)));
  const readFile = promisify(gracefulFs.readFile);
  await tell('readFile', () => Promise.all(all((i) => readFile(file(i)))));
  const writeFile = promisify(gracefulFs.writeFile);
  await tell('writeFile', () => Promise.all(all((i) => writeFile(at('files', `written ${i}`), bytes(i * 10)))));
  const appendFile = promisify(gracefulFs.appendFile);
  await tell('appendFile', () => Promise.all(all((i) => appendFile(at('files', `written ${i}`), `more ${i}`))));
  const copyFile = promisify(gracefulFs.copyFile);
  await tell('copyFile', () => Promise.all(all((i) => copyFile(file(i), at('files', `copied ${i}`)))));
  const readdir = promisify(gracefulFs.readdir);
  await tell('readdir', async () => (await Promise.all(all(() => readdir(at('files'))))).map(({ length }) => length));
}

async function streams(): Promise<void> {
  const read = async (path: string, start: number): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    const stream = gracefulFs.createReadStream(path, { highWaterMark: 1024, start });
    for await (const piece of stream) pieces.push(piece as Buffer);
    return Buffer.concat(pieces);
  };
  await tell('streams that are read', () => Promise.all(all((i) => read(at('files', `written ${i}`), i % 10))));
  const write = (i: number): Promise<void> => {
    const stream = gracefulFs.createWriteStream(at('files', `streamed ${i}`), { mode: 0o600 });
    return pipeline([bytes(i), 'and', bytes(3000)], stream);
  };
  await tell('streams that are written', () => Promise.all(all(write)));
  await tell('a stream of nothing', () => read(at('none'), 0));
  await tell('a stream to nowhere', () => pipeline(['x'], gracefulFs.createWriteStream(at('none', 'x'))));
}

async function names(): Promise<void> {
  const rename = promisify(gracefulFs.rename);
  await tell('rename', () => Promise.all(all((i) => rename(file(i), at('renamed', `${i % 150}`)))));
  await tell('rename nothing', () => rename(file(0), file(1)));
  await tell('rename a folder over a file', () => rename(at('renamed'), at('files', 'written 1')));
  const stat = promisify(gracefulFs.stat);
  await tell('stat', () => Promise.all(all((i) => stat(at('files', `written ${i}`)))));
  await tell('lstat of nothing', () => promisify(gracefulFs.lstat)(at('none')));
  await tell('EISDIR', () => promisify(gracefulFs.readFile)(at('files')));
}

// Of those that are renamed to the same name the last wins, whichever that is: they have to be equal.
for (let i = 0; i < FILES; i++) given(`files/file ${i}`, `file ${i % 150}, ${'x'.repeat(i % 150)}`);
nodeFs.mkdirSync(at('renamed'));
await withoutGrace();
await manyAtOnce();
await streams();
await names();
tellTree();
end();
