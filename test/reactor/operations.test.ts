// Every operation of the reactor on the real kernel: what it answers, what its errors look like, what misuse does.
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { describe } from 'node:test';
import koffi from 'koffi';
import {
  AF_INET,
  AF_UNIX,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  CLD_EXITED,
  EPOLL_CTL_ADD,
  FUTEX2_SIZE_U32,
  IORING_OP_NOP,
  P_PID,
  POLLIN,
  POLLOUT,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_REUSEADDR,
  SOCKET_URING_OP_GETSOCKOPT,
  WEXITED,
} from '../../src/abi/index.ts';
import { EpollEvents, Msghdr, Reactor } from '../../src/index.ts';
import { WaitMethods } from '../../src/reactor/methods-wait.ts';
import { it, without } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Children } from '../kernel/operations/children.ts';
import { Temporary } from '../kernel/temporary.ts';

const epollCreate = koffi.load(null).func('int epoll_create1(int flags)').bind(null, 0x80000) as () => number;
const { O_RDONLY, O_RDWR, O_CREAT, O_WRONLY } = constants;

/** The methods that a test called: see the last one. */
const called = new Set<string>();

/** A reactor that takes note of what is called. */
function reactor(): Reactor {
  const io = new Reactor();
  return new Proxy(io, {
    get(target, name) {
      called.add(String(name));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('files', () => {
  it('are opened, written, read, measured, and closed', async () => {
    using temporary = new Temporary();
    await using io = reactor();
    const path = `${temporary.path}/file`;
    const fd = await io.open(path, O_RDWR | O_CREAT, { mode: 0o640 });
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.equal(await io.write(fd, 'hello, '), 7);
    assert.equal(await io.write(fd, Buffer.from('world!'), { length: 5 }), 5);
    assert.equal(await io.write(fd, new Uint16Array([0x4848]), { offset: 0, length: 1 }), 1);
    assert.equal(await io.writev(fd, [Buffer.from(' and'), Buffer.from(' so on')], { offset: 12 }), 10);
    assert.equal(await io.fsync(fd), undefined);
    assert.equal(await io.fsync(fd, { datasync: true }), undefined);
    assert.equal(await io.fsync(fd, { offset: 0, length: 4096 }), undefined);
    assert.equal(await io.syncFileRange(fd, 0, 0, 2), undefined);
    assert.equal(await io.fadvise(fd, 0, 0, 2), undefined);
    const head = new Uint8Array(5);
    assert.equal(await io.read(fd, head, { offset: 0 }), 5);
    assert.equal(text(head), 'Hello');
    const [one, two] = [new Uint8Array(4), new Uint8Array(100)];
    assert.equal(await io.readv(fd, [one, two], { offset: 12 }), 10);
    assert.equal(text(one) + text(two.subarray(0, 6)), ' and so on');
    assert.equal(await io.read(fd, head, { offset: 1000 }), 0);
    assert.equal(await io.ftruncate(fd, 3), undefined);
    assert.equal(await io.fallocate(fd, 0, 0, 100), undefined);
    assert.equal((await io.statx(fd, '', AT_EMPTY_PATH)).size, 100);
    assert.equal((await io.statx(AT_FDCWD, path)).mode & 0o777, 0o640);
    for (const status of [await io.stat(path), await io.lstat(path), await io.fstat(fd)]) {
      assert.equal(status.size, 100);
    }
    assert.equal(await io.closeFd(fd), undefined);
    // The older name.
    assert.equal(await io.close(openSync('/dev/null', 'r')), undefined);
    await assert.rejects(io.read(fd, head), { code: 'EBADF', errno: -9, syscall: 'read' });
  });

  it('where the file stands moves on, unless it is told where', async () => {
    using temporary = new Temporary();
    await using io = reactor();
    const fd = openSync(temporary.file('file', '0123456789'), 'r');
    const buffer = new Uint8Array(2);
    for (const expected of ['01', '23']) {
      await io.read(fd, buffer);
      assert.equal(text(buffer), expected);
    }
    await io.read(fd, buffer, { offset: 8 });
    assert.equal(text(buffer), '89');
    await io.read(fd, buffer, { offset: null });
    assert.equal(text(buffer), '45');
    closeSync(fd);
  });

  it('openat and openat2, and what they refuse', async () => {
    using temporary = new Temporary();
    await using io = reactor();
    temporary.file('file', 'here');
    const dir = openSync(temporary.path, 'r');
    const fds = [await io.openat(dir, 'file', O_RDONLY), await io.openat2(dir, 'file', { flags: O_RDONLY })];
    for (const fd of fds) {
      assert.equal(readFileSync(fd, 'utf8'), 'here');
      await io.closeFd(fd);
    }
    const path = new URL(`file://${temporary.path}/none%20such`);
    for (
      const [promise, syscall, name] of [
        [io.open(path, O_RDONLY), 'open', `${temporary.path}/none such`],
        [io.openat(dir, Buffer.from('nöne'), O_RDONLY), 'openat', 'nöne'],
        [io.openat2(dir, 'none', { flags: O_RDONLY }), 'openat2', 'none'],
      ] as const
    ) {
      await assert.rejects(promise, {
        name: 'Error',
        message: `ENOENT: no such file or directory, ${syscall} '${name}'`,
        code: 'ENOENT',
        errno: -2,
        syscall,
        path: name,
      });
    }
    closeSync(dir);
  });

  it('errors are those of node:fs, to the letter', async () => {
    await using io = reactor();
    const theirs = (await openFile('/none/such').catch((error: unknown) => error)) as NodeJS.ErrnoException;
    const ours = (await io.open('/none/such', O_RDONLY).catch((error: unknown) => error)) as NodeJS.ErrnoException;
    assert.equal(ours.message, theirs.message);
    assert.deepEqual({ ...ours }, { ...theirs });
  });

  it('memory can be advised about', async () => {
    await using io = reactor();
    const memory = io.allocate(1 << 20);
    memory.fill(1);
    await io.madvise(memory, memory.byteLength, 3);
    assert.ok(memory.every((byte) => byte === 1));
  });
});

describe('names', () => {
  it('are made, changed and removed', async () => {
    using temporary = new Temporary();
    await using io = reactor();
    const at = (name: string): string => `${temporary.path}/${name}`;
    const dir = openSync(temporary.path, 'r');
    assert.equal(await io.mkdir(at('dir')), undefined);
    await io.mkdirat(dir, 'other', 0o700);
    assert.equal(statSync(at('other')).mode & 0o777, 0o700);
    temporary.file('a', 'contents');
    await io.rename(at('a'), at('b'));
    await io.renameat(dir, 'b', dir, 'c');
    await io.link(at('c'), at('d'));
    await io.linkat(dir, 'c', dir, 'e');
    await io.symlink('c', at('f'));
    await io.symlinkat('c', dir, 'g');
    for (const name of ['c', 'd', 'e', 'f', 'g']) assert.equal(readFileSync(at(name), 'utf8'), 'contents');
    for (const name of ['c', 'd', 'e', 'f']) await io.unlink(at(name));
    await io.unlinkat(dir, 'g');
    await io.unlinkat(dir, 'dir', AT_REMOVEDIR);
    assert.equal(existsSync(at('dir')) || existsSync(at('d')), false);
    await assert.rejects(io.rename(at('x'), at('y')), {
      message: `ENOENT: no such file or directory, rename '${at('x')}' -> '${at('y')}'`,
      path: at('x'),
      dest: at('y'),
      syscall: 'rename',
    });
    closeSync(dir);
  });

  it('extended attributes', async (t) => {
    using temporary = new Temporary();
    await using io = reactor();
    const path = temporary.file('file');
    const fd = openSync(path, 'r+');
    const value = new Uint8Array(10);
    try {
      await io.setxattr(path, 'user.one', Buffer.from('first'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTSUP') throw error;
      return t.skip(`no user attributes in ${temporary.path}: ${(error as Error).message}`);
    }
    await io.fsetxattr(fd, 'user.two', Buffer.from('second'));
    assert.equal(await io.getxattr(path, 'user.two', value), 6);
    assert.equal(text(value.subarray(0, 6)), 'second');
    assert.equal(await io.fgetxattr(fd, 'user.one', value), 5);
    await assert.rejects(io.getxattr(path, 'user.none', value), { code: 'ENODATA', path });
    closeSync(fd);
  });
});

describe('pipes', () => {
  it('are made, spliced and teed', async () => {
    await using io = reactor();
    const [from, to] = [await io.pipe(), await io.pipe()];
    await io.write(from[1], 'twice');
    assert.equal(await io.tee(from[0], to[1], 5), 5);
    assert.equal(await io.splice(from[0], null, to[1], null, 100), 5);
    const buffer = new Uint8Array(100);
    assert.equal(await io.read(to[0], buffer), 10);
    assert.equal(text(buffer.subarray(0, 10)), 'twicetwice');
    for (const fd of [...from, ...to]) await io.closeFd(fd);
  });
});

describe('sockets', () => {
  it('listen, connect, send and receive', async () => {
    await using io = reactor();
    const path = `\0iouring-test-${process.pid}`;
    const listener = await io.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    await io.bind(listener, { path });
    await io.listen(listener);
    const client = await io.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
    const [server] = await Promise.all([io.accept(listener), io.connect(client, { path })]);
    const buffer = new Uint8Array(100);
    assert.equal(await io.send(client, 'plain'), 5);
    assert.equal(await io.recv(server, buffer), 5);
    assert.equal(text(buffer.subarray(0, 5)), 'plain');
    assert.equal(await io.sendmsg(server, { iov: [Buffer.from('two '), Buffer.from('pieces')] }), 10);
    assert.equal(await io.recv(client, buffer, { length: 4 }), 4);
    const msg = new Msghdr({ iov: [buffer] });
    assert.equal(await io.recvmsg(client, msg), 6);
    assert.equal(text(buffer.subarray(0, 6)), 'pieces');
    await io.shutdown(client, 1);
    assert.equal(await io.recv(server, buffer), 0);
    await Promise.all([client, server, listener].map((fd) => io.closeFd(fd)));
  });

  it('send and receive without copies, to addresses, with options', async () => {
    using files = new Descriptors();
    await using io = reactor();
    const { fd, port } = files.listener();
    const client = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    const [server] = await Promise.all([io.accept(fd), io.connect(client, { address: '127.0.0.1', port })]);
    assert.deepEqual(io.getpeername(client), { family: 'IPv4', address: '127.0.0.1', port });
    assert.deepEqual(io.getpeername(server), io.getsockname(client));
    assert.throws(() => io.getpeername(fd), { code: 'ENOTCONN', syscall: 'getpeername' });
    assert.throws(() => io.getsockname(0x7fff_0000), { code: 'EBADF', syscall: 'getsockname' });
    const data = Buffer.alloc(100_000, 'zero copy ');
    const pieces = Buffer.alloc(data.length);
    const receiving = (async () => {
      for (let at = 0; at < pieces.length;) at += await io.recv(server, pieces.subarray(at));
    })();
    assert.equal(await io.send(client, data, { zeroCopy: true }), data.length);
    await receiving;
    assert.ok(pieces.equals(data));
    const value = new Int32Array(1);
    await io.cmdSock(SOCKET_URING_OP_GETSOCKOPT, fd, SOL_SOCKET, SO_REUSEADDR, value);
    await Promise.all([client, server].map((one) => io.closeFd(one)));
    const udp = await io.socket(AF_INET, 2 | SOCK_CLOEXEC);
    assert.equal(await io.sendto(udp, 'to nobody', { address: '127.0.0.1', port: 9 }), 9);
    await io.closeFd(udp);
  });

  it('given an address that cannot be reached, the error has it, as node:net’s', async () => {
    await using io = reactor();
    using files = new Descriptors();
    const { fd, port } = files.listener();
    files.close(fd);
    const client = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    await assert.rejects(io.connect(client, { address: '127.0.0.1', port }), {
      message: `connect ECONNREFUSED 127.0.0.1:${port}`,
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '127.0.0.1',
      port,
    });
    await assert.rejects(io.connect(client, { address: 'localhost', port }), { code: 'ERR_INVALID_ARG_VALUE' });
    await io.closeFd(client);
  });
});

describe('waiting', () => {
  it('for time', async () => {
    await using io = reactor();
    const start = process.hrtime.bigint();
    await Promise.all([io.sleep(5), io.sleep(5_000_000n), io.sleep(0)]);
    assert.ok(process.hrtime.bigint() - start >= 5_000_000n);
    await assert.rejects(io.sleep(-1), { code: 'ERR_OUT_OF_RANGE' });
  });

  it('for descriptors', async () => {
    using files = new Descriptors();
    await using io = reactor();
    const [reader, writer] = files.pipe();
    assert.equal(await io.poll(writer, POLLOUT), POLLOUT);
    const polling = io.poll(reader, POLLIN);
    writeSync(writer, 'x');
    assert.equal(await polling, POLLIN);
    const epoll = files.own(epollCreate());
    await io.epollCtl(epoll, EPOLL_CTL_ADD, reader, { events: POLLIN, data: 7 });
    const events = new EpollEvents(4);
    assert.equal(await io.epollWait(epoll, events), 1);
  });

  it('for a child', async () => {
    await using io = reactor();
    // Not one of Node's own: its loop collects those itself.
    using children = new Children();
    const [pid, other] = [children.shell('exit 3'), children.shell('exec sleep 60')];
    const { code, status, pid: from } = await io.waitid(P_PID, pid, WEXITED);
    children.collected(pid);
    assert.deepEqual({ code, status, from }, { code: CLD_EXITED, status: 3, from: pid });
    await assert.rejects(io.waitid(P_PID, other, WEXITED, { timeoutMs: 5 }), { name: 'TimeoutError' });
  });

  // It waits for something else first: a refusal would come while nobody waits for it.
  it('for other threads', { skip: without('6.7', 'IORING_OP_FUTEX_WAIT') }, async () => {
    await using io = reactor();
    const futex = new Int32Array(new SharedArrayBuffer(4));
    const flags = { flags: FUTEX2_SIZE_U32 };
    const waiting = io.futexWait(futex, 0, flags);
    await io.nop();
    assert.equal(await io.futexWake(futex, 1, flags), 1);
    assert.equal(await waiting, undefined);
    const several = io.futexWaitv([{ futex, value: 0, flags: FUTEX2_SIZE_U32 }]);
    await io.nop();
    await io.futexWake(futex, 1, flags);
    assert.equal(await several, 0);
    await assert.rejects(io.futexWait(futex, 5, flags), { code: 'EAGAIN', syscall: 'futex_wait' });
  });

  it('for nothing, and for what has no method', async () => {
    await using io = reactor();
    assert.equal(await io.nop(), 0);
    assert.equal(await io.nop({ result: 42 }), 42);
    assert.equal(await io.sqe({ opcode: IORING_OP_NOP }), 0);
    await assert.rejects(io.sqe({ opcode: 250 }), { code: 'EINVAL', syscall: 'sqe' });
    await assert.rejects(io.sqe(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('misuse', () => {
  it('rejects, and never throws; nothing is submitted', async () => {
    await using io = new Reactor();
    const wrong: [string, () => Promise<unknown>][] = [
      ['ERR_INVALID_ARG_TYPE', () => io.read(0, undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => io.read(0, null as never)],
      ['ERR_INVALID_ARG_TYPE', () => io.read('0' as never, new Uint8Array(1))],
      ['ERR_OUT_OF_RANGE', () => io.read(0, new Uint8Array(1), { length: 2 })],
      ['ERR_OUT_OF_RANGE', () => io.read(0, new Uint8Array(1), { offset: -2 })],
      ['ERR_INVALID_ARG_TYPE', () => io.write(0, 5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => io.open(5 as never, 0)],
      ['ERR_INVALID_ARG_VALUE', () => io.open('a\0b', 0)],
      ['ERR_INVALID_ARG_TYPE', () => io.nop({ signal: {} as never })],
      ['ERR_INVALID_ARG_TYPE', () => io.nop({ signal: null as never })],
      ['ERR_OUT_OF_RANGE', () => io.nop({ timeoutMs: -1 })],
      ['ERR_INVALID_ARG_TYPE', () => io.nop({ timeoutMs: '1' as never })],
      ['ERR_INVALID_ARG_TYPE', () => io.cancel('3' as never)],
      ['ERR_INVALID_ARG_TYPE', () => io.send(0, undefined as never)],
    ];
    for (const [code, call] of wrong) await assert.rejects(call(), { code });
    assert.equal(io.stats.submitted, 0);
    assert.throws(() => new Reactor(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => new Reactor({ entries: 0 }), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => io.allocate(0), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => io.allocate(8, { alignment: 3 }), { code: 'ERR_INVALID_ARG_VALUE' });
  });
});

describe('chains', () => {
  it(
    'run in order; a durable append is one submission',
    { skip: without('5.15', 'links that the kernel keeps to') },
    async () => {
      using temporary = new Temporary();
      await using io = new Reactor();
      const path = temporary.file('log', 'first\n');
      const fd = openSync(path, O_WRONLY | constants.O_APPEND);
      const results = await io.chain([
        ['write', fd, 'second\n'],
        ['fsync', fd, { datasync: true }],
      ]);
      const [bytes, nothing]: [number, void] = results;
      assert.deepEqual([bytes, nothing], [7, undefined]);
      assert.equal(io.stats.enters, 1);
      assert.equal(readFileSync(path, 'utf8'), 'first\nsecond\n');
      closeSync(fd);
      assert.deepEqual(await io.chain([]), []);
    },
  );

  it('given a step that fails, or is short, stop there and tell which', async () => {
    using temporary = new Temporary();
    await using io = new Reactor();
    const fd = openSync(temporary.file('file', 'short'), 'r+');
    await assert.rejects(io.chain([['nop'], ['read', -1, new Uint8Array(1)], ['nop']]), (error) => {
      const { name, code, step, results, message, cause } = error as Error & Record<string, unknown>;
      assert.deepEqual({ name, code, step }, { name: 'LinkError', code: 'EBADF', step: 1 });
      assert.equal(message, 'Step 1 (read) failed: EBADF: bad file descriptor, read');
      assert.equal((cause as NodeJS.ErrnoException).code, 'EBADF');
      assert.deepEqual((results as PromiseSettledResult<unknown>[]).map(({ status }) => status), [
        'fulfilled',
        'rejected',
        'rejected',
      ]);
      return true;
    });
    const big = new Uint8Array(100);
    await assert.rejects(io.chain([['read', fd, big, { offset: 0 }], ['ftruncate', fd, 0]]), {
      name: 'LinkError',
      code: 'ERR_IOURING_SHORT',
      step: 0,
      message: 'Step 0 (read) transferred 5 bytes, fewer than it was asked to',
    });
    assert.equal(readFileSync(fd, 'utf8'), 'short');
    closeSync(fd);
  });

  it('given one step with wrong arguments, are not begun at all', async () => {
    using temporary = new Temporary();
    await using io = new Reactor();
    const path = temporary.file('file', 'untouched');
    const fd = openSync(path, 'r+');
    const wrong = [
      [[['write', fd, 'x'], ['read', fd, 'no buffer']], /read/],
      [[['write', fd, 'x'], ['fsync', fd, { signal: 1 }]], undefined],
      [[['write', fd, 'x'], ['fsynk', fd]], undefined],
      [[['write', fd, 'x'], 'fsync'], undefined],
      [[['write', fd, 'x'], ['constructor']], undefined],
      [[['write', fd, 'x'], ...Array.from({ length: 2000 }, () => ['nop'])], undefined],
    ] as const;
    for (const [steps] of wrong) await assert.rejects(io.chain(steps as never));
    await io.nop();
    assert.equal(readFileSync(path, 'utf8'), 'untouched');
    assert.deepEqual([io.stats.submitted, io.stats.inFlight], [1, 0]);
    closeSync(fd);
  });

  it('of one step with a time limit, and aborted in the middle', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    await assert.rejects(io.chain([['poll', reader, POLLIN, { timeoutMs: 5 }], ['write', writer, 'x']]), {
      name: 'LinkError',
      code: 'ETIMEDOUT',
      step: 0,
    });
    const abort = new AbortController();
    setImmediate(() => abort.abort());
    await assert.rejects(
      io.chain([['nop'], ['poll', reader, POLLIN], ['write', writer, 'x']], { signal: abort.signal }),
      {
        name: 'AbortError',
      },
    );
    await assert.rejects(io.chain([['nop']], { signal: AbortSignal.abort() }), { name: 'AbortError' });
    await assert.rejects(io.chain([['nop'], ['poll', reader, POLLIN, { signal: AbortSignal.abort() }]]), {
      code: 'ABORT_ERR',
    });
    assert.equal(io.stats.inFlight, 0);
  });
});

describe('cancellation', () => {
  it('of all on a descriptor', { skip: without('5.19', 'cancel') }, async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const [other] = files.pipe();
    const doomed = [io.read(reader, new Uint8Array(4)), io.poll(reader, POLLIN)];
    const spared = io.poll(other, POLLIN);
    const results = Promise.allSettled(doomed);
    await io.nop();
    assert.equal(await io.cancel(reader), 2);
    for (const result of await results) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as NodeJS.ErrnoException).code, 'ECANCELED');
    }
    assert.equal(await io.cancel(reader), 0);
    assert.equal(await io.cancel(writer), 0);
    assert.equal(io.stats.inFlight, 1);
    spared.catch(() => {});
  });

  it('of what waits in the queue, and of what is not submitted yet', async () => {
    await using io = new Reactor({ entries: 2, cqEntries: 4 });
    const abort = new AbortController();
    const all = Array.from({ length: 20 }, () => io.nop({ signal: abort.signal }));
    abort.abort(new Error('reason'));
    for (const result of await Promise.allSettled(all)) {
      assert.equal(result.status, 'rejected');
      const { name, code, cause } = result.reason as NodeJS.ErrnoException;
      assert.deepEqual([name, code, (cause as Error).message], ['AbortError', 'ABORT_ERR', 'reason']);
    }
    assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
  });

  it(
    'given a descriptor that came too late, closes it',
    { skip: without('5.15', 'an open that is done at once') },
    async () => {
      await using io = new Reactor();
      const abort = new AbortController();
      const opening = io.open('/dev/null', O_RDONLY, { signal: abort.signal });
      abort.abort();
      const error = (await opening.catch((reason: unknown) => reason)) as Error & { result: number };
      assert.equal(error.name, 'AbortError');
      assert.ok(error.result > 0);
      await io.nop();
      assert.equal(existsSync(`/proc/self/fd/${error.result}`), false);
    },
  );

  it('by a time limit: met, missed, and too late', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    await assert.rejects(io.read(reader, new Uint8Array(4), { timeoutMs: 5 }), {
      name: 'TimeoutError',
      code: 'ETIMEDOUT',
      syscall: 'read',
    });
    const reading = io.read(reader, new Uint8Array(4), { timeoutMs: 1e6 });
    writeSync(writer, 'in ');
    assert.equal(await reading, 3);
    assert.equal(await io.nop({ timeoutMs: 0 }), 0);
    assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
  });

  it('given one signal for many operations, no listener is left on it', async () => {
    await using io = new Reactor();
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
    await Promise.all(Array.from({ length: 100 }, () => io.nop({ signal })));
    await io.nop({ signal });
    assert.equal(listeners, 0);
  });
});

describe('memory', () => {
  it('of allocate is registered, aligned, and serves as any other', {
    skip: without('5.13', 'a table of registered buffers with empty places'),
  }, async (t) => {
    using temporary = new Temporary();
    await using io = new Reactor();
    const path = temporary.file('file', Buffer.alloc(8192, 'data'));
    const fd = openSync(path, 'r+');
    const memory = io.allocate(8192, { alignment: 512 });
    const bufferOf = (): string => readFileSync(`/proc/self/fdinfo/${ringOf(io)}`, 'utf8');
    assert.match(bufferOf(), /UserBufs:\s+1024/);
    assert.equal(await io.read(fd, memory.subarray(4096), { offset: 0 }), 4096);
    assert.equal(text(memory.subarray(4096, 4100)), 'data');
    assert.equal(await io.write(fd, memory.subarray(4096, 4100), { offset: 1 }), 4);
    assert.equal(readFileSync(path, 'utf8').slice(0, 6), 'ddataa');
    // All of it may be used, and no more.
    assert.equal(await io.read(fd, new Uint8Array(memory.buffer, 0, 1), { offset: 0 }), 1);
    closeSync(fd);
    let direct: number;
    try {
      direct = openSync(path, O_RDONLY | constants.O_DIRECT);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      return t.skip(`the file system of ${temporary.path} has no direct I/O`);
    }
    const block = io.allocate(4096);
    assert.equal(await io.read(direct, block, { offset: 0 }), 4096);
    assert.equal(readSync(direct, block, 0, 4096, 0), 4096);
    closeSync(direct);
  });

  it('given memory that cannot be protected, refuses it; lent memory cannot be transferred', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const resizable = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(8, {
      maxByteLength: 16,
    });
    await assert.rejects(io.read(reader, new Uint8Array(resizable)), { code: 'ERR_INVALID_ARG_VALUE' });
    const memory = new Uint8Array(8);
    const reading = io.read(reader, memory);
    try {
      structuredClone(memory.buffer, { transfer: [memory.buffer] });
    } catch {
      // Some engines refuse, others copy.
    }
    writeSync(writer, 'stays');
    assert.equal(await reading, 5);
    assert.equal(text(memory.subarray(0, 5)), 'stays');
  });
});

it('every operation was called', { skip: without('6.16', 'every operation') }, () => {
  const missing: string[] = [];
  for (let at = WaitMethods.prototype as object; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    missing.push(...Object.getOwnPropertyNames(at).filter((name) => !called.has(name)));
  }
  assert.deepEqual(missing.filter((name) => name !== 'constructor'), []);
});

const ringOf = (io: Reactor): number => io.ringFd;
