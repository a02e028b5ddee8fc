// A program that uses the package, made into a bundle by esbuild: it finds koffi, or says what to do; and it has no
// more in it than it uses.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
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
      assert.match(
        stdout,
        /^false .*Cannot find module 'koffi'.*is a bundle.*npm install koffi@\d+.*mark iouring external/,
      );
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

  it('is not in the bundle: nothing of entries that are only imported, but for those that say how the ring is loaded', async () => {
    assert.equal(
      await bundle(
        `import * as ring from 'iouring'; import * as fs from 'iouring/fs'; import * as socket from 'iouring/socket';`,
      ),
      '',
    );
    // Drop-ins for sockets, and iouring/register, do something when they are imported.
    for (const name of ['net', 'http', 'dgram']) {
      assert.match(await bundle(`import * as all from 'iouring/${name}';`), /loadRingBy\(/, name);
    }
  });
});

/**
 * A program whose servers go through the ring, though it uses no name of the package, and what its process says in the
 * end.
 */
const REGISTERED = `
  import 'iouring/register';
  import http from 'node:http';
  const server = http.createServer((request, response) => response.end('x')).listen(0, '127.0.0.1', () => {
    http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (response) => response.resume().on('end', () => server.close()));
  });`;

/** Files of the package that a bundler finds which does not know the condition `module-sync`. */
const ENTRIES: Record<string, string> = {
  iouring: resolve('dist/index.js'),
  'iouring/fs': resolve('dist/fs/index.js'),
  'iouring/net': resolve('dist/net/eager.js'),
  'iouring/register': resolve('dist/register/eager.js'),
};

/** Each makes `app.mjs` of a folder into one file, and says which. */
const BUNDLERS: Record<string, (folder: string) => Promise<string>> = {
  async esbuild(folder) {
    const outfile = join(folder, 'out.cjs');
    await build({
      entryPoints: [join(folder, 'app.mjs')],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile,
      preserveSymlinks: true,
      logLevel: 'silent',
    });
    return outfile;
  },
  async rollup(folder) {
    const { rollup } = await import('rollup');
    // Its plug-in that looks packages up is another package.
    const entry = { name: 'entry', resolveId: (id: string) => ENTRIES[id] ?? null };
    const bundle = await rollup({
      input: join(folder, 'app.mjs'),
      external: /^node:/,
      plugins: [entry],
      logLevel: 'silent',
    });
    const file = join(folder, 'out.mjs');
    await bundle.write({ file, format: 'esm' });
    await bundle.close();
    return file;
  },
  async rolldown(folder) {
    const { rolldown } = await import('rolldown');
    const bundle = await rolldown({
      input: join(folder, 'app.mjs'),
      platform: 'node',
      resolve: { symlinks: false },
      logLevel: 'silent',
    });
    const file = join(folder, 'out.mjs');
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    return file;
  },
  async webpack(folder) {
    const { default: webpack } = await import('webpack');
    const compiler = webpack({
      mode: 'production',
      target: 'node',
      entry: join(folder, 'app.mjs'),
      output: { path: folder, filename: 'out.cjs' },
      resolve: { symlinks: false },
    });
    await new Promise<void>((done, failed) => {
      compiler.run((
        error,
        stats,
      ) => (error !== null || stats?.hasErrors() === true ? failed(error ?? new Error(stats!.toString())) : done()));
    });
    await new Promise((done) => compiler.close(done));
    return join(folder, 'out.cjs');
  },
  async ncc(folder) {
    const { createRequire } = await import('node:module');
    const ncc = createRequire(import.meta.url)('@vercel/ncc') as (
      entry: string,
      options: object,
    ) => Promise<{ code: string }>;
    const { code } = await ncc(join(folder, 'app.mjs'), { quiet: true, cache: false, esm: true });
    const file = join(folder, 'out.mjs');
    writeFileSync(file, code);
    return file;
  },
};

/** The server of a program in one file is on the ring. */
async function goesThroughRing(file: string): Promise<void> {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  const env = { ...rest, IOURING: 'http', IOURING_EAGER: '1', IOURING_REPORT: 'json' };
  const { status, stderr } = await run(process.execPath, ['--no-warnings', file], { cwd: '/', env });
  assert.equal(status, 0, stderr);
  const { sockets } = JSON.parse(stderr) as { sockets: { way: string; reason: string }[] };
  assert.ok(sockets.some(({ way, reason }) => way === 'ring' && reason === 'accepted by node:http'), stderr);
}

/** The same in CommonJS. */
const REQUIRED = REGISTERED.replace("import 'iouring/register';", "require('iouring/register');").replace(
  "import http from 'node:http';",
  "const http = require('node:http');",
);

describe('iouring/register in a bundle', { timeout: 120_000 }, () => {
  it('of esbuild, required by CommonJS, puts the server on the ring', async () => {
    using made = new Temporary();
    link(made, { iouring: '.', koffi: 'node_modules/koffi' });
    const entry = made.file('app.cjs', REQUIRED);
    const outfile = join(made.path, 'out.cjs');
    await build({
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      outfile,
      preserveSymlinks: true,
      logLevel: 'silent',
    });
    await goesThroughRing(outfile);
  });

  for (const [name, bundler] of Object.entries(BUNDLERS)) {
    it(`of ${name} is not dropped, finds koffi, and puts the server on the ring`, async () => {
      using made = new Temporary();
      using used = new Temporary();
      link(made, { iouring: '.' });
      made.file('app.mjs', REGISTERED);
      const file = await bundler(made.path);
      link(used, { koffi: 'node_modules/koffi' });
      const target = join(used.path, basename(file));
      copyFileSync(file, target);
      await goesThroughRing(target);
    });
  }
});

describe('iouring/net in a bundle', { timeout: 120_000 }, () => {
  for (const [name, bundler] of Object.entries(BUNDLERS)) {
    it(`of ${name} finds koffi, or says what to install and what to mark external`, async () => {
      using kept = new Temporary();
      const target = join(kept.path, basename(await bundled(bundler, kept)));
      const outcome = async (packages: Record<string, string>): Promise<string> => {
        link(kept, packages);
        const { status, stdout, stderr } = await run(process.execPath, ['--no-warnings', target], { cwd: '/' });
        assert.deepEqual([status, stderr], [0, '']);
        return stdout;
      };
      const without = await outcome({});
      assert.match(without, /^false .*is a bundle.*npm install koffi@\d+.*mark iouring external/);
      assert.match(without, /\ntrue\ntrue\nserved\n$/);
      assert.equal(await outcome({ koffi: 'node_modules/koffi' }), WORKS);
    });
  }
});

/** Make a bundle of {@link PROGRAM}, in a folder that is gone afterwards: webpack's would look for koffi there. */
async function bundled(bundler: (folder: string) => Promise<string>, kept: Temporary): Promise<string> {
  using made = new Temporary();
  link(made, { iouring: '.' });
  made.file('app.mjs', PROGRAM);
  const file = await bundler(made.path);
  copyFileSync(file, join(kept.path, basename(file)));
  return file;
}
