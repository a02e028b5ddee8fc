// fast-glob: patterns over a tree with links, and what is known of the files that match.
import { lstatSync, mkdirSync, statSync, symlinkSync, type Stats } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import glob, { type Entry, type Options } from 'fast-glob';
import { at, bytes, end, given, tell } from './program.ts';

const cwd = at('tree');

function makeTree(): void {
  for (const folder of ['src', 'src/deep', 'src/deep/er', 'test', '.hidden', 'node_modules/a', 'with space', 'ü']) {
    for (let i = 0; i < 12; i++) given(`tree/${folder}/file${i}.${['ts', 'js', 'md'][i % 3]}`, bytes(i * 100));
  }
  given('tree/[brackets]/(parens).ts');
  given('tree/README.md');
  given('tree/.dot');
  mkdirSync(at('tree/empty'));
  symlinkSync('src', at('tree/linked'));
  symlinkSync('../src/file0.ts', at('tree/test/link.ts'));
  symlinkSync('nowhere', at('tree/dangling.ts'));
}

async function matches(pattern: string | string[], options: Options = {}): Promise<void> {
  const what = `${JSON.stringify(pattern)} ${JSON.stringify(options)}`;
  await tell(what, async () => (await glob(pattern, { cwd, ...options })).sort());
}

async function patterns(): Promise<void> {
  await matches('**');
  await matches('**', { dot: true, onlyFiles: false, followSymbolicLinks: false });
  await matches('**/*.ts', { ignore: ['**/node_modules/**', '**/deep/**'] });
  await matches(['src/**/*.{ts,js}', '!**/file1*']);
  await matches('*', { onlyDirectories: true, markDirectories: true });
  await matches('src/**', { deep: 2, absolute: true });
  await matches(['src/*.ts', 'src/file?.ts'], { unique: false });
  await matches(['src/*.ts', 'src/file?.ts']);
  await matches('**/FILE?.TS', { caseSensitiveMatch: false });
  await matches('file1.js', { baseNameMatch: true });
  await matches(glob.escapePath('[brackets]/(parens).ts'));
  await matches('README.md');
  await matches('none/**');
  await matches('**/+(file1|file2).@(ts|md)', { concurrency: 1 });
  await matches('*', { cwd: at('none') });
  await matches('*', { cwd: at('none'), suppressErrors: true });
  await matches('linked/**', { throwErrorOnBrokenSymbolicLink: true });
  await matches('*.ts', { throwErrorOnBrokenSymbolicLink: true, stats: true });
}

/** What it gives is what Node would: of the same class, with the same numbers. */
function isRight({ path, stats }: Entry, of: (path: string) => Stats): boolean {
  const right = of(at('tree', path));
  // Others may look at it meanwhile.
  const sameAccess = { atimeMs: right.atimeMs, atime: right.atime };
  return stats !== undefined && isDeepStrictEqual(Object.assign(stats, sameAccess), right);
}

async function stats(): Promise<void> {
  const options = { cwd, stats: true, onlyFiles: false } as const;
  const linked = await glob('**', { ...options, followSymbolicLinks: false, dot: true });
  const links = linked.filter(({ dirent }) => dirent.isSymbolicLink());
  const size = (stats: Stats): number | false => stats.isFile() && stats.size;
  const line = ({ path, name, stats }: Entry): string => `${path} ${name} ${stats!.mode} ${size(stats!)}`;
  await tell('stats', () => linked.map(line).sort());
  await tell('are right', () => linked.every((entry) => isRight(entry, lstatSync)));
  await tell('links', () => links.map(({ path, stats }) => `${path} ${stats!.isSymbolicLink()}`).sort());
  const followed = await glob('src/**', options);
  await tell('followed', () => followed.map((entry) => `${entry.path} ${isRight(entry, statSync)}`).sort());
  const objects = await glob('test/*', { cwd, objectMode: true });
  await tell('objects', () => objects.map(({ path, name }) => `${path} ${name}`).sort());
  const streamed: string[] = [];
  for await (const path of glob.stream('**/*.md', { cwd })) streamed.push(String(path));
  await tell('streamed', () => streamed.sort());
  const many = Array.from({ length: 12 }, (_, i) => glob(`**/file${i}.*`, { cwd, stats: true }));
  await tell('many at once', async () => (await Promise.all(many)).map(({ length }) => length));
}

makeTree();
await patterns();
await stats();
symlinkSync('.', at('tree/test/loop'));
await matches('test/**', { deep: 4 });
await matches('test/**/file1.*');
end();
