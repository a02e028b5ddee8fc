// Commands to drivers, sockets and block devices; entries written by hand.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import koffi from 'koffi';
import {
  BLOCK_URING_CMD_DISCARD,
  SOCKET_URING_OP_GETSOCKOPT,
  SOCKET_URING_OP_SETSOCKOPT,
  SOCKET_URING_OP_SIOCINQ,
  SOCKET_URING_OP_SIOCOUTQ,
  SOCKET_URING_OP_TX_TIMESTAMP,
} from '../../../src/abi/commands.ts';
import { EAGAIN, EBADF, ECANCELED, EINVAL, ENOPROTOOPT, EOPNOTSUPP } from '../../../src/abi/errno.ts';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import { RWF_NOWAIT } from '../../../src/abi/file-flags.ts';
import {
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import {
  IORING_OP_GETXATTR,
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_READ,
  IORING_OP_READV,
  IORING_OP_URING_CMD,
  IORING_OP_URING_CMD128,
} from '../../../src/abi/operations.ts';
import {
  IPPROTO_TCP,
  MSG_DONTWAIT,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_RCVBUF,
  SO_TYPE,
  TCP_NODELAY,
} from '../../../src/abi/socket-flags.ts';
import { SocketAddressBuffer, type IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { isQuiet, results } from './completions.ts';
import { LoopDevice, noLoopDevice } from './loop-device.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

/** Two ends of a TCP connection, and the listener's port. */
function tcpPair(ring: IoUring, files: Descriptors): { server: number; client: number; port: number } {
  const { fd, port } = files.listener();
  const client = files.connect(port);
  ring.prepAccept(fd, 1);
  return { server: files.own(complete(ring).res), client, port };
}

/** Is this kernel, by its own name, older than that? */
function olderThan(major: number, minor: number): boolean {
  const [a, b] = release().split('.').map(Number);
  return a < major || (a === major && b < minor);
}

it('IORING_OP_URING_CMD: SIOCINQ says how many bytes of a socket wait to be read', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server, client } = tcpPair(ring, files);
  const waiting = (): number => {
    ring.prepCmdSock(SOCKET_URING_OP_SIOCINQ, server, 0, 0, null, 1);
    return complete(ring).res;
  };
  assert.equal(waiting(), 0);
  writeSync(client, 'hello');
  ring.prepPollAdd(server, POLLIN, 2);
  assert.equal(complete(ring).res, POLLIN);
  assert.equal(waiting(), 5);
  readSync(server, new Uint8Array(2));
  assert.equal(waiting(), 3);
});

it('IORING_OP_URING_CMD: SIOCOUTQ says how many are not taken by the other side yet', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server } = tcpPair(ring, files);
  const unsent = (): number => {
    ring.prepCmdSock(SOCKET_URING_OP_SIOCOUTQ, server, 0, 0, null, 1);
    return complete(ring).res;
  };
  assert.equal(unsent(), 0);
  const much = Buffer.alloc(16 << 20);
  let sent = 0;
  for (let res = 0; res >= 0; sent += Math.max(0, res)) {
    ring.prepSend(server, much, much.length, 1, MSG_DONTWAIT);
    res = complete(ring).res;
  }
  assert.ok(unsent() > 0 && unsent() <= sent, `${unsent()} of ${sent}`);
});

it('IORING_OP_URING_CMD: getsockopt completes with the length of the value', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server } = tcpPair(ring, files);
  const value = new Int32Array(2).fill(-1);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, server, SOL_SOCKET, SO_TYPE, value, 1);
  assert.equal(complete(ring).res, 4);
  assert.deepEqual([...value], [SOCK_STREAM, -1]);
  const short = new Uint8Array(2);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, server, SOL_SOCKET, SO_TYPE, short, 1);
  assert.equal(complete(ring).res, 2, 'what there is room for');
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, server, SOL_SOCKET, 9999, value, 1);
  assert.equal(complete(ring).res, -ENOPROTOOPT);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, server, IPPROTO_TCP, TCP_NODELAY, value, 1);
  assert.equal(complete(ring).res, -EOPNOTSUPP, 'other levels cannot be read');
});

