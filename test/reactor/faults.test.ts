// What goes wrong outside: full disks, peers that reset or vanish, descriptors that run out or are used again, limits
// of time. Each operation is told of it in its own promise, nothing hangs, and the reactor goes on.
// slow: starts programs, fills queues and disks
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe } from 'node:test';
import koffi from 'koffi';
import { AF_INET, AF_UNIX, POLLIN, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from '../../src/abi/index.ts';
import { Reactor, type Chunk } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';
import { Random } from '../liburing/random.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_DIRECTORY, O_WRONLY } = constants;
const libc = koffi.load(null);
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)');
const getrlimit = libc.func('int getrlimit(int resource, _Out_ void *limit)') as Limit;
const setrlimit = libc.func('int setrlimit(int resource, void *limit)') as Limit;
type Limit = (resource: number, limit: Buffer) => number;
const RLIMIT_NOFILE = 7;

const CLOSED = { code: 'ERR_IOURING_CLOSED' };
const descriptors = (): number => readdirSync('/proc/self/fd').length;
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** What a promise comes to, unless it comes to nothing for so long that it never will, on a loaded machine either. */
async function within<T>(promise: Promise<T>, what: string, ms = 20_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const codeOf = ({ reason }: PromiseRejectedResult): unknown => (reason as NodeJS.ErrnoException).code;

/** What a promise was rejected with. */
async function reasonOf(promise: Promise<unknown>): Promise<NodeJS.ErrnoException & { result?: number }> {
  try {
    await promise;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('it should have failed');
}

/** Connections that are somebody else's to end: a server of node:net, and a reactor's socket connected to it. */
class Peer implements AsyncDisposable {
  readonly #server: Server;
  readonly #io: Reactor;
  readonly #sockets: Socket[] = [];

  constructor(io: Reactor) {
    this.#io = io;
    this.#server = createServer({ pauseOnConnect: true });
  }

  async connection(): Promise<[ours: number, theirs: Socket]> {
    if (!this.#server.listening) await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const { port } = this.#server.address() as AddressInfo;
    const ours = await this.#io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    const connected = once(this.#server, 'connection');
    await this.#io.connect(ours, { address: '127.0.0.1', port });
    const [theirs] = (await connected) as [Socket];
    this.#sockets.push(theirs);
    return [ours, theirs];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A disk of 64 KiB. */
class SmallDisk implements Disposable {
  readonly #folder = new Temporary();
  readonly path = `${this.#folder.path}/disk`;

  constructor() {
    mkdirSync(this.path);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', this.path], { stdio: 'pipe' });
    } catch (error) {
      this.#folder[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    execFileSync('umount', [this.path]);
    this.#folder[Symbol.dispose]();
  }
}

function noDisk(): string | false {
  try {
    using _ = new SmallDisk();
    return false;
  } catch (error) {
    return `no tmpfs can be mounted: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

describe('a full disk', { skip: noDisk() }, () => {
  it('writes are short, then ENOSPC; what was written is there; after something is deleted it goes on', async () => {
    using disk = new SmallDisk();
    await using io = new Reactor();
    const fd = await io.open(`${disk.path}/file`, O_RDWR | O_CREAT);
    const data = Buffer.alloc(100_000, '0123456789');
    const written = await io.write(fd, data, { offset: 0 });
    assert.ok(written > 0 && written <= 65_536, `${written}`);
    const full = { code: 'ENOSPC', errno: -28, syscall: 'write' };
    await assert.rejects(io.write(fd, data.subarray(written), { offset: written }), full);
    await assert.rejects(io.writev(fd, [data], { offset: written }), { code: 'ENOSPC', syscall: 'writev' });
    await assert.rejects(io.fallocate(fd, 0, 0, 1 << 20), { code: 'ENOSPC', syscall: 'fallocate' });
    const many = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => io.write(fd, data, { offset: written + i * data.length })),
    );
    assert.ok(many.every((result) => result.status === 'rejected' && codeOf(result) === 'ENOSPC'));
    const back = new Uint8Array(written);
    assert.equal(await io.read(fd, back, { offset: 0 }), written);
    assert.ok(data.subarray(0, written).equals(back));
    await io.ftruncate(fd, 0);
    assert.equal(await io.write(fd, 'again', { offset: 0 }), 5);
    await io.closeFd(fd);
  });

  it('a chain: the step that was short or failed is named, what is behind it did not run', async () => {
    using disk = new SmallDisk();
    await using io = new Reactor();
    const fd = await io.open(`${disk.path}/file`, O_RDWR | O_CREAT);
    const data = Buffer.alloc(100_000, 'x');
    const short = io.chain([['write', fd, data, { offset: 0 }], ['ftruncate', fd, 7], ['nop']]);
    await assert.rejects(short, { name: 'LinkError', code: 'ERR_IOURING_SHORT', step: 0 });
    assert.ok(statSync(`${disk.path}/file`).size > 7);
    const behind = { offset: statSync(`${disk.path}/file`).size };
    const failing = io.chain([['nop'], ['write', fd, data, behind], ['fsync', fd]]);
    const error = (await reasonOf(failing)) as Error & { step: number; results: PromiseSettledResult<unknown>[] };
    assert.deepEqual([error.name, (error as NodeJS.ErrnoException).code, error.step], ['LinkError', 'ENOSPC', 1]);
    assert.deepEqual(error.results.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected']);
    assert.equal(codeOf(error.results[2] as PromiseRejectedResult), 'ECANCELED');
    await io.closeFd(fd);
  });
});

describe('directories and wrong descriptors', () => {
  it('a directory is not read, not opened for writing, not received from', async () => {
    using folder = new Temporary();
    await using io = new Reactor();
    const fd = openSync(folder.path, O_RDONLY | O_DIRECTORY);
    await assert.rejects(io.read(fd, new Uint8Array(8)), { code: 'EISDIR', errno: -21, syscall: 'read' });
    await assert.rejects(io.readv(fd, [new Uint8Array(8)]), { code: 'EISDIR', syscall: 'readv' });
    await assert.rejects(io.write(fd, 'x'), { code: 'EBADF', syscall: 'write' });
    await assert.rejects(io.open(folder.path, O_WRONLY), { code: 'EISDIR', syscall: 'open', path: folder.path });
    await assert.rejects(io.recv(fd, new Uint8Array(8)), { code: 'ENOTSOCK', syscall: 'recv' });
    await assert.rejects(io.recvMany(fd).next(), { code: 'ENOTSOCK' });
    await assert.rejects(io.readMany(fd).next(), { code: /^(EBADFD|EISDIR)$/ });
    closeSync(fd);
    const calls = [io.read(fd, new Uint8Array(8)), io.fsync(fd), io.closeFd(fd), io.poll(fd, 1)];
    for (const result of await Promise.allSettled(calls)) {
      assert.ok(result.status === 'rejected' && codeOf(result) === 'EBADF');
    }
    assert.equal(io.stats.inFlight, 0);
  });
});

describe('a peer that closes', () => {
  it('a pipe: EPIPE, also of a write that waits for room', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const waiting = io.write(writer, Buffer.alloc(1 << 20));
    await turn();
    files.close(reader);
    // What went into the pipe before counts.
    const outcome = await waiting.catch((error: NodeJS.ErrnoException) => error.code);
    assert.ok(outcome === 'EPIPE' || outcome === 65_536, String(outcome));
    await assert.rejects(io.write(writer, 'x'), { code: 'EPIPE', errno: -32, syscall: 'write' });
    await assert.rejects(io.writev(writer, [Buffer.from('x')]), { code: 'EPIPE' });
    const [other, end] = files.pipe();
    files.close(end);
    assert.equal(await io.read(other, new Uint8Array(8)), 0);
    assert.deepEqual(await io.readMany(other).next(), { value: undefined, done: true });
  });

  it('a socket: EPIPE without a signal, and the end of the stream', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const receiving = io.recv(ours, new Uint8Array(8));
    const iterating = io.recvMany(ours).next();
    await turn();
    files.close(theirs);
    assert.equal(await receiving, 0);
    assert.deepEqual(await iterating, { value: undefined, done: true });
    await assert.rejects(io.send(ours, 'x'), { code: 'EPIPE', syscall: 'send' });
    await assert.rejects(io.sendmsg(ours, { iov: [Buffer.from('x')] }), { code: 'EPIPE', syscall: 'sendmsg' });
  });

  it('given a connection that is reset, each waiting operation is told once', async () => {
    await using io = new Reactor();
    await using peer = new Peer(io);
    for (
      const wait of [
        (fd: number) => io.recv(fd, new Uint8Array(8)),
        (fd: number) => io.recvMany(fd).next(),
        (fd: number) => io.send(fd, Buffer.alloc(32 << 20)),
        (fd: number) => io.send(fd, Buffer.alloc(32 << 20), { zeroCopy: true }),
      ]
    ) {
      const [ours, theirs] = await peer.connection();
      const waiting = reasonOf(wait(ours).then(() => io.send(ours, 'x')));
      await turns();
      theirs.resetAndDestroy();
      const { code } = await within(waiting, String(wait));
      assert.ok(code === 'ECONNRESET' || code === 'EPIPE', code);
      await io.closeFd(ours);
    }
    assert.deepEqual([io.stats.inFlight, io.stats.buffersOut], [0, 0]);
  });

  it('given a connection that is refused, the error has the address', async () => {
    await using io = new Reactor();
    using files = new Descriptors();
    const { fd: listener, port } = files.listener();
    files.close(listener);
    const fd = files.own(await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
    await assert.rejects(io.connect(fd, { address: '127.0.0.1', port }), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port,
      message: `connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  it('a process that is killed in the middle of a transfer', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const { fd: listener, port } = files.listener();
    const body = `
      const socket = require('net').connect(${port}, '127.0.0.1', () => socket.pause());
      const more = () => { while (socket.write(Buffer.alloc(65536, 'abcdefgh'))); };
      socket.on('connect', more).on('drain', more);`;
    const child = spawn(process.execPath, ['-e', body], { stdio: 'ignore' });
    const fd = files.own(await within(io.accept(listener), 'accept'));
    const all = Buffer.alloc(64 << 20);
    // What was sent before counts. Then it is said that nobody is there.
    const sending = reasonOf(io.send(fd, all).then((sent) => (sent < all.length ? io.send(fd, 'x') : sent)));
    let received = 0;
    let failure: NodeJS.ErrnoException | undefined;
    try {
      for await (const { bytes } of io.recvMany(fd)) {
        for (let i = 0; i < bytes.length; i += 997) assert.equal(bytes[i], 0x61 + ((received + i) % 8));
        received += bytes.length;
        if (received > 1 << 20 && !child.killed) child.kill('SIGKILL');
      }
    } catch (error) {
      failure = error as NodeJS.ErrnoException;
    }
    assert.ok(received > 1 << 20);
    assert.ok(failure === undefined || failure.code === 'ECONNRESET', String(failure));
    const { code } = await within(sending, 'send to nobody');
    assert.ok(code === 'ECONNRESET' || code === 'EPIPE', code);
    assert.deepEqual([io.stats.inFlight, io.stats.buffersOut], [0, 0]);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
});

describe('slow readers', () => {
  it('get all there is, in order, and the sender waits for them', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const data = Buffer.alloc(1_500_000);
    for (let i = 0; i + 4 <= data.length; i += 4) data.writeUInt32LE(i, i);
    const random = new Random(4);
    const transfers = Array.from({ length: 6 }, async (_, which) => {
      const [ours, theirs] = files.socketPair();
      let isSent = false;
      const sending = io.send(theirs, data, { zeroCopy: false }).then((sent) => {
        isSent = true;
        assert.equal(sent, data.length);
        return io.shutdown(theirs, 1);
      });
      const got: Uint8Array[] = [];
      if (which % 2 === 0) {
        for await (const chunk of io.recvMany(ours)) {
          if (got.length === 0) assert.equal(isSent, false);
          got.push(chunk.copy());
          for (let i = random.below(4); i > 0; i--) await turn();
        }
      } else {
        const buffer = new Uint8Array(20_000);
        for (;;) {
          const n = await io.recv(ours, buffer, { length: 1 + random.below(buffer.length) });
          if (n === 0) break;
          if (got.length === 0) assert.equal(isSent, false);
          got.push(buffer.slice(0, n));
          if (random.below(4) === 0) await turn();
        }
      }
      await sending;
      assert.ok(Buffer.concat(got).equals(data), `transfer ${which}`);
    });
    await within(Promise.all(transfers), 'a slow reader');
    assert.deepEqual([io.stats.inFlight, io.stats.buffersOut], [0, 0]);
  });
});

describe('descriptors that are closed and used again while operations are in flight', () => {
  it('an operation stays with the file that it was begun on', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    for (let round = 0; round < 300; round++) {
      const [reader, writer] = files.pipe();
      const old = new Uint8Array(8);
      const reading = io.read(reader, old);
      await turn();
      if (round % 2 === 0) {
        files.close(reader);
      } else {
        await io.closeFd(reader);
        files.forget(reader);
      }
      const [again, its] = files.pipe();
      assert.equal(again, reader, 'the number is used again at once');
      const fresh = new Uint8Array(8);
      const other = io.read(again, fresh);
      writeSync(its, 'new');
      writeSync(writer, 'older');
      assert.deepEqual([await reading, await other], [5, 3]);
      assert.equal(Buffer.from(old.subarray(0, 5)).toString(), 'older');
      assert.equal(Buffer.from(fresh.subarray(0, 3)).toString(), 'new');
      for (const fd of [writer, again, its]) files.close(fd);
    }
  });

  it('what is asked for in the tick in which it is closed comes before, or finds it closed', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    for (let round = 0; round < 200; round++) {
      const [ours, theirs] = files.socketPair();
      writeSync(theirs, 'here');
      const [first, closing, last] = await Promise.allSettled([
        io.recv(ours, new Uint8Array(8)),
        io.closeFd(ours),
        io.recv(ours, new Uint8Array(8)),
      ]);
      files.forget(ours);
      assert.equal(closing.status, 'fulfilled');
      assert.deepEqual(first, { status: 'fulfilled', value: 4 });
      assert.ok(last.status === 'rejected' && codeOf(last) === 'EBADF');
      files.close(theirs);
    }
  });

  it('an iteration never takes what belongs to the next owner of its number', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const iterator = io.recvMany(ours);
    const first = iterator.next();
    writeSync(theirs, 'mine');
    await first;
    // So many that it does not take more before these are asked for.
    for (let i = 0; i < 40; i++) {
      writeSync(theirs, 'mine');
      await io.nop();
    }
    await io.closeFd(ours);
    files.forget(ours);
    const [again, others] = files.socketPair();
    assert.equal(again, ours);
    writeSync(others, 'secret');
    for (;;) {
      const next = await within(iterator.next(), 'next', 200).catch(() => undefined);
      if (next === undefined || next.done) break;
      assert.doesNotMatch(Buffer.from(next.value.bytes).toString(), /secret/);
    }
    const buffer = new Uint8Array(8);
    assert.equal(await within(io.recv(again, buffer), 'recv'), 6);
    await within(iterator.return!(), 'return');
  });
});

describe('no descriptors left', () => {
  /** As few as there are now, and `more`. */
  function limited(more: number): Disposable {
    const before = Buffer.alloc(16);
    assert.equal(getrlimit(RLIMIT_NOFILE, before), 0);
    const limit = Buffer.from(before);
    const lowest = openSync('/dev/null', 'r');
    closeSync(lowest);
    limit.writeBigUInt64LE(BigInt(lowest + more));
    assert.equal(setrlimit(RLIMIT_NOFILE, limit), 0);
    return { [Symbol.dispose]: () => void setrlimit(RLIMIT_NOFILE, before) };
  }

  it('EMFILE of accept and of acceptMany; the connections stay, and are accepted once there is room', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const { fd: listener, port } = files.listener();
    const clients = Array.from({ length: 6 }, () => files.connect(port));
    // Whatever is lower is taken, so that the limit is felt.
    const holes: number[] = [];
    const top = Math.max(...readdirSync('/proc/self/fd').map(Number));
    for (let fd = openSync('/dev/null', 'r');; fd = openSync('/dev/null', 'r')) {
      holes.push(files.own(fd));
      if (fd > top) break;
    }
    const taken: number[] = [];
    const iterator = io.acceptMany(listener);
    {
      using _ = limited(2);
      await assert.rejects(
        async () => {
          for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
            taken.push(files.own(next.value));
          }
        },
        { code: 'EMFILE', errno: -24, syscall: 'accept' },
      );
      assert.equal(taken.length, 2);
      await assert.rejects(io.accept(listener), { code: 'EMFILE', syscall: 'accept' });
      await assert.rejects(io.open('/dev/null', O_RDONLY), { code: 'EMFILE', syscall: 'open' });
      await assert.rejects(io.socket(AF_INET, SOCK_STREAM), { code: 'EMFILE', syscall: 'socket' });
      assert.deepEqual(await iterator.next(), { value: undefined, done: true });
    }
    for (const _ of clients.slice(taken.length)) {
      files.own(await within(io.accept(listener, { timeoutMs: 2000 }), 'accept'));
    }
    assert.equal(io.stats.inFlight, 0);
  });

  it('given a reactor that cannot be made, nothing is left', () => {
    const before = descriptors();
    for (let room = 0; room < 2; room++) {
      using _ = limited(room);
      assert.throws(() => new Reactor(), { code: 'EMFILE' });
    }
    assert.equal(descriptors(), before);
  });
});

