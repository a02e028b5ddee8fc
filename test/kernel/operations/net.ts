// The operations on sockets: what arrives at the other end, and what the kernel says of it.
import assert from 'node:assert/strict';
import { constants, fstatSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { SOCKET_URING_OP_SETSOCKOPT } from '../../../src/abi/commands.ts';
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  ECANCELED,
  ECONNREFUSED,
  ECONNRESET,
  EDESTADDRREQ,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENFILE,
  ENOBUFS,
  ENOENT,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPIPE,
  EPROTOTYPE,
} from '../../../src/abi/errno.ts';
import {
  IORING_NOTIF_USAGE_ZC_COPIED,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IP,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_EOR,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  SCM_RIGHTS,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../src/abi/socket-flags.ts';
import {
  allocateAligned,
  Msghdr,
  rights,
  rightsOf,
  SocketAddressBuffer,
  type BufRingOptions,
  type ControlMessage,
  type IoUring,
  type SocketAddress,
  type SocketAddressLike,
} from '../../../src/index.ts';
import { it, without, withoutIPv6 } from '../../asking.ts';
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
function listener(
  ring: IoUring,
  files: Descriptors,
  domain: number,
  address: SocketAddressLike,
): [number, SocketAddress] {
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
  for (
    const prepare of [
      () => ring.prepBind(file, { path: '/x' }, 1),
      () => ring.prepListen(file, 1, 1),
      () => ring.prepConnect(file, { path: '/x' }, 1),
      () => ring.prepShutdown(file, SHUT_WR, 1),
      () => ring.prepAccept(file, 1),
    ]
  ) {
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

it('IORING_OP_ACCEPT: without waiting; waiting first; flags; into slots; many', {
  skip: without('6.10', 'IORING_ACCEPT_DONTWAIT'),
}, () => {
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
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepAccept(fd, 1, { address: any({}) }), () =>
    ring.prepAccept(any('1'), 1)]);
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

it('IORING_OP_SEND, IORING_OP_RECV: wait for all of it, or until it can be', {
  skip: without('5.19', 'MSG_WAITALL, IORING_RECVSEND_POLL_FIRST'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffer = Buffer.alloc(16);
  ring.prepRecv(b, buffer, 8, 1, MSG_WAITALL);
  ring.submit();
  ring.prepSend(a, Buffer.from('1234'), 4, 2);
  assert.deepEqual([complete(ring).userData], [2]);
  ring.prepSend(a, Buffer.from('5678'), 4, 2, 0, { pollFirst: true });
  assert.deepEqual(results(ring, 2), new Map([[1, 8], [2, 4]]));
  assert.equal(buffer.toString('utf8', 0, 8), '12345678');
  writeSync(a, 'more');
  ring.prepRecv(b, buffer, 16, 1, 0, { pollFirst: true });
  assert.equal(run(ring), 4);
});

it('IORING_OP_SEND, IORING_OP_RECV: nothing is waited for; only a look; a peer that is gone; misuse', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffer = Buffer.alloc(16);
  ring.prepRecv(b, buffer, 16, 1, MSG_DONTWAIT);
  assert.equal(run(ring), -EAGAIN);
  ring.prepSend(a, Buffer.from('look'), 4, 1);
  assert.equal(run(ring), 4);
  for (const flags of [MSG_PEEK, 0]) {
    ring.prepRecv(b, buffer, 16, 1, flags);
    assert.equal(run(ring), 4);
    assert.equal(buffer.toString('utf8', 0, 4), 'look');
    buffer.fill(0);
  }
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
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepRecv(a, any('x'), 1, 1), () =>
    ring.prepSend(a, any(undefined), 1, 1)]);
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
  assert.deepEqual(
    found.map((c) => [c.res, c.hasMore()]),
    [[-EOPNOTSUPP, true], [0, false]],
    'an error, and a notification',
  );
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepSendZc(client, any(null), 4, 5)]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepSendZc(client, buffer, 4, 5, 0, { fixed: 65536 })]);
});

it(
  'IORING_OP_SENDMSG, IORING_OP_RECVMSG: pieces, the sender’s address, what was cut off',
  { skip: withoutIPv6 },
  () => {
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
  },
);