it('IORING_OP_URING_CMD: setsockopt sets, at any level', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server } = tcpPair(ring, files);
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, server, SOL_SOCKET, SO_RCVBUF, Int32Array.of(20_000), 1);
  assert.equal(complete(ring).res, 0);
  const value = new Int32Array(1);
  ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, server, SOL_SOCKET, SO_RCVBUF, value, 2);
  assert.equal(complete(ring).res, 4);
  assert.equal(value[0], 40_000, 'the kernel doubles it');
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, server, IPPROTO_TCP, TCP_NODELAY, Int32Array.of(1), 3);
  assert.equal(complete(ring).res, 0);
  ring.prepCmdSock(SOCKET_URING_OP_SETSOCKOPT, server, IPPROTO_TCP, TCP_NODELAY, null, 4);
  assert.equal(complete(ring).res, -EINVAL);
});

it('IORING_OP_URING_CMD: a command that a socket has not, and a socket that is none', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server } = tcpPair(ring, files);
  const [reader] = files.pipe();
  const command = (fd: number, op: number): number => {
    ring.prepCmdSock(op, fd, 0, 0, null, 1);
    return complete(ring).res;
  };
  assert.equal(command(server, 77), -EOPNOTSUPP);
  assert.equal(command(files.socketPair()[0], SOCKET_URING_OP_SIOCINQ), -EOPNOTSUPP, 'of TCP and UDP only');
  assert.equal(command(reader, SOCKET_URING_OP_SIOCINQ), -EOPNOTSUPP);
  assert.equal(command(-1, SOCKET_URING_OP_SIOCINQ), -EBADF);
  assert.ok(command(server, SOCKET_URING_OP_TX_TIMESTAMP) < 0, 'only with completions of 32 bytes');
});

it('IORING_OP_URING_CMD: misuse of a socket’s command throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepCmdSock(any('0'), 0, 0, 0, null, 1),
    () => ring.prepCmdSock(0, any(null), 0, 0, null, 1),
    () => ring.prepCmdSock(0, 0, any('1'), 0, null, 1),
    () => ring.prepCmdSock(0, 0, 0, any('1'), null, 1),
    () => ring.prepCmdSock(0, 0, 0, 0, any(undefined), 1),
    () => ring.prepCmdSock(0, 0, 0, 0, any(4), 1),
    () => ring.prepCmdSock(0, 0, 0, 0, null, any('1')),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepCmdSock(-1, 0, 0, 0, null, 1),
    () => ring.prepCmdSock(0, 0, -1, 0, null, 1),
    () => ring.prepCmdSock(0, 0, 0, 2 ** 32, null, 1),
    () => ring.prepCmdSock(0, 0, 0, 0, null, -1),
  ]);
});

it('IORING_OP_URING_CMD: getsockname tells both addresses of a connection (6.19)', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { client, server, port } = tcpPair(ring, files);
  const address = new SocketAddressBuffer();
  ring.prepCmdGetsockname(server, address, 1);
  const { res } = complete(ring);
  if (res === -EOPNOTSUPP) {
    assert.ok(olderThan(6, 19), 'only an older kernel has it not');
  } else {
    assert.equal(res, 0);
    assert.equal((address.address as { port: number }).port, port);
    ring.prepCmdGetsockname(client, address, 1, { peer: true });
    assert.equal(complete(ring).res, 0);
    assert.equal((address.address as { port: number }).port, port);
  }
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepCmdGetsockname(any('0'), address, 1),
    () => ring.prepCmdGetsockname(0, any(new Uint8Array(128)), 1),
    () => ring.prepCmdGetsockname(0, any(null), 1),
    () => ring.prepCmdGetsockname(0, address, any(null)),
  ]);
});

