// Sockets: what an accept tells, what waits and what does not, and sends that do not copy.
import assert from 'node:assert/strict';
import { constants, readSync, writeSync } from 'node:fs';
import {
  EAGAIN,
  EBADF,
  ECANCELED,
  ECONNREFUSED,
  EFAULT,
  EINVAL,
  ENOTSOCK,
  EOPNOTSUPP,
  ETIME,
} from '../../../src/abi/errno.ts';
import { RWF_NOWAIT } from '../../../src/abi/file-flags.ts';
import {
  IORING_NOTIF_USAGE_ZC_COPIED,
  IORING_TIMESTAMP_TYPE_SHIFT,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import {
  SOCKET_URING_OP_GETSOCKOPT,
  SOCKET_URING_OP_SETSOCKOPT,
  SOCKET_URING_OP_TX_TIMESTAMP,
} from '../../../src/abi/commands.ts';
import { IORING_OP_RECVMSG, IORING_OP_SENDMSG } from '../../../src/abi/operations.ts';
import {
  AF_INET,
  MSG_DONTWAIT,
  MSG_WAITALL,
  SHUT_WR,
  SO_REUSEADDR,
  SO_SNDBUF,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../src/abi/socket-flags.ts';
import { IoUring, Msghdr, type Completion } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors, shutdownWrite } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { bindAnywhere, closedPort, eventfd, portOf, setOption, socket, tcpPair, udpPair } from './sockets.ts';

const MINUTE = 60_000;

const loopback = (port: number): { address: string; port: number } => ({ address: '127.0.0.1', port });

const acceptsTell = { skip: without('6.10', 'IORING_CQE_F_SOCK_NONEMPTY of accepts') };

it('case 85: an accept tells whether more connections wait', acceptsTell, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const { fd, port } = files.listener();
  ring.registerFilesSparse(4);
  for (const direct of [false, true]) {
    for (const count of [1, 4]) {
      for (let i = 0; i < count; i++) files.connect(port);
      for (let i = 1; i <= count; i++) {
        if (direct) ring.prepAccept(fd, i, { direct: i - 1 });
        else ring.prepAccept(fd, i);
        const c = complete(ring);
        assert.ok(c.res >= 0);
        if (!direct) files.own(c.res);
        assert.equal(c.sockNonempty(), i < count, `${i} of ${count}`);
      }
    }
  }
});

it('case 86: socket, option, bind and listen as one chain on a slot; bad lengths, and what is no socket', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  ring.registerFilesSparse(2);
  const one = Int32Array.of(1);
  ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1, { direct: 0 });
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, 0, SOL_SOCKET, SO_REUSEADDR, one, 2);
  ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_FIXED_FILE);
  ring.prepBind(0, loopback(0), 3);
  ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_FIXED_FILE);
  ring.prepListen(0, 4, 4);
  ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_FIXED_FILE);
  ring.prepFixedFdInstall(0, 5);
  const found = results(ring, 5);
  const fd = files.own(found.get(5)!);
  assert.deepEqual([1, 2, 3, 4].map((userData) => found.get(userData)), [0, 0, 0, 0]);
  ring.prepAccept(0, 6, { direct: 1 });
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  const client = files.connect(portOf(fd));
  assert.equal(complete(ring).res, 0);
  writeSync(client, 'hello');
  const buffer = Buffer.alloc(5);
  ring.prepRecv(1, buffer, 5, 7);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, 5);
  assert.equal(buffer.toString(), 'hello');

  const [reader] = files.pipe();
  const other = socket(files, SOCK_STREAM);
  const short = Uint8Array.of(AF_INET, 0, 0, 0);
  for (
    const [prep, expected] of [
      [() => ring.prepBind(other, short, 1), -EINVAL],
      [() => ring.prepConnect(other, short, 1), -EINVAL],
      [() => ring.prepBind(reader, loopback(0), 1), -ENOTSOCK],
      [() => ring.prepListen(reader, 1, 1), -ENOTSOCK],
      [() => ring.prepConnect(reader, loopback(1), 1), -ENOTSOCK],
      [() => ring.prepListen(-1, 1, 1), -EBADF],
    ] as const
  ) {
    prep();
    assert.equal(complete(ring).res, expected, String(prep));
  }
});

