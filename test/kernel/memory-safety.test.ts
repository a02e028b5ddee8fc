// Nothing a caller does in JavaScript may make the kernel write into memory that is not his any more, or crash
// the process. The collector is called at the worst moments.
// slow: has garbage collected over and over
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import koffi from 'koffi';
import { EOPNOTSUPP } from '../../src/abi/errno.ts';
import {
  EPOLL_CTL_ADD,
  IORING_OP_READ,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_LINK,
  POLLIN,
  P_PID,
  SOCKET_URING_OP_GETSOCKOPT,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_TYPE,
  WEXITED,
} from '../../src/abi/index.ts';
import {
  allocateAligned,
  EpollEvents,
  IoUring,
  Msghdr,
  rightsOf,
  Siginfo,
  SocketAddressBuffer,
  Statx,
  type ProvidedBufRing,
} from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { readSocketAddress } from '../../src/ring/structs/socket-address.ts';
import { it } from '../asking.ts';
import { CLOSED_WITHIN_MS } from './closed-within.ts';
import { collect, finalized } from './collect.ts';
import { call, callsOf, METHODS, openForAll, publicMethods } from './every-method.ts';
import { Descriptors } from './libc.ts';
import { Children } from './operations/children.ts';
import { complete, reap } from './reap.ts';
import { Temporary } from './temporary.ts';
import { detached, detachedView, growable, resizable } from './wrong-values.ts';

const EFAULT = 14;

const epollCreate = koffi.load(null).func('int epoll_create1(int flags)') as (flags: number) => number;

/** What a ring holds on to for operations in flight. */
const pinsOf = (ring: IoUring): { size: number } => coreOf(ring).pins;

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** Fill the heap's free memory with a pattern, so that a stray write by the kernel would show. */
function sow(count: number, bytes: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(bytes).fill(0xa5));
}

function checkHarvest(fields: Uint8Array[]): void {
  for (const field of fields) assert.ok(field.every((byte) => byte === 0xa5), 'somebody wrote into foreign memory');
}

describe('pins', () => {
  it('torture: buffers dropped right after prepRead are neither freed nor moved under the kernel', async () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(64);
    const block = 4096;
    const contents = Buffer.alloc(256 * block);
    for (let i = 0; i < 256; i++) contents.fill(i, i * block, (i + 1) * block);
    const fd = files.own(openSync(folder.file('data', contents), 'r'));
    let alive = 0;
    const registry = new FinalizationRegistry(() => alive--);
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 64; i++) {
        const buffer = new Uint8Array(i % 2 ? block : 48 + i);
        registry.register(buffer, undefined);
        alive++;
        ring.prepRead(fd, buffer, buffer.length, i, ((round * 64 + i) % 256) * block);
      }
      collect();
      const fields = sow(64, block);
      ring.submitAndWait(64);
      for (const c of reap(ring)) assert.ok(c.res > 0 && c.res !== -EFAULT);
      checkHarvest(fields);
    }
    await finalized();
    assert.ok(alive < 200, `${alive} buffers are still held after their completions`);
    // A registry that is collected itself reports nothing.
    registry.unregister(ring);
  });

  it('a read that waits holds its buffer through collections, and gets its data', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    const weak = ((): WeakRef<Uint8Array> => {
      const buffer = new Uint8Array(1 << 16);
      ring.prepRead(reader, buffer, buffer.length, 1);
      ring.submit();
      return new WeakRef(buffer);
    })();
    await finalized();
    const buffer = weak.deref();
    assert.ok(buffer, 'held by nobody but the ring');
    writeSync(writer, 'data');
    assert.equal(complete(ring).res, 4);
    assert.equal(Buffer.from(buffer.buffer).toString('utf8', 0, 4), 'data');
  });

  it('a lent buffer cannot be transferred, by whatever way the engine has', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    const buffer = new Uint8Array(16);
    ring.prepRead(reader, buffer, 16, 1);
    ring.submit();
    const memory = buffer.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
    const { port1 } = new MessageChannel();
    for (
      const attempt of [
        () => structuredClone(memory, { transfer: [memory] }),
        () => port1.postMessage(memory, [memory]),
        () => memory.transfer?.(),
      ]
    ) {
      try {
        attempt();
      } catch {
        // Some say no aloud; Node 20 copies instead. What counts is that the memory stays.
      }
      assert.equal(buffer.length, 16);
    }
    port1.close();
    writeSync(writer, 'still here');
    assert.equal(complete(ring).res, 10);
    assert.equal(Buffer.from(memory).toString('utf8', 0, 10), 'still here');
  });

  it('memory of allocateAligned, and of provided buffers, cannot be detached at all, not even by streams', async () => {
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16384, 1);
    const small = ring.registerBufRing(4, 64, 2);
    const views = [allocateAligned(16384), allocateAligned(64), buffers.bytes(0, 16384), small.bytes(0, 64)];
    for (const view of views) {
      const memory = view.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
      const { transfer } = ArrayBuffer.prototype as unknown as { transfer?(): ArrayBuffer };
      let controller: ReadableByteStreamController | undefined;
      const stream = new ReadableStream({ type: 'bytes', start: (c) => void (controller = c) });
      const reader = new ReadableStream({ type: 'bytes' }).getReader({ mode: 'byob' });
      for (
        const attempt of [
          () => transfer?.call(memory),
          () => structuredClone(memory, { transfer: [memory] }),
          () => controller!.enqueue(new Uint8Array(memory, 0, 16)),
          () => reader.read(new Uint8Array(memory, 0, 16)).catch(() => {}),
        ]
      ) {
        try {
          await Promise.race([Promise.resolve(attempt()), new Promise((resolve) => setImmediate(resolve))]);
        } catch {
          // Refused aloud, as most of them do.
        }
        assert.ok(memory.byteLength > 0);
      }
      await stream.cancel();
    }
  });

  it('the slots of small typed arrays: their memory does not move when it is touched later', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', 'abcdefgh'), 'r'));
    for (let round = 0; round < 200; round++) {
      const tiny = new Uint8Array(8);
      ring.prepRead(fd, tiny, 8, 1, 0);
      collect();
      void tiny.buffer;
      assert.equal(complete(ring).res, 8);
      assert.equal(Buffer.from(tiny).toString(), 'abcdefgh');
    }
  });

  it('allocateAligned is aligned as asked, and O_DIRECT takes it', (t) => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    for (const alignment of [1, 16, 512, 4096, 65536]) {
      assert.equal(allocateAligned(100, alignment).length, 100);
    }
    using folder = new Temporary();
    const path = folder.file('data', Buffer.alloc(8192, 'x'));
    let fd: number;
    try {
      fd = files.own(openSync(path, constants.O_DIRECT));
    } catch {
      return t.skip('needs a file system with O_DIRECT');
    }
    const buffer = allocateAligned(4096);
    ring.prepRead(fd, buffer, 4096, 1, 4096);
    assert.equal(complete(ring).res, 4096);
    assert.ok(buffer.every((byte) => byte === 120));
  });
});

