// The operations on sockets: what arrives at the other end, and what the kernel says of it.
import assert from 'node:assert/strict';
import { constants, fstatSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { it } from 'node:test';
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  ECANCELED,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  ENFILE,
  ENOBUFS,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPIPE,
} from '../../../src/abi/errno.ts';
import { IORING_NOTIF_USAGE_ZC_COPIED, IOSQE_FIXED_FILE, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  SCM_RIGHTS,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../src/abi/socket-flags.ts';
import {
  allocateAligned,
  Msghdr,
  rights,
  rightsOf,
  SocketAddressBuffer,
  type IoUring,
  type SocketAddress,
  type SocketAddressLike,
} from '../../../src/index.ts';
import { Descriptors } from '../libc.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const run = (ring: IoUring): number => complete(ring).res;

/** What was just prepared must succeed. */
function done(ring: IoUring): number {
  const res = run(ring);
  assert.ok(res >= 0, `failed with ${res}`);
  return res;
}

function socket(ring: IoUring, files: Descriptors, domain = AF_INET, type = SOCK_STREAM): number {
  ring.prepSocket(domain, type | SOCK_CLOEXEC, 0, 1);
  return files.own(done(ring));
}

/** A socket that listens at `address`, and where that is. */
function listener(ring: IoUring, files: Descriptors, domain: number, address: SocketAddressLike): [number, SocketAddress] {
  const fd = socket(ring, files, domain);
  ring.prepBind(fd, address, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepListen(fd, 16, 2);
  assert.deepEqual(results(ring, 2), new Map([[1, 0], [2, 0]]));
  return [fd, files.address(fd)];
}

/** Two ends of a TCP connection over the loopback. */
function tcp(ring: IoUring, files: Descriptors): [client: number, server: number] {
  const { fd, port } = files.listener();
  const client = files.connect(port);
  ring.prepAccept(fd, 1);
  return [client, files.own(done(ring))];
}

it('IORING_OP_SOCKET, IORING_OP_BIND, IORING_OP_LISTEN, IORING_OP_CONNECT, IORING_OP_ACCEPT: each family', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const abstract = `\0iouring-test-${process.pid}`;
  const addresses: [number, SocketAddressLike, RegExp][] = [
    [AF_INET, { address: '127.0.0.1', port: 0 }, /"127\.0\.0\.1"/],
    [AF_INET6, { address: '::1', port: 0, family: 'IPv6' }, /"::1"/],
    [AF_UNIX, { path: `${folder.path}/socket` }, /\/socket"/],
    [AF_UNIX, { path: abstract }, /iouring-test/],
  ];
  for (const [domain, address, expected] of addresses) {
    const [fd, bound] = listener(ring, files, domain, address);
    assert.match(JSON.stringify(bound), expected);
    const client = socket(ring, files, domain);
    ring.prepConnect(client, bound, 1);
    assert.equal(run(ring), 0);
    const peer = new SocketAddressBuffer();
    assert.equal(peer.address, undefined);
    ring.prepAccept(fd, 1, { address: peer });
    const server = files.own(done(ring));
    if (domain === AF_UNIX) assert.deepEqual(peer.address, { family: 'unix', path: '' });
    else assert.deepEqual(peer.address, files.address(client));
    writeSync(client, 'hello');
    const received = Buffer.alloc(8);
    assert.equal(received.toString('utf8', 0, readSync(server, received)), 'hello');
  }
});

it('IORING_OP_SOCKET: into slots; what the kernel refuses, and misuse', () => {
  using ring = openRing(8);
  ring.registerFilesSparse(2);
  ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: 1 });
  assert.equal(run(ring), 0);
  ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: 'alloc' });
  assert.equal(run(ring), 0);
  ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: 'alloc' });
  assert.equal(run(ring), -ENFILE);
  ring.prepSocket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 1, { direct: 0 });
  assert.equal(run(ring), -EINVAL);
  ring.prepSocket(12345, SOCK_STREAM, 0, 1);
  assert.equal(run(ring), -EAFNOSUPPORT);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepSocket(any('inet'), SOCK_STREAM, 0, 1),
    () => ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: any(true) }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepSocket(-1, SOCK_STREAM, 0, 1),
    () => ring.prepSocket(AF_INET, SOCK_STREAM, -1, 1),
  ]);
});