it('IORING_OP_SENDMSG, IORING_OP_RECVMSG: descriptors go from one process’s table to another’s', {
  skip: without('5.12', 'control messages'),
}, () => {
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
  const hasFixed = without('6.15', 'IORING_RECVSEND_FIXED_BUF') === false;
  for (const options of hasFixed ? [{}, { fixed: 0 }] : [{}]) {
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

it('IORING_OP_RECV: bundles span buffers, in the order of the ring, however often it goes round', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
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
    for (let left = length; left > 0;) {
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
      for (let left = length; left > 0;) {
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

it('IORING_OP_RECV: multishot with limits: of each completion, and of all together', {
  skip: without('6.17', 'limits of a multishot receive'),
}, () => {
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

/** A socket for datagrams, bound, and where. */
function datagrams(
  ring: IoUring,
  files: Descriptors,
  address: SocketAddressLike,
  domain = AF_INET,
): [number, SocketAddressLike] {
  const fd = socket(ring, files, domain, SOCK_DGRAM);
  ring.prepBind(fd, address, 1);
  assert.equal(run(ring), 0);
  return [fd, files.address(fd)];
}

const LOOPBACK = { address: '127.0.0.1', port: 0 };

it('IORING_OP_CONNECT: to a server of node:net, by what its address() says', async () => {
  using files = new Descriptors();
  using folder = new Temporary();
  using ring = openRing(8);
  for (const where of [{ host: '127.0.0.1', port: 0 }, { host: '::1', port: 0 }, { path: `${folder.path}/socket` }]) {
    if ('host' in where && where.host === '::1' && withoutIPv6 !== false) continue;
    const server = createServer((peer) => peer.end('hello'));
    try {
      server.listen(where);
      await once(server, 'listening');
      const address = server.address()!;
      const to = typeof address === 'string' ? { path: address } : address;
      const domain = 'path' in where ? AF_UNIX : where.host === '::1' ? AF_INET6 : AF_INET;
      const client = files.socket(domain);
      ring.prepConnect(client, to, 1);
      assert.equal(run(ring), 0);
      await once(server, 'connection');
      const received = Buffer.alloc(8);
      ring.prepRecv(client, received, 8, 1, MSG_WAITALL);
      ring.submit();
      // Node sends when its loop runs.
      while (ring.cqReady === 0) {
        await new Promise(setImmediate);
        ring.submitAndWait(0);
      }
      assert.equal(received.toString('utf8', 0, run(ring)), 'hello');
    } finally {
      server.close();
    }
  }
});

it('IORING_OP_CONNECT, IORING_OP_BIND: addresses are copied; unix names of any bytes; raw ones; misfits', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xff, 0xfe])]);
  const [at] = listener(ring, files, AF_UNIX, { path });
  assert.ok(readdirSync(folder.path, 'buffer')[0].equals(Buffer.from([0xff, 0xfe])));
  const connect = (fd: number, address: SocketAddressLike): number => {
    ring.prepConnect(fd, address, 1);
    return run(ring);
  };
  const client = socket(ring, files, AF_UNIX);
  const raw = Buffer.concat([Buffer.from([AF_UNIX, 0]), path, Buffer.from([0])]);
  ring.prepConnect(client, raw, 1);
  raw.fill(0);
  assert.equal(run(ring), 0);
  assert.equal(connect(client, { path }), -EISCONN);
  ring.prepAccept(at, 1);
  files.own(done(ring));
  assert.equal(connect(socket(ring, files, AF_UNIX), { path: `${folder.path}/none` }), -ENOENT);
  assert.equal(connect(socket(ring, files, AF_UNIX), { path: `\0iouring-none-${process.pid}` }), -ECONNREFUSED);
  assert.equal(connect(socket(ring, files, AF_UNIX), { address: '127.0.0.1', port: 1 }), -EINVAL);
  assert.equal(connect(socket(ring, files, AF_INET), { path }), -EAFNOSUPPORT);
  assert.equal(connect(socket(ring, files, AF_UNIX, SOCK_DGRAM), { path }), -EPROTOTYPE);
  // An empty name has the kernel choose an abstract one.
  const [, chosen] = datagrams(ring, files, { path: '' }, AF_UNIX);
  assert.match(JSON.stringify(chosen), /"\\u0000[0-9a-f]{5}"/);
});

it('IORING_OP_LISTEN, IORING_OP_ACCEPT: not for datagrams, not before it listens', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [udp] = datagrams(ring, files, LOOPBACK);
  const [seen, tcpSocket] = [new SocketAddressBuffer(), socket(ring, files)];
  for (
    const [prepare, errno] of [
      [() => ring.prepListen(udp, 1, 1), EOPNOTSUPP],
      [() => ring.prepAccept(udp, 1), EOPNOTSUPP],
      [() => ring.prepAcceptMultishot(udp, 1), EOPNOTSUPP],
      [() => ring.prepAccept(tcpSocket, 1, { address: seen }), EINVAL],
      [() => ring.prepAcceptMultishot(tcpSocket, 1), EINVAL],
      [() => ring.prepRecv(tcpSocket, new Uint8Array(1), 1, 1), ENOTCONN],
      [() => ring.prepSend(tcpSocket, new Uint8Array(1), 1, 1), EPIPE],
      [() => ring.prepSend(udp, new Uint8Array(1), 1, 1), EDESTADDRREQ],
    ] as const
  ) {
    prepare();
    assert.equal(run(ring), -errno, String(prepare));
  }
  assert.equal(seen.address, undefined);
});

it('IORING_OP_ACCEPT: many, without waiting and waiting first; with the flags asked for', {
  skip: without('6.10', 'IORING_ACCEPT_DONTWAIT'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { fd, port } = files.listener();
  ring.prepAcceptMultishot(fd, 7, { dontwait: true });
  assert.equal(run(ring), -EAGAIN);
  files.connect(port);
  ring.prepAcceptMultishot(fd, 7, { pollFirst: true, flags: 0 });
  const first = complete(ring);
  assert.deepEqual([first.userData, first.hasMore()], [7, true]);
  files.connect(port);
  const second = complete(ring);
  for (const c of [first, second]) {
    files.own(c.res);
    assert.match(fdinfo(c.res), /flags:\s*0*2\n/, 'O_RDWR and nothing else');
  }
  ring.prepCancel(7, 8);
  assert.deepEqual(results(ring, 2), new Map([[7, -ECANCELED], [8, 0]]));
});

it('IORING_OP_ACCEPT: one place for addresses is filled anew each time, in slots too', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  ring.registerFilesSparse(1);
  const { fd, port } = files.listener();
  const peer = new SocketAddressBuffer();
  for (const direct of [undefined, 0, 'alloc'] as const) {
    if (direct === 'alloc') {
      ring.prepCloseDirect(0, 1);
      done(ring);
    }
    const client = files.connect(port);
    ring.prepAccept(fd, 1, direct === undefined ? { address: peer } : { address: peer, direct });
    const res = done(ring);
    if (direct === undefined) files.own(res);
    else assert.equal(res, 0);
    assert.deepEqual(peer.address, files.address(client));
    assert.equal(peer.truncated, false);
  }
});

it('IORING_OP_RECV: MSG_WAITALL ends short where the stream does; MSG_TRUNC tells a datagram’s length', {
  skip: without('5.19', 'MSG_WAITALL of a receive'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffer = Buffer.alloc(16);
  ring.prepRecv(b, buffer, 16, 1, MSG_WAITALL);
  ring.submit();
  writeSync(a, 'abc');
  assert.ok(isQuiet(ring));
  files.close(a);
  assert.equal(run(ring), 3);
  const [one] = datagrams(ring, files, LOOPBACK);
  const [two, to] = datagrams(ring, files, LOOPBACK);
  ring.prepSendto(one, Buffer.alloc(100, 'x'), 100, to, 1);
  done(ring);
  ring.prepRecv(two, buffer, 16, 1, MSG_PEEK | MSG_TRUNC);
  assert.equal(run(ring), 100);
  ring.prepRecv(two, buffer, 16, 1);
  assert.equal(run(ring), 16, 'the rest is lost');
  ring.prepRecv(two, buffer, 16, 1, MSG_DONTWAIT);
  assert.equal(run(ring), -EAGAIN);
  ring.prepSendto(one, new Uint8Array(0), 0, to, 1);
  assert.equal(run(ring), 0);
  ring.prepRecv(two, buffer, 16, 1);
  assert.equal(run(ring), 0, 'an empty datagram');
  ring.prepSendto(one, Buffer.alloc(70_000), 70_000, to, 1);
  assert.equal(run(ring), -EMSGSIZE);
});

it('IORING_OP_SEND: datagrams over unix and IPv6; nobody there; misuse of what is sent and where to', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const buffer = Buffer.alloc(16);
  const places: [number, SocketAddressLike][] = [
    [AF_UNIX, { path: `${folder.path}/socket` }],
    [AF_UNIX, { path: `\0iouring-datagrams-${process.pid}` }],
    [AF_INET6, { address: '::1', port: 0 }],
  ];
  for (const [domain, place] of places) {
    const [fd, to] = datagrams(ring, files, place, domain);
    const sender = socket(ring, files, domain, SOCK_DGRAM);
    ring.prepSendto(sender, Buffer.from('hello'), 5, to, 1);
    assert.equal(run(ring), 5);
    ring.prepRecv(fd, buffer, 16, 1);
    assert.equal(buffer.toString('utf8', 0, run(ring)), 'hello');
  }
  const [fd] = datagrams(ring, files, LOOPBACK);
  ring.prepSendto(socket(ring, files, AF_UNIX, SOCK_DGRAM), buffer, 1, { path: `${folder.path}/none` }, 1);
  assert.equal(run(ring), -ENOENT);
  ring.prepSendto(fd, buffer, 1, { address: '::1', port: 1 }, 1);
  assert.ok([-EAFNOSUPPORT, -EINVAL].includes(run(ring)));
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepSendto(fd, buffer, 1, any(null), 1),
    () => ring.prepSendto(fd, buffer, 1, any('::1'), 1),
    () => ring.prepSend(fd, buffer, 1, 1, 0, { to: any(1) }),
    () => ring.prepSendv(fd, any(buffer), 1),
    () => ring.prepSendv(fd, [any('x')], 1),
    () => ring.prepSendv(fd, [buffer], 1, any('0')),
    () => ring.prepSendBundle(fd, any('1'), 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepSendto(fd, buffer, 17, { address: '127.0.0.1', port: 1 }, 1),
    () => ring.prepSendto(fd, buffer, 1, new Uint8Array(1), 1),
    () => ring.prepSendto(fd, buffer, 1, new Uint8Array(129), 1),
    () => ring.prepSendv(fd, Array.from({ length: 1025 }, () => buffer), 1),
    () => ring.prepSendv(fd, [buffer], 1, 0, { fixed: -1 }),
    () => ring.prepSendBundle(fd, 65536, 1),
  ]);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepSendBundle(fd, 1, 1), () => ring.prepRecvMultishot(fd, 1, 1)]);
});

