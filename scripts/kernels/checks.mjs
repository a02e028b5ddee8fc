import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import nodeNet from 'node:net';
import dgram from 'node:dgram';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { answerHelp } from '../usage.mjs';
import { watchPauses } from './pauses.mjs';

answerHelp(`Checks what is to work on each kernel, one process a check, with a time limit, so that a hang is told.
usage: node scripts/kernels/checks.mjs [NAME,NAME... | tests:PATH,PATH... | fast:PATH,PATH...]
Prints a line a check: "ok NAME", "refused NAME: needs Linux ...", or "not ok NAME: why".`);

const SELF = fileURLToPath(import.meta.url);
const ROOT = join(SELF, '../../..');
const DIST = join(ROOT, 'dist');
const BUILD = join(ROOT, 'build');
const load = (name) => import(join(DIST, name));

/** Where a check has its files: its own folder, which goes when the check is over. */
let place;

/** Is the machine booted for the checks alone? Its command line has what they are, which its kernel hands on as a variable. */
const isOurs = process.env.ONLY !== undefined;

/** How long a check may take: emulation is slow, and so is a machine that does other things. */
const LIMIT_MS = Number(process.env.LIMIT_MS ?? 90_000);
/** And a file of the suite. */
const SUITE_LIMIT_MS = 4 * LIMIT_MS;
/** So often it is run if it fails while the machine stands still. */
const TRIES = 3;
/** How long a connection or a read may stall. */
const STALL_MS = 15_000;
/** How long traffic is kept up: a lost signal shows within some messages. */
const TRAFFIC_MS = 6000;

/** What is refused with the Linux that it needs is as good as done; anything else that is thrown is not. */
class Refused extends Error {}

function orRefused(call) {
  try {
    return call();
  } catch (error) {
    const needs = /needs Linux [\d.]+/.exec(error.message);
    if (needs) throw new Refused(needs[0]);
    throw error;
  }
}