describe('limits of time', () => {
  it('are met and missed by everything that waits', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const [ours, theirs] = files.socketPair();
    const { fd: listener, port } = files.listener();
    const [, full] = files.pipe();
    await io.write(full, Buffer.alloc(65_536));
    const waits = (timeoutMs: number): Record<string, Promise<unknown>> => ({
      read: io.read(reader, new Uint8Array(8), { timeoutMs }),
      recv: io.recv(ours, new Uint8Array(8), { timeoutMs }),
      poll: io.poll(theirs, POLLIN, { timeoutMs }),
      accept: io.accept(listener, { timeoutMs }).then((fd) => files.own(fd)),
    });
    const missed: [string, Promise<unknown>][] = [...Object.entries(waits(3)), ...Object.entries(waits(0))];
    missed.push(['write', io.write(full, Buffer.alloc(8), { timeoutMs: 3 })]);
    missed.push(['sleep', io.sleep(1e6, { timeoutMs: 3 })]);
    await Promise.allSettled(missed.map(([, promise]) => within(promise, 'one of them')));
    for (const [name, promise] of missed) {
      const expected = { name: 'TimeoutError', code: 'ETIMEDOUT', syscall: name };
      await assert.rejects(promise, expected, name);
    }
    const met = Promise.all(Object.values({ ...waits(60_000), sleep: io.sleep(1, { timeoutMs: 60_000 }) }));
    await turn();
    writeSync(writer, 'x');
    writeSync(theirs, 'x');
    writeSync(ours, 'x');
    files.connect(port);
    await within(met, 'what is in time');
    assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
  });

  for (const [what, isAbort] of [['a limit of time', false], ['a signal', true]] as const) {
    it(`${what} that races with the data: no byte is lost, and none comes twice`, async () => {
      using files = new Descriptors();
      await using io = new Reactor();
      const random = new Random(7);
      const [ours, theirs] = files.socketPair();
      const [reader, writer] = files.pipe();
      const got = { socket: 0, pipe: 0 };
      let [stopped, late] = [0, 0];
      for (let round = 0; round < 1500; round++) {
        const kind = round % 2 === 0 ? 'socket' : 'pipe';
        const buffer = new Uint8Array(1);
        const abort = new AbortController();
        const limit = isAbort ? { signal: abort.signal } : { timeoutMs: 0.001 * random.below(400) };
        const receiving = kind === 'socket' ? io.recv(ours, buffer, limit) : io.read(reader, buffer, limit);
        receiving.catch(() => {});
        receiving.catch(() => {});
        let isWritten = false;
        const write = (): void => {
          if (isWritten) return;
          isWritten = true;
          writeSync(kind === 'socket' ? theirs : writer, Buffer.of(got[kind] & 0xff));
        };
        const steps = [write, () => abort.abort()];
        if (random.bool()) steps.reverse();
        for (const step of steps) {
          // In the same tick, or some turns later.
          for (let i = random.below(3); i > 0; i--) await turn();
          step();
        }
        let n: number;
        try {
          n = await within(receiving, `round ${round}`);
        } catch (error) {
          const { name, result } = error as Error & { result?: number };
          assert.equal(name, isAbort ? 'AbortError' : 'TimeoutError');
          stopped++;
          if (result !== undefined) late++;
          n = result ?? (await io.read(kind === 'socket' ? ours : reader, buffer));
        }
        assert.equal(n, 1);
        assert.equal(buffer[0], got[kind] & 0xff, `round ${round}`);
        got[kind]++;
      }
      assert.ok(stopped > 0 && stopped < 1500, `${stopped} were stopped, ${late} of them too late`);
      assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
    });
  }

  it('sleeps that are over when their limit is', async () => {
    await using io = new Reactor();
    const random = new Random(3);
    const all = Array.from({ length: 3000 }, () => io.sleep(random.below(4), { timeoutMs: random.below(4) }));
    const results = await within(Promise.allSettled(all), 'a sleep');
    for (const result of results) {
      if (result.status === 'rejected') assert.equal((result.reason as Error).name, 'TimeoutError');
    }
    assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
  });

  it('of a ring that has room for one entry only', async () => {
    await using io = new Reactor({ entries: 1 });
    using files = new Descriptors();
    const [reader] = files.pipe();
    const reading = io.read(reader, new Uint8Array(1), { timeoutMs: 5 });
    const outcome = await within(reading, 'a read with a time limit').catch((error: Error) => error.message);
    assert.doesNotMatch(String(outcome), /hangs/);
    assert.equal(await within(io.nop(), 'what is behind it'), 0);
  });

  it('count from the call on, not from when there is room in the ring', async () => {
    using files = new Descriptors();
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const pipes = Array.from({ length: 240 }, () => files.pipe());
    let least = Infinity;
    // Counted from then on, as few at a time as there is room for take two seconds and more. Where others have the
    // processor one round may take as long, but not all of them.
    for (let i = 0; i < 20 && least >= 1500; i++) {
      const start = performance.now();
      const reads = pipes.map(([reader]) => io.read(reader, new Uint8Array(1), { timeoutMs: 100 }));
      const results = await within(Promise.allSettled(reads), 'a read');
      least = Math.min(least, performance.now() - start);
      assert.ok(results.every(({ status }) => status === 'rejected'));
    }
    assert.ok(least < 1500, `100 ms took ${least.toFixed()} ms`);
  });
});