it('IORING_OP_SEND, IORING_OP_SEND_ZC: a list of 1024 pieces, of odd kinds, changed at once', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  const memory = allocateAligned(65536);
  for (let i = 0; i < memory.length; i++) memory[i] = i * 7 + (i >> 8);
  const list = Array.from({ length: 1024 }, (_, i) => memory.subarray(i * 60, i * 60 + (i % 61)));
  const view = new DataView(memory.buffer, memory.byteOffset + 1, 5);
  const kinds = [view, new Uint16Array([0x4241]), new SharedArrayBuffer(3)];
  for (
    const [pieces, options] of [
      [list, {}],
      [list, { zeroCopy: true }],
      [kinds, {}],
    ] as const
  ) {
    const parts = pieces.map((piece) =>
      ArrayBuffer.isView(piece) ? Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength) : Buffer.from(piece)
    );
    const expected = Buffer.concat(parts);
    const received = new Uint8Array(expected.length);
    const passed = [...pieces];
    ring.prepSendv(client, passed, 1, MSG_WAITALL, options);
    passed.length = 0;
    ring.prepRecv(server, received, received.length, 2, MSG_WAITALL);
    const found = completions(ring, 'zeroCopy' in options ? 3 : 2);
    assert.deepEqual(found.filter((c) => !c.isNotification()).map((c) => c.res), [expected.length, expected.length]);
    assert.ok(expected.equals(received));
  }
  ring.prepSendv(client, [], 1);
  assert.equal(run(ring), 0, 'nothing at all');
});

