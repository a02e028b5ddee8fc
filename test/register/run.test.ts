// iouring run: a program with iouring/register in it, and what it says in the end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, symlinkSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { IORING_OP_SEND_ZC } from '../../src/abi/index.ts';
import { whyNot } from '../../src/cli/run/run.ts';
import { diagnose } from '../../src/index.ts';
import type { Report } from '../../src/register/index.ts';
import { isDefault, REPLACEMENTS, wordFor } from '../../src/register/replacements.ts';
import { forbid, IO_URING_SETUP } from '../kernel/seccomp-filter.ts';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { environment, program, REGISTER, requiresEsm } from './flagged.ts';

const MAIN = resolve('dist/cli/main.js');
const CHOSEN = { IOURING: 'http,net' };

/** A CommonJS program whose worker of a cluster is sent a message as soon as it is there. */
const CLUSTER = `
  const cluster = require('node:cluster');
  if (cluster.isPrimary) {
    const worker = cluster.fork();
    worker.once('online', () => worker.send('as soon as online'));
    worker.once('message', (message) => console.log(message));
    const late = setTimeout(() => worker.process.kill('SIGKILL'), 20_000);
    worker.once('exit', (...end) => {
      clearTimeout(late);
      console.log('exit', ...end);
    });
  } else {
    process.once('message', (message) => process.send('heard ' + message, () => cluster.worker.disconnect()));
  }`;

/** The same of a child that is forked, which is sent a message before it is there. */
const FORK = `
  if (process.argv[2] === 'child') {
    process.once('message', (message) => {
      console.log('heard', message);
      process.disconnect();
    });
  } else {
    const child = require('node:child_process').fork(__filename, ['child']);
    child.send('early');
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.once('exit', (...end) => {
      clearTimeout(late);
      console.log('exit', ...end);
    });
  }`;

/** A server that answers itself once; then it does what its argument says. */
const APP = `
  const http = require('node:http');
  const [what, ...rest] = process.argv.slice(2);
  const server = http.createServer((request, response) => response.end('answer')).listen(0, '127.0.0.1', () => {
    http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (response) => response.resume().on('end', () => {
      if (what === 'wait') return void console.log('waiting');
      if (what === 'heed') {
        process.on('SIGTERM', () => { console.log('heeded'); server.close(); process.exitCode = 7; });
        return void console.log('waiting');
      }
      console.log(JSON.stringify({ rest, options: process.env.NODE_OPTIONS, execArgv: process.execArgv }));
      if (what === 'throw') throw new Error('the program’s own');
      process.exitCode = 5;
      server.close();
    }));
  });`;