it('case 87: a connect to nobody is refused; one that gets no answer is ended by its time limit', {
  skip: without('5.19', 'operations that wait on non-blocking descriptors'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(32);
  const kinds = [0, SOCK_NONBLOCK].flatMap((type) => [0, IOSQE_ASYNC].map((flags) => ({ type, flags })));
  const port = closedPort(files);
  for (const { type, flags } of kinds) {
    ring.prepConnect(socket(files, SOCK_STREAM | type), loopback(port), 1);
    ring.sqeSetFlags(flags);
    assert.equal(complete(ring).res, -ECONNREFUSED);
  }
  // A listener that has no room for anybody does not answer.
  using others = new IoUring(32);
  const listener = socket(files, SOCK_STREAM);
  const full = bindAnywhere(listener);
  others.prepListen(listener, 0, 1);
  assert.equal(complete(others).res, 0);
  for (let i = 0; i < 8; i++) others.prepConnect(socket(files, SOCK_STREAM), loopback(full), 2);
  others.submitAndWait(1, { timeoutMs: 10_000 });
  for (const { type, flags } of kinds) {
    let found: Map<number, number>;
    // Some more may get through in the first moment.
    let tries = 0;
    do {
      ring.prepConnect(socket(files, SOCK_STREAM | type), loopback(full), 3);
      ring.sqeSetFlags(IOSQE_IO_LINK | flags);
      ring.prepLinkTimeout(10, 4);
      found = results(ring, 2);
    } while (found.get(3) === 0 && ++tries < 20);
    assert.deepEqual(found, new Map([[3, -ECANCELED], [4, -ETIME]]));
  }
});

it('case 88: MSG_WAITALL is for streams: of datagrams one will do', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [a, b] = udpPair(files);
  for (const early of [false, true]) {
    const buffer = Buffer.alloc(64);
    if (early) writeSync(b, 'datagram');
    ring.prepRecv(a, buffer, 64, 1, MSG_WAITALL);
    ring.submit();
    if (!early) {
      assert.ok(isQuiet(ring));
      writeSync(b, 'datagram');
    }
    assert.equal(complete(ring).res, 8);
    const msg = new Msghdr({ iov: [buffer] });
    writeSync(b, 'again');
    ring.prepRecvmsg(a, msg, 1, MSG_WAITALL);
    assert.equal(complete(ring).res, 5);
  }
});

it('case 89: MSG_WAITALL goes on until all is there, in the kernel; the end of the stream cuts it short', {
  skip: without('5.19', 'MSG_WAITALL that goes on in the kernel'),
}, () => {
  for (const pair of [tcpPair, (files: Descriptors) => files.socketPair()]) {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [client, server] = pair(files);
    const buffers = [Buffer.alloc(7), Buffer.alloc(13)];
    const whole = Buffer.alloc(20);
    for (const flags of [0, IOSQE_ASYNC]) {
      for (
        const prep of [
          () => ring.prepRecv(server, whole, 20, 1, MSG_WAITALL),
          () => ring.prepRecvmsg(server, new Msghdr({ iov: buffers }), 1, MSG_WAITALL),
        ]
      ) {
        prep();
        ring.sqeSetFlags(flags);
        ring.submit();
        for (const piece of ['abc', 'defgh', 'ijklmnopqrs']) {
          writeSync(client, piece);
          assert.ok(isQuiet(ring), 'not yet');
        }
        writeSync(client, 't');
        assert.equal(complete(ring).res, 20);
      }
      assert.equal(whole.toString(), 'abcdefghijklmnopqrst');
      assert.equal(buffers.join(''), 'abcdefghijklmnopqrst');
    }
    ring.prepRecv(server, whole.fill(0), 20, 1, MSG_WAITALL);
    ring.submit();
    writeSync(client, 'short');
    shutdownWrite(client);
    assert.equal(complete(ring).res, 5);
    assert.equal(whole.toString('utf8', 0, 5), 'short');
  }
});