/** What an operation in flight waits for, and how to see what came. */
interface Waiting {
  happens: () => void;
  came: (lent: object) => unknown;
}

/** One operation that writes into lent memory when something happens. */
interface Writer {
  /** Queue it, with memory that only the ring holds afterwards. */
  prepare: (ring: IoUring, files: Descriptors) => Waiting & { lent: object };
  /** What there is to be seen then. */
  expected: unknown;
}

const text = (memory: Uint8Array): string => Buffer.from(memory).toString().replace(/[\0\xa5\ufffd].*/s, '');

/** Every operation that the kernel writes into memory for, long after it was submitted. */
const WRITERS: Record<string, Writer> = {
  prepRead: {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      const lent = new Uint8Array(64);
      ring.prepRead(reader, lent, 64, 1);
      return { lent, happens: () => writeSync(writer, 'data'), came: (memory) => text(memory as Uint8Array) };
    },
    expected: 'data',
  },
  'prepRead into a DataView': {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      const lent = new DataView(new ArrayBuffer(64), 8);
      ring.prepRead(reader, lent, 56, 1);
      return { lent, happens: () => writeSync(writer, 'data'), came: (view) => (view as DataView).getUint32(0) };
    },
    expected: 0x64617461,
  },
  'prepRead into a SharedArrayBuffer': {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      const lent = new SharedArrayBuffer(64);
      ring.prepRead(reader, lent, 64, 1);
      const came = (memory: object): string => text(new Uint8Array(memory as SharedArrayBuffer));
      return { lent, happens: () => writeSync(writer, 'data'), came };
    },
    expected: 'data',
  },
  prepReadv: {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      const lent = Array.from({ length: 4 }, () => new Uint8Array(1));
      ring.prepReadv(reader, lent, 1);
      const [, , , last] = lent;
      return { lent: last, happens: () => writeSync(writer, 'data'), came: (memory) => text(memory as Uint8Array) };
    },
    expected: 'a',
  },
  prepRecv: {
    prepare: (ring, files) => {
      const [socket, peer] = files.socketPair();
      const lent = new Uint8Array(64);
      ring.prepRecv(socket, lent, 64, 1);
      return { lent, happens: () => writeSync(peer, 'data'), came: (memory) => text(memory as Uint8Array) };
    },
    expected: 'data',
  },
  'prepRecvmsg, the data': {
    prepare: (ring, files) => {
      const [socket, peer] = files.socketPair();
      const lent = new Uint8Array(64);
      ring.prepRecvmsg(socket, new Msghdr({ iov: [new Uint8Array(2), lent], name: 128, control: 64 }), 1);
      return { lent, happens: () => writeSync(peer, 'data'), came: (memory) => text(memory as Uint8Array) };
    },
    expected: 'ta',
  },
  'prepRecvmsg, the rest': {
    prepare: (ring, files) => {
      const [socket, peer] = files.socketPair();
      const lent = new Msghdr({ iov: [new Uint8Array(2)], name: 128, control: 64 });
      ring.prepRecvmsg(socket, lent, 1);
      const came = (msg: object): unknown => {
        const { controlLength, iov } = msg as Msghdr;
        return [controlLength, text(iov[0] as Uint8Array)];
      };
      return { lent, happens: () => writeSync(peer, 'data'), came };
    },
    expected: [0, 'da'],
  },
  'prepAccept, the address': {
    prepare: (ring, files) => {
      const { fd, port } = files.listener();
      const lent = new SocketAddressBuffer();
      ring.prepAccept(fd, 1, { address: lent });
      const came = (address: object): unknown => {
        const found = (address as SocketAddressBuffer).address;
        return found?.family === 'IPv4' && found.address;
      };
      return { lent, happens: () => void files.connect(port), came };
    },
    expected: '127.0.0.1',
  },
  prepEpollWait: {
    prepare: (ring, files) => {
      const epoll = files.own(epollCreate(0o2000000));
      const [reader, writer] = files.pipe();
      ring.prepEpollCtl(epoll, EPOLL_CTL_ADD, reader, { events: POLLIN, data: 0x1234_5678_9abcn }, 9);
      ring.submitAndWait(1);
      reap(ring);
      const lent = new EpollEvents(4);
      ring.prepEpollWait(epoll, lent, 1);
      const came = (events: object): unknown => [...(events as EpollEvents).entries(1)];
      return { lent, happens: () => writeSync(writer, 'x'), came };
    },
    expected: [{ events: POLLIN, data: 0x1234_5678_9abcn }],
  },
  'a provided buffer of the older kind': {
    prepare: (ring, files) => {
      const [socket, peer] = files.socketPair();
      const lent = new Uint8Array(64);
      ring.prepProvideBuffers(lent, 64, 1, 9, 0, 9);
      ring.submitAndWait(1);
      reap(ring);
      ring.prepRecv(socket, null, 64, 1);
      ring.sqeSetBufGroup(9);
      return { lent, happens: () => writeSync(peer, 'data'), came: (memory) => text(memory as Uint8Array) };
    },
    expected: 'data',
  },
  'the memory of a command': {
    prepare: (ring, files) => {
      // The socket's type, after something that waits: the option is read when its turn comes.
      const [socket, peer] = files.socketPair();
      ring.prepPollAdd(socket, POLLIN, 9);
      ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
      const lent = new Uint8Array(4);
      ring.prepCmdSock(SOCKET_URING_OP_GETSOCKOPT, socket, SOL_SOCKET, SO_TYPE, lent, 1);
      return { lent, happens: () => writeSync(peer, 'x'), came: (memory) => (memory as Uint8Array)[0] };
    },
    expected: SOCK_STREAM,
  },
  'what comes in a chain': {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      ring.prepPollAdd(reader, POLLIN, 9);
      ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
      const lent = new Statx();
      ring.prepStatx(-100, '/dev/null', 0, 0x7ff, lent, 1);
      return { lent, happens: () => writeSync(writer, 'x'), came: (statx) => (statx as Statx).isCharacterDevice() };
    },
    expected: true,
  },
  'a pipe that is made late': {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      ring.prepPollAdd(reader, POLLIN, 9);
      ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
      const lent = new Int32Array(2);
      ring.prepPipe(lent, 1);
      const came = (fds: object): boolean => [...(fds as Int32Array)].every((fd) => files.own(fd) > 0);
      return { lent, happens: () => writeSync(writer, 'x'), came };
    },
    expected: true,
  },
  'slots that the kernel picks late': {
    prepare: (ring, files) => {
      ring.registerFilesSparse(8);
      const [reader, writer] = files.pipe();
      ring.prepPollAdd(reader, POLLIN, 9);
      ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
      const lent = Int32Array.of(reader, writer);
      ring.prepFilesUpdate(lent, 'alloc', 1);
      return { lent, happens: () => writeSync(writer, 'x'), came: (fds) => [...(fds as Int32Array)] };
    },
    expected: [0, 1],
  },
  'the value of an attribute': {
    prepare: (ring, files) => {
      const [reader, writer] = files.pipe();
      const folder = new Temporary();
      const path = folder.file('attributed');
      ring.prepSetxattr(path, 'user.iouring', Buffer.from('data'), 9);
      const { res } = complete(ring);
      if (res === -EOPNOTSUPP) {
        folder[Symbol.dispose]();
        throw new Error('user attributes of a tmpfs: needs Linux 6.6');
      }
      ring.prepPollAdd(reader, POLLIN, 9);
      ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
      const lent = new Uint8Array(64);
      ring.prepGetxattr(path, 'user.iouring', lent, 1);
      const happens = (): void => void writeSync(writer, 'x');
      const came = (memory: object): string => {
        folder[Symbol.dispose]();
        return text(memory as Uint8Array);
      };
      return { lent, happens, came };
    },
    expected: 'data',
  },
  'what became of a child': {
    prepare: (ring) => {
      const children = new Children();
      const pid = children.shell('exec sleep 1000');
      const lent = new Siginfo();
      ring.prepWaitid(P_PID, pid, WEXITED, lent, 1);
      const happens = (): void => void process.kill(pid, 'SIGKILL');
      const came = (info: object): unknown => {
        children.collected(pid);
        return [(info as Siginfo).pid === pid, (info as Siginfo).status];
      };
      return { lent, happens, came };
    },
    expected: [true, 9],
  },
};