describe('iouring run', { timeout: 60_000 }, () => {
  let folder: Temporary;
  let app: string;
  before(() => {
    folder = new Temporary();
    app = folder.file('the app.cjs', APP);
  });
  after(() => folder[Symbol.dispose]());

  interface Ended {
    status: number | null;
    signal: NodeJS.Signals | null;
    stdout: string;
    stderr: string;
  }

  /** Run it; `signal` is sent when it says that it waits. */
  async function iouring(args: string[], env: Record<string, string>, signal?: NodeJS.Signals): Promise<Ended> {
    const child = spawn(process.execPath, [MAIN, 'run', ...args], {
      cwd: '/',
      env: environment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (signal !== undefined) child.stdout.once('data', () => child.kill(signal));
    const [stdout, stderr, [status, by]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[Ended['status'], Ended['signal']]>,
    ]);
    return { status, signal: by, stdout, stderr };
  }

  it('gives arguments and options through, and the exit status back; without --report it says nothing', async () => {
    const { status, stdout, stderr } = await iouring(['--no-deprecation', app, 'end', '--report', '-x'], {
      ...CHOSEN,
      NODE_OPTIONS: '--no-warnings',
    });
    const { rest, options, execArgv } = JSON.parse(stdout) as { rest: string[]; options: string; execArgv: string[] };
    assert.deepEqual(rest, ['--report', '-x']);
    assert.match(
      options,
      requiresEsm
        ? /^--no-warnings --require=\/.*\/dist\/register\/preload\.cjs$/
        : /^--import=file:\/\/\/.*\/dist\/register\/eager\.js --no-warnings$/,
    );
    assert.deepEqual(execArgv, ['--no-deprecation']);
    assert.deepEqual([status, stderr], [5, '']);
  });

  it('--report: a table that says in its first line that the ring was used', async () => {
    const { status, stderr } = await iouring(['--report', app, 'end'], CHOSEN);
    assert.equal(status, 5);
    assert.match(stderr, /^iouring: the ring was used by (\d+) of \1 sockets, for 100 % of their bytes\n/);
    assert.match(stderr, /^ {2}kernel +\d+\.\d+.*multishot/m);
    assert.match(stderr, /^ {2}system calls +\d+ for \d+ operations/m);
    assert.match(stderr, /^ {2}sockets, ring +1, \d+ B read, \d+ B written: accepted by node:http$/m);
  });

  it('--report: or that it was not, and why', async () => {
    const { stderr } = await iouring(['--report', app, 'end'], { IOURING: 'off' });
    assert.match(stderr, /^iouring: the ring was NOT used\n.*IOURING is off/s);
    assert.match(stderr, /^ {2}sockets, node +1, .*accepted by node:http: IOURING does not name http\.server$/m);
  });

  it('--report: given no IOURING, it says what to set, with which the ring is used', async () => {
    const file = folder.file(
      'net.cjs',
      `
      const net = require('node:net');
      const server = net.createServer((socket) => socket.end('x')).listen(0, '127.0.0.1', () => {
        net.connect(server.address().port, '127.0.0.1').resume().on('close', () => server.close());
      });`,
    );
    const unset = await iouring(['--report', file], {});
    assert.match(unset.stderr, /^iouring: the ring was NOT used\n/);
    assert.match(unset.stderr, /^ {2}sockets, node +1, .*accepted: not on as long as IOURING is not set$/m);
    const [, words = ''] = /^ {2}to see the ring +set IOURING=(\S+)$/m.exec(unset.stderr) ?? [];
    const byDefault = REPLACEMENTS.filter(isDefault).map(wordFor).filter((word) => word !== 'sockets');
    assert.deepEqual(words.split(',').sort(), [...byDefault, 'net.client', 'net.server'].sort(), unset.stderr);
    assert.match((await iouring(['--report', file], { IOURING: words })).stderr, /^iouring: the ring was used by /);
  });

  it('--report: given no IOURING and nothing that would go through the ring, it has an example where nothing is on', async () => {
    const { stderr } = await iouring(['--report', '-e', '0'], {});
    const example = /^ {2}to see the ring +set IOURING, for example IOURING=http\.server$/m.test(stderr);
    assert.equal(example, !REPLACEMENTS.some(isDefault), stderr);
    const chosen = await iouring(['--report', '-e', '0'], { IOURING: 'off' });
    assert.doesNotMatch(chosen.stderr, /to see the ring/);
  });

  it('IOURING_REPORT=json: the same for programs', async () => {
    const { stderr } = await iouring(['--report', app, 'end'], { ...CHOSEN, IOURING_REPORT: 'json' });
    const { sockets, systemCalls, operations, kernel, replaced, left } = JSON.parse(stderr) as Report;
    assert.ok(
      sockets.some(({ way, sockets: n, bytesRead, bytesWritten, bytesReadByNode, bytesWrittenByNode }) =>
        way === 'ring' && n === 1 && bytesRead > 0 && bytesWritten > 0 && bytesReadByNode + bytesWrittenByNode === 0
      ),
    );
    assert.ok(systemCalls > 0 && operations >= systemCalls && kernel !== '');
    assert.ok(
      replaced.some((name) => /^net\.client: net\.(Socket\.prototype\.)?connect$/.test(name)) &&
        left.some(({ name }) => name === 'dgram: dgram.createSocket'),
    );
  });

  for (const runtime of ['bun 1.4.5', 'deno 2.9.1', undefined]) {
    it(`given ${runtime ?? 'Node'}, the report names it, and the version of Node that it says it is`, async () => {
      const [name, version] = runtime?.split(' ') ?? [];
      const fake = `{ ...process.versions, ${name}: '${version}' }`;
      const text = name === undefined ? '' : `Object.defineProperty(process, 'versions', { value: ${fake} })`;
      const flags = ['--import', `data:text/javascript,${encodeURIComponent(text)}`, '--import', REGISTER];
      const reportIn = async (format: string): Promise<string> =>
        (await program('', { ...CHOSEN, IOURING_REPORT: format }, flags)).stderr;
      assert.match(await reportIn('1'), new RegExp(`^  process +\\d+: ${runtime ?? `node ${process.version}`} $`, 'm'));
      const report = JSON.parse(await reportIn('json')) as Report;
      const expected = { runtime: runtime ?? `node ${process.versions.node}`, node: process.version };
      assert.deepEqual({ runtime: report.runtime, node: report.node }, expected);
    });
  }

  it('a program that throws ends as it does by itself, with a report', async () => {
    const { status, stderr } = await iouring(['--report', app, 'throw'], CHOSEN);
    assert.equal(status, 1);
    assert.match(stderr, /Error: the program’s own/);
    assert.match(stderr, /^iouring: the ring was used by /m);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`${signal} ends a program that does not heed it, and so the command, with a report`, async () => {
      const ended = await iouring(['--report', app, 'wait'], CHOSEN, signal);
      assert.deepEqual([ended.status, ended.signal], [null, signal]);
      assert.match(ended.stderr, /^iouring: the ring was used by /);
    });
  }

  it('a signal that the program heeds is the program’s', async () => {
    const { status, signal, stdout, stderr } = await iouring(['--report', app, 'heed'], CHOSEN, 'SIGTERM');
    assert.deepEqual([status, signal, stdout], [7, null, 'waiting\nheeded\n']);
    assert.match(stderr, /^iouring: the ring was used by /);
  });

  it('--report: given so little to do that the ring would not pay, it says so, and how to see the ring', async () => {
    const { stderr } = await iouring(['--report', app, 'end'], { ...CHOSEN, IOURING_EAGER: '' });
    assert.match(stderr, /^iouring: the ring was NOT used: it would not have paid\n/);
    assert.match(stderr, /^ {2}sockets, node +1, .*accepted by node:http: \S/m);
    assert.match(stderr, /^ {2}to see the ring +\S.*IOURING_EAGER=1/m);
  });

  it('where there can be no ring it says so in one sentence, and the program runs', async () => {
    const { status, stderr } = await iouring([app, 'end'], { ...CHOSEN, IOURING_DISABLED: '1' });
    assert.equal(status, 5);
    assert.match(stderr, /^iouring: the program runs on Node’s own modules: [^\n]*IOURING_DISABLED[^\n]*\n$/);
  });

  it('where a filter forbids rings it says so in one sentence, and the program runs', async () => {
    const launcher = `
      import koffi from 'koffi';
      import { spawnSync } from 'node:child_process';
      ${forbid(IO_URING_SETUP, 1)}
      process.exit(spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' }).status);`;
    const args = ['--input-type=module', '-e', launcher, '--', MAIN, 'run', app, 'end'];
    const { status, stderr } = await run(process.execPath, args, { env: environment(CHOSEN) });
    assert.equal(status, 5);
    assert.match(
      stderr,
      /^iouring: the program runs on Node’s own modules: [^\n]*filter[^\n]*'iouring doctor'[^\n]*\n$/,
    );
  });

  it('where the kernel is too old for sockets it says so if they were chosen', () => {
    const all = diagnose();
    const operations = all.operations.filter(({ opcode }) => opcode !== IORING_OP_SEND_ZC);
    const old = { ...all, kernel: '5.15.0', operations };
    const sentence = 'the program’s sockets are Node’s own: they need Linux 6.0, this is 5.15.0';
    assert.deepEqual(
      [whyNot(old, 'fs,http.server'), whyNot(old, 'fs'), whyNot(old), whyNot(all, 'net')],
      [sentence, undefined, undefined, undefined],
    );
  });

  /** The reports that stand among other lines. */
  const reportsIn = (output: string): Report[] =>
    output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Report);

  // Later versions begin a CommonJS program as early with --import as without.
  for (const [name, source] of Object.entries({ cluster: CLUSTER, fork: FORK })) {
    it(`a ${name} in CommonJS hears what its parent sends at once, as it does alone`, async (t) => {
      if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
      const file = folder.file(`${name}.cjs`, source);
      const [alone, ours] = await Promise.all([
        run(process.execPath, [file], { env: environment() }),
        iouring([file], { ...CHOSEN, IOURING_REPORT: 'json' }),
      ]);
      assert.match(alone.stdout, /^heard .*\nexit 0 null\n$/);
      assert.deepEqual([ours.status, ours.stdout], [alone.status, alone.stdout], ours.stderr);
      assert.equal(reportsIn(ours.stderr).length, 2);
    });
  }

  /** A server that answers one request of its own. */
  const SERVER = `
    import http from 'node:http';
    const server = http.createServer((request, response) => response.end()).listen(0, '127.0.0.1', () => {
      http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (response) => {
        response.resume().on('end', () => server.close());
      });
    });`;

  for (
    const [title, args, text] of [
      ['an ES module', [], SERVER],
      ['a worker thread', [],
        `import { Worker } from 'node:worker_threads'; new Worker(new URL('served.mjs', import.meta.url));`],
      ['a file of tests', ['--test'], SERVER],
      ['a program with hooks of modules', [], `
        import { register } from 'node:module';
        register('data:text/javascript,export const resolve = (...args) => args[2](args[0], args[1]);');
        await import('./served.mjs');`],
    ] as const
  ) {
    it(`${title} has it, and Node warns of nothing`, async () => {
      folder.file('served.mjs', SERVER);
      const file = folder.file('main.test.mjs', text);
      const { status, stdout, stderr } = await iouring([...args, file], {
        ...CHOSEN,
        IOURING_REPORT: 'json',
        NODE_NO_WARNINGS: '0',
        NODE_OPTIONS: '--no-deprecation',
      });
      assert.equal(status, 0, stderr);
      // A file of tests is a process whose stderr the first prints among the results.
      const reports = reportsIn((stdout + stderr).replace(/^# /gm, ''));
      assert.ok(reports.some(({ operations }) => operations > 0), stdout + stderr);
      assert.doesNotMatch(stdout + stderr, /warning/i);
    });
  }

  it('given a path with blanks and quotes, it is found by children as well', async () => {
    const place = join(folder.path, 'a "quoted" path of ’the’ package/node_modules');
    cpSync(resolve('dist'), join(place, 'iouring/dist'), { recursive: true });
    cpSync(resolve('package.json'), join(place, 'iouring/package.json'));
    symlinkSync(resolve('node_modules/koffi'), join(place, 'koffi'));
    const file = folder.file('parent.cjs', `require('node:child_process').fork(process.argv[2], ['end']);`);
    const env = environment({ ...CHOSEN, IOURING_REPORT: 'json' });
    const main = join(place, 'iouring/dist/cli/main.js');
    const { stderr } = await run(process.execPath, [main, 'run', file, app], { env });
    const used = reportsIn(stderr).map(({ program, operations }) => `${basename(program)}: ${operations > 0}`);
    assert.deepEqual(used.sort(), ['parent.cjs: false', 'the app.cjs: true'], stderr);
  });

  it('given a child that cannot require ES modules, it runs on Node’s own', async (t) => {
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    const { status, stdout, stderr } = await iouring(['--no-experimental-require-module', app, 'end'], CHOSEN);
    assert.deepEqual([status, stderr], [5, '']);
    assert.match(stdout, /preload\.cjs/);
  });

  it('without a program it is wrong usage', async () => {
    for (const args of [[], ['--report']]) {
      const { status, stderr } = await iouring(args, {});
      assert.equal(status, 2);
      assert.match(stderr, /'run' needs a program/);
    }
  });
});