it('case 90: MSG_DONTWAIT does not wait; a descriptor with O_NONBLOCK does', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const { fd, port } = files.listener();
  const client = files.connect(port);
  ring.prepAccept(fd, 1, { flags: SOCK_NONBLOCK });
  const server = files.own(complete(ring).res);
  const buffer = Buffer.alloc(4);
  ring.prepRecv(server, buffer, 4, 2, MSG_DONTWAIT);
  assert.equal(complete(ring).res, -EAGAIN);
  ring.prepRecvmsg(server, new Msghdr({ iov: [buffer] }), 2, MSG_DONTWAIT);
  assert.equal(complete(ring).res, -EAGAIN);
  ring.prepRecv(server, buffer, 4, 3);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(client, 'data');
  assert.deepEqual(results(ring, 1), new Map([[3, 4]]));
  setOption(client, SOL_SOCKET, SO_SNDBUF, 4096);
  const much = Buffer.alloc(4_000_000);
  ring.prepSend(client, much, much.length, 4, MSG_DONTWAIT);
  const part = complete(ring).res;
  assert.ok(part > 0 && part < much.length);
  for (let res = part; res !== -EAGAIN; res = complete(ring).res) {
    ring.prepSend(client, much, much.length, 4, MSG_DONTWAIT);
  }
});

it('case 91: a message that cannot be sent yet is the kernel’s: what described it may be used again', () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [client, server] = files.socketPair();
  const filling = Buffer.alloc(4096, '.');
  let filled = 0;
  for (;;) {
    ring.prepSend(client, filling, filling.length, 1, MSG_DONTWAIT);
    const { res } = complete(ring);
    if (res === -EAGAIN) break;
    filled += res;
  }
  const list = [Buffer.from('first '), Buffer.from('second ')];
  const msg = new Msghdr({ iov: list });
  ring.prepSendmsg(client, msg, 2);
  ring.submit();
  list.reverse();
  ring.prepSendmsg(client, msg, 3);
  ring.submit();
  const vector = [Buffer.from('third '), Buffer.from('fourth ')];
  ring.prepSendv(client, vector, 4);
  ring.submit();
  vector.reverse();
  assert.ok(isQuiet(ring), 'all three wait');
  for (let i = 0; i < 16; i++) ring.prepSendv(-1, [Buffer.from('x'), Buffer.from('y')], 9);
  assert.ok(completions(ring, 16).every((c) => c.res === -EBADF));
  const received = Buffer.alloc(filled + 39);
  const found = new Map<number, number>();
  for (let got = 0; got < received.length;) {
    ring.prepRecv(server, received.subarray(got), received.length - got, 6);
    for (const wanted = got; got === wanted;) {
      ring.submitAndWait(1, { timeoutMs: 10_000 });
      for (const c of reap(ring)) {
        if (c.userData === 6) got += c.res;
        else found.set(c.userData, c.res);
      }
    }
  }
  assert.deepEqual(found, new Map([[2, 13], [3, 13], [4, 13]]));
  const text = received.toString('utf8', filled);
  assert.equal(text.split('first second ').length, 3, text);
  assert.equal(text.split('third fourth ').length, 2, text);
});

it('case 92: no message at all is EFAULT, to send and to receive; a vectored send arrives in order', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [a, b] = files.socketPair();
  for (const opcode of [IORING_OP_SENDMSG, IORING_OP_RECVMSG]) {
    ring.prepSqe({ opcode, fd: a, len: 1 }, 1);
    assert.equal(complete(ring).res, -EFAULT);
  }
  ring.prepSendv(a, [Buffer.from('ab'), new Uint8Array(0), Buffer.from('cde')], 2);
  assert.equal(complete(ring).res, 5);
  ring.prepSendmsg(a, { iov: [Buffer.from('fg'), Buffer.from('hij')] }, 3);
  assert.equal(complete(ring).res, 5);
  const received = Buffer.alloc(10);
  assert.equal(readSync(b, received), 10);
  assert.equal(received.toString(), 'abcdefghij');
});

