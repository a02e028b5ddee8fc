// tar: archives made, listed, added to and extracted, with modes, times, links, names that are too long for the old
// format, and gzip.
import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { create, extract, list, replace, update } from 'tar';
import { at, bytes, end, given, tell, tellTree } from './program.ts';

const LONG = `${'long name '.repeat(8)}/${'x'.repeat(200)}`;
const cwd = at('tree');

function makeTree(): void {
  for (let i = 0; i < 150; i++) given(`tree/${i % 10}/file ${i}`, bytes(i * 331));
  given('tree/big', bytes(3_000_000));
  given('tree/empty file', '');
  given('tree/ü ß €', 'unicode');
  given(`tree/${LONG}`, 'long');
  given('tree/mode', 'mode');
  chmodSync(at('tree/mode'), 0o741);
  mkdirSync(at('tree/empty folder'));
  linkSync(at('tree/big'), at('tree/hard link'));
  symlinkSync('3/file 3', at('tree/link'));
  symlinkSync('nowhere', at('tree/dangling'));
  symlinkSync(`${'deep/'.repeat(40)}nowhere`, at('tree/long link'));
  // What an archive says of its files is the same each time then.
  const paths = entries().map((name) => join(cwd, name));
  for (const path of paths) if (!lstatSync(path).isSymbolicLink()) utimesSync(path, 1e9, 1.2e9);
}

/** In the order of their names: that of a folder may differ. */
function entries(): string[] {
  return readdirSync(cwd, { recursive: true, encoding: 'utf8' }).sort();
}

async function archives(): Promise<void> {
  const options = { cwd, portable: true, noDirRecurse: true, mtime: new Date(1.1e12) };
  await tell('create', () => create({ ...options, file: at('plain.tar') }, entries()));
  await tell('its bytes', () => readFileSync(at('plain.tar')));
  await tell('create with gzip', () => create({ ...options, gzip: { level: 1 }, file: at('gzip.tgz') }, entries()));
  await tell('its bytes', () => readFileSync(at('gzip.tgz')));
  await tell(
    'create what links lead to',
    () => create({ ...options, follow: true, file: at('followed.tar') }, ['link', '3', 'big']),
  );
  await tell('its bytes', () => readFileSync(at('followed.tar')));
  // One after the other: with several jobs tar itself may wait for a hard link for ever, on Node.
  const some = { ...options, filter: (path: string) => !path.includes('7'), prefix: 'in/front', jobs: 1 };
  await tell('create a part, as a stream', async () => {
    const pieces: Buffer[] = [];
    for await (const piece of create(some, entries())) pieces.push(piece);
    return Buffer.concat(pieces);
  });
  await tell('create of nothing', () => create({ cwd, file: at('none.tar'), strict: true }, ['none']));
  await tell('create nowhere', () => create({ cwd, file: at('none', 'none.tar') }, ['mode']));
  // With all that a folder holds, in its own order, and with the times of its files.
  await tell('create recursively', () => create({ cwd, gzip: true, file: at('whole.tgz') }, ['.']));
}

async function additions(): Promise<void> {
  given('tree/added', bytes(70_000));
  utimesSync(at('tree/added'), 1e9, 1.3e9);
  utimesSync(at('tree/mode'), 1e9, 1.4e9);
  const options = { cwd, portable: true, file: at('plain.tar') };
  await tell('add', () => replace(options, ['added']));
  await tell('add what is newer', () => update(options, ['added', 'mode', 'empty file']));
  await tell('its bytes', () => readFileSync(at('plain.tar')));
  await tell('add to nothing', () => replace({ cwd, portable: true, file: at('fresh.tar') }, ['mode']));
  await tell('its bytes', () => readFileSync(at('fresh.tar')));
}

async function lists(): Promise<void> {
  for (const file of ['plain.tar', 'gzip.tgz', 'followed.tar']) {
    await tell(`list ${file}`, async () => {
      const seen: string[] = [];
      await list({
        file: at(file),
        onReadEntry: ({ path, type, size, mode, mtime, linkpath }) => {
          seen.push(`${type} ${path} ${size} ${mode?.toString(8)} ${mtime?.getTime()} ${linkpath}`);
        },
      });
      return seen;
    });
  }
  await tell('list nothing', () => list({ file: at('none.tar') }));
  given('garbage.tar', bytes(5000));
  await tell('list what is none', () => list({ file: at('garbage.tar'), strict: true }));
}

/** `what` is extracted to a folder of its own. */
async function extracts(what: string, options: object, paths: string[] = []): Promise<void> {
  const folder = at('extracted', what);
  mkdirSync(folder, { recursive: true });
  await tell(`extract ${what}`, () => extract({ cwd: folder, ...options }, paths));
  tellTree('extracted', what);
  if ('noMtime' in options) return;
  const times = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .filter((name) => lstatSync(join(folder, name)).isFile())
    .map((name) => lstatSync(join(folder, name)).mtimeMs);
  await tell('times', () => times);
}

async function extractions(): Promise<void> {
  await extracts('plain', { file: at('plain.tar') });
  await extracts('plain', { file: at('plain.tar'), keep: true });
  await extracts('plain', { file: at('followed.tar'), newer: true });
  await extracts('plain', { file: at('gzip.tgz'), unlink: true });
  await extracts('whole', { file: at('whole.tgz'), preservePaths: true });
  await extracts('stripped', { file: at('gzip.tgz'), strip: 1, preserveOwner: false });
  await extracts('chosen', { file: at('gzip.tgz') }, ['3', 'link', LONG.split('/')[0]]);
  const filter = (path: string): boolean => !path.includes('file');
  await extracts('filtered', { file: at('gzip.tgz'), filter, noMtime: true });
  given('extracted/in the way/3', 'a file where a folder is to be');
  await extracts('in the way', { file: at('gzip.tgz'), strict: true, noMtime: true }, ['3/file 3']);
  await extracts('from nothing', { file: at('none.tar') });
  await tell('extract to nowhere', () => extract({ cwd: at('nowhere'), file: at('gzip.tgz') }));
  mkdirSync(at('extracted/stream'));
  const options = { cwd, portable: true, noDirRecurse: true, jobs: 1 };
  await tell('extract a stream', () => pipeline(create(options, entries()), extract({ cwd: at('extracted/stream') })));
  tellTree('extracted', 'stream');
}

makeTree();
await archives();
await additions();
await lists();
await extractions();
end();