it('IORING_OP_SENDMSG, IORING_OP_RECVMSG: a message of 1024 pieces; again and again; a provided buffer', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const memory = Buffer.alloc(4096);
  for (let i = 0; i < memory.length; i++) memory[i] = i * 3 + (i >> 8);
  const pieces = (from: Buffer): Buffer[] => Array.from({ length: 1024 }, (_, i) => from.subarray(i * 4, i * 4 + 4));
  const into = Buffer.alloc(4096);
  const sent = new Msghdr({ iov: pieces(memory) });
  const control = without('5.12', 'control messages') ? 0 : 16;
  const received = new Msghdr({ iov: pieces(into).reverse(), name: 16, control });
  for (let i = 0; i < 3; i++) {
    into.fill(0);
    ring.prepSendmsg(a, sent, 1);
    ring.prepRecvmsg(b, received, 2, MSG_WAITALL);
    assert.deepEqual(results(ring, 2), new Map([[1, 4096], [2, 4096]]));
    assert.ok(Buffer.concat(pieces(into).reverse()).equals(memory));
    assert.deepEqual([received.name, received.control, received.flags], [undefined, [], 0], 'a pair has no names');
  }
  using buffers = ring.registerBufRing(2, 16, 4);
  ring.prepSendmsg(a, { iov: [Buffer.from('provided')] }, 1);
  assert.equal(run(ring), 8);
  ring.prepRecvmsg(b, new Msghdr(), 1);
  ring.sqeSetBufGroup(4);
  const c = complete(ring);
  assert.equal(Buffer.concat(buffers.bytes(c)).toString(), 'provided');
  buffers.recycle(c);
  const iov = Array.from({ length: 1025 }, () => memory);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepSendmsg(a, { iov }, 1)]);
});