it('IORING_OP_URING_CMD: discard takes the contents of a range of a block device', (t) => {
  const reason = noLoopDevice();
  if (reason !== undefined) return t.skip(reason);
  const size = 1 << 20;
  using device = new LoopDevice(new Uint8Array(size).fill(0xaa));
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(device.path, 'r+'));
  const blocks = fstatSync(files.own(openSync(device.backing, 'r'))).blocks;
  ring.prepCmdDiscard(fd, 8192, 65536, 1);
  assert.equal(complete(ring).res, 0);
  const expected = new Uint8Array(size).fill(0xaa).fill(0, 8192, 8192 + 65536);
  assert.deepEqual(new Uint8Array(readFileSync(device.backing)), expected);
  assert.ok(fstatSync(files.own(openSync(device.backing, 'r'))).blocks < blocks, 'the space is free again');
  const buffer = new Uint8Array(16384);
  ring.prepRead(fd, buffer, buffer.length, 2, 0);
  assert.equal(complete(ring).res, 16384);
  assert.deepEqual(buffer, expected.slice(0, 16384));

  const discard = (file: number, offset: number, nbytes: number): number => {
    ring.prepCmdDiscard(file, offset, nbytes, 1);
    return complete(ring).res;
  };
  assert.equal(discard(fd, 100, 4096), -EINVAL, 'not at the beginning of a block');
  assert.equal(discard(fd, 0, 100), -EINVAL, 'not whole blocks');
  assert.equal(discard(fd, size, 4096), -EINVAL, 'behind the end');
  assert.equal(discard(files.own(openSync(device.path, 'r')), 0, 4096), -EBADF, 'not open for writing');
  ring.prepCmdZoneResetAll(fd, 3);
  assert.ok(complete(ring).res < 0, 'a loop device has no zones');
});

it('IORING_OP_URING_CMD: discard and zone reset of what is no block device; misuse', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'contents'), 'r+'));
  ring.prepCmdDiscard(fd, 0, 4096, 1);
  assert.equal(complete(ring).res, -EOPNOTSUPP);
  ring.prepCmdZoneResetAll(fd, 1);
  assert.equal(complete(ring).res, -EOPNOTSUPP);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepCmdDiscard(fd, -1, 0, 1),
    () => ring.prepCmdDiscard(fd, 0, 2 ** 53, 1),
    () => ring.prepCmdDiscard(fd, 0.5, 0, 1),
    () => ring.prepCmdZoneResetAll(fd, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepCmdDiscard(any('0'), 0, 0, 1),
    () => ring.prepCmdDiscard(fd, any(0n), 0, 1),
    () => ring.prepCmdZoneResetAll(any(null), 1),
  ]);
});

it('IORING_OP_URING_CMD: raw, to a driver that takes anything and to one that takes nothing', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const sink = files.own(openSync('/dev/null', 'r+'));
  ring.prepUringCmd(sink, 2 ** 32 - 1, 1);
  assert.equal(complete(ring).res, 0);
  ring.prepUringCmd(sink, 0, 2n ** 64n - 1n, { addr: new Uint8Array(8), len: 8, addr3: 5n, cmd: new Uint8Array(16) });
  assert.deepEqual([complete(ring)].map((c) => [c.userData64, c.res]), [[2n ** 64n - 1n, 0]]);
  const [reader] = files.pipe();
  ring.prepUringCmd(reader, 0, 1);
  assert.equal(complete(ring).res, -EOPNOTSUPP);
  ring.registerBufRing(2, 16, 3);
  ring.prepUringCmd(reader, 0, 1, { multishot: 3 });
  assert.equal(complete(ring).res, -EOPNOTSUPP);
  ring.prepUringCmd(-1, 0, 1);
  assert.equal(complete(ring).res, -EBADF);
});

it('IORING_OP_URING_CMD: raw, what prepCmdSock and prepCmdDiscard are made of', {
  skip: without('6.7', 'SOCKET_URING_OP_GETSOCKOPT'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server, client } = tcpPair(ring, files);
  writeSync(client, 'abc');
  ring.prepPollAdd(server, POLLIN, 2);
  assert.equal(complete(ring).res, POLLIN);
  ring.prepUringCmd(server, SOCKET_URING_OP_SIOCINQ, 1);
  assert.equal(complete(ring).res, 3);
  ring.registerFiles([server]);
  ring.prepUringCmd(0, SOCKET_URING_OP_SIOCINQ, 1);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, 3);
  const sink = files.own(openSync('/dev/null', 'r+'));
  ring.prepUringCmd(sink, BLOCK_URING_CMD_DISCARD, 1, { addr: 0, addr3: 4096 });
  assert.equal(complete(ring).res, 0);
});

