// A program that is one executable with Node in it: it finds koffi beside the executable, or says what to install.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

const PROGRAM = `
  import 'iouring/register';
  import { diagnose } from 'iouring';
  import net from 'iouring/net';
  import http from 'node:http';
  const { usable, problem } = diagnose();
  console.log(usable, problem?.message);
  const server = http.createServer((request, response) => response.end('answer')).listen(0, '127.0.0.1', () => {
    http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (response) => {
      response.resume().on('end', () => server.close());
    });
  });
  const other = net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1', () => {
    net.connect(other.address().port, '127.0.0.1').on('data', (data) => console.log(String(data))).on('close', () => other.close());
  });`;

/** Where Node looks for a program in itself. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
// A Node that lives in a shared library has nothing to put it into.
const cannot = readFileSync(process.execPath).includes(FUSE) ? false : 'this Node cannot become a single executable';

describe('a single executable', { timeout: 120_000, skip: cannot }, () => {
  let folder: Temporary;
  let program: string;
  before(async () => {
    folder = new Temporary();
    const modules = join(folder.path, 'node_modules');
    mkdirSync(modules);
    symlinkSync(resolve('.'), join(modules, 'iouring'));
    const main = join(folder.path, 'main.cjs');
    await build({
      stdin: { contents: PROGRAM, resolveDir: folder.path },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: main,
      preserveSymlinks: true,
      logLevel: 'silent',
    });
    rmSync(modules, { recursive: true });
    const blob = join(folder.path, 'main.blob');
    const config = folder.file('sea.json', JSON.stringify({ main, output: blob, disableExperimentalSEAWarning: true }));
    const prepared = await run(process.execPath, ['--experimental-sea-config', config]);
    assert.equal(prepared.status, 0, prepared.stderr);
    program = join(folder.path, 'program');
    copyFileSync(process.execPath, program);
    chmodSync(program, 0o755);
    const injected = await run(process.execPath, [resolve('node_modules/postject/dist/cli.js'), program,
      'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
    assert.equal(injected.status, 0, injected.stdout + injected.stderr);
  });
  after(() => folder[Symbol.dispose]());

  async function outcome(): Promise<{ stdout: string; operations: number }> {
    const { NODE_OPTIONS: _, ...rest } = process.env;
    const { status, stdout, stderr } = await run(program, [], {
      cwd: '/',
      env: { ...rest, IOURING: 'http', IOURING_EAGER: '1', IOURING_REPORT: 'json', NODE_NO_WARNINGS: '1' },
    });
    assert.equal(status, 0, stderr);
    return { stdout, operations: (JSON.parse(stderr) as { operations: number }).operations };
  }

  it('without koffi goes through Node, and says that it is a bundle and what to install', async () => {
    const { stdout, operations } = await outcome();
    assert.match(stdout, /^false .*Cannot find module 'koffi'.*is a bundle.*npm install koffi@\d+.*\nserved\n$/);
    assert.equal(operations, 0);
  });

  it('finds koffi beside it, and puts its servers on the ring', async () => {
    const modules = join(folder.path, 'node_modules');
    mkdirSync(modules);
    symlinkSync(resolve('node_modules/koffi'), join(modules, 'koffi'));
    const { stdout, operations } = await outcome();
    assert.equal(stdout, 'true undefined\nserved\n');
    assert.ok(operations > 0);
  });
});