it('IORING_OP_BIND, IORING_OP_LISTEN, IORING_OP_CONNECT: a chain on a slot; addresses in use, nobody there, no socket', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  ring.registerFilesSparse(1);
  ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: 0 });
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepBind(0, { address: '127.0.0.1', port: 0 }, 2);
  ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_IO_LINK);
  ring.prepListen(0, 1, 3);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.deepEqual(results(ring, 3), new Map([[1, 0], [2, 0], [3, 0]]));
  const [, bound] = listener(ring, files, AF_INET, { address: '127.0.0.1', port: 0 });
  const other = socket(ring, files);
  ring.prepBind(other, bound, 1);
  assert.equal(run(ring), -EADDRINUSE);
  const closed = files.address(other);
  ring.prepBind(other, { address: '127.0.0.1', port: 0 }, 1);
  done(ring);
  const unheard = files.address(other);
  assert.notDeepEqual(unheard, closed);
  const client = socket(ring, files);
  ring.prepConnect(client, unheard, 1);
  assert.equal(run(ring), -ECONNREFUSED);
  const file = files.own(openSync(folder.file('a'), 'r'));
  for (const prepare of [
    () => ring.prepBind(file, { path: '/x' }, 1),
    () => ring.prepListen(file, 1, 1),
    () => ring.prepConnect(file, { path: '/x' }, 1),
    () => ring.prepShutdown(file, SHUT_WR, 1),
    () => ring.prepAccept(file, 1),
  ]) {
    prepare();
    assert.equal(run(ring), -ENOTSOCK);
  }
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepConnect(client, any('127.0.0.1:80'), 1),
    () => ring.prepConnect(client, any(null), 1),
    () => ring.prepBind(client, { address: '127.0.0.1', port: any('80') }, 1),
    () => ring.prepListen(client, any('1'), 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepConnect(client, { address: '127.0.0.1', port: 65536 }, 1),
    () => ring.prepConnect(client, { path: 'x'.repeat(108) }, 1),
    () => ring.prepListen(client, -1, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepConnect(client, { address: 'localhost', port: 1 }, 1)]);
});

it('IORING_OP_ACCEPT: without waiting; waiting first; flags; into slots; many', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const { fd, port } = files.listener();
  ring.prepAccept(fd, 1, { dontwait: true });
  assert.equal(run(ring), -EAGAIN);
  ring.prepAccept(fd, 1, { pollFirst: true, flags: 0 });
  ring.submit();
  files.connect(port);
  const plain = files.own(done(ring));
  files.connect(port);
  ring.prepAccept(fd, 1);
  const usual = files.own(done(ring));
  const flagsOf = (which: number): number => Number.parseInt(/flags:\s*(\d+)/.exec(fdinfo(which))![1], 8);
  const CLOEXEC = 0o2000000;
  assert.equal(flagsOf(plain) & (constants.O_NONBLOCK | CLOEXEC), 0);
  assert.equal(flagsOf(usual) & (constants.O_NONBLOCK | CLOEXEC), constants.O_NONBLOCK | CLOEXEC);
  ring.registerFilesSparse(3);
  const before = readdirSync('/proc/self/fd').length;
  const first = files.connect(port);
  ring.prepAccept(fd, 1, { direct: 2 });
  assert.equal(run(ring), 0);
  writeSync(first, 'data');
  const received = Buffer.alloc(4);
  ring.prepRecv(2, received, 4, 1);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(run(ring), 4);
  ring.prepAcceptMultishot(fd, 7, { direct: 'alloc' });
  ring.submit();
  for (const slot of [0, 1]) {
    files.connect(port);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res, c.hasMore()], [7, slot, true]);
  }
  files.connect(port);
  const last = complete(ring);
  assert.deepEqual([last.userData, last.res, last.hasMore()], [7, -ENFILE, false]);
  assert.equal(readdirSync('/proc/self/fd').length, before + 4, 'our own ends only');
  ring.prepAcceptMultishot(fd, 7, { direct: any(1) });
  assert.equal(run(ring), -EINVAL);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepAccept(fd, 1, { address: any({}) }), () => ring.prepAccept(any('1'), 1)]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepAccept(fd, 1, { flags: -1 })]);
});

