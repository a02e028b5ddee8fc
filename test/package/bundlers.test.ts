// A program that uses the package, made into a bundle by esbuild: it finds koffi, or says what to do; and it has no more in it
// than it uses.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { before, describe, it } from 'node:test';
import { build, type Format } from 'esbuild';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

/** Install packages in a folder: each name with the folder that it links to. */
function link(folder: Temporary, packages: Record<string, string>): void {
  for (const [name, target] of Object.entries(packages)) {
    mkdirSync(join(folder.path, 'node_modules'), { recursive: true });
    symlinkSync(resolve(target), join(folder.path, 'node_modules', name));
  }
}

/** Bundle a program that imports the package's entries by their names. What it became, as text. */
async function bundle(program: string, format: Format = 'esm'): Promise<string> {
  using folder = new Temporary();
  link(folder, { iouring: '.' });
  const { outputFiles, warnings } = await build({
    stdin: { contents: program, resolveDir: folder.path },
    bundle: true,
    format,
    platform: 'node',
    preserveSymlinks: true,
    write: false,
    logLevel: 'silent',
  });
  assert.deepEqual(warnings, []);
  return outputFiles[0].text;
}

const PROGRAM = `
  import { diagnose } from 'iouring';
  import { readFile } from 'iouring/fs';
  import net from 'iouring/net';
  const { usable, problem } = diagnose();
  console.log(usable, problem?.message);
  const server = net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1', async () => {
    console.log(await readFile('/proc/self/comm', 'utf8').then((text) => text.length > 0));
    const socket = net.connect(server.address().port, '127.0.0.1');
    // Node's own class, which node:tls has to be loaded for.
    await new Promise((done) => socket.once('connect', done));
    console.log(socket._handle !== null);
    for await (const data of socket) console.log(String(data));
    server.close();
  });`;
const WORKS = 'true undefined\ntrue\ntrue\nserved\n';

for (const format of ['cjs', 'esm'] as const) {
  describe(`a bundle as ${format === 'cjs' ? 'CommonJS' : 'an ES module'}`, () => {
    let text: string;
    before(async () => {
      text = await bundle(PROGRAM, format);
    });

    async function runWith(folder: Temporary, packages: Record<string, string>): Promise<string> {
      link(folder, packages);
      const file = folder.file(format === 'cjs' ? 'app.cjs' : 'app.mjs', text);
      const { status, stdout, stderr } = await run(process.execPath, ['--no-warnings', file], { cwd: '/' });
      assert.deepEqual([status, stderr], [0, '']);
      return stdout;
    }

    it('finds koffi beside it', async () => {
      using folder = new Temporary();
      assert.equal(await runWith(folder, { koffi: 'node_modules/koffi' }), WORKS);
    });

    it('finds koffi where only iouring can, as pnpm installs it', async () => {
      using folder = new Temporary();
      assert.equal(await runWith(folder, { iouring: '.' }), WORKS);
    });

    it('without koffi goes through Node, and says that it is a bundle and what to install', async () => {
      using folder = new Temporary();
      const stdout = await runWith(folder, {});
      assert.match(stdout, /^false .*Cannot find module 'koffi'.*is a bundle.*npm install koffi@\d+.*mark iouring external/);
      assert.match(stdout, /\ntrue\ntrue\nserved\n$/);
    });

    it('beside another version of koffi says which one it needs', async () => {
      using folder = new Temporary();
      mkdirSync(join(folder.path, 'koffi'));
      folder.file('koffi/index.js', `exports.version = '2.9.0';`);
      const stdout = await runWith(folder, { koffi: join(folder.path, 'koffi') });
      const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: { koffi: string } };
      const [major] = /\d+/.exec(dependencies.koffi)!;
      assert.match(stdout, new RegExp(`^false .*koffi is 2\\.9\\.0.*npm install koffi@${major}\n`));
    });
  });
}

describe('what is not used', () => {
  it('is not in the bundle: of iouring/abi one constant', async () => {
    const text = await bundle(`import { IORING_OP_READ } from 'iouring/abi'; console.log(IORING_OP_READ);`);
    assert.ok(text.length < 300, text.slice(0, 1000));
  });

  it('is not in the bundle: nothing of entries that are only imported', async () => {
    assert.equal(await bundle(`import * as ring from 'iouring'; import * as fs from 'iouring/fs'; import * as net from 'iouring/net';`), '');
  });
});
