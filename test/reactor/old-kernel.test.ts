// The reactor on a kernel that has io_uring, and not all of its operations.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { release } from 'node:os';
import { describe, type TestContext } from 'node:test';
import {
  AF_INET,
  IORING_OP_ACCEPT,
  IORING_OP_MKDIRAT,
  IORING_OP_TIMEOUT,
  IORING_REGISTER_FILES,
  MSG_WAITALL,
  MSG_OOB,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../src/abi/index.ts';
import { LinkError, Msghdr, Reactor, type IoUring } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { addressOf, bindTo, listenOn, openSocket } from '../../src/net/transport/socket-calls.ts';
import { keepsLinks } from '../../src/reactor/chain.ts';
import { RegisteredFiles } from '../../src/reactor/registered-files.ts';
import { it } from '../asking.ts';
import { age, refused } from '../kernel/aged-kernel.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';
import { LINUX_5_10, LINUX_5_15, LINUX_6_1 } from '../ring/ages.ts';
import { open } from '../ring/old-kernel.ts';

/** No control message has it. */
const NO_TYPE = 99;

age(LINUX_5_10);

describe('what Linux 5.10 does not have', () => {
  it('an operation is EINVAL, with the Linux that it needs', async () => {
    await using io = new Reactor();
    await assert.rejects(io.mkdir('/nowhere/in/particular'), {
      code: 'EINVAL',
      errno: -22,
      syscall: 'mkdir',
      path: '/nowhere/in/particular',
      message: /^EINVAL: invalid argument, mkdir '\/nowhere\/in\/particular': needs Linux 5\.15, this is \d/,
    });
    assert.deepEqual(refused.splice(0), [IORING_OP_MKDIRAT]);
  });

  it('given a later form of an operation, it is EINVAL with the Linux that it needs', async () => {
    await using io = new Reactor();
    using listener = new Listener();
    await assert.rejects(io.acceptMany(listener.fd).next(), {
      code: 'EINVAL',
      message: /^EINVAL: invalid argument, accept: needs Linux 5\.19, this is \d/,
    });
    assert.deepEqual(refused.splice(0), [IORING_OP_ACCEPT]);
    await assert.rejects(io.recvMany(listener.fd).next(), { code: 'EINVAL', message: /needs Linux 5\.19, this is \d/ });
  });

  it('given control messages, or room for them, an EINVAL has the Linux that they need', async (t) => {
    if (cannotRefuseToWait(t)) return;
    await using io = new Reactor();
    using files = new Descriptors();
    const [ours] = files.socketPair();
    const data = { iov: [Buffer.from('x')] };
    // The kernel of this machine says it for a reason of its own.
    const control = [{ level: SOL_SOCKET, type: NO_TYPE, data: new Uint8Array(1) }];
    const refusal = { code: 'EINVAL', message: /^EINVAL: invalid argument, sendmsg: needs Linux 5\.12, this is \d/ };
    for (const msg of [{ ...data, control }, new Msghdr({ ...data, control })]) {
      await assert.rejects(io.sendmsg(ours, msg), refusal);
    }
    // Not accepted by the reactor, which needs Linux 6.10 where 5.10 is imitated.
    const fd = files.connect(files.listener().port);
    const room = new Msghdr({ iov: [new Uint8Array(8)], control: 64 });
    await assert.rejects(io.recvmsg(fd, room, { flags: MSG_OOB }), {
      code: 'EINVAL',
      message: /^EINVAL: invalid argument, recvmsg: needs Linux 5\.12, this is \d/,
    });
    const plain = new Msghdr({ iov: [new Uint8Array(8)] });
    await assert.rejects(io.recvmsg(fd, plain, { flags: MSG_OOB }), { message: 'EINVAL: invalid argument, recvmsg' });
  });

  it('given a clock, an EINVAL of a timer has the Linux that it needs', async () => {
    await using io = new Reactor();
    const message = /^EINVAL: invalid argument, sleep: needs Linux 5\.15, this is \d/;
    await assert.rejects(io.sleep(1, { clock: 'boottime' }), { code: 'EINVAL', message });
    assert.deepEqual(refused.splice(0), [IORING_OP_TIMEOUT]);
  });

  it('given an EINVAL for a wrong argument, it is left as it is', async () => {
    await using io = new Reactor();
    using listener = new Listener();
    await assert.rejects(io.fsync(listener.fd), { code: 'EINVAL', message: 'EINVAL: invalid argument, fsync' });
  });
});

describe('a chain, to whose links the kernel does not keep where it refuses an operation', () => {
  /** What came of each step, with the step at which it ended. */
  async function endOf(chain: Promise<unknown>): Promise<{ step: number; code: string; codes: unknown[] }> {
    const error = await chain.then(() => assert.fail('it has succeeded'), (reason: unknown) => reason);
    assert.ok(error instanceof LinkError, `${error as Error}`);
    const { step, code, results } = error;
    const codes = results.map((result) =>
      result.status === 'fulfilled' ? result.value : (result.reason as NodeJS.ErrnoException).code
    );
    return { step, code, codes };
  }

  it('ends there: what is behind it does not run', async () => {
    using folder = new Temporary();
    using files = new Descriptors();
    await using io = new Reactor();
    const path = folder.file('file', 'untouched');
    const fd = files.own(openSync(path, 'r+'));
    const end = await endOf(io.chain([['nop'], ['mkdir', '/nowhere/in/particular'], ['write', fd, 'x'], ['nop']]));
    assert.deepEqual(end, { step: 1, code: 'EINVAL', codes: [0, 'EINVAL', 'ECANCELED', 'ECANCELED'] });
    assert.ok(refused.splice(0).every((opcode) => opcode === IORING_OP_MKDIRAT));
    assert.equal(readFileSync(path, 'utf8'), 'untouched');
  });

  it('sleeps in it, and goes on', async () => {
    using folder = new Temporary();
    using files = new Descriptors();
    await using io = new Reactor();
    const path = folder.file('file', '');
    const fd = files.own(openSync(path, 'r+'));
    const start = performance.now();
    assert.deepEqual(await io.chain([['write', fd, 'one'], ['sleep', 20], ['write', fd, ' two']]), [3, undefined, 4]);
    assert.ok(performance.now() - start > 19);
    assert.equal(readFileSync(path, 'utf8'), 'one two');
    assert.deepEqual(refused, []);
  });

  it('from 5.15 on keeps to them, from 5.16 on with a sleep among them, from 5.18 on with several transfers', () => {
    const chains = [['write', 'fsync'], ['nop', 'sleep'], ['write', 'readv']];
    const expected = [[LINUX_5_10, false, false, false], [LINUX_5_15, true, false, false], [LINUX_6_1, true, true,
      true]] as const;
    for (const [linux, ...does] of expected) {
      const { ring } = open(linux);
      assert.deepEqual(chains.map((names) => keepsLinks(ring, names)), does);
      ring.close();
    }
  });

  it('ends at a transfer that is short, of every kind', async () => {
    using folder = new Temporary();
    using files = new Descriptors();
    await using io = new Reactor();
    const path = folder.file('file', 'short');
    const fd = files.own(openSync(path, 'r+'));
    const big = (): Uint8Array => new Uint8Array(100);
    const [reader, writer] = files.pipe();
    const [second, last] = files.pipe();
    const [ours, theirs] = files.socketPair();
    await io.write(writer, 'short');
    await io.send(ours, 'short');
    files.close(ours);
    const steps = [
      ['read', fd, big(), { offset: 0 }],
      ['readv', fd, [big(), big()], { offset: 0 }],
      ['tee', reader, last, 100],
      ['splice', reader, null, last, null, 100],
      ['read', second, io.allocate(100)],
      ['recv', theirs, big(), { flags: MSG_WAITALL }],
    ] as const;
    for (const short of steps) {
      const { step, code, codes } = await endOf(io.chain([['nop'], short as never, ['ftruncate', fd, 0]]));
      const bytes = short[0] === 'read' && short[1] === second ? 10 : 5;
      assert.deepEqual({ step, code, codes }, { step: 1, code: 'ERR_IOURING_SHORT', codes: [0, bytes, 'ECANCELED'] });
    }
    assert.equal(readFileSync(path, 'utf8'), 'short');
    // And goes on behind one that is not.
    const whole = new Uint8Array(5);
    assert.deepEqual(await io.chain([['read', fd, whole, { offset: 0 }], ['nop']]), [5, 0]);
  });

  it('given wrong arguments in a later step, is not begun', async () => {
    using folder = new Temporary();
    using files = new Descriptors();
    await using io = new Reactor();
    const path = folder.file('file', 'untouched');
    const fd = files.own(openSync(path, 'r+'));
    const wrong = io.chain([['write', fd, 'x'], ['nop'], ['read', fd, 'no buffer' as never]]);
    assert.deepEqual((await endOf(wrong)).codes, Array<string>(3).fill('ERR_INVALID_ARG_TYPE'));
    await io.nop();
    assert.equal(readFileSync(path, 'utf8'), 'untouched');
    assert.deepEqual([io.stats.submitted, io.stats.inFlight, io.stats.queued], [1, 0, 0]);
  });

  it('counts the time limit of a step from its beginning, and ends when it is over', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const [other] = files.pipe();
    await io.write(writer, 'x');
    const memory = new Uint8Array(1);
    const results = await io.chain([['sleep', 60], ['read', reader, memory, { timeoutMs: 50 }], ['nop']]);
    assert.deepEqual(results, [undefined, 1, 0]);
    const end = await endOf(io.chain([['nop'], ['read', other, memory, { timeoutMs: 5 }], ['write', writer, 'x']]));
    assert.deepEqual(end, { step: 1, code: 'ETIMEDOUT', codes: [0, 'ETIMEDOUT', 'ECANCELED'] });
    assert.equal(io.stats.inFlight, 0);
  });

  it('is aborted as a whole, or by the signal of one step', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader] = files.pipe();
    const memory = new Uint8Array(1);
    const abort = new AbortController();
    const aborted = io.chain([['nop'], ['read', reader, memory], ['nop']], { signal: abort.signal });
    await io.sleep(1);
    abort.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    const signal = AbortSignal.abort();
    const end = await endOf(io.chain([['nop'], ['read', reader, memory, { signal }], ['nop']]));
    assert.deepEqual(end, { step: 1, code: 'ABORT_ERR', codes: [0, 'ABORT_ERR', 'ECANCELED'] });
    assert.equal(io.stats.inFlight, 0);
  });

  it('is waited for by a close that drains, and cancelled by one that does not', async () => {
    const drained = new Reactor();
    const chain = drained.chain([['nop'], ['sleep', 5], ['nop'], ['sleep', 5], ['nop']]);
    await drained.close({ drain: true });
    assert.deepEqual(await chain, [0, undefined, 0, undefined, 0]);
    const closed = new Reactor();
    const ended = endOf(closed.chain([['nop'], ['sleep', 1e6], ['nop']]));
    await closed.sleep(1);
    await closed.close();
    assert.deepEqual(await ended, {
      step: 1,
      code: 'ERR_IOURING_CLOSED',
      codes: [0, 'ERR_IOURING_CLOSED', 'ECANCELED'],
    });
  });
});