describe('memory that the kernel writes into much later', () => {
  for (const [what, { prepare, expected }] of Object.entries(WRITERS)) {
    it(`${what}: the ring alone holds it, through collections; what comes lands there and nowhere else`, async () => {
      for (let round = 0; round < 3; round++) {
        using files = new Descriptors();
        using ring = new IoUring(16);
        const { weak, happens, came } = ((): Waiting & { weak: WeakRef<object> } => {
          const { lent, ...rest } = prepare(ring, files);
          return { weak: new WeakRef(lent), ...rest };
        })();
        ring.submit();
        await finalized();
        const fields = [...sow(64, 64), ...sow(16, 4096), ...sow(256, 8)];
        collect();
        happens();
        const { userData, res } = complete(ring);
        assert.equal(userData, 1);
        assert.ok(res >= 0, `${res}`);
        const lent = weak.deref();
        assert.ok(lent, 'collected while it was lent');
        assert.deepEqual(came(lent), expected);
        checkHarvest(fields);
        assert.equal(pinsOf(ring).size, 0);
      }
    });
  }
});

describe('memory that somebody tries to take away while it is lent', () => {
  const { transfer } = ArrayBuffer.prototype as unknown as { transfer?(): ArrayBuffer };
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  port2.unref();

  const attempts: Record<string, (memory: ArrayBuffer) => unknown> = {
    structuredClone: (memory) => structuredClone(memory, { transfer: [memory] }),
    postMessage: (memory) => port1.postMessage(memory, [memory]),
    'ArrayBuffer.prototype.transfer, on the buffer': (memory) => (memory as { transfer?(): unknown }).transfer?.(),
    'a worker’s data': (memory) =>
      void new Worker('', { eval: true, workerData: memory, transferList: [memory] }).terminate(),
    resize: (memory) => (memory as unknown as { resize?(n: number): void }).resize?.(0),
  };

  /** Ways to lend a piece of memory. */
  const lend: Record<string, (ring: IoUring, fd: number, memory: ArrayBuffer) => void> = {
    'an ArrayBuffer': (ring, fd, memory) => void ring.prepRead(fd, memory, 4, 1),
    'a Uint8Array': (ring, fd, memory) => void ring.prepRead(fd, new Uint8Array(memory), 4, 1),
    'a part of a Float64Array': (ring, fd, memory) => void ring.prepRead(fd, new Float64Array(memory, 0, 1), 4, 1),
    'a DataView': (ring, fd, memory) => void ring.prepRead(fd, new DataView(memory), 4, 1),
    'one of several': (ring, fd, memory) => void ring.prepReadv(fd, [memory, new Uint8Array(8)], 1),
    'a piece of a message': (ring, fd, memory) => void ring.prepRecvmsg(fd, new Msghdr({ iov: [memory] }), 1),
    'a receive’s': (ring, fd, memory) => void ring.prepRecv(fd, memory, 4, 1),
    'what is lent by hand': (ring, fd, memory) =>
      void ring.prepSqe({ opcode: IORING_OP_READ, fd, addr: memory, len: 4, off: -1 }, 1),
    'lent by a list': (ring, fd, memory) => {
      const addr = new Uint8Array(memory);
      ring.prepSqe({ opcode: IORING_OP_READ, fd, addr, len: 4, off: -1 }, 1, { lend: [memory] });
    },
    'given to a group': (ring, fd, memory) => {
      ring.prepProvideBuffers(memory, 16, 1, 9, 0, 1);
      ring.submitAndWait(1);
      reap(ring);
      ring.prepRead(fd, null, 16, 1);
      ring.sqeSetBufGroup(9);
    },
    'registered': (ring, fd, memory) => {
      ring.registerBuffers([memory]);
      ring.prepRead(fd, new Uint8Array(memory), 4, 1, null, { fixed: 0 });
    },
  };
  for (const [kind, prepare] of Object.entries(lend)) {
    for (const [way, attempt] of Object.entries(attempts)) {
      it(`${kind}, by ${way}: it stays, and what comes lands in it`, () => {
        using files = new Descriptors();
        using ring = new IoUring(8);
        const [socket, peer] = files.socketPair();
        const memory = new ArrayBuffer(16);
        prepare(ring, socket, memory);
        ring.submit();
        try {
          attempt(memory);
        } catch {
          // Some say no aloud, others copy.
        }
        assert.equal(memory.byteLength, 16);
        writeSync(peer, 'here');
        assert.equal(complete(ring).res, 4);
        assert.equal(Buffer.from(memory).toString('utf8', 0, 4), 'here');
      });
    }
  }

  for (const bytes of [1, 4096, 16384, 100_000]) {
    it(`${bytes} bytes of allocateAligned, by whatever the engine has: they stay`, () => {
      using files = new Descriptors();
      using ring = new IoUring(8);
      const [reader, writer] = files.pipe();
      const piece = allocateAligned(bytes);
      const memory = piece.buffer;
      ring.prepRead(reader, piece, 1, 1);
      ring.submit();
      // Where the engine's own function heeds no mark, it is refused otherwise; before Node 21 there is no such function.
      if (transfer !== undefined) assert.throws(() => transfer.call(memory));
      for (const attempt of Object.values(attempts)) {
        try {
          attempt(memory);
        } catch {
          // As above.
        }
      }
      assert.equal(piece.length, bytes);
      writeSync(writer, 'x');
      assert.equal(complete(ring).res, 1);
      assert.equal(piece[0], 120);
    });
  }

  it('a frozen buffer, and one that has a transfer of its own', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    const own = Object.assign(new ArrayBuffer(16), { transfer: () => 5 });
    for (const memory of [Object.freeze(new ArrayBuffer(16)), Object.seal(new ArrayBuffer(16)), own]) {
      ring.prepRead(reader, memory, 4, 1);
      ring.submit();
      for (const attempt of [attempts['structuredClone'], attempts['postMessage']]) {
        try {
          attempt(memory);
        } catch {
          // As above.
        }
      }
      writeSync(writer, 'here');
      assert.equal(complete(ring).res, 4);
      assert.equal(Buffer.from(memory).toString('utf8', 0, 4), 'here');
    }
  });
});