describe('several that wait for the same', () => {
  it('an accept that is aborted does not take the connection from one that waits beside it', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const { fd: listener, port } = files.listener();
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController();
      const aborted = reasonOf(io.accept(listener, { signal: abort.signal }));
      const accepting = io.accept(listener);
      await turn();
      files.connect(port);
      abort.abort();
      const { result } = await aborted;
      // It was too late, and the connection closed: another one comes.
      if (result !== undefined) files.connect(port);
      files.own(await within(accepting, 'accept'));
    }
  });

  it('a file is read in good time though pipes that say nothing are read, and others come and go', async () => {
    using files = new Descriptors();
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const sleeps = Promise.allSettled(Array.from({ length: 100 }, (_, i) => io.sleep(i * 100)));
    const reads = Array.from({ length: 8 }, () => io.read(files.pipe()[0], new Uint8Array(1)));
    const silent = Promise.allSettled(reads);
    const start = performance.now();
    await io.nop();
    const took = performance.now() - start;
    await io.close();
    await Promise.all([sleeps, silent]);
    assert.ok(took < 3000, `it took ${took.toFixed()} ms`);
  });
});

describe('close with everything in flight', () => {
  interface Everything {
    promises: Promise<unknown>[];
    /** Which of them sends more than there is room for. */
    sending: number;
    /** Let everything come that could, and see that it does no harm. */
    end(): void;
  }

  /** One of everything that waits, and what is asked for while the ring is full. */
  async function everything(io: Reactor, files: Descriptors): Promise<Everything> {
    const [reader, writer] = files.pipe();
    const [ours, theirs] = files.socketPair();
    const [full, unread] = files.socketPair();
    const { fd: listener } = files.listener();
    const buffers = Array.from({ length: 400 }, () => new Uint8Array(16));
    const { signal } = new AbortController();
    const promises: Promise<unknown>[] = [
      ...buffers.slice(0, 200).map((buffer) => io.read(reader, buffer)),
      ...buffers.slice(200).map((buffer) => io.recv(ours, buffer, { signal })),
      io.accept(listener),
      io.poll(ours, POLLIN),
      io.sleep(1e6),
      io.sleep(1e6, { timeoutMs: 5e5, signal }),
      io.recv(ours, new Uint8Array(1), { timeoutMs: 1e6 }),
      io.send(full, Buffer.alloc(8 << 20)),
      io.chain([['sleep', 1e6], ['nop'], ['recv', ours, new Uint8Array(3), { timeoutMs: 1e6 }]]),
      io.acceptMany(listener).next(),
      io.recvMany(ours).next(),
      io.recvMany(ours, { signal }).next(),
      io.pollMany(ours, POLLIN).next(),
      io.readMany(reader).next(),
    ];
    for (const promise of promises) promise.catch(() => {});
    await turns();
    for (let i = 0; i < 50; i++) promises.push(io.nop(), io.sleep(1e6));
    const end = (): void => {
      writeSync(writer, 'late');
      writeSync(theirs, 'late');
      assert.ok(buffers.every((buffer) => buffer.every((byte) => byte === 0)), 'written after it was over');
      // What was sent is a part of it, and no more comes.
      files.close(full);
      let received = 0;
      const bytes = Buffer.alloc(1 << 16);
      for (let n = -1; n !== 0; received += n) n = readSync(unread, bytes);
      assert.ok(received < 8 << 20);
    };
    return { promises, sending: 405, end };
  }

  for (const options of [{}, { entries: 8, cqEntries: 16 }]) {
    it(`every promise settles, and nothing is written later: ${JSON.stringify(options)}`, async () => {
      await turns();
      const before = descriptors();
      {
        using files = new Descriptors();
        const io = new Reactor(options);
        const { promises, sending, end } = await everything(io, files);
        const settled = Promise.allSettled(promises);
        await within(io.close(), 'close');
        for (const [i, result] of (await within(settled, 'an operation')).entries()) {
          // Of the send a part had gone out already.
          if (result.status === 'rejected') assert.equal(codeOf(result), 'ERR_IOURING_CLOSED', `${i}`);
          else if (i !== sending) assert.equal(result.value, 0, `${i}: only nops are done`);
        }
        end();
        assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
      }
      await turns();
      assert.equal(descriptors(), before);
    });
  }

  it('with drain: what is finite is waited for, an abort and a time limit still count', async () => {
    using files = new Descriptors();
    const io = new Reactor({ entries: 8, cqEntries: 16 });
    const [reader, writer] = files.pipe();
    const abort = new AbortController();
    const aborted = Array.from({ length: 30 }, () => io.sleep(1e6, { signal: abort.signal }));
    const limited = Array.from({ length: 30 }, () => io.sleep(1e6, { timeoutMs: 20 }));
    const done = Array.from({ length: 30 }, () => io.sleep(10));
    const reads = Array.from({ length: 30 }, () => io.read(reader, new Uint8Array(1)));
    const chain = io.chain([['nop'], ['sleep', 5]]);
    const all = Promise.allSettled([...aborted, ...limited, ...done, ...reads, chain]);
    const iterations = [io.readMany(reader).next(), io.pollMany(writer, POLLIN).next()];
    const ended = Promise.allSettled(iterations);
    let isClosed = false;
    const closing = io.close({ drain: true }).then(() => (isClosed = true));
    for (const result of await ended) {
      assert.ok(result.status === 'rejected' && codeOf(result) === 'ERR_IOURING_CLOSED');
    }
    await assert.rejects(io.nop(), CLOSED);
    setImmediate(() => abort.abort());
    await Promise.all([...done, ...aborted.map(reasonOf), ...limited.map(reasonOf)]);
    assert.equal(isClosed, false);
    writeSync(writer, Buffer.alloc(30));
    await within(closing, 'close');
    const results = await all;
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? 'done' : (result.reason as Error).name)),
      [
        ...Array.from({ length: 30 }, () => 'AbortError'),
        ...Array.from({ length: 30 }, () => 'TimeoutError'),
        ...Array.from({ length: 61 }, () => 'done'),
      ],
    );
  });

  it('after a drain that takes too long, close() without it cancels what is left', async () => {
    using files = new Descriptors();
    const io = new Reactor();
    const [reader, writer] = files.pipe();
    const reading = reasonOf(io.read(reader, new Uint8Array(1)));
    const draining = io.close({ drain: true });
    try {
      // Short of the two seconds after which a close gives up.
      await within(io.close(), 'close', 1500);
      assert.equal((await reading).code, 'ERR_IOURING_CLOSED');
    } finally {
      writeSync(writer, 'x');
      reading.catch(() => {});
      await draining;
    }
  });

  it('given a descriptor that came too late, it is closed, though the reactor is closed at once', async () => {
    await turns();
    const before = descriptors();
    for (let i = 0; i < 20; i++) {
      const io = new Reactor();
      const abort = new AbortController();
      const opening = reasonOf(io.open('/dev/null', O_RDONLY, { signal: abort.signal }));
      abort.abort();
      await Promise.all([opening, io.close()]);
    }
    await turns(20);
    assert.equal(descriptors() - before, 0, 'descriptors are left');
  });

  it('given connections that nobody took, they are closed, though the reactor is closed first', async () => {
    using files = new Descriptors();
    const { fd: listener, port } = files.listener();
    const io = new Reactor();
    const clients = Array.from({ length: 6 }, () => files.connect(port));
    const iterator = io.acceptMany(listener);
    const { value } = await iterator.next();
    files.close(files.own(value!));
    for (let i = 0; i < 20; i++) await io.nop();
    await io.close();
    await iterator.return!();
    // Each peer sees its end: nothing holds the connection open on our side.
    await using observer = new Reactor();
    for (const client of clients) {
      const end = observer.recv(client, new Uint8Array(1), { timeoutMs: 20_000 });
      assert.equal(await end.catch(({ code }: NodeJS.ErrnoException) => (code === 'ECONNRESET' ? 0 : code)), 0);
    }
  });

  it('given iterations that wait for buffers, they are told, too', async () => {
    using files = new Descriptors();
    const io = new Reactor();
    // Every datagram takes one of the large buffers, of which there are not so many.
    const iterations: Promise<unknown>[] = [];
    const kept: unknown[] = [];
    for (let i = 0; i < 1100; i++) {
      const fds = [-1, -1];
      assert.equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
      for (const fd of fds) files.own(fd);
      iterations.push(io.recvmsgMany(fds[0]).next().then((next) => kept.push(next)));
      writeSync(fds[1], 'x');
    }
    const all = Promise.allSettled(iterations);
    for (let seen = -1; seen !== kept.length;) {
      seen = kept.length;
      await turns(20);
    }
    assert.ok(kept.length < 1100, 'some have to wait');
    await within(io.close(), 'close');
    for (const result of await within(all, 'an iteration')) {
      if (result.status === 'rejected') assert.equal(codeOf(result), 'ERR_IOURING_CLOSED');
    }
  });

  it('a subscriber, a handler or an abort that closes it in the middle of a turn', async () => {
    using files = new Descriptors();
    for (let round = 0; round < 50; round++) {
      const io = new Reactor();
      const [reader, writer] = files.pipe();
      const abort = new AbortController();
      const closing: Promise<void>[] = [];
      const close = (): void => void closing.push(io.close());
      abort.signal.addEventListener('abort', close);
      const all = Promise.allSettled([
        ...Array.from({ length: 20 }, () => io.nop().then(close)),
        io.read(reader, new Uint8Array(4), { signal: abort.signal }),
        io.recvMany(reader).next(),
        io.sleep(round % 3).then(close),
      ]);
      if (round % 2 === 0) abort.abort();
      else writeSync(writer, 'x');
      await within(all, 'an operation');
      await within(Promise.all(closing), 'close');
      files.close(reader);
      files.close(writer);
    }
  });
});

