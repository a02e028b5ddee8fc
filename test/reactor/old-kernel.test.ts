// The reactor on a kernel that has io_uring, and not all of its operations.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { release } from 'node:os';
import { describe, type TestContext } from 'node:test';
import {
  AF_INET,
  IORING_OP_ACCEPT,
  IORING_OP_MKDIRAT,
  IORING_REGISTER_FILES,
  MSG_OOB,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../src/abi/index.ts';
import { Msghdr, Reactor, type IoUring } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { addressOf, bindTo, listenOn, openSocket } from '../../src/net/transport/socket-calls.ts';
import { RegisteredFiles } from '../../src/reactor/registered-files.ts';
import { it } from '../asking.ts';
import { age, refused } from '../kernel/aged-kernel.ts';
import { Descriptors } from '../kernel/libc.ts';
import { LINUX_5_10, LINUX_5_15 } from '../ring/ages.ts';
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

  it('given control messages, or room for them, an EINVAL has the Linux that they need', async () => {
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

  it('given an EINVAL for a wrong argument, it is left as it is', async () => {
    await using io = new Reactor();
    using listener = new Listener();
    await assert.rejects(io.fsync(listener.fd), { code: 'EINVAL', message: 'EINVAL: invalid argument, fsync' });
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