/** Have each datagram come with the address it was sent to. */
function tellTargets(ring: IoUring, fd: number): void {
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, fd, IPPROTO_IP, IP_PKTINFO, new Int32Array([1]), 1);
  done(ring);
}

const IP_PKTINFO = 8;

it('IORING_OP_RECVMSG: control messages of datagrams, one by one and many; and where there is no room', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [one, from] = datagrams(ring, files, LOOPBACK);
  const [two, to] = datagrams(ring, files, LOOPBACK);
  tellTargets(ring, two);
  using buffers = ring.registerBufRing(4, 256, 4);
  const send = (piece: string): void => void ring.prepSendto(one, Buffer.from(piece), piece.length, to, 1);
  const check = ({ level, type, data }: ControlMessage): void => {
    assert.deepEqual([level, type, data.length], [IPPROTO_IP, IP_PKTINFO, 12]);
    // struct in_pktinfo: interface, local address, header's destination address.
    assert.deepEqual([...data.subarray(8)], [127, 0, 0, 1]);
  };
  send('single');
  const msg = new Msghdr({ iov: [new Uint8Array(16)], name: 16, control: 64 });
  ring.prepRecvmsg(two, msg, 2);
  assert.deepEqual(results(ring, 2), new Map([[1, 6], [2, 6]]));
  assert.deepEqual(msg.name, from);
  assert.equal(msg.control.length, 1);
  msg.control.forEach(check);
  const many = new Msghdr({ name: 16, control: 64 });
  ring.prepRecvmsgMultishot(two, 4, many, 9);
  for (const piece of ['a', 'bc', 'def']) {
    send(piece);
    const c = completions(ring, 2).find((each) => each.userData === 9)!;
    const out = many.parse(buffers.bytes(c)[0])!;
    assert.equal(Buffer.from(out.payload).toString(), piece);
    assert.deepEqual([out.truncated, out.controlTruncated], [false, false]);
    assert.deepEqual(out.name, from);
    assert.equal(out.control.length, 1);
    out.control.forEach(check);
    buffers.recycle(c);
  }
  ring.prepCancel(9, 10);
  assert.deepEqual(results(ring, 2), new Map([[9, -ECANCELED], [10, 0]]));
  const narrow = new Msghdr({ name: 4, control: 8 });
  ring.prepRecvmsgMultishot(two, 4, narrow, 9);
  send('narrow');
  const c = completions(ring, 2).find((each) => each.userData === 9)!;
  const out = narrow.parse(buffers.bytes(c)[0])!;
  assert.deepEqual([Buffer.from(out.payload).toString(), out.controlTruncated, out.control], ['narrow', true, []]);
  assert.equal(out.name?.family, 'unknown', 'cut short');
});