describe('objects that change while they are read', () => {
  it('a list that gives another buffer each time: what is written to is what is held', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    const given: WeakRef<Uint8Array>[] = [];
    const fresh = (): Uint8Array => {
      const buffer = new Uint8Array(4096);
      given.push(new WeakRef(buffer));
      return buffer;
    };
    /** A list of which this is another each time. */
    const changing = (property: string, value: () => unknown): Uint8Array[] =>
      new Proxy([fresh()], {
        get: (list, key, self) => (key === property ? value() : (Reflect.get(list, key, self) as unknown)),
      });
    const lists: (() => Uint8Array[])[] = [
      () => changing('0', fresh),
      () => Object.defineProperty([fresh()], 0, { get: fresh }),
      () => Object.assign([fresh()], { [Symbol.iterator]: () => [fresh()].values() }),
      () => changing('length', () => 1),
    ];
    for (const make of lists) {
      for (
        const prepare of [
          (list: Uint8Array[]) => ring.prepReadv(reader, list, 1),
          (list: Uint8Array[]) => ring.prepRecvmsg(reader, new Msghdr({ iov: list }), 1),
        ]
      ) {
        const isReceive = String(prepare).includes('Recvmsg');
        const [socket, peer] = files.socketPair();
        given.length = 0;
        if (isReceive) ring.prepRecvmsg(socket, new Msghdr({ iov: make() }), 1);
        else prepare(make());
        ring.submit();
        await finalized();
        const fields = sow(32, 4096);
        writeSync(isReceive ? peer : writer, 'data');
        assert.equal(complete(ring).res, 4);
        const hit = given.map((ref) => ref.deref()).filter((buffer) => buffer && text(buffer) === 'data');
        assert.equal(hit.length, 1, 'it came into one that was given');
        checkHarvest(fields);
        await finalized();
      }
    }
  });

  it('arrays that lie about their length, their offset and their buffer', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    class Liar extends Uint8Array {
      override get length(): number {
        return 4096;
      }
      override get byteLength(): number {
        return 4096;
      }
      override get byteOffset(): number {
        return 2 ** 20;
      }
      override get buffer(): ArrayBuffer {
        return new ArrayBuffer(4096);
      }
      static get [Symbol.species](): Uint8ArrayConstructor {
        return Uint8Array;
      }
    }
    const fields = sow(16, 64);
    const liar = new Liar(8);
    const around = sow(16, 64);
    assert.throws(() => ring.prepRead(reader, liar, 4096, 1), { code: 'ERR_OUT_OF_RANGE' });
    ring.prepReadv(reader, [liar], 1);
    writeSync(writer, '0123456789');
    assert.equal(complete(ring).res, 8);
    assert.equal(Buffer.from(Uint8Array.prototype.slice.call(liar)).toString(), '01234567');
    ring.prepRecvmsg(reader, new Msghdr({ iov: [liar] }), 1);
    complete(ring);
    ring.prepGetxattr('/nonexistent/iouring', 'user.iouring', liar, 1);
    complete(ring);
    checkHarvest([...fields, ...around]);

    class Fds extends Int32Array {
      override get length(): number {
        return 2;
      }
      override get byteLength(): number {
        return 8;
      }
    }
    assert.throws(() => ring.prepPipe(new Fds(1), 1), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => ring.prepFutexWait(new Fds(0), 0, 1), { code: 'ERR_OUT_OF_RANGE' });
  });

  for (const length of [300, NaN, -5, 2 ** 31, 2 ** 32 + 3, 0, '300']) {
    it(`arrays that say that their length is ${String(length)}: what they have is sent, and no more`, () => {
      using files = new Descriptors();
      using ring = new IoUring(8);
      const [socket, peer] = files.socketPair();
      const lie = { value: length };
      const liar = (): Buffer =>
        Object.defineProperties(Buffer.from('abc'), { length: lie, byteLength: lie, byteOffset: { value: 8 } });
      const seen = new Uint8Array(1024);
      const lists: (() => boolean)[] = [
        () => ring.prepWritev(socket, [liar(), liar()], 1),
        () => ring.prepSendv(socket, [liar(), liar()], 1),
        () => ring.prepSendmsg(socket, { iov: [liar(), liar()] }, 1),
      ];
      for (const send of lists) {
        assert.equal(send(), true);
        assert.equal(complete(ring).res, 6, String(send));
        ring.prepRecv(peer, seen, 1024, 2);
        assert.equal(complete(ring).res, 6);
        assert.equal(Buffer.from(seen).toString('utf8', 0, 6), 'abcabc');
      }
      for (
        const send of [
          () => ring.prepSend(socket, liar(), 4, 1),
          () => ring.prepWrite(socket, liar(), 300, 1),
          () => ring.prepSendZc(socket, liar(), 4, 1),
        ]
      ) {
        assert.throws(send, { code: 'ERR_OUT_OF_RANGE', message: /3 bytes/ }, String(send));
      }
      ring.registerBuffers([liar()]);
      ring.prepWrite(socket, new Uint8Array(8), 8, 1, null, { fixed: 0 });
      assert.equal(complete(ring).res, -EFAULT, 'it is outside of what is registered');
      const address = Object.defineProperties(Buffer.from([1, 0]), { length: lie, byteLength: lie });
      assert.deepEqual(readSocketAddress(address), { family: 'unix', path: '' });
      const out = new Msghdr({ name: 16 }).parse(
        Object.defineProperties(Buffer.alloc(40), { length: lie, byteLength: lie }),
      );
      assert.equal(out?.payload.byteLength, 8);
      const data = Object.defineProperties(Buffer.from([7, 0, 0, 0]), { length: lie, byteLength: lie });
      assert.deepEqual(rightsOf({ level: 1, type: 1, data }), [7]);
    });
  }

  it('resizable memory in lists is refused, wherever it stands', () => {
    using ring = new IoUring(8);
    const good = new Uint8Array(8);
    const views = [new Uint8Array(resizable(8)), new DataView(growable(8)), detachedView(Uint8Array)];
    for (const bad of [resizable(8), detached(), ...views]) {
      for (const list of [[bad], [good, bad], [bad, good], [good, good, bad]]) {
        for (
          const prepare of [
            () => ring.prepReadv(0, list, 1),
            () => ring.prepWritev(0, list, 1),
            () => ring.prepSendv(0, list, 1),
            () => ring.prepSendmsg(0, { iov: list }, 1),
            () => ring.prepSendmsgZc(0, { iov: list }, 1),
            () => ring.prepRecvmsg(0, new Msghdr({ iov: list }), 1),
            () => ring.registerBuffers(list),
          ]
        ) {
          assert.throws(prepare, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }, String(prepare));
        }
      }
    }
    assert.equal(ring.sqReady, 0);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('a message whose memory was taken away after it was made', () => {
    using ring = new IoUring(8);
    const memory = new ArrayBuffer(8);
    const msg = new Msghdr({ iov: [new Uint8Array(8), new Uint8Array(memory)] });
    structuredClone(memory, { transfer: [memory] });
    assert.throws(() => ring.prepRecvmsg(0, msg, 1), { code: 'ERR_INVALID_ARG_VALUE', message: /iov\[1\]/ });
    assert.equal(ring.sqReady, 0);
  });

  it('one message for several receives at once: all come, each into memory that is held', async () => {
    using files = new Descriptors();
    using ring = new IoUring(16);
    const { weak, peers } = ((): { weak: WeakRef<Msghdr>; peers: number[] } => {
      const msg = new Msghdr({ iov: [new Uint8Array(4), new Uint8Array(60)], name: 128, control: 64 });
      const peers: number[] = [];
      for (let i = 0; i < 8; i++) {
        const [socket, peer] = files.socketPair();
        peers.push(peer, peer);
        ring.prepRecvmsg(socket, msg, i);
        ring.submit();
        // And prepared again while it is under way.
        ring.prepRecvmsg(socket, msg, i);
        ring.submit();
      }
      return { weak: new WeakRef(msg), peers };
    })();
    for (const [i, peer] of peers.entries()) {
      await finalized();
      assert.ok(weak.deref(), `it is lent, ${16 - i} times`);
      const fields = [...sow(64, 64), ...sow(64, 8)];
      writeSync(peer, 'a message');
      const { userData, res } = complete(ring);
      assert.deepEqual([userData, res], [i >> 1, 9]);
      const { iov } = weak.deref()!;
      assert.equal(iov.map((buffer) => text(buffer as Uint8Array)).join(''), 'a message');
      checkHarvest(fields);
    }
    await finalized();
    assert.equal(weak.deref(), undefined);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('the same buffer for many operations: held until the last', async () => {
    using files = new Descriptors();
    using ring = new IoUring(16);
    const [reader, writer] = files.pipe();
    const weak = ((): WeakRef<Uint8Array> => {
      const buffer = new Uint8Array(64);
      for (let i = 0; i < 8; i++) ring.prepRead(reader, buffer, 1, i);
      ring.submit();
      return new WeakRef(buffer);
    })();
    for (let i = 0; i < 8; i++) {
      await finalized();
      assert.ok(weak.deref(), `after ${i}`);
      writeSync(writer, 'x');
      assert.equal(complete(ring).res, 1);
    }
    await finalized();
    assert.equal(weak.deref(), undefined);
  });
});

describe('messages from another ring', () => {
  it('with every tag of 16 bits and the first slots: the buffer of a read in flight stays held', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8, { cqEntries: 4096 });
    using other = new IoUring(1024);
    const [reader, writer] = files.pipe();
    const weak = ((): WeakRef<Uint8Array> => {
      const buffer = new Uint8Array(4096);
      ring.prepRead(reader, buffer, 4096, 1);
      ring.submit();
      return new WeakRef(buffer);
    })();
    let told = 0;
    const see = (c: { userData64: bigint }): void => {
      told++;
      assert.notEqual(c.userData64, 1n);
    };
    for (let tag = 1; tag < 65536; tag++) {
      other.prepMsgRing(ring.fd, 4096, BigInt(tag) << 48n, 2);
      if (tag % 1024 !== 1023) continue;
      other.submitAndWait(other.sqReady);
      reap(other);
      ring.forEachCompletion(see);
    }
    // The kernel hands on only so many at a time.
    for (let waits = 0; told < 65535 && waits < 65535; waits++) {
      ring.submitAndWait(1, { timeoutMs: 1000 });
      ring.forEachCompletion(see);
    }
    await finalized();
    const fields = sow(64, 4096);
    assert.ok(weak.deref(), 'held');
    writeSync(writer, 'data');
    assert.equal(complete(ring).res, 4);
    assert.equal(text(weak.deref()!), 'data');
    checkHarvest(fields);
  });
});