const fdinfo = (fd: number): string => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');

it('IORING_OP_SHUTDOWN: the other side sees the end; not connected is ENOTCONN', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  ring.prepShutdown(a, SHUT_WR, 1);
  assert.equal(run(ring), 0);
  ring.prepRecv(b, new Uint8Array(4), 4, 1);
  assert.equal(run(ring), 0);
  writeSync(b, 'still');
  ring.prepRecv(a, new Uint8Array(8), 8, 1);
  assert.equal(run(ring), 5);
  ring.prepShutdown(socket(ring, files), SHUT_RDWR, 1);
  assert.equal(run(ring), -ENOTCONN);
  ring.prepShutdown(a, 9, 1);
  assert.equal(run(ring), -EINVAL);
});

it('IORING_OP_SEND, IORING_OP_RECV: flags and waiting: all of it, none of it, only a look', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffer = Buffer.alloc(16);
  ring.prepRecv(b, buffer, 16, 1, MSG_DONTWAIT);
  assert.equal(run(ring), -EAGAIN);
  ring.prepRecv(b, buffer, 8, 1, MSG_WAITALL);
  ring.submit();
  ring.prepSend(a, Buffer.from('1234'), 4, 2);
  assert.deepEqual([complete(ring).userData], [2]);
  ring.prepSend(a, Buffer.from('5678'), 4, 2, 0, { pollFirst: true });
  assert.deepEqual(results(ring, 2), new Map([[1, 8], [2, 4]]));
  assert.equal(buffer.toString('utf8', 0, 8), '12345678');
  writeSync(a, 'look');
  ring.prepRecv(b, buffer, 16, 1, MSG_PEEK);
  assert.equal(run(ring), 4);
  ring.prepRecv(b, buffer, 16, 1, 0, { pollFirst: true });
  assert.equal(run(ring), 4);
  files.close(b);
  ring.prepSend(a, Buffer.from('x'), 1, 1);
  assert.equal(run(ring), -EPIPE, 'and no signal');
  ring.prepRecv(a, buffer, 1, 1);
  assert.equal(run(ring), 0);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepSend(a, buffer, 17, 1),
    () => ring.prepRecv(a, buffer, 1, 1, 2 ** 32),
    () => ring.prepRecv(a, null, -1, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepRecv(a, any('x'), 1, 1), () => ring.prepSend(a, any(undefined), 1, 1)]);
});

it('IORING_OP_RECV: a connection that the other side aborts is ECONNRESET', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  writeSync(client, 'unread');
  ring.prepRecv(client, new Uint8Array(4), 4, 1);
  ring.submit();
  // Closed with data unread, TCP sends a reset.
  files.close(server);
  assert.equal(run(ring), -ECONNRESET);
});

it('IORING_OP_SEND: to an address, on a socket that is not connected', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [one, two] = [socket(ring, files, AF_INET, SOCK_DGRAM), socket(ring, files, AF_INET, SOCK_DGRAM)];
  for (const fd of [one, two]) {
    ring.prepBind(fd, { address: '127.0.0.1', port: 0 }, 1);
    done(ring);
  }
  const to = files.address(two) as SocketAddressLike;
  const buffer = Buffer.alloc(16);
  const receive = (): string => {
    ring.prepRecv(two, buffer, 16, 1);
    return buffer.toString('utf8', 0, done(ring));
  };
  ring.prepSendto(one, Buffer.from('first'), 5, to, 1);
  assert.equal(run(ring), 5);
  assert.equal(receive(), 'first');
  ring.prepSend(one, Buffer.from('second'), 6, 1, 0, { to });
  assert.equal(run(ring), 6);
  assert.equal(receive(), 'second');
  ring.prepSendv(one, [Buffer.from('th'), Buffer.from('ird')], 1, 0, { to });
  assert.equal(run(ring), 5);
  assert.equal(receive(), 'third');
  ring.prepSendZc(one, Buffer.from('fourth'), 6, 1, 0, { to });
  assert.deepEqual(completions(ring, 2).map((c) => [c.res, c.isNotification()]), [[6, false], [0, true]]);
  assert.equal(receive(), 'fourth');
  ring.prepSend(one, Buffer.from('x'), 1, 1);
  assert.ok(run(ring) < 0, 'without an address');
});