it('IORING_OP_URING_CMD: everything given as memory is kept from the call on', async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const sink = files.own(openSync('/dev/null', 'r+'));
  const prepare = (): WeakRef<Uint8Array>[] => {
    const [addr, addr3, pointed] = [new Uint8Array(8), new Uint8Array(8), new Uint8Array(8)];
    ring.prepUringCmd(sink, 0, 1, { addr, addr3 });
    ring.prepUringCmd(sink, 0, 2, { cmd: new Uint8Array(16), pointers: new Map([[8, pointed]]) });
    return [addr, addr3, pointed].map((memory) => new WeakRef(memory));
  };
  const memory = prepare();
  await finalized();
  assert.ok(memory.every((ref) => ref.deref()));
  assert.deepEqual(results(ring, 2), new Map([[1, 0], [2, 0]]));
  await finalized();
  assert.ok(memory.every((ref) => ref.deref() === undefined));
});

it('IORING_OP_URING_CMD: misuse of a raw command throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepUringCmd(any('0'), 0, 1),
    () => ring.prepUringCmd(0, any('0'), 1),
    () => ring.prepUringCmd(0, 0, any('1')),
    () => ring.prepUringCmd(0, 0, 1, { addr: any('x') }),
    () => ring.prepUringCmd(0, 0, 1, { addr: 0.5 }),
    () => ring.prepUringCmd(0, 0, 1, { addr: 2 ** 53 }),
    () => ring.prepUringCmd(0, 0, 1, { addr3: any({}) }),
    () => ring.prepUringCmd(0, 0, 1, { cmd: any([1]) }),
    () => ring.prepUringCmd(0, 0, 1, { cmd: any(new Uint16Array(1)) }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepUringCmd(0, 2 ** 32, 1),
    () => ring.prepUringCmd(0, 0, -1),
    () => ring.prepUringCmd(0, 0, 1, { addr: 2n ** 64n }),
    () => ring.prepUringCmd(0, 0, 1, { len: -1 }),
    () => ring.prepUringCmd(0, 0, 1, { cmd: new Uint8Array(17) }),
    () => ring.prepUringCmd(0, 0, 1, { fixed: -1 }),
    () => ring.prepUringCmd(0, 0, 1, { fixed: 65536 }),
    () => ring.prepUringCmd(0, 0, 1, { cmd: new Uint8Array(16), pointers: new Map([[9, new Uint8Array(1)]]) }),
    () => ring.prepUringCmd(0, 0, 1, { cmd: new Uint8Array(4), pointers: new Map([[0, new Uint8Array(1)]]) }),
  ]);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepUringCmd(0, 0, 1, { multishot: 7 })], /group 7/);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepUringCmd128(0, 0, 1)], /sqe128 or sqeMixed/);
});

it('IORING_OP_URING_CMD: in an entry of 128 bytes, with a command of up to 80', () => {
  using files = new Descriptors();
  using ring = openRing(8, { sqe128: true });
  const sink = files.own(openSync('/dev/null', 'r+'));
  for (let i = 0; i < 20; i++) {
    ring.prepUringCmd(sink, 0, i, { cmd: new Uint8Array(80).fill(0xff) });
    assert.equal(complete(ring).res, 0);
    // Words that the command used before must be empty for others.
    ring.prepNop(i);
    assert.equal(complete(ring).res, 0);
  }
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepUringCmd(sink, 0, 1, { cmd: new Uint8Array(81) })]);
});