it('case 93: a send without copying: the result, then the notification; the address is free after submit', () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [client, server] = tcpPair(files);
  const data = Buffer.alloc(8192, 'z');
  const received = Buffer.alloc(8192);
  for (
    const [prep, length] of [
      [() => ring.prepSendZc(client, data, 8192, 1, MSG_WAITALL), 8192],
      [() => ring.prepSendmsgZc(client, { iov: [data.subarray(0, 100), data.subarray(0, 300)] }, 1, MSG_WAITALL), 400],
      [() => ring.prepSendv(client, [data.subarray(0, 3), data.subarray(7, 9)], 1, MSG_WAITALL, { zeroCopy: true }), 5],
    ] as const
  ) {
    prep();
    const found = completions(ring, 2);
    const kinds = found.map((c) => [c.userData, c.hasMore(), c.isNotification()]);
    assert.deepEqual(kinds, [[1, true, false], [1, false, true]]);
    assert.equal(found[0].res, length);
    for (let got = 0; got < length;) got += readSync(server, received, 0, length - got, null);
  }
  const udp = socket(files, SOCK_DGRAM);
  const target = socket(files, SOCK_DGRAM);
  const address = loopback(bindAnywhere(target));
  for (let i = 0; i < 4; i++) ring.prepSendZc(udp, Buffer.from(`message ${i}`), 9, i, 0, { to: address });
  ring.submit();
  address.port = 1;
  // Where the address was, others are.
  for (let i = 0; i < 40; i++) {
    while (!ring.prepSendto(-1, Buffer.from('x'), 1, loopback(2), 9)) ring.submit();
  }
  const found = completions(ring, 8 + 40).filter((c) => c.userData < 9);
  assert.ok(found.filter((c) => c.hasMore()).every((c) => c.res === 9));
  for (let i = 0; i < 4; i++) {
    assert.equal(readSync(target, received), 9);
    assert.equal(received.toString('utf8', 0, 9), `message ${i}`);
  }
});

it('case 93: a send without copying that fails may have a notification too; usage is told there', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const udp = socket(files, SOCK_DGRAM);
  const data = Buffer.alloc(70_000);
  // Larger than a datagram can be.
  ring.prepSendZc(udp, data, data.length, 1, 0, { to: loopback(bindAnywhere(socket(files, SOCK_DGRAM))) });
  const found: Completion[] = [];
  while (found.at(-1)?.hasMore() ?? true) {
    ring.submitAndWait(1, { timeoutMs: 10_000 });
    found.push(...reap(ring));
  }
  assert.ok(found[0].res < 0 && !found[0].isNotification());
  for (const c of found.slice(1)) assert.ok(c.isNotification());
  const [client, server] = tcpPair(files);
  ring.prepSendZc(client, data, 100, 2, 0, { reportUsage: true });
  const [sent, notification] = completions(ring, 2);
  assert.equal(sent.res, 100);
  assert.ok(notification.isNotification());
  // The loopback copies. As an unsigned number it is the kernel's constant.
  assert.equal(notification.res >>> 0, IORING_NOTIF_USAGE_ZC_COPIED >>> 0);
  assert.equal(readSync(server, data), 100);
});

const tagsTell = { skip: without('6.13', 'tags of buffers that are given up with the table') };

it('case 94: a registered buffer that is sent without copying stays until the notification', tagsTell, async () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [client, server] = tcpPair(files);
  const received = Buffer.alloc(65536);
  for (let round = 0; round < 3; round++) {
    (() => {
      const buffer = Buffer.from(new ArrayBuffer(65536)).fill(round + 1);
      ring.registerBuffers([buffer], { tags: [7] });
      ring.prepSendZc(client, buffer, 65536, 1, MSG_WAITALL, { fixed: 0 });
      ring.submit();
      ring.unregisterBuffers();
    })();
    await finalized();
    const garbage = Array.from({ length: 16 }, () => Buffer.alloc(65536, 0xff));
    ring.prepRecv(server, received.fill(0), 65536, 2, MSG_WAITALL);
    const found = completions(ring, 4);
    assert.equal(garbage.length, 16);
    assert.ok(received.every((byte) => byte === round + 1));
    const order = found.map((c) => (c.isNotification() ? 'notification' : c.userData));
    assert.ok(order.indexOf(7) > order.indexOf('notification'), order.join(', '));
    assert.equal(found.find((c) => c.userData === 1 && !c.isNotification())?.res, 65536);
  }
});