it('IORING_OP_SEND: several buffers at once, more than the socket takes in one go', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  const pieces = [Buffer.alloc(500_000, 'a'), Buffer.alloc(0), Buffer.alloc(700_001, 'b')];
  ring.prepSendv(client, pieces, 1, MSG_WAITALL);
  const received = Buffer.alloc(1_200_001);
  ring.prepRecv(server, received, received.length, 2, MSG_WAITALL);
  assert.deepEqual(results(ring, 2), new Map([[1, 1_200_001], [2, 1_200_001]]));
  assert.ok(received.equals(Buffer.concat(pieces)));
  ring.prepSendv(client, [Buffer.from('zero '), Buffer.from('copy')], 3, 0, { zeroCopy: true, reportUsage: true });
  const [sent, notification] = completions(ring, 2);
  assert.deepEqual([sent.res, sent.hasMore(), notification.isNotification()], [9, true, true]);
});

it('IORING_OP_SEND: a bundle of provided buffers, in order, and the buffers come back', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  using buffers = ring.registerBufRing(8, 16, 4, { filled: false });
  assert.equal(buffers.available(), 0);
  ring.prepSendBundle(client, 4, 1);
  assert.equal(run(ring), -ENOBUFS);
  let sent = '';
  for (let round = 0; round < 5; round++) {
    for (let bid = 0; bid < 8; bid++) {
      const piece = `${round}:${bid};`.slice(0, 1 + ((bid + round) % 4));
      buffers.bytes(bid, 16).set(Buffer.from(piece));
      buffers.add(bid, piece.length);
      sent += piece;
    }
    assert.throws(() => buffers.add(0, 1), { code: 'ERR_INVALID_STATE' }, 'the kernel has it');
    ring.prepSendBundle(client, 4, 1);
    let bytes = 0;
    do {
      ring.submitAndWait(1, { timeoutMs: 5000 });
      for (const c of reap(ring)) {
        assert.ok(c.res > 0);
        bytes += c.res;
      }
    } while (buffers.available() > 0);
    const received = Buffer.alloc(bytes);
    assert.equal(readSync(server, received), bytes);
    assert.equal(received.toString(), sent.slice(-bytes));
  }
  refused(ring, 'ERR_OUT_OF_RANGE', [() => buffers.add(0, 17), () => buffers.add(0, 0), () => buffers.add(8, 1)]);
});

it('IORING_OP_SEND_ZC: the buffer is free with the notification; registered; where it cannot be', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  const buffer = allocateAligned(65536).fill(7);
  ring.registerBuffers([buffer]);
  for (const options of [{}, { reportUsage: true }, { fixed: 0 }, { fixed: 0, reportUsage: true, pollFirst: true }]) {
    ring.prepSendZc(client, buffer, 50_000, 5, 0, options);
    const received = new Uint8Array(50_000);
    ring.prepRecv(server, received, 50_000, 6, MSG_WAITALL);
    const found = completions(ring, 3);
    const [sent, notification] = found.filter((c) => c.userData === 5);
    assert.deepEqual([sent.res, sent.hasMore(), sent.isNotification()], [50_000, true, false]);
    assert.deepEqual([notification.hasMore(), notification.isNotification()], [false, true]);
    const usage = 'reportUsage' in options ? [0, IORING_NOTIF_USAGE_ZC_COPIED | 0] : [0];
    assert.ok(usage.includes(notification.res), `usage ${notification.res}`);
    assert.ok(received.every((byte) => byte === 7));
  }
  const [local] = files.socketPair();
  ring.prepSendZc(local, buffer, 4, 5);
  const found = completions(ring, 2);
  assert.deepEqual(found.map((c) => [c.res, c.hasMore()]), [[-EOPNOTSUPP, true], [0, false]], 'an error, and a notification');
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepSendZc(client, any(null), 4, 5)]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepSendZc(client, buffer, 4, 5, 0, { fixed: 65536 })]);
});