it('IORING_OP_URING_CMD128: reaches the driver where the kernel has it, and is -EINVAL else', () => {
  using files = new Descriptors();
  using ring = openRing(8, { sqe128: true });
  const { supported } = ring.probe()[IORING_OP_URING_CMD128];
  const sink = files.own(openSync('/dev/null', 'r+'));
  ring.prepUringCmd128(sink, 0, 1, { cmd: new Uint8Array(80).fill(0xff) });
  assert.equal(complete(ring).res, supported ? 0 : -EINVAL);
  ring.prepSqe({ opcode: IORING_OP_URING_CMD128, fd: sink, cmd: new Uint8Array(80) }, 1);
  assert.equal(complete(ring).res, supported ? 0 : -EINVAL);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepUringCmd128(sink, 0, 1, { cmd: new Uint8Array(81) })]);
});

it('IORING_OP_READ: by hand: each field arrives where it belongs', {
  skip: without('6.14', 'attributes of reads and writes'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'abcdefgh'), 'r'));
  const buffer = Buffer.alloc(2);
  const read = (sqe: object): string | number => {
    ring.prepSqe({ opcode: IORING_OP_READ, fd, addr: buffer, len: 2, ...sqe }, 1);
    const { res } = complete(ring);
    return res < 0 ? res : buffer.toString('utf8', 0, res);
  };
  assert.deepEqual([read({ off: 2 }), read({ off: 4n }), read({})], ['cd', 'ef', 'ab']);
  assert.deepEqual([read({ off: -1 }), read({ off: -1n }), read({ off: 2n ** 64n - 1n })], ['ab', 'cd', 'ef']);
  assert.equal(read({ off: 0, len: 1, flags: IOSQE_ASYNC }), 'a');
  assert.equal(read({ fd: undefined }), -EBADF, 'no descriptor');
  assert.equal(read({ fd: 0, flags: IOSQE_FIXED_FILE }), -EBADF);
  assert.equal(read({ personality: 77 }), -EINVAL);
  assert.equal(read({ ioprio: 7 << 13 }), -EINVAL);
  assert.equal(read({ pad2: 2 }), -EINVAL, 'attributes that there are not');
  assert.equal(read({ opFlags: 2 ** 31 }), -EOPNOTSUPP);
  const [reader] = files.pipe();
  assert.equal(read({ fd: reader, opFlags: RWF_NOWAIT }), -EAGAIN);
});

it('IORING_OP_READ: by hand, into a provided buffer', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'abcdefgh'), 'r'));
  const group = ring.registerBufRing(2, 4, 6);
  ring.prepSqe({ opcode: IORING_OP_READ, fd, len: 4, off: 4, flags: IOSQE_BUFFER_SELECT, bufIndex: 6 }, 1);
  const c = complete(ring);
  assert.equal(Buffer.from(group.bytes(c.bufferId()!, c.res)).toString(), 'efgh');
  refused(ring, 'ERR_INVALID_STATE', [
    () => ring.prepSqe({ opcode: IORING_OP_READ, fd, len: 4, flags: IOSQE_BUFFER_SELECT, bufIndex: 7 }, 1),
  ]);
});

it('IORING_OP_READV: by hand, with memory behind memory: all of it is kept while in flight', async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const prepare = (): WeakRef<Uint8Array>[] => {
    const buffer = new Uint8Array(new ArrayBuffer(8));
    const iovec = new BigUint64Array([koffi.address(buffer), 8n]);
    ring.prepSqe({ opcode: IORING_OP_READV, fd: reader, addr: iovec, len: 1, off: -1 }, 1, { lend: [buffer] });
    return [new WeakRef(buffer), new WeakRef(new Uint8Array(iovec.buffer))];
  };
  const [buffer] = prepare();
  ring.submit();
  await finalized();
  assert.ok(isQuiet(ring));
  writeSync(writer, 'deep');
  assert.equal(complete(ring).res, 4);
  assert.equal(Buffer.from(buffer.deref()!).toString('utf8', 0, 4), 'deep');
  await finalized();
  assert.equal(buffer.deref(), undefined);
});

