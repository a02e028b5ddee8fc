// What becomes of the drop-ins, of reactors and of the doctor where the kernel refuses a part of what a ring needs: a
// filter that forbids one of the three system calls, a limit on memory that is too low. Each in a child process of its
// own.
// slow: starts programs without a ring
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { it } from '../asking.ts';
import { Temporary } from '../kernel/temporary.ts';
import { moduleText, run } from '../run.ts';

const url = (name: string): string => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href);

/**
 * What every program begins with: it loads native code before anything is forbidden. Sockets go through the ring from
 * their first byte on: with the few messages of a test none would.
 */
const PROLOGUE = `
  import { subscribe } from 'node:diagnostics_channel';
  import { once } from 'node:events';
  import koffi from 'koffi';
  process.env.IOURING_EAGER = '1';
  const libc = koffi.load(null);
  subscribe('iouring:fallback', ({ module, error }) => console.log(module, error.code, error.syscall));
`;

/** Forbid a system call: it answers EPERM from then on. */
const forbid = (syscall: number): string => `
  const prctl = libc.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)');
  const code = Buffer.alloc(32);
  [[0x20, 0, 0, 0], [0x15, 0, 1, ${syscall}], [0x06, 0, 0, 0x00050001], [0x06, 0, 0, 0x7fff0000]]
    .forEach(([op, jt, jf, k], i) => {
      code.writeUInt16LE(op, i * 8);
      code.writeUInt8(jt, i * 8 + 2);
      code.writeUInt8(jf, i * 8 + 3);
      code.writeUInt32LE(k, i * 8 + 4);
    });
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(4, 0);
  filter.writeBigUInt64LE(koffi.address(code), 8);
  if (prctl(38, 1, 0, 0, 0) !== 0 || prctl(22, 2, koffi.address(filter), 0, 0) !== 0) process.exit(9);
`;

/** Become a user without privileges who may lock so many bytes. */
const limitTo = (bytes: number): string => `
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(${bytes}n, 0);
  limit.writeBigUInt64LE(${bytes}n, 8);
  if (libc.func('int prlimit(int pid, int resource, void *limit, void *old)')(0, 8, limit, null) !== 0) process.exit(9);
  process.setgroups([]);
  process.setgid(65_534);
  process.setuid(${USER});
`;

/** What is locked is counted by user: nobody else is this one. */
const USER = 2_000_000_000 + process.pid;

/** Use files and sockets. */
const USE = (path: string): string => `
  await fs.writeFile(${JSON.stringify(path)}, 'contents');
  const handle = await fs.open(${JSON.stringify(path)});
  console.log('file', await handle.readFile('utf8'), (await handle.stat()).size);
  await handle.close();
  const server = net.createServer((socket) => socket.pipe(socket)).listen(0);
  await once(server, 'listening');
  const client = net.connect(server.address().port);
  client.end('to and fro');
  let echo = '';
  for await (const data of client) echo += data;
  server.close();
  console.log('socket', echo);
`;
const USED = ['file contents 8', 'socket to and fro'];

