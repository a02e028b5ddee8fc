// slow: compiles and runs all blocks of code
// Every page says what is true: its code compiles or runs, its links lead somewhere, its tables agree with the source.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { anchorsOf, blocksOf, linksOf, PAGES, type Block } from './markdown.ts';
import { run } from './run.ts';

const example = (name: string): string => new URL(`../examples/${name}.js`, import.meta.url).pathname;
const all = PAGES.flatMap(blocksOf);

/** A folder inside the project, so that `iouring` is found from it. */
let folder = '';
before(() => {
  mkdirSync('build', { recursive: true });
  folder = mkdtempSync(join('build', 'documentation-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('blocks of code in the documentation', () => {
  it('given as TypeScript, each compiles against the package’s types', async () => {
    const blocks = all.filter(({ language }) => language === 'ts');
    assert.ok(blocks.length >= 8);
    const names = blocks.map(fileOf);
    blocks.forEach(({ context, code }, i) => writeFileSync(join(folder, names[i]), `${context}\n${code}export {};\n`));
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { noEmit: true, noUnusedLocals: false, rootDir: '../..' },
      include: ['*.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { status, stdout } = await run('node_modules/.bin/tsc', ['-p', join(folder, 'tsconfig.json')]);
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });

  it('given as JavaScript, each runs to its end', async () => {
    const blocks = all.filter(({ language, file }) => language === 'js' && file !== 'server.mjs');
    assert.ok(blocks.length >= 4);
    for (const block of blocks) {
      const path = join(folder, fileOf(block).replace(/\.ts$/, '.mjs'));
      writeFileSync(path, block.code);
      const { status, stderr } = await run(process.execPath, [path], { env: { ...process.env, NODE_OPTIONS: '' } });
      assert.equal(status, 0, `${block.page}:${block.line}: ${stderr}`);
    }
  });

  it('given the server of the first steps, it answers as the page says', async () => {
    const { code } = all.find(({ file }) => file === 'server.mjs')!;
    const path = join(folder, 'server.mjs');
    writeFileSync(path, code);
    const server = spawn(process.execPath, [path], {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
      const port = /^listening on (\d+)$/.exec(line)![1];
      const response = await fetch(`http://127.0.0.1:${port}/ring`, { headers: { connection: 'close' } });
      const text = await response.text();
      assert.equal(text, 'hello from /ring\n');
      assert.ok(readFileSync('docs/getting-started.md', 'utf8').includes(`It answers \`${text.trim()}\``));
    } finally {
      const exit = once(server, 'exit');
      server.kill();
      await exit;
    }
  });

  it('given with the names of files that are examples, each stands in the example to the letter', () => {
    for (const { page, name, heart } of SHOWN) {
      const source = readFileSync(`examples/${name}.ts`, 'utf8');
      const shown = heart ? /\/\/ #region shown\n([\s\S]*?)\/\/ #endregion/.exec(source)![1] : source;
      assert.ok(
        readFileSync(page, 'utf8').includes(`\`\`\`ts\n${shown}\`\`\``),
        `examples/${name}.ts stands in ${page}`,
      );
    }
  });
});

/** Examples that a page shows: whole, or what stands between their marks. */
const SHOWN = [
  { page: 'README.md', name: 'drop-in', heart: false },
  { page: 'docs/ring.md', name: 'ring', heart: false },
  { page: 'docs/reactor.md', name: 'reactor', heart: false },
  { page: 'docs/fs.md', name: 'fs', heart: true },
  { page: 'docs/net.md', name: 'net', heart: true },
];

/** A name that tells where it stands. */
function fileOf({ page, line }: Block): string {
  return `${page.replaceAll('/', '-')}-${line}.ts`;
}

describe('examples that pages show', () => {
  const hostname = readFileSync('/etc/hostname', 'utf8');

  it('drop-in: one program reads a file and serves it', async () => {
    assert.deepEqual(await linesOf('drop-in'), [`this is ${hostname.trim()}`]);
  });

  it('ring: a read and a NOP complete, in whatever order', async () => {
    const lines = (await linesOf('ring')).sort();
    assert.deepEqual(lines, ['nothing, done: 0', `read ${Buffer.byteLength(hostname)} bytes: ${hostname.trim()}`]);
  });

  it('reactor: reads, asks for two files at once, and a time limit rejects', async () => {
    assert.deepEqual(await linesOf('reactor'), [
      `read ${Buffer.byteLength(hostname)} bytes: ${hostname.trim()}`,
      '[ true, true ]',
      'ETIMEDOUT: not done after 10 ms, sleep',
    ]);
  });

  it('fs: a thousand files are written and read back', async () => {
    assert.deepEqual(await linesOf('fs'), ['number 42', ' true', 'number 7', '10890 bytes in 1000 files']);
  });

  it('net: both faces answer', async () => {
    const lines = (await linesOf('net')).filter((line) => line !== '').sort();
    assert.deepEqual(lines, ['echoed: hello', 'hello from /ring']);
  });

  it('durable-append: what docs/ring.md shows of it stands in it, and it appends', async () => {
    const source = readFileSync('examples/durable-append.ts', 'utf8');
    const shown = /```ts\n\/\/ A durable append.*\n([\s\S]*?)```/.exec(readFileSync('docs/ring.md', 'utf8'))![1];
    for (const line of shown.trimEnd().split('\n')) assert.ok(source.includes(line), line);
    const lines = await linesOf('durable-append');
    assert.match(lines.join('\n'), /^open: 0\nwrite: \d+\nflush: 0\nclose: 0\nthe log ends with: .* hello$/);
  });
});

async function linesOf(name: string): Promise<string[]> {
  const { status, stdout, stderr } = await run(process.execPath, [example(name)]);
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

describe('links in the documentation', () => {
  it('given relative, each leads to a file or folder of the project, and to a heading of it', () => {
    let count = 0;
    for (const page of PAGES) {
      for (const link of linksOf(page)) {
        if (/^[a-z]+:/.test(link)) continue;
        count++;
        const [path, anchor] = link.split('#');
        const target = path === '' ? page : normalize(join(page, '..', path));
        assert.ok(existsSync(target), `${page}: ${link}`);
        if (anchor !== undefined) assert.ok(anchorsOf(target).has(anchor), `${page}: ${link}`);
        if (path.endsWith('/')) assert.ok(statSync(target).isDirectory(), `${page}: ${link}`);
      }
    }
    assert.ok(count > 100);
  });

  it('given absolute, each is an address of https', () => {
    for (const page of PAGES) {
      for (const link of linksOf(page).filter((one) => /^[a-z]+:/.test(one))) {
        assert.equal(new URL(link).protocol, 'https:', `${page}: ${link}`);
      }
    }
  });

  it('given npm scripts by their names, package.json has each', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    for (const page of PAGES) {
      const text = readFileSync(page, 'utf8');
      for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g)) {
        assert.ok(name in scripts, `${page}: npm run ${name}`);
      }
    }
  });
});

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

describe('docs/errors.md', () => {
  const page = readFileSync('docs/errors.md', 'utf8');

  /** A code of ours as the source has it, and not where it looks at an error of somebody else's. */
  const CODE = /(?<!=== )'(ERR_[A-Z_]+|ABORT_ERR|ETIMEDOUT)'/g;
  /** Where codes are listed and not used: the union itself, and the kernel's error numbers. */
  const LISTS = ['ring/arguments/error-codes.ts', 'abi/errno.ts'];
  const used = new Set(
    sources
      .filter((name) => !LISTS.includes(name))
      .flatMap((name) => [...readFileSync(join('src', name), 'utf8').matchAll(CODE)].map(([, code]) => code)),
  );

  it('has a row with cause and remedy for each code that the source uses, and for no other', () => {
    // The refusals of the kernel stand behind: their codes are not ours.
    const [ours] = page.split('\n## Refusals of the kernel');
    const rows = [...ours.matchAll(/^\| `((?:ERR_|ABORT_ERR|ETIMEDOUT)[A-Z_]*)` \|(.*)\|$/gm)];
    assert.ok(used.size > 12);
    assert.deepEqual(rows.map(([, code]) => code).sort(), [...used].sort());
    for (const [, code, cells] of rows) {
      for (const cell of cells.split(' | ')) assert.notEqual(cell.trim(), '', code);
      assert.ok(cells.split(' | ').length >= 2, code);
    }
  });

  it('and IoUringErrorCode have the same codes', () => {
    const union = readFileSync(join('src', LISTS[0]), 'utf8').split('export type IoUringErrorCode')[1];
    assert.deepEqual([...union.matchAll(/'(\w+)'/g)].map(([, code]) => code), [...used].sort());
  });

  it('names only messages that the source has', () => {
    const source = sources.map((name) => readFileSync(join('src', name), 'utf8')).join('\n');
    const messages = [...page.matchAll(/^\| `(Cannot [^`…]*)/gm)].map(([, message]) => message.trim());
    assert.ok(messages.length > 4);
    for (const message of messages) assert.ok(source.includes(message), message);
  });
});

describe('docs/architecture.md', () => {
  const page = readFileSync('docs/architecture.md', 'utf8');

  it('has a row for each folder of the source', () => {
    const folders = sources.filter((name) => name.includes('/')).map((name) =>
      `src/${name.slice(0, name.lastIndexOf('/'))}/`
    );
    const rows = new Set([...page.matchAll(/^\| \[(src\/[^\]]*)\]/gm)].map(([, name]) => name));
    for (const name of new Set(folders)) assert.ok(rows.has(name), name);
  });

  it('walks through functions that the files have', () => {
    const steps = [...page.matchAll(/^\| \[([\w./-]+\.ts)\]\([^)]*\) \| ((?:`#?\w+`(?:, )?)+) \|/gm)];
    assert.ok(steps.length > 40);
    for (const [, file, functions] of steps) {
      const source = readFileSync(join('src', file), 'utf8');
      for (const [, name] of functions.matchAll(/`(#?\w+)`/g)) {
        assert.match(source, new RegExp(`(^|\\s)${name}(<[^>]*>)?\\(`, 'm'), `${file}: ${name}`);
      }
    }
  });
});