describe('provided buffers of the older kind', () => {
  it('given where a buffer ring was, while a receive is armed on it: they are held', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [socket, peer] = files.socketPair();
    const buffers = ring.registerBufRing(2, 16, 1);
    ring.prepRecvMultishot(socket, 1, 77);
    ring.submit();
    buffers[Symbol.dispose]();
    const weak = ((): WeakRef<Uint8Array> | undefined => {
      const memory = new Uint8Array(64);
      try {
        ring.prepProvideBuffers(memory, 64, 1, 1, 0, 5);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'EEXIST', 'refused, as a buffer ring is');
        return undefined;
      }
      assert.equal(complete(ring).userData, 5);
      return new WeakRef(memory);
    })();
    if (weak === undefined) return;
    await finalized();
    assert.ok(weak.deref(), 'the receive is going to write to it');
    writeSync(peer, 'late');
    ring.submitAndWait(1, { timeoutMs: 10_000 });
    // Some kernels look for the next data at once, and tell that there is no buffer for it.
    assert.equal(reap(ring)[0].res, 4);
    assert.equal(text(weak.deref()!), 'late');
  });

  it('queued while there was a buffer ring, and taken by the kernel when there was none: they are held', async () => {
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(2, 16, 1);
    const weak = ((): WeakRef<Uint8Array> => {
      const memory = new Uint8Array(64);
      ring.prepProvideBuffers(memory, 64, 1, 1, 0, 5);
      return new WeakRef(memory);
    })();
    buffers[Symbol.dispose]();
    const { res } = complete(ring);
    await finalized();
    assert.ok(res < 0 || weak.deref(), 'the kernel has it in its list');
  });

  it('go to whoever takes them, thousands of times, and nothing is held in the end', async () => {
    using files = new Descriptors();
    using ring = new IoUring(64);
    const [socket, peer] = files.socketPair();
    let alive = 0;
    const registry = new FinalizationRegistry(() => alive--);
    for (let round = 0; round < 2000; round++) {
      const memory = new Uint8Array(64);
      registry.register(memory, undefined);
      alive++;
      ring.prepProvideBuffers(memory, 16, 4, 1, round % 1000, 1);
      if (round % 3 === 0) {
        ring.prepRemoveBuffers(4, 1, 2);
        ring.submitAndWait(2);
        assert.deepEqual(reap(ring).map(({ res }) => res), [0, 4]);
        continue;
      }
      ring.submitAndWait(1);
      reap(ring);
      for (let i = 0; i < 4; i++) {
        writeSync(peer, 'x');
        ring.prepRecv(socket, null, 16, 3);
        ring.sqeSetBufGroup(1);
        const c = complete(ring);
        assert.deepEqual([c.res, c.bufferId()], [1, (round % 1000) + i]);
        assert.equal(memory[16 * i], 120);
      }
      if (round % 500 === 0) collect();
    }
    await finalized();
    assert.ok(alive < 20, `${alive} of them are held`);
    assert.equal(pinsOf(ring).size, 0);
    registry.unregister(ring);
  });
});