it('IORING_OP_RECVMSG: descriptors in many messages; MSG_CMSG_CLOEXEC keeps them from other programs', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const file = files.own(openSync(folder.file('a'), 'r'));
  using buffers = ring.registerBufRing(4, 128, 4);
  const msg = new Msghdr({ control: 32 });
  ring.prepRecvmsgMultishot(b, 4, msg, 9, MSG_CMSG_CLOEXEC);
  for (let i = 0; i < 6; i++) {
    ring.prepSendmsg(a, { iov: [Buffer.from(`${i}`)], control: [rights([file])] }, 1);
    const c = completions(ring, 2).find((each) => each.userData === 9)!;
    const out = msg.parse(buffers.bytes(c)[0])!;
    assert.equal(Buffer.from(out.payload).toString(), `${i}`);
    const [fd] = rightsOf(out.control[0])!;
    files.own(fd);
    assert.equal(fstatSync(fd).ino, fstatSync(file).ino);
    assert.match(fdinfo(fd), /flags:\s*0*2100000\n/, 'closed by exec');
    buffers.recycle(c);
  }
});

it('IORING_OP_RECVMSG: records keep their bounds, and say so', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { a, b } = seqpackets(ring, files);
  ring.prepSendmsg(a, { iov: [Buffer.from('first')] }, 1, MSG_EOR);
  assert.equal(run(ring), 5);
  ring.prepSend(a, Buffer.from('second'), 6, 1);
  assert.equal(run(ring), 6);
  const msg = new Msghdr({ iov: [new Uint8Array(64)] });
  for (const length of [5, 6]) {
    ring.prepRecvmsg(b, msg, 1);
    assert.equal(run(ring), length);
  }
});

/** Two connected sockets for records. */
function seqpackets(ring: IoUring, files: Descriptors): { a: number; b: number } {
  const at = socket(ring, files, AF_UNIX, SOCK_SEQPACKET);
  ring.prepBind(at, { path: '' }, 1);
  done(ring);
  ring.prepListen(at, 1, 1);
  done(ring);
  const a = socket(ring, files, AF_UNIX, SOCK_SEQPACKET);
  ring.prepConnect(a, files.address(at), 1);
  done(ring);
  ring.prepAccept(at, 1);
  return { a, b: files.own(done(ring)) };
}

it('IORING_OP_RECV: one bundle at a time, of as many whole buffers as the bytes asked for fill', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(4, 16, 4);
  const receive = (length: number): string => {
    ring.prepRecv(b, null, length, 1, 0, { bundle: true });
    ring.sqeSetBufGroup(4);
    const c = complete(ring);
    assert.equal(c.hasMore(), false);
    const text = Buffer.concat(buffers.bytes(c)).toString();
    buffers.recycle(c);
    return text;
  };
  const sent = Array.from({ length: 100 }, (_, i) => String.fromCharCode(48 + (i % 64))).join('');
  writeSync(a, sent);
  const pieces = [47, 0, 1, 0].map(receive);
  assert.equal(pieces.join(''), sent);
  assert.deepEqual(pieces.map((piece) => piece.length), [32, 64, 1, 3]);
  assert.equal(buffers.available(), 4);
});

it('IORING_OP_SEND: from provided buffers one at a time; bundles of at most so many bytes', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(4, 16, 4, { filled: false });
  const fill = (...pieces: string[]): void =>
    pieces.forEach((piece, bid) => {
      buffers.bytes(bid, 16).set(Buffer.from(piece));
      buffers.add(bid, piece.length);
    });
  const received = Buffer.alloc(64);
  fill('one', 'two');
  ring.prepSend(a, null, 0, 1);
  ring.sqeSetBufGroup(4);
  const first = complete(ring);
  assert.deepEqual([first.res, first.bufferId()], [3, 0]);
  assert.equal(received.toString('utf8', 0, readSync(b, received)), 'one');
  assert.equal(buffers.available(), 1);
  fill('three');
  ring.prepSendBundle(a, 4, 1);
  const both = completions(ring, 1)[0];
  assert.deepEqual([both.res, both.bufferId()], [8, 1]);
  assert.equal(Buffer.concat(buffers.bytes(both)).toString(), 'twothree');
  assert.equal(received.toString('utf8', 0, readSync(b, received)), 'twothree');
  fill('aaaa', 'bbbb', 'cccc', 'dddd');
  ring.prepSendBundle(a, 4, 1, { len: 8 });
  let total = 0;
  for (let more = true; more;) {
    ring.submitAndWait(1, { timeoutMs: 5000 });
    for (const c of reap(ring)) {
      assert.ok(c.res > 0 && c.res <= 8, `${c.res}`);
      total += c.res;
      more = c.hasMore();
    }
  }
  assert.equal(received.toString('utf8', 0, readSync(b, received)), 'aaaabbbbccccdddd'.slice(0, total));
});