it('IORING_OP_SENDMSG, IORING_OP_RECVMSG: pieces, the sender’s address, what was cut off', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [one, two] = [socket(ring, files, AF_INET6, SOCK_DGRAM), socket(ring, files, AF_INET6, SOCK_DGRAM)];
  for (const fd of [one, two]) {
    ring.prepBind(fd, { address: '::1', port: 0 }, 1);
    done(ring);
  }
  const name = files.address(two) as SocketAddressLike;
  ring.prepSendmsg(one, { iov: [Buffer.from('ab'), Buffer.from(''), Buffer.from('cdef')], name }, 1);
  assert.equal(run(ring), 6);
  const into = [Buffer.alloc(4), Buffer.alloc(4)];
  const msg = new Msghdr({ iov: into, name: 128 });
  ring.prepRecvmsg(two, msg, 1);
  assert.equal(run(ring), 6);
  assert.equal(Buffer.concat(into).toString(), 'abcdef\0\0');
  assert.deepEqual(msg.name, files.address(one));
  assert.equal(msg.flags & MSG_TRUNC, 0);
  ring.prepSendmsg(one, new Msghdr({ iov: [Buffer.alloc(20)], name }), 1, 0, { pollFirst: true });
  assert.equal(run(ring), 20);
  ring.prepRecvmsg(two, msg, 1, 0, { pollFirst: true });
  assert.equal(run(ring), 8, 'the msghdr is used again');
  assert.equal(msg.flags & MSG_TRUNC, MSG_TRUNC);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepRecvmsg(two, any({ iov: [] }), 1),
    () => ring.prepRecvmsg(two, any(null), 1),
    () => ring.prepSendmsg(two, any(1), 1),
    () => ring.prepSendmsg(two, { iov: any([1]) }, 1),
  ]);
});

it('IORING_OP_SENDMSG, IORING_OP_RECVMSG: descriptors go from one process’s table to another’s', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const fd = files.own(openSync(folder.file('a', 'data'), 'r'));
  ring.prepSendmsg(a, { iov: [Buffer.from('x')], control: [rights([fd, fd])] }, 1);
  assert.equal(run(ring), 1);
  const msg = new Msghdr({ iov: [new Uint8Array(4)], control: 64 });
  ring.prepRecvmsg(b, msg, 1);
  assert.equal(run(ring), 1);
  const [message] = msg.control;
  assert.deepEqual([message.level, message.type], [SOL_SOCKET, SCM_RIGHTS]);
  const received = rightsOf(message)!.map((each) => files.own(each));
  assert.equal(received.length, 2);
  for (const each of received) assert.equal(fstatSync(each).ino, fstatSync(fd).ino);
  ring.prepSendmsg(a, { iov: [Buffer.from('x')], control: [rights([fd])] }, 1);
  done(ring);
  const small = new Msghdr({ iov: [new Uint8Array(4)], control: 4 });
  ring.prepRecvmsg(b, small, 1);
  assert.equal(run(ring), 1);
  assert.equal(small.flags & MSG_CTRUNC, MSG_CTRUNC);
  assert.deepEqual(small.control, []);
});

it('IORING_OP_SENDMSG_ZC: several buffers without copying, registered ones too', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  const buffer = allocateAligned(65536).fill(5);
  ring.registerBuffers([buffer]);
  for (const options of [{}, { fixed: 0 }]) {
    const iov = [buffer.subarray(0, 10_000), buffer.subarray(20_000, 30_001)];
    ring.prepSendmsgZc(client, { iov }, 5, 0, options);
    const received = new Uint8Array(20_001);
    ring.prepRecv(server, received, 20_001, 6, MSG_WAITALL);
    const [sent, notification] = completions(ring, 3).filter((c) => c.userData === 5);
    assert.deepEqual([sent.res, sent.hasMore(), notification.isNotification()], [20_001, true, true]);
    assert.ok(received.every((byte) => byte === 5));
  }
});