it('thousands of operations of every kind: nothing is held, no descriptor is left', async () => {
  const ring = openForAll(64);
  ring.enableRings();
  const own = openDescriptors();
  let done = 0;
  for (let round = 0; round < 40; round++) {
    for (const method of METHODS) {
      if (!method.prepares) continue;
      for (const [what, make] of callsOf(method)) {
        const values = make();
        assert.equal(call(ring, method.name, values), true, what);
        ring.submitAndWait(1, { timeoutMs: 5000 });
        const seen = reap(ring);
        assert.ok(seen.length > 0, `${what} did not complete`);
        done += seen.length;
        const { res } = seen[0];
        const brings = ['prepSocket', 'prepOpen', 'prepAccept'].some((name) => method.name.startsWith(name));
        if (brings && res > 2) closeSync(res);
        const pipe = method.name === 'prepPipe' && res === 0 ? [...(values[0] as Int32Array)] : [];
        for (const fd of pipe) if (fd > 2) closeSync(fd);
      }
    }
    if (round % 10 === 0) await finalized();
    assert.equal(pinsOf(ring).size, 0);
  }
  assert.ok(done > 4000, `${done}`);
  assert.equal(openDescriptors(), own);
  ring.close();
});

describe('close', () => {
  it('with reads, a timer, an accept and a multishot receive in flight: all end, no descriptor is left', () => {
    using files = new Descriptors();
    const before = openDescriptors();
    const [reader, writer] = files.pipe();
    const [socket, peer] = files.socketPair();
    const { fd } = files.listener();
    const own = openDescriptors() - before;
    const ring = new IoUring(32);
    const buffers = ring.registerBufRing(4, 64, 1);
    const buffer = new Uint8Array(64).fill(0xa5);
    for (let i = 0; i < 8; i++) ring.prepRead(reader, buffer, 64, i);
    ring.prepTimeout(60_000, 20);
    ring.prepAccept(fd, 21);
    ring.prepRecvMultishot(socket, buffers.group, 22);
    ring.submit();
    ring.prepRead(reader, buffer, 64, 30); // queued, never submitted
    const shown = buffers.bytes(0, 64);
    ring.close();
    writeSync(writer, 'too late');
    writeSync(peer, 'too late');
    assert.ok(buffer.every((byte) => byte === 0xa5), 'the kernel had let go');
    assert.ok(shown.every((byte) => byte === 0));
    assert.equal(openDescriptors() - before, own);
  });

  it('closes connections that were accepted and that nobody reaped', () => {
    using files = new Descriptors();
    const { fd, port } = files.listener();
    const [reader] = files.pipe();
    for (const when of ['before', 'during']) {
      for (let i = 0; i < 3; i++) files.connect(port);
      const before = openDescriptors();
      const ring = new IoUring(8);
      ring.prepAcceptMultishot(fd, 1);
      ring.prepRead(reader, new Uint8Array(8), 8, 2);
      ring.submit();
      if (when === 'before') ring.submitAndWait(1);
      else files.connect(port);
      const own = when === 'before' ? 0 : 1;
      ring.close();
      assert.equal(openDescriptors() - before, own, when);
    }
  });

  it('a read that blocks in a worker thread of the kernel is interrupted', () => {
    using files = new Descriptors();
    const ring = new IoUring(8);
    const tty = files.own(openSync('/dev/ptmx', 'r+'));
    const buffer = new Uint8Array(64);
    for (let i = 0; i < 4; i++) ring.prepRead(tty, buffer, 64, i);
    ring.submit();
    const start = performance.now();
    ring.close();
    assert.ok(performance.now() - start < CLOSED_WITHIN_MS, 'not given up on after the time limit, but ended');
  });

  it('every method afterwards throws ERR_IOURING_CLOSED; closing again, and disposing, do nothing', () => {
    assert.deepEqual(METHODS.map(({ name }) => name).sort(), publicMethods(), 'the table has all of them');
    for (const method of METHODS) {
      for (const [what, values] of callsOf(method)) {
        const ring = openForAll();
        ring.close();
        const refusal = { code: 'ERR_IOURING_CLOSED', message: /closed/ };
        assert.throws(() => call(ring, method.name, values()), refusal, what);
      }
    }
    const ring = new IoUring(8);
    const buffers = ring.registerBufRing(2, 16, 1);
    ring.prepNop(1);
    ring.close();
    for (
      const use of [
        () => buffers.bytes(0, 1),
        () => buffers.recycle(0),
        () => buffers.add(0, 1),
        () => buffers.head(),
        () => buffers.available(),
        () => ring.submitAndWait(1, { timeoutMs: 1 }),
        () => ring.submitAndWait(1, { deadline: 1n, minWaitMs: 1, noIowait: true }),
      ]
    ) {
      assert.throws(use, { code: 'ERR_IOURING_CLOSED', message: /closed/ }, String(use));
    }
    ring.close();
    ring[Symbol.dispose]();
    buffers[Symbol.dispose]();
    assert.equal(ring.fd, -1);
    assert.equal(ring.closed, true);
    assert.equal(buffers.group, 1);
    const { cqReady, sqReady, sqSpaceLeft, cqHasOverflow, cqOverflow, cqEventfdEnabled } = ring;
    assert.deepEqual({ cqReady, sqReady, sqSpaceLeft, cqHasOverflow, cqOverflow, cqEventfdEnabled }, {
      cqReady: 0,
      sqReady: 0,
      sqSpaceLeft: 0,
      cqHasOverflow: false,
      cqOverflow: 0,
      cqEventfdEnabled: false,
    });
  });

  it('a view from bytes() outlives everything: recycle, dispose, close, collection, in any order', async () => {
    const orders: (keyof typeof steps)[][] = [
      ['recycle', 'dispose', 'close', 'collect'],
      ['dispose', 'collect', 'close'],
      ['close', 'dispose', 'collect'],
      ['close', 'collect', 'dispose'],
      ['collect', 'close', 'collect', 'dispose'],
      ['recycle', 'close', 'close', 'dispose', 'dispose', 'collect'],
    ];
    const steps = {
      recycle: (_ring: IoUring, buffers: ProvidedBufRing, id: number): void => buffers.recycle(id),
      dispose: (_ring: IoUring, buffers: ProvidedBufRing): void => buffers[Symbol.dispose](),
      close: (ring: IoUring): void => ring.close(),
      collect,
    };
    for (const order of orders) {
      using files = new Descriptors();
      const [a, b] = files.socketPair();
      let ring: IoUring | undefined = new IoUring(8);
      let buffers: ProvidedBufRing | undefined = ring.registerBufRing(2, 4096, 1);
      ring.prepRecvMultishot(a, 1, 1);
      writeSync(b, 'kept');
      const c = complete(ring);
      const view = buffers.bytes(c.bufferId()!, c.res);
      for (const step of order) steps[step](ring, buffers, c.bufferId()!);
      ring = undefined;
      buffers = undefined;
      await finalized();
      assert.equal(Buffer.from(view).toString(), 'kept', order.join(', '));
      view.fill(0);
    }
  });

  it('the cursor and its copies outlive the ring', () => {
    const ring = new IoUring(8);
    ring.prepNop(3);
    ring.submitAndWait(1);
    let cursor: { userData: number; res: number } | undefined;
    ring.forEachCompletion((c) => void (cursor = c));
    ring.close();
    assert.equal(cursor!.userData, 3);
    assert.equal(cursor!.res, 0);
  });
});