/** The lines that a program prints. */
async function program(...parts: string[]): Promise<string[]> {
  const { status, stdout, stderr } = await run(process.execPath, moduleText(parts.join('\n')));
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

/** What a program prints that uses files and sockets through Node, in whatever order. */
const fallenBack = (error: string): string[] => [`iouring/fs ${error}`, `iouring/net ${error}`, ...USED].sort();

const DROP_INS = `
  const { default: fs } = await import(${url('fs/index.js')});
  const { default: net } = await import(${url('net/index.js')});
`;
const DOCTOR = `
  const { doctor } = await import(${url('cli/doctor/doctor.js')});
  const status = doctor({ json: true }, (text) => console.log(JSON.parse(text).dropIns));
  console.log(status);
`;
const CALLS = { io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 };

/** Node with a ring for its own event loop aborts when it may not use that. */
const hasOwnRing = readFileSync('/proc/self/maps', 'utf8').includes('io_uring') && 'this Node has a ring of its own';
const noRoot = process.getuid?.() !== 0 && 'needs root, to become another user';

describe('a filter that forbids', () => {
  for (const [name, number] of Object.entries(CALLS)) {
    it(`${name} alone: the drop-ins go through Node, and say so once`, { skip: hasOwnRing }, async () => {
      using folder = new Temporary();
      const lines = await program(PROLOGUE, forbid(number), DROP_INS, USE(`${folder.path}/file`));
      assert.deepEqual(lines.sort(), fallenBack(`EPERM ${name}`));
    });

    it(`${name} alone, in a worker too: the drop-ins go through Node`, { skip: hasOwnRing }, async () => {
      using folder = new Temporary();
      const body = `${PROLOGUE}${DROP_INS}${USE(`${folder.path}/file`)}`.replace(
        "'koffi'",
        JSON.stringify(import.meta.resolve('koffi')),
      );
      const worker = `
        const { Worker } = await import('node:worker_threads');
        await once(new Worker(new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(body)}`)})), 'exit');
      `;
      assert.deepEqual((await program(PROLOGUE, forbid(number), worker)).sort(), fallenBack(`EPERM ${name}`));
    });

    it(
      `${name} alone: a reactor is refused, and the doctor says what the drop-ins do`,
      { skip: hasOwnRing },
      async () => {
        const reactor = `
        const { Reactor } = await import(${url('index.js')});
        try { new Reactor(); } catch (error) { console.log(error.code, error.errno, error.syscall); }
      `;
        const [refusal, dropIns, status] = await program(PROLOGUE, forbid(number), reactor, DOCTOR);
        assert.equal(refusal, `EPERM -1 ${name}`);
        assert.match(dropIns, /^go through Node: /);
        assert.equal(status, '1');
      },
    );
  }
});

describe('a limit on locked memory', { skip: noRoot }, () => {
  for (const entries of [undefined, 1024, 256]) {
    it(`that is too low for a ring of ${entries ?? 'the usual'} entries: the reactor has a smaller one, and does all that is asked for`, async () => {
      const body = `
        const { Reactor } = await import(${url('index.js')});
        const io = new Reactor({ entries: ${entries}, cqEntries: ${entries && entries * 16} });
        console.log((await Promise.all(Array.from({ length: 3000 }, () => io.nop()))).length);
        console.log(await io.link(Array.from({ length: 30 }, () => ['nop'])).then(({ length }) => length));
        await io.close();
      `;
      assert.deepEqual(await program(PROLOGUE, limitTo(65_536), body), ['3000', '30']);
    });
  }

  it('that is too low for the usual ring: the drop-ins go through io_uring, and the doctor says so', async () => {
    using folder = new Temporary();
    chmodSync(folder.path, 0o777);
    const lines = await program(PROLOGUE, DROP_INS, limitTo(65_536), USE(`${folder.path}/file`));
    assert.deepEqual(lines.sort(), USED);
    assert.deepEqual(await program(PROLOGUE, limitTo(65_536), DOCTOR), ['go through io_uring', '0']);
  });

  it('that leaves no room for any ring: the drop-ins go through Node, and the doctor says so', async () => {
    using folder = new Temporary();
    chmodSync(folder.path, 0o777);
    const lines = await program(PROLOGUE, DROP_INS, limitTo(4096), USE(`${folder.path}/file`));
    assert.deepEqual(lines.sort(), fallenBack('ENOMEM io_uring_setup'));
    assert.deepEqual(await program(PROLOGUE, limitTo(4096), DOCTOR), ['go through Node: there is no io_uring', '1']);
  });

  it('that leaves room for a small ring and nothing else: the doctor says that the drop-ins go through Node, and why', async () => {
    const [dropIns, status] = await program(PROLOGUE, limitTo(12_288), DOCTOR);
    assert.match(dropIns, /^go through Node: ENOMEM.*ulimit -l/);
    assert.equal(status, '0');
  });
});