it('IORING_OP_RECV: into a provided buffer; its length is a limit; an empty group is ENOBUFS', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(2, 16, 4);
  writeSync(a, 'abcdefgh');
  for (const [len, expected] of [[3, 'abc'], [0, 'defgh']] as const) {
    ring.prepRecv(b, null, len, 1);
    ring.sqeSetBufGroup(4);
    const c = complete(ring);
    assert.equal(Buffer.concat(buffers.bytes(c)).toString(), expected);
  }
  ring.prepRecv(b, null, 0, 1);
  ring.sqeSetBufGroup(4);
  writeSync(a, 'x');
  assert.equal(run(ring), -ENOBUFS);
});

it('IORING_OP_RECV: bundles span buffers, in the order of the ring, however often it goes round', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(8, 16, 4);
  ring.prepRecvMultishot(b, 4, 1, { bundle: true });
  ring.submit();
  let next = 0;
  for (let round = 0; round < 3000; round++) {
    const length = 1 + ((round * 37) % 90);
    const sent = Buffer.from(Array.from({ length }, () => next++ & 0xff));
    writeSync(a, sent);
    const received: Buffer[] = [];
    for (let left = length; left > 0; ) {
      ring.submitAndWait(1, { timeoutMs: 5000 });
      ring.forEachCompletion((c) => {
        assert.ok(c.res > 0, `${c.res}`);
        // A bundle that takes the last buffer there is ends the receive.
        if (!c.hasMore()) assert.ok(ring.prepRecvMultishot(b, 4, 1, { bundle: true }));
        const views = buffers.bytes(c);
        assert.equal(views.reduce((sum, view) => sum + view.length, 0), c.res);
        received.push(...views.map((view) => Buffer.from(view)));
        left -= c.res;
        buffers.recycle(c);
        assert.throws(() => buffers.recycle(c), { code: 'ERR_INVALID_STATE' }, 'once only');
      });
    }
    assert.ok(Buffer.concat(received).equals(sent), `round ${round}`);
    assert.equal(buffers.available(), 8);
  }
});

it('IORING_OP_RECV: incremental buffers are filled bit by bit, and recycled when they are full', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  for (const bundle of [false, true]) {
    using buffers = ring.registerBufRing(4, 64, bundle ? 5 : 4, { incremental: true });
    ring.prepRecvMultishot(b, buffers.group, 1, { bundle });
    ring.submit();
    let next = 0;
    for (let round = 0; round < 1000; round++) {
      const length = 1 + ((round * 29) % 100);
      const sent = Buffer.from(Array.from({ length }, () => next++ & 0xff));
      writeSync(a, sent);
      const received: Buffer[] = [];
      for (let left = length; left > 0; ) {
        ring.submitAndWait(1, { timeoutMs: 5000 });
        ring.forEachCompletion((c) => {
          assert.ok(c.res > 0, `${c.res}`);
          received.push(...buffers.bytes(c).map((view) => Buffer.from(view)));
          left -= c.res;
          buffers.recycle(c);
          // A bundle that takes the last buffer there is ends the receive, without a word of ENOBUFS.
          if (!c.hasMore()) assert.ok(bundle && ring.prepRecvMultishot(b, buffers.group, 1, { bundle }));
        });
      }
      assert.ok(Buffer.concat(received).equals(sent), `bundle ${bundle}, round ${round}`);
    }
    ring.prepCancel(1, 2);
    assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, 0]]));
  }
});

it('IORING_OP_RECV: buffer rings in kernel memory, tails that are given up', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  {
    using buffers = ring.registerBufRing(2, 16, 4, { kernelMemory: true });
    for (let i = 0; i < 200; i++) {
      writeSync(a, `${i}`);
      ring.prepRecv(b, null, 0, 1);
      ring.sqeSetBufGroup(4);
      const c = complete(ring);
      assert.equal(Buffer.concat(buffers.bytes(c)).toString(), `${i}`);
      buffers.recycle(c);
    }
  }
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.registerBufRing(2, 16, 2048, { kernelMemory: true })]);
  ring.prepRecvMultishot(b, ring.registerBufRing(2, 32, 6, { incremental: true, minLeft: 16 }).group, 1);
  ring.submit();
  writeSync(a, 'x'.repeat(20));
  const c = complete(ring);
  assert.equal(c.bufferMore(), false, 'fewer than 16 bytes are left: it is done with');
});