it('case 95: reading an option completes with its length', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const udp = socket(files, SOCK_DGRAM);
  const value = new Int32Array(4).fill(-1);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, udp, SOL_SOCKET, SO_TYPE, value, 1);
  assert.equal(complete(ring).res, 4);
  assert.deepEqual([...value], [SOCK_DGRAM, -1, -1, -1]);
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, udp, SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1), 2);
  assert.equal(complete(ring).res, 0);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, udp, SOL_SOCKET, SO_REUSEADDR, value, 3);
  assert.equal(complete(ring).res, 4);
  assert.equal(value[0], 1);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, udp, 6, 1, value, 4);
  assert.equal(complete(ring).res, -EOPNOTSUPP, 'another level');
});

it('case 96: the times of transmissions come as large completions, one by one, with their kind in the flags', () => {
  for (const options of [{ cqe32: true }, { cqeMixed: true }]) {
    using files = new Descriptors();
    using ring = new IoUring(16, options);
    const [a] = udpPair(files);
    const SO_TIMESTAMPING = 37;
    const [SOFTWARE, TX_SOFTWARE, TX_SCHED, OPT_ID, OPT_CMSG, OPT_TSONLY] = [16, 2, 256, 128, 1024, 2048];
    const how = SOFTWARE | TX_SOFTWARE | TX_SCHED | OPT_ID | OPT_CMSG | OPT_TSONLY;
    setOption(a, SOL_SOCKET, SO_TIMESTAMPING, how);
    ring.prepCmdSock(SOCKET_URING_OP_TX_TIMESTAMP, a, 0, 0, null, 2n ** 64n - 1n);
    ring.submit();
    assert.ok(isQuiet(ring));
    const before = BigInt(Date.now() - 1000) / 1000n;
    for (let key = 0; key < 3; key++) {
      writeSync(a, 'datagram');
      const found = completions(ring, 2);
      for (const c of found) assert.deepEqual([c.userData64, c.res, c.hasMore()], [2n ** 64n - 1n, key, true]);
      const kinds = found.map((c) => c.flags >>> IORING_TIMESTAMP_TYPE_SHIFT);
      assert.deepEqual(kinds.sort(), [0, 1], 'sent, and scheduled before');
      for (const c of found) {
        const [seconds, nanoseconds] = c.bigCqe()!;
        assert.ok(seconds >= before && nanoseconds < 1_000_000_000n);
      }
    }
    ring.prepCancel(2n ** 64n - 1n, 1);
    const last = completions(ring, 2).find((c) => c.userData64 !== 1n)!;
    assert.deepEqual([last.res, last.hasMore()], [-ECANCELED, false]);
  }
});

it('case 97: data and then at once the end of the stream: first the data, then 0', () => {
  for (const deferTaskrun of [true, false]) {
    using files = new Descriptors();
    using ring = new IoUring(8, { deferTaskrun });
    using other = new IoUring(8);
    const buffers = ring.registerBufRing(8, 16, 1);
    for (let round = 0; round < 50; round++) {
      const [client, server] = round % 2 ? files.socketPair() : tcpPair(files);
      ring.prepRecvMultishot(server, 1, round);
      ring.submit();
      other.prepSend(client, Buffer.from('last words'), 10, 1);
      other.sqeSetFlags(IOSQE_IO_LINK);
      other.prepShutdown(client, SHUT_WR, 2);
      assert.deepEqual(results(other, 2), new Map([[1, 10], [2, 0]]));
      let data = '';
      for (let ended = false; !ended;) {
        ring.submitAndWait(1, { timeoutMs: 10_000 });
        const count = ring.forEachCompletion((c) => {
          assert.equal(c.userData, round);
          if (c.bufferId() !== undefined) {
            data += Buffer.concat(buffers.bytes(c)).toString();
            buffers.recycle(c);
          }
          if (c.hasMore()) return;
          assert.equal(c.res, 0);
          ended = true;
        });
        assert.ok(count > 0);
      }
      assert.equal(data, 'last words');
      files.close(client);
      files.close(server);
    }
  }
});