describe('after close', () => {
  it('every operation and every iteration is refused, and lends nothing', async () => {
    const io = new Reactor();
    await io.close();
    const buffer = new Uint8Array(8);
    const calls: Promise<unknown>[] = [
      io.read(0, buffer),
      io.write(0, 'x'),
      io.readv(0, [buffer]),
      io.writev(0, [buffer]),
      io.fsync(0),
      io.ftruncate(0, 1),
      io.splice(0, null, 1, null, 1),
      io.open('/', O_RDONLY),
      io.openat2(0, '/', { flags: 0 }),
      io.close(0),
      io.pipe(),
      io.statx(-100, '/'),
      io.rename('/none', '/none'),
      io.unlink('/none'),
      io.mkdir('/none/none'),
      io.link('/none', '/none'),
      io.chain([['nop'], ['nop']]),
      io.socket(AF_INET, SOCK_STREAM),
      io.accept(0),
      io.connect(0, { address: '127.0.0.1', port: 1 }),
      io.send(0, 'x'),
      io.recv(0, buffer),
      io.poll(0, POLLIN),
      io.sleep(1),
      io.nop({ signal: new AbortController().signal, timeoutMs: 4 }),
      io.cancel(0),
      io.acceptMany(0).next(),
      io.recvMany(0).next(),
      io.readMany(0).next(),
      io.pollMany(0, POLLIN).next(),
      io.recvmsgMany(0).next(),
    ];
    for (const [i, result] of (await within(Promise.allSettled(calls), 'a call')).entries()) {
      const isRefused = result.status === 'rejected' && codeOf(result) === 'ERR_IOURING_CLOSED';
      assert.ok(isRefused, `${i}: ${JSON.stringify(result)}`);
    }
    await assert.rejects(io.nop({ signal: AbortSignal.abort() }), (error: Error) => {
      return error.name === 'AbortError' || (error as NodeJS.ErrnoException).code === 'ERR_IOURING_CLOSED';
    });
    assert.deepEqual([io.stats.inFlight, io.stats.queued, io.closed], [0, 0, true]);
    assert.equal(structuredClone(buffer, { transfer: [buffer.buffer] }).length, 8, 'it was never lent');
    assert.deepEqual(await io.recvMany(0).return!(), { value: undefined, done: true });
  });

  it('chunks that were received before can be read, and given back', async () => {
    using files = new Descriptors();
    const io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const iterator = io.recvMany(ours);
    writeSync(theirs, 'kept');
    const { value } = (await iterator.next()) as IteratorYieldResult<Chunk>;
    await io.close();
    assert.equal(Buffer.from(value.bytes).toString(), 'kept');
    value[Symbol.dispose]();
    assert.equal(io.stats.buffersOut, 0);
    await assert.rejects(iterator.next(), CLOSED);
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  });
});