it('IORING_OP_RECV: many rounds of a small ring: its 16-bit tail wraps', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(2, 4, 4);
  ring.prepRecvMultishot(b, 4, 1);
  ring.submit();
  const one = Buffer.from('x');
  for (let i = 0; i < 66_000; i++) {
    writeSync(a, one);
    ring.submitAndWait(1);
    ring.forEachCompletion((c) => {
      if (c.res !== 1 || !c.hasMore()) assert.fail(`${i}: ${c.res}`);
      buffers.recycle(c.bufferId()!);
    });
  }
  assert.equal(buffers.available(), 2);
});

it('IORING_OP_RECV: multishot with limits: of each completion, and of all together', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(8, 16, 4);
  writeSync(a, 'x'.repeat(30));
  ring.prepRecvMultishot(b, 4, 1, { len: 5 });
  assert.deepEqual(completions(ring, 6).map((c) => c.res), [5, 5, 5, 5, 5, 5]);
  ring.prepCancel(1, 2);
  completions(ring, 2);
  for (let bid = 0; bid < 6; bid++) buffers.recycle(bid);
  writeSync(a, 'x'.repeat(30));
  ring.prepRecvMultishot(b, 4, 1, { len: 8, limit: 20 });
  const found = completions(ring, 3);
  assert.equal(found.reduce((sum, c) => sum + c.res, 0) >= 20, true);
  assert.deepEqual(found.map((c) => c.hasMore()), [true, true, false]);
  ring.prepRecvMultishot(b, 4, 1, { flags: MSG_WAITALL });
  assert.equal(run(ring), -EINVAL);
});

it('IORING_OP_RECVMSG: multishot: header, address and data of each message in a provided buffer', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [one, two] = [socket(ring, files, AF_INET, SOCK_DGRAM), socket(ring, files, AF_INET, SOCK_DGRAM)];
  for (const fd of [one, two]) {
    ring.prepBind(fd, { address: '127.0.0.1', port: 0 }, 1);
    done(ring);
  }
  const to = files.address(two) as SocketAddressLike;
  using buffers = ring.registerBufRing(8, 128, 4);
  const msg = new Msghdr({ name: 28 });
  ring.prepRecvmsgMultishot(two, 4, msg, 9, MSG_TRUNC);
  ring.submit();
  for (const piece of ['one', '', 'three', 'x'.repeat(200)]) {
    ring.prepSendto(one, Buffer.from(piece), piece.length, to, 1);
    const c = completions(ring, 2).find((each) => each.userData === 9)!;
    // An empty datagram looks like the end of a stream to the kernel.
    assert.equal(c.hasMore(), piece !== '');
    if (!c.hasMore()) ring.prepRecvmsgMultishot(two, 4, msg, 9, MSG_TRUNC);
    const out = msg.parse(buffers.bytes(c.bufferId()!, c.res))!;
    assert.deepEqual(out.name, files.address(one));
    assert.equal(out.payloadLength, piece.length);
    assert.equal(Buffer.from(out.payload).toString(), piece.slice(0, 84));
    assert.equal(out.truncated, piece.length > 84);
    buffers.recycle(c);
  }
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepRecvmsgMultishot(two, 5, msg, 9)]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepRecvmsgMultishot(two, 4, any({}), 9)]);
});

it('IORING_OP_RECV_ZC: is refused without a network card’s queue', () => {
  using files = new Descriptors();
  using ring = openRing(8, { cqe32: true });
  const [client] = tcp(ring, files);
  ring.prepRecvZc(client, 0, 1);
  assert.ok(run(ring) < 0);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepRecvZc(client, -1, 1)]);
  assert.ok(isQuiet(ring));
});