it('case c: a send without copying on a unix socket is refused, and is followed by a notification', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [a] = files.socketPair();
  ring.prepSendZc(a, Buffer.from('data'), 4, 1);
  const found = completions(ring, 2);
  assert.deepEqual(found.map((c) => [c.userData, c.res, c.hasMore(), c.isNotification()]), [
    [1, -EOPNOTSUPP, true, false],
    [1, 0, false, true],
  ]);
});

it('case d: that the data was copied after all reads as a negative number', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [client] = tcpPair(files);
  ring.prepSendZc(client, Buffer.from('data'), 4, 1, 0, { reportUsage: true });
  const [, notification] = completions(ring, 2);
  assert.deepEqual([notification.isNotification(), notification.res], [true, -2147483648]);
});

const dontwait = { skip: without('6.10', 'reads of pipes and accepts that do not wait') };

it('case n: with O_NONBLOCK or without, pipe, socket, eventfd and listener are waited for', dontwait, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe(constants.O_NONBLOCK);
  const event = eventfd(files, 0, constants.O_NONBLOCK);
  const { fd, port } = files.listener();
  ring.prepSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, 1);
  const client = files.own(complete(ring).res);
  const buffers = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
  ring.prepRead(reader, buffers[0], 8, 1);
  ring.prepRead(event, buffers[1], 8, 2);
  ring.prepAccept(fd, 3);
  ring.submit();
  assert.ok(isQuiet(ring));
  for (
    const prep of [
      () => ring.prepRead(reader, buffers[2], 8, 9, null, { rwFlags: RWF_NOWAIT }),
      () => ring.prepAccept(fd, 9, { dontwait: true }),
    ]
  ) {
    prep();
    assert.equal(complete(ring).res, -EAGAIN);
  }
  writeSync(writer, 'x');
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(1n);
  writeSync(event, one);
  ring.prepConnect(client, loopback(port), 4);
  const found = results(ring, 4);
  files.own(found.get(3)!);
  assert.deepEqual([found.get(1), found.get(2), found.get(4)], [1, 8, 0]);
});

it('case r: what is given by pointer behind a link may be changed after submit: path, address, list, time', {
  skip: without('5.19', 'IORING_OP_SOCKET'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  const [a, b] = files.socketPair();
  const path = Buffer.from(folder.file('data', 'contents'));
  const address = { path: `\0iouring-test-${process.pid}-${process.hrtime.bigint()}` };
  ring.prepSocket(1, SOCK_STREAM, 0, 1);
  const unix = files.own(complete(ring).res);
  const list = [Buffer.from('vec'), Buffer.from('tor')];
  const link = (): void => ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepRead(reader, Buffer.alloc(1), 1, 1);
  link();
  ring.prepOpen(path, 0, 2);
  link();
  ring.prepOpenat2(-100, path, { flags: 0 }, 3);
  link();
  ring.prepBind(unix, address, 4);
  link();
  ring.prepWritev(a, list, 5);
  link();
  ring.prepSendmsg(a, { iov: list }, 6);
  link();
  ring.prepTimeout(5, 7, { etimeSuccess: true });
  link();
  ring.prepPollAdd(reader, 1, 8);
  link();
  ring.prepLinkTimeout(10, 9);
  ring.submit();
  path.fill('x');
  address.path = '/nowhere/at/all';
  list.reverse();
  // Everything that the ring has for such things is used many times over.
  for (let i = 0; i < 64; i++) {
    ring.prepOpen('/nowhere', 0, 20);
    ring.prepTimeout(MINUTE + i, 21);
    ring.prepTimeoutRemove(21, 20);
    ring.submitAndWait(3);
    reap(ring);
  }
  const start = performance.now();
  writeSync(writer, 'x');
  const found = results(ring, 9);
  assert.ok(performance.now() - start >= 14.9);
  for (const userData of [2, 3]) assert.ok(files.own(found.get(userData)!) >= 0);
  const rest = [1, 4, 5, 6, 7, 8, 9].map((userData) => found.get(userData));
  assert.deepEqual(rest, [1, 0, 6, 6, -ETIME, -ECANCELED, -ETIME]);
  const received = Buffer.alloc(12);
  assert.equal(readSync(b, received), 12);
  assert.equal(received.toString(), 'vectorvector');
});