describe('a ring that is dropped without close', () => {
  it('is cleaned up: its descriptor closed, its memory unmapped, its buffers let go', async () => {
    using files = new Descriptors();
    const [reader, writer] = files.pipe();
    await finalized();
    const before = openDescriptors();
    const rings = (): number => (readFileSync('/proc/self/maps', 'utf8').match(/io_uring/g) ?? []).length;
    const mappedBefore = rings();
    const weak: WeakRef<Uint8Array>[] = [];
    const waiting = new Uint8Array(64).fill(0xa5);
    (() => {
      for (let i = 0; i < 10; i++) {
        const ring = new IoUring(8);
        const buffer = new Uint8Array(4096);
        ring.prepRead(reader, i === 0 ? waiting : buffer, 64, 1);
        ring.submit();
        weak.push(new WeakRef(buffer));
      }
    })();
    assert.equal(openDescriptors(), before + 10);
    await finalized();
    await finalized();
    assert.equal(openDescriptors(), before);
    assert.equal(rings(), mappedBefore);
    assert.ok(weak.every((ref) => ref.deref() === undefined));
    writeSync(writer, 'late');
    assert.ok(waiting.every((byte) => byte === 0xa5), 'the read was cancelled first');
  });

  it('never comes to be: options that throw in the middle leave nothing behind', () => {
    const before = openDescriptors();
    for (let nth = 1; nth < 4; nth++) {
      let reads = 0;
      const options = {
        get registerRingFd(): boolean {
          if (++reads >= nth) throw new Error('mine');
          return true;
        },
      };
      try {
        new IoUring(8, options).close();
      } catch (error) {
        assert.equal((error as Error).message, 'mine');
      }
    }
    assert.equal(openDescriptors(), before);
  });

  it('stays while its buffer ring is in use', async () => {
    const buffers = (() => new IoUring(8).registerBufRing(2, 16, 1))();
    await finalized();
    assert.equal(buffers.bytes(0, 16).length, 16, 'the ring is open');
  });

  it('stays while its completions are iterated over', async () => {
    const completions = (() => {
      const ring = new IoUring(8);
      for (let i = 1; i <= 2; i++) ring.prepNop(i);
      ring.submit();
      return ring.completions();
    })();
    assert.equal(completions.next().value?.userData, 1);
    await finalized();
    assert.equal(completions.next().value?.userData, 2);
  });

  it('hundreds of rings, opened and closed: no descriptor, no mapping, no registered index is used up', () => {
    const before = openDescriptors();
    for (let i = 0; i < 300; i++) {
      using ring = new IoUring(64);
      assert.notEqual(ring.registeredFd, undefined, 'the thread has 16 of them');
      ring.prepNop(1);
      assert.equal(complete(ring).res, 0);
    }
    assert.equal(openDescriptors(), before);
  });
});