async function within(promise, what, limitMs = STALL_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than ${limitMs / 1000} s`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A pipe, open for both reading and writing. */
function pipe() {
  const path = join(place, 'fifo');
  execFileSync('mkfifo', [path]);
  const fd = fs.openSync(path, 'r+');
  fs.unlinkSync(path);
  return fd;
}

async function ringOf(entries = 8, options) {
  const { IoUring } = await load('index.js');
  return new IoUring(entries, options);
}

/** What the entries that are queued complete with. */
function results(ring, count) {
  ring.submitAndWait(count, { timeoutMs: STALL_MS });
  return ring.copyCompletions().map((c) => c.res);
}

async function readsOfPipe(wait) {
  const { Reactor } = await load('index.js');
  const io = new Reactor({ wait });
  const fd = pipe();
  const end = performance.now() + TRAFFIC_MS;
  for (let i = 0; i === 0 || performance.now() < end; i++) {
    const read = io.read(fd, Buffer.alloc(8));
    setTimeout(() => fs.writeSync(fd, 'x'), i % 7);
    assert.equal(await within(read, `read ${i}`), 1);
  }
  await within(io.close(), 'close');
}

/** How many messages go to an echo server and come back while traffic is kept up. */
async function tripsTo(port, forMs) {
  const end = performance.now() + forMs;
  let trips = 0;
  const client = async () => {
    const socket = nodeNet.connect(port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    while (performance.now() < end) {
      socket.write('x'.repeat(64));
      await within(once(socket, 'data'), 'an answer');
      trips++;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return trips;
}

const checks = {
  async 'ring'() {
    const ring = await ringOf();
    ring.prepNop(7);
    assert.deepEqual(results(ring, 1), [0]);
    ring.close();
  },
  async 'ring-time-limit'() {
    const ring = await ringOf();
    const start = performance.now();
    ring.submitAndWait(1, { timeoutMs: 100 });
    const took = performance.now() - start;
    assert.ok(took > 95 && took < STALL_MS, `${took} ms`);
    ring.close();
  },
  async 'ring-file'() {
    const ring = await ringOf();
    const fd = fs.openSync(join(place, 'file'), 'w+');
    ring.prepWrite(fd, Buffer.from('hello'), 5, 1, 0);
    assert.deepEqual(results(ring, 1), [5]);
    const buffer = Buffer.alloc(8);
    ring.prepRead(fd, buffer, 8, 2, 0);
    assert.deepEqual(results(ring, 1), [5]);
    assert.equal(buffer.toString('utf8', 0, 5), 'hello');
    ring.close();
  },
  /** io_uring_register(2) of an old kernel waits for what is in flight before it refuses what it does not know. */
  async 'ring-close-in-flight'() {
    const ring = await ringOf();
    const fd = pipe();
    ring.prepRead(fd, Buffer.alloc(8), 8, 1);
    ring.submit();
    const start = performance.now();
    ring.close();
    assert.ok(performance.now() - start < 4000, 'it waited for its deadline');
  },
  async 'ring-sync-cancel'() {
    const ring = await ringOf();
    ring.prepRead(pipe(), Buffer.alloc(8), 8, 1);
    ring.submit();
    orRefused(() => ring.registerSyncCancel(1, { timeoutMs: STALL_MS }));
    ring.close();
  },
  async 'ring-buffer-group'() {
    const ring = await ringOf();
    ring.prepRead(pipe(), Buffer.alloc(8), 8, 1);
    ring.submit();
    orRefused(() => ring.registerBufRing(4, 64, 1))[Symbol.dispose]();
    ring.close();
  },
  async 'ring-close-slot'() {
    const ring = await ringOf();
    const before = fs.fstatSync(0).ino;
    ring.registerFiles([1]);
    try {
      orRefused(() => ring.prepCloseDirect(0, 1));
      assert.deepEqual(results(ring, 1), [0]);
    } finally {
      assert.equal(fs.fstatSync(0).ino, before, 'descriptor 0 is another file');
    }
    ring.close();
  },
  async 'ring-open-slot'() {
    const ring = await ringOf();
    const before = fs.readdirSync('/proc/self/fd').length;
    ring.registerFiles([-1]);
    try {
      orRefused(() => ring.prepOpenat(-100, SELF, 0, 1, { direct: 0 }));
      assert.deepEqual(results(ring, 1), [0]);
    } finally {
      assert.equal(fs.readdirSync('/proc/self/fd').length, before, 'a descriptor was opened');
    }
    ring.close();
  },
  async 'ring-send-to'() {
    const [connected, meant] = await Promise.all([0, 1].map(async () => {
      const socket = dgram.createSocket('udp4');
      socket.got = [];
      socket.on('message', (message) => socket.got.push(message.toString()));
      await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
      return socket;
    }));
    const sender = dgram.createSocket('udp4');
    await new Promise((resolve) => sender.connect(connected.address().port, '127.0.0.1', resolve));
    const ring = await ringOf();
    try {
      const { fd } = sender._handle;
      orRefused(() =>
        ring.prepSendto(
          fd,
          Buffer.from('x'),
          1,
          { address: '127.0.0.1', port: meant.address().port, family: 'IPv4' },
          1,
        )
      );
      const [res] = results(ring, 1);
      if (res === -22) throw new Refused('needs Linux 6.1');
      assert.equal(res, 1);
      await within(
        (async () => {
          while (meant.got.length === 0) await sleep(10);
        })(),
        'the datagram',
      );
    } finally {
      await sleep(50);
      assert.deepEqual(connected.got, [], 'the wrong peer got it');
    }
  },
  'reactor-pipe-loop': () => readsOfPipe('loop'),
  'reactor-pipe-ring': () => readsOfPipe('ring'),
  /** Where no timer of Node is near, a wait in the ring has no limit: a timer of the ring ends it after 100 ms. */
  async 'reactor-sleep'() {
    const { Reactor } = await load('index.js');
    const io = new Reactor();
    const fd = pipe();
    // In front of each message it looks where the main thread sleeps. It waits until the one before was read: where an
    // emulator stands still, messages are late, and must not make the next ones late.
    const count = new Int32Array(new SharedArrayBuffer(4));
    const code = `const { fd, gaps, folder, count } = require('node:worker_threads').workerData;
      const fs = require('node:fs');
      const word = new Int32Array(new SharedArrayBuffer(4));
      const read = (name) => fs.readFileSync(folder + name, 'utf8');
      // A user-mode Linux does not tell the call's arguments: there the wait may also be one with a limit.
      const tellsCalls = fs.existsSync(folder + 'syscall');
      function isUnlimited() {
        if (!tellsCalls) return read('stack').includes('io_uring_enter');
        // The call's number and arguments; a thread that works is "running" there.
        const [call, , , , flags] = read('syscall').split(' ');
        // IORING_ENTER_GETEVENTS, and not IORING_ENTER_EXT_ARG, with which the call has a limit.
        return call === '426' && (flags & 9) === 1;
      }
      for (const [i, ms] of gaps.entries()) {
        if (i > 0) Atomics.wait(count, 0, i - 1);
        Atomics.wait(word, 0, 0, ms);
        const seen = BigInt(isUnlimited());
        fs.writeSync(fd, Buffer.from(BigInt64Array.of(process.hrtime.bigint(), seen).buffer));
      }`;
    // What comes before the timer ends a wait, then what comes when it has ended two, and so again.
    const gaps = Array.from({ length: 120 }, (_, i) => (i % 12 === 11 ? 350 : 20));
    const folder = `/proc/self/task/${process.pid}/`;
    const writer = new Worker(code, { eval: true, workerData: { fd, gaps, folder, count } });
    const ended = once(writer, 'exit');
    const [short, long] = [{ late: [], inRing: 0 }, { late: [], inRing: 0 }];
    for (const ms of gaps) {
      const bytes = new Uint8Array(16);
      assert.equal(await within(io.read(fd, bytes), `a message after ${ms} ms`), 16);
      const [at, isUnlimited] = new BigInt64Array(bytes.buffer);
      const seen = ms < 100 ? short : long;
      seen.late.push(Number(process.hrtime.bigint() - at) / 1e6);
      seen.inRing += Number(isUnlimited);
      Atomics.add(count, 0, 1);
      Atomics.notify(count, 0);
    }
    await within(ended, 'the end of a worker');
    await within(io.close(), 'close');
    const shown = [short, long].map(({ late, inRing }) => {
      const median = late.sort((a, b) => a - b)[late.length >> 1];
      assert.ok(median < 50, `half of the messages came ${median} ms late or more`);
      return `${inRing} of ${late.length}`;
    }).join(', of the long ones ');
    assert.ok(short.inRing > short.late.length / 4, `too few waits in the ring: ${shown}`);
    assert.ok(long.inRing < long.late.length / 2, `the timer did not end the waits: ${shown}`);
  },
  async 'reactor-close-in-flight'() {
    const { Reactor } = await load('index.js');
    const io = new Reactor();
    const read = io.read(pipe(), Buffer.alloc(8)).catch((error) => error.code);
    await sleep(50);
    await within(io.close(), 'close');
    assert.equal(await read, 'ERR_IOURING_CLOSED');
  },
  /** Old kernels do not wait on a listener that is non-blocking. */
  async 'reactor-accept'() {
    const { Reactor } = await load('index.js');
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const [socket, listen] = ['int socket(int, int, int)', 'int listen(int, int)'].map((text) => libc.func(text));
    const getsockname = libc.func('int getsockname(int, uint8_t *, uint32_t *)');
    const fd = socket(2, 1 | fs.constants.O_NONBLOCK, 0);
    assert.equal(listen(fd, 8), 0);
    const address = Buffer.alloc(16);
    assert.equal(getsockname(fd, address, Uint32Array.of(16)), 0);
    const io = new Reactor();
    const accepted = io.accept(fd);
    await sleep(50);
    const peer = nodeNet.connect(address.readUInt16BE(2), '127.0.0.1');
    fs.closeSync(await within(accepted, 'a connection'));
    peer.destroy();
    await within(io.close(), 'close');
  },
  async 'reactor-worker'() {
    const code = `import(${
      JSON.stringify(join(DIST, 'index.js'))
    }).then(({ IoUring }) => { const ring = new IoUring(8); ring.prepTimeout(1e9, 1); require('node:worker_threads').parentPort.postMessage(1); ring.submitAndWait(1); })`;
    const worker = new Worker(code, { eval: true });
    await once(worker, 'message');
    await within(worker.terminate(), 'the end of a worker');
  },
  async 'fs'() {
    const promises = await load('fs/index.js');
    const folder = join(place, 'folder');
    await promises.mkdir(folder);
    const data = Buffer.alloc(300_000, 'abc');
    await promises.writeFile(`${folder}/a`, data);
    await promises.copyFile(`${folder}/a`, `${folder}/b`);
    assert.deepEqual(await promises.readFile(`${folder}/b`), data);
    assert.equal((await promises.stat(`${folder}/b`)).size, data.length);
    assert.deepEqual((await promises.readdir(folder)).sort(), ['a', 'b']);
    await promises.rm(folder, { recursive: true });
    assert.ok(!fs.existsSync(folder));
  },
  /** A short write at the file's own position does not move it, on most kernels. */
  async 'fs-file-too-large'() {
    const code = `import(${
      JSON.stringify(join(DIST, 'fs/index.js'))
    }).then((fs) => fs.writeFile(process.env.FILE, Buffer.alloc(100_000))).then(() => console.log('done'), (error) => console.log(error.code))`;
    const said = execFileSync('sh', ['-c', `trap '' XFSZ; ulimit -f 32; exec node -e "$CODE"`], {
      env: { ...process.env, CODE: code, FILE: join(place, 'large') },
      encoding: 'utf8',
    });
    assert.equal(said.trim(), 'EFBIG');
  },
  /** On Debian's 6.12 the signal of a ring with DEFER_TASKRUN gets lost. */
  async 'net-echo'() {
    const { listen } = await load('socket/index.js');
    const server = await listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: (socket, data) => void socket.write(data) },
    });
    const peer = nodeNet.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(peer, 'listening');
    // In turns: an emulator that stands still for a while does so for both.
    let [ours, theirs] = [0, 0];
    for (let round = 0; round < 4; round++) {
      ours += await tripsTo(server.port, TRAFFIC_MS / 3);
      theirs += await tripsTo(peer.address().port, TRAFFIC_MS / 3);
    }
    assert.ok(ours > theirs / 4, `${ours} round trips, and with node:net ${theirs}`);
    peer.close();
    await server.stop(true);
  },
  async 'net-http'() {
    const { createServer } = await load('net/index.js');
    const web = http.createServer((_, response) => response.end('hello'));
    const server = createServer((socket) => web.emit('connection', socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const get = async () => {
      const [response] = await once(http.get({ agent, host: '127.0.0.1', port: server.address().port }), 'response');
      await once(response.resume(), 'end');
    };
    for (let i = 0; i < 50; i++) await within(get(), `request ${i}`);
  },
  /** O_DIRECT and O_DIRECTORY have other numbers on arm64; and what is aligned, is aligned to the machine's pages. */
  async 'fs-flags'() {
    const { Reactor, allocateAligned } = await load('index.js');
    const io = new Reactor();
    const file = join(place, 'direct');
    fs.writeFileSync(file, Buffer.alloc(1 << 16, 'x'));
    await assert.rejects(io.open(file, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), { code: 'ENOTDIR' });
    fs.symlinkSync(file, join(place, 'link'));
    await assert.rejects(io.open(join(place, 'link'), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW), {
      code: 'ELOOP',
    });
    const fd = await io.open(file, fs.constants.O_RDONLY).then(async (plain) => {
      await io.closeFd(plain);
      // A file system in memory has no direct I/O before Linux 6.6.
      return io.open(file, fs.constants.O_RDONLY | fs.constants.O_DIRECT).catch((error) =>
        assert.equal(error.code, 'EINVAL')
      );
    });
    if (fd !== undefined) assert.equal(await io.read(fd, allocateAligned(1 << 16), { offset: 0 }), 1 << 16);
    if (fd !== undefined) await io.closeFd(fd);
    const memory = io.allocate(1 << 16);
    const again = await io.open(file, fs.constants.O_RDONLY);
    assert.equal(await io.read(again, memory, { offset: 0 }), 1 << 16);
    assert.ok(memory.every((byte) => byte === 120));
    await io.closeFd(again);
    await io.close();
  },
  async 'doctor'() {
    const said = execFileSync('node', [join(DIST, 'cli/main.js'), 'doctor', '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal(JSON.parse(said).usable, true);
  },
  /** The administrator's switch holds for the whole machine. */
  async 'doctor-forbidden'() {
    const setting = '/proc/sys/kernel/io_uring_disabled';
    if (!fs.existsSync(setting)) throw new Refused('needs Linux 6.6');
    assert.ok(isOurs, 'others run on this machine');
    fs.writeFileSync(setting, '2');
    try {
      const { status, stdout } = spawnSync('node', [join(DIST, 'cli/main.js'), 'doctor', '--json'], {
        encoding: 'utf8',
      });
      assert.equal(status, 1);
      const { usable, problem } = JSON.parse(stdout);
      assert.equal(usable, false);
      assert.equal(problem.code, 'EPERM');
      assert.match(problem.cause, /kernel\.io_uring_disabled is 2/);
    } finally {
      fs.writeFileSync(setting, '0');
    }
  },
  async 'cp'() {
    const [from, to] = [join(place, 'from'), join(place, 'to')];
    fs.mkdirSync(join(from, 'in'), { recursive: true });
    fs.writeFileSync(join(from, 'in/file'), 'hello');
    execFileSync('node', [join(DIST, 'cli/main.js'), 'cp', '--no-progress', from, to], { stdio: 'inherit' });
    assert.equal(fs.readFileSync(join(to, 'in/file'), 'utf8'), 'hello');
  },
};

const [asked = '', single] = process.argv.slice(2);
if (asked === '--one') {
  place = fs.mkdtempSync(join(os.tmpdir(), 'iouring-check-'));
  process.on('exit', () => fs.rmSync(place, { recursive: true }));
  try {
    await checks[single]();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    console.log(`refused ${single}: ${error.message}`);
    process.exit(3);
  }
  process.exit(0);
}

/** Files of the suite, and all of its folders that are named. */
function testsOf(paths) {
  return paths.flatMap((path) => {
    if (path.endsWith('.test.js')) return [path];
    const all = fs.readdirSync(join(BUILD, path), { recursive: true }).sort().map((name) => join(path, name));
    return all.filter((name) => name.endsWith('.test.js') && (mode === 'tests' || !isSlow(name)));
  });
}

/** Does a file say so, or start whole programs? They need packages that are not there. */
function isSlow(name) {
  if (/^test\/(cli|examples|net\/clients|package|register)\//.test(name)) return true;
  return /^\/\/ slow: /m.test(fs.readFileSync(join(BUILD, name), 'utf8'));
}

const [, mode, paths] = /^(tests|fast):(.*)$/.exec(asked) ?? [];
const isSuite = mode !== undefined;
const everything = Object.keys(checks).filter((name) => isOurs || name !== 'doctor-forbidden');
const names = isSuite ? testsOf(paths.split(',')) : asked === '' ? everything : asked.split(',');
console.log(`# ${os.release()}, ${process.arch}, node ${process.version}: ${names.join(' ')}`);
for (const name of names) {
  let report;
  for (let i = 0; i < TRIES && (i === 0 || (report.state === 'not ok' && report.hasStoodStill)); i++) {
    report = await runOne(name);
  }
  const { state, said, why, took } = report;
  if (isSuite) tellTests(said, state);
  else process.stdout.write(said);
  if (state === 'ok') console.log(`ok ${name}${isSuite ? ` (${took})` : ''}`);
  else if (state === 'not ok') console.log(`not ok ${name}: ${why} (${took})`);
}

/** Run a check or a file of the suite in a process of its own. What is refused tells so itself. */
async function runOne(name) {
  const start = performance.now();
  // Not by --test, which tells nothing of a file before its end.
  const args = isSuite ? ['--test-reporter=tap', join(BUILD, name)] : [SELF, '--one', name];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let [said, errors] = ['', ''];
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (errors += text));
  // With what it has started, which would hold the pipes.
  const timer = setTimeout(() => process.kill(-Number(child.pid), 'SIGKILL'), isSuite ? SUITE_LIMIT_MS : LIMIT_MS);
  const watch = watchPauses();
  const [status] = await once(child, 'close');
  clearTimeout(timer);
  const all = `${said}${errors}`;
  const last = said.match(/^ *(?:not )?ok .*$/gm)?.at(-1)?.trim();
  const why = status === null ? `hangs${last === undefined ? '' : `, after: ${last}`}`
    : (/^(?:\w*Error|iouring:).*/m.exec(isSuite ? all : errors)?.[0] ?? all.trim().split('\n').at(-1));
  const state = status === 0 ? 'ok' : status === 3 ? 'refused' : 'not ok';
  return { state, said, why, hasStoodStill: watch(), took: `${((performance.now() - start) / 1000).toFixed(1)} s` };
}

/** The tests of a file that failed, with the beginning of the error, or how it ends if there is none, and those that were skipped. */
function tellTests(said, state) {
  const lines = said.split('\n').map((line) => line.trim());
  let failed;
  let count = 0;
  for (const [i, line] of lines.entries()) {
    if (line.startsWith('not ok ')) failed = line;
    else if (/# SKIP|^# (pass|fail|skipped) /.test(line)) console.log(`#   ${line}`);
    const [, error] = /^error: (.*)$/.exec(line) ?? [];
    if (failed === undefined || error === undefined) continue;
    const end = lines.indexOf('...', i);
    const whole = error.length > 3 ? [error] : lines.slice(i + 1, Math.min(end, i + 12)).filter(Boolean);
    console.log(`#   ${failed}: ${whole.join(' / ').slice(0, 400)}`);
    failed = undefined;
    count++;
  }
  if (state === 'not ok' && count === 0) { for (const line of lines.slice(-25)) console.log(`#   ${line}`); }
}