it('IORING_OP_SEND_ZC: nothing at all; a peer that is gone; over IPv6 to an address', { skip: withoutIPv6 }, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [client, server] = tcp(ring, files);
  const send = (fd: number, length: number, to?: SocketAddressLike): number => {
    ring.prepSendZc(fd, Buffer.alloc(length, 'z'), length, 5, 0, to === undefined ? {} : { to });
    ring.submitAndWait(1, { timeoutMs: 5000 });
    const [sent, notification] = completions(ring, ring.peek()!.hasMore() ? 2 : 1);
    if (notification) assert.deepEqual([notification.isNotification(), notification.hasMore()], [true, false]);
    return sent.res;
  };
  assert.equal(send(client, 0), 0);
  const [six, to] = datagrams(ring, files, { address: '::1', port: 0 }, AF_INET6);
  assert.equal(send(socket(ring, files, AF_INET6, SOCK_DGRAM), 6, to), 6);
  const received = Buffer.alloc(8);
  ring.prepRecv(six, received, 8, 1);
  assert.equal(received.toString('utf8', 0, run(ring)), 'zzzzzz');
  assert.equal(send(socket(ring, files, AF_INET6, SOCK_DGRAM), 6), -EDESTADDRREQ);
  ring.prepShutdown(client, SHUT_WR, 1);
  done(ring);
  assert.equal(send(client, 4), -EPIPE);
  files.close(server);
});

it('IORING_OP_RECV: sockets that share a group get their own data, in bundles or not, round and round', () => {
  using files = new Descriptors();
  using ring = openRing(32);
  const pairs = Array.from({ length: 4 }, () => files.socketPair());
  for (const options of [{}, { kernelMemory: true }, { incremental: true }] as BufRingOptions[]) {
    for (const bundle of [false, true]) {
      using buffers = ring.registerBufRing(8, 16, 4, options);
      const [sent, received] = [pairs.map(() => 0), pairs.map(() => 0)];
      const byteAt = (which: number, at: number): number => (at * 7 + which * 31 + (at >> 8)) & 0xff;
      const arm = (which: number): boolean => ring.prepRecvMultishot(pairs[which][1], 4, which, { bundle });
      pairs.forEach((_, which) => arm(which));
      for (let round = 0; round < 1500; round++) {
        const which = (round * 13 + (round >> 3)) % pairs.length;
        const length = 1 + ((round * 37) % 90);
        const bytes = Uint8Array.from({ length }, (_, i) => byteAt(which, sent[which] + i));
        sent[which] += writeSync(pairs[which][0], bytes);
        ring.submitAndWait(0);
        ring.forEachCompletion((c) => {
          if (!c.hasMore()) arm(c.userData);
          if (c.res === -ENOBUFS) return;
          assert.ok(c.res > 0, `${c.res}`);
          for (const byte of Buffer.concat(buffers.bytes(c))) {
            if (byte !== byteAt(c.userData, received[c.userData]++)) assert.fail(`round ${round}`);
          }
          buffers.recycle(c);
        });
      }
      while (sent.some((bytes, which) => received[which] < bytes)) {
        ring.submitAndWait(0);
        ring.forEachCompletion((c) => {
          if (!c.hasMore()) arm(c.userData);
          if (c.res <= 0) return;
          received[c.userData] += c.res;
          buffers.recycle(c);
        });
      }
      assert.equal(buffers.available(), 8);
      ring.prepCancel({ any: true }, 99);
      completions(ring, pairs.length + 1);
    }
  }
});

it('IORING_OP_RECV: in a worker an error comes with the buffer it had, which is given back like any other', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [, b] = files.socketPair();
  for (const incremental of [false, true]) {
    for (const bundle of [false, true]) {
      using buffers = ring.registerBufRing(4, 16, 4, { incremental });
      ring.prepRecv(b, null, 0, 1, MSG_DONTWAIT, { bundle });
      ring.sqeSetBufGroup(4);
      ring.sqeSetFlags(IOSQE_ASYNC);
      const c = complete(ring);
      assert.equal(c.res, -EAGAIN);
      assert.deepEqual(c.bufferId() === undefined ? [] : buffers.bytes(c), []);
      if (c.bufferId() !== undefined) buffers.recycle(c);
      assert.equal(buffers.available(), 4);
    }
  }
});