it('IORING_OP_GETXATTR: by hand, an address in each of off, addr and addr3', (t) => {
  using folder = new Temporary();
  using ring = openRing(8);
  const path = folder.file('data');
  ring.prepSetxattr(path, 'user.note', Buffer.from('by hand'), 1);
  const { res } = complete(ring);
  if (res === -EOPNOTSUPP) return t.skip('the file system has no extended attributes');
  assert.equal(res, 0);
  const value = Buffer.alloc(16);
  ring.prepSqe(
    {
      opcode: IORING_OP_GETXATTR,
      addr: Buffer.from('user.note\0'),
      off: value,
      len: value.length,
      addr3: Buffer.from(`${path}\0`),
    },
    2,
  );
  assert.equal(complete(ring).res, 7);
  assert.equal(value.toString('utf8', 0, 7), 'by hand');
});

it('IORING_OP_URING_CMD: by hand, with the fields that share places: level, optname, optlen, optval', {
  skip: without('6.7', 'SOCKET_URING_OP_GETSOCKOPT'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { server } = tcpPair(ring, files);
  const value = new Int32Array(1);
  const addr = (BigInt(SO_TYPE) << 32n) | BigInt(SOL_SOCKET);
  ring.prepSqe(
    { opcode: IORING_OP_URING_CMD, fd: server, off: SOCKET_URING_OP_GETSOCKOPT, addr, fileIndex: 4, addr3: value },
    1,
  );
  assert.equal(complete(ring).res, 4);
  assert.equal(value[0], SOCK_STREAM);
});

it('IORING_OP_NOP: by hand; operations that there are not are -EINVAL', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using ring = openRing(8);
  for (const userData of [0, 2 ** 53 - 1, 2n ** 64n - 1n]) {
    ring.prepSqe({ opcode: IORING_OP_NOP }, userData);
    assert.equal(complete(ring).userData64, BigInt(userData));
  }
  for (const opcode of [200, 255]) {
    ring.prepSqe({ opcode, addr: new Uint8Array(8) }, 1);
    assert.equal(complete(ring).res, -EINVAL);
  }
  ring.prepSqe({ opcode: 255, flags: IOSQE_IO_LINK }, 1);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, -EINVAL], [2, -ECANCELED]]));
});

it('IORING_OP_NOP: misuse of an entry by hand throws, and queues nothing', () => {
  using ring = openRing(8);
  const opcode = IORING_OP_NOP;
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepSqe(any(null), 1),
    () => ring.prepSqe(any(undefined), 1),
    () => ring.prepSqe(any({}), 1),
    () => ring.prepSqe({ opcode: any('0') }, 1),
    () => ring.prepSqe({ opcode, fd: any('0') }, 1),
    () => ring.prepSqe({ opcode, off: any('0') }, 1),
    () => ring.prepSqe({ opcode, off: 0.5 }, 1),
    () => ring.prepSqe({ opcode, addr: any({}) }, 1),
    () => ring.prepSqe({ opcode, cmd: any('x') }, 1),
    () => ring.prepSqe({ opcode }, any(null)),
    () => ring.prepSqe({ opcode }, 1, { lend: [any('x')] }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepSqe({ opcode: 256 }, 1),
    () => ring.prepSqe({ opcode, flags: 256 }, 1),
    () => ring.prepSqe({ opcode, ioprio: 65536 }, 1),
    () => ring.prepSqe({ opcode, off: 2n ** 64n }, 1),
    () => ring.prepSqe({ opcode, addr: -(2n ** 63n) - 1n }, 1),
    () => ring.prepSqe({ opcode, len: -1 }, 1),
    () => ring.prepSqe({ opcode, opFlags: 2 ** 32 }, 1),
    () => ring.prepSqe({ opcode, bufIndex: 65536 }, 1),
    () => ring.prepSqe({ opcode, personality: -1 }, 1),
    () => ring.prepSqe({ opcode, fileIndex: 2 ** 32 }, 1),
    () => ring.prepSqe({ opcode, cmd: new Uint8Array(17) }, 1),
    () => ring.prepSqe({ opcode }, 2n ** 64n),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepSqe({ opcode, flags: IOSQE_CQE_SKIP_SUCCESS }, 1)]);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepSqe({ opcode: IORING_OP_NOP128 }, 1)]);
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepSqe({ opcode, addr: detached }, 1)]);
});