describe('registered files', () => {
  const inFlight = (ring: IoUring): void => {
    ring.prepNop(1);
    ring.submit();
  };

  it('from 5.13 on have a table, also where there is no empty one', () => {
    const { ring, kernel } = open(LINUX_5_15);
    inFlight(ring);
    const files = new RegisteredFiles(ring);
    assert.equal(typeof files.register(3), 'number');
    assert.equal(kernel.asked(IORING_REGISTER_FILES), 1);
  });

  it('before have none: to make it would wait for what is in flight', () => {
    const { ring, kernel } = open(LINUX_5_10);
    inFlight(ring);
    const { length } = kernel.calls;
    const files = new RegisteredFiles(ring);
    for (let i = 0; i < 2; i++) assert.equal(files.register(3), undefined);
    assert.equal(kernel.asked(IORING_REGISTER_FILES), 0);
    assert.equal(kernel.calls.length, length, 'nor is that waited for here');
  });
});

describe('accept on a non-blocking listener, which does not wait there', () => {
  it('waits for a connection', { timeout: 20_000 }, async (t) => {
    if (cannotRefuseToWait(t)) return;
    await using io = new Reactor();
    using listener = new Listener();
    const accepted = [io.accept(listener.fd), io.accept(listener.fd)];
    await io.sleep(1);
    const peers = [listener.connect(), listener.connect()];
    const fds = await Promise.all(accepted);
    assert.notEqual(fds[0], fds[1]);
    for (const fd of fds) {
      await io.send(fd, 'hello');
      closeSync(fd);
    }
    await Promise.all(peers.map((peer) => once(peer, 'close')));
  });

  it('is over when its time is, and when it is aborted', { timeout: 20_000 }, async (t) => {
    if (cannotRefuseToWait(t)) return;
    await using io = new Reactor();
    using listener = new Listener();
    await assert.rejects(io.accept(listener.fd, { timeoutMs: 20 }), { name: 'TimeoutError' });
    await assert.rejects(io.accept(listener.fd, { timeoutMs: 0 }), { name: 'TimeoutError' });
    const controller = new AbortController();
    const aborted = io.accept(listener.fd, { signal: controller.signal });
    await io.sleep(1);
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    const closed = io.accept(listener.fd);
    await io.sleep(1);
    await Promise.all([io.close(), assert.rejects(closed, { code: 'ERR_IOURING_CLOSED' })]);
  });

  it('given an abort when there are events, they are not taken for a descriptor', { timeout: 20_000 }, async (t) => {
    if (cannotRefuseToWait(t)) return;
    await using io = new Reactor();
    using listener = new Listener();
    using files = new Descriptors();
    const controller = new AbortController();
    const aborted = io.accept(listener.fd, { signal: controller.signal });
    await io.sleep(1);
    const closed: number[] = [];
    const native = koffiNative();
    const { close } = native;
    native.close = (fd) => {
      closed.push(fd);
      // Those that this process writes to stay open.
      return fd > 2 ? close(fd) : 0;
    };
    try {
      files.connect((addressOf(listener.fd, false) as { port: number }).port);
      controller.abort();
      await assert.rejects(aborted, { name: 'AbortError' });
    } finally {
      native.close = close;
    }
    assert.deepEqual(closed, []);
  });

  it('given that it is not to wait, does not', { timeout: 20_000 }, async (t) => {
    if (cannotRefuseToWait(t)) return;
    await using io = new Reactor();
    using listener = new Listener();
    await assert.rejects(io.accept(listener.fd, { dontwait: true }), { code: 'EAGAIN' });
  });
});

/** A kernel that is made to answer as 5.10 does has to have IORING_ACCEPT_DONTWAIT. */
function cannotRefuseToWait(t: TestContext): boolean {
  const [major, minor] = release().split('.').map(Number);
  const isOld = major < 6 || (major === 6 && minor < 10);
  if (isOld) t.skip('needs Linux 6.10 (IORING_ACCEPT_DONTWAIT)');
  return isOld;
}

/** A listener that is non-blocking, and peers that connect to it. */
class Listener implements Disposable {
  readonly fd = openSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  readonly #peers: Socket[] = [];

  constructor() {
    assert.equal(bindTo(this.fd, { address: '127.0.0.1', port: 0 }), 0);
    assert.equal(listenOn(this.fd, 8), 0);
  }

  connect(): Socket {
    const { port } = addressOf(this.fd, false) as { port: number };
    const peer = connect(port, '127.0.0.1').resume();
    this.#peers.push(peer);
    return peer;
  }

  [Symbol.dispose](): void {
    for (const peer of this.#peers) peer.destroy();
    closeSync(this.fd);
  }
}
