// A close with every kind of operation in flight: it is over soon, leaves no descriptor behind, and nobody writes
// into the memory afterwards.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import koffi from 'koffi';
import {
  EPOLL_CTL_ADD,
  FUTEX2_SIZE_U32,
  IORING_CQE_F_32,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
  POLLIN,
  P_PID,
  SOCKET_URING_OP_TX_TIMESTAMP,
  SOCK_STREAM,
  WEXITED,
} from '../../src/abi/index.ts';
import {
  EpollEvents,
  IoUring,
  Msghdr,
  Siginfo,
  SocketAddressBuffer,
  type IoUringOptions,
} from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { it, Missing, neededBy, without } from '../asking.ts';
import { CLOSED_WITHIN_MS } from './closed-within.ts';
import { Descriptors } from './libc.ts';
import { Children } from './operations/children.ts';
import { reap } from './reap.ts';
import { Temporary } from './temporary.ts';

const epollCreate = koffi.load(null).func('int epoll_create1(int flags)') as (flags: number) => number;

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** What no memory has that somebody wrote to. */
const UNTOUCHED = 0xa5;

const fresh = (bytes = 64): Uint8Array => new Uint8Array(bytes).fill(UNTOUCHED);

/** What operations wait for. */
class Scene implements Disposable {
  readonly files = new Descriptors();
  readonly folder = new Temporary();
  readonly children = new Children();
  /** Memory that nobody may write to once the ring is closed. */
  readonly watched: Uint8Array[] = [];
  /** What makes that which was waited for happen. */
  readonly #late: (() => void)[] = [];

  lend(bytes = 64): Uint8Array {
    const memory = fresh(bytes);
    this.watched.push(memory);
    return memory;
  }

  late(deed: () => void): void {
    this.#late.push(deed);
  }

  /** An empty pipe, that is written to afterwards. */
  pipe(): number {
    const [reader, writer] = this.files.pipe();
    this.late(() => writeSync(writer, 'late late late'));
    return reader;
  }

  /** A socket whose peer sends afterwards. */
  socket(): number {
    const [socket, peer] = this.files.socketPair();
    this.late(() => writeSync(peer, 'late late late'));
    return socket;
  }

  happens(): void {
    for (const deed of this.#late) deed();
  }

  [Symbol.dispose](): void {
    this.children[Symbol.dispose]();
    this.files[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }
}

/** @throws {Missing} */
function needsSyncCancel(): void {
  const lacks = without('6.0', 'IORING_REGISTER_SYNC_CANCEL');
  if (lacks) throw new Missing(lacks);
}

/** Each queues something that does not end by itself. Those that are done at once, nobody reaps. */
const OPERATIONS: Record<string, (ring: IoUring, scene: Scene) => void> = {
  'reads, plain and of several buffers': (ring, scene) => {
    const fd = scene.pipe();
    ring.prepRead(fd, scene.lend(), 64, 1);
    ring.prepReadv(fd, [scene.lend(), scene.lend()], 2);
    ring.prepRead(fd, scene.lend(), 64, 3);
    ring.sqeSetFlags(IOSQE_ASYNC);
  },
  'a multishot read': (ring, scene) => {
    scene.watched.push(ring.registerBufRing(4, 64, 1).bytes(0, 64).fill(UNTOUCHED));
    ring.prepReadMultishot(scene.pipe(), 1, 1);
  },
  'a multishot receive, with a bundle': (ring, scene) => {
    scene.watched.push(ring.registerBufRing(4, 64, 2).bytes(0, 64).fill(UNTOUCHED));
    ring.prepRecvMultishot(scene.socket(), 2, 1, { bundle: true });
  },
  'a multishot receive of messages': (ring, scene) => {
    scene.watched.push(ring.registerBufRing(4, 256, 3).bytes(0, 256).fill(UNTOUCHED));
    ring.prepRecvmsgMultishot(scene.socket(), 3, new Msghdr({ name: 16, control: 64 }), 1);
  },
  'receives, plain and of messages': (ring, scene) => {
    const fd = scene.socket();
    ring.prepRecv(fd, scene.lend(), 64, 1);
    ring.prepRecvmsg(fd, new Msghdr({ iov: [scene.lend(), scene.lend()], name: 128, control: 128 }), 2);
  },
  'buffers of the older kind, and a receive that waits for one': (ring, scene) => {
    const fd = scene.socket();
    ring.prepProvideBuffers(scene.lend(256), 64, 4, 4, 0, 1);
    ring.prepRecv(fd, null, 64, 2);
    ring.sqeSetBufGroup(4);
    ring.prepRead(scene.pipe(), null, 64, 3);
    ring.sqeSetBufGroup(4);
  },
  'futex waits': (ring) => {
    const futexes = [new Int32Array(1), new Uint32Array(new SharedArrayBuffer(4))];
    ring.prepFutexWait(futexes[0], 0, 1);
    ring.prepFutexWaitv(futexes.map((futex) => ({ futex, value: 0, flags: FUTEX2_SIZE_U32 })), 2);
  },
  'a wait for a child': (ring, scene) => {
    ring.prepWaitid(P_PID, scene.children.shell('exec sleep 1000'), WEXITED, new Siginfo(), 1);
  },
  'a wait for an epoll set': (ring, scene) => {
    const epoll = scene.files.own(epollCreate(0o2000000));
    ring.prepEpollCtl(epoll, EPOLL_CTL_ADD, scene.pipe(), { events: POLLIN }, 1);
    ring.submitAndWait(1);
    reap(ring);
    ring.prepEpollWait(epoll, new EpollEvents(8), 2);
  },
  'polls': (ring, scene) => {
    ring.prepPollAdd(scene.pipe(), POLLIN, 1);
    ring.prepPollAdd(scene.pipe(), POLLIN, 2, { multishot: true });
  },
  'timers': (ring) => {
    ring.prepTimeout(60_000, 1);
    ring.prepTimeout(60_000, 2, { multishot: true });
  },
  'a time limit, and what it limits': (ring, scene) => {
    ring.prepRead(scene.pipe(), scene.lend(), 64, 1);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepLinkTimeout(60_000, 2);
  },
  'chains that have not begun': (ring, scene) => {
    ring.prepRead(scene.pipe(), scene.lend(), 64, 1);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 2);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 3);
    ring.sqeSetFlags(IOSQE_IO_HARDLINK);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 4);
  },
  'a chain that keeps silent': (ring, scene) => {
    ring.prepRead(scene.pipe(), scene.lend(), 64, 1);
    ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 2);
  },
  'accepts, with address and without, once and for ever': (ring, scene) => {
    for (const kind of [0, 1, 2]) {
      const { fd, port } = scene.files.listener();
      if (kind === 0) ring.prepAccept(fd, 1, { address: new SocketAddressBuffer() });
      else if (kind === 1) ring.prepAccept(fd, 2);
      else ring.prepAcceptMultishot(fd, 3);
      scene.late(() => void scene.files.connect(port));
    }
  },
  'a connect that nobody answers': (ring, scene) => {
    // The backlog of a unix socket is full, and a connect waits.
    const [listener, first, second, third] = sockets(ring, scene, 4);
    const path = join(scene.folder.path, 'socket');
    ring.prepBind(listener, { path }, 1);
    ring.submitAndWait(1);
    ring.prepListen(listener, 0, 2);
    ring.submitAndWait(2);
    reap(ring);
    for (const [i, fd] of [first, second, third].entries()) ring.prepConnect(fd, { path }, 10 + i);
  },
  'a read in a worker thread, and an open that waits there': (ring, scene) => {
    ring.prepRead(scene.files.own(openSync('/dev/ptmx', 'r+')), scene.lend(), 64, 1);
    const fifo = join(scene.folder.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    ring.prepOpen(fifo, constants.O_WRONLY, 2);
  },
  'a transfer between pipes': (ring, scene) => {
    const [, writer] = scene.files.pipe();
    ring.prepSplice(scene.pipe(), null, writer, null, 64, 1);
    ring.prepTee(scene.pipe(), writer, 64, 2);
  },
  'a command to a socket': (ring, scene) => {
    const { fd, port } = scene.files.listener();
    ring.prepCmdSock(SOCKET_URING_OP_TX_TIMESTAMP, scene.files.connect(port), 0, 0, null, 1);
    ring.prepUringCmd(scene.files.connect(port), SOCKET_URING_OP_TX_TIMESTAMP, 2, { len: 0 });
    void fd;
  },
  'descriptors that nobody has asked for yet': (ring, scene) => {
    const path = scene.folder.file('file');
    const { fd, port } = scene.files.listener();
    for (let i = 0; i < 2; i++) scene.files.connect(port);
    ring.prepOpen(path, 0, 1);
    ring.prepOpenat2(-100, path, {}, 2);
    ring.prepSocket(1, SOCK_STREAM, 0, 3);
    ring.prepPipe(new Int32Array(2), 4);
    ring.prepAccept(fd, 5, { address: new SocketAddressBuffer() });
    ring.prepAccept(fd, 6);
  },
  'what waits for all others': (ring, scene) => {
    // Cancellations of the older kind wait for all others themselves.
    needsSyncCancel();
    ring.prepRead(scene.pipe(), scene.lend(), 64, 1);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 2);
    ring.sqeSetFlags(IOSQE_IO_DRAIN);
    ring.prepRead(scene.pipe(), scene.lend(), 64, 3);
  },
  'cancellations, and what they are for': (ring, scene) => {
    const fd = scene.pipe();
    for (let i = 0; i < 5; i++) ring.prepRead(fd, scene.lend(), 64, 7);
    ring.submit();
    ring.prepCancel(7, 1, { all: true });
  },
  'a message that says it has 32 bytes': (ring, scene) => {
    const sender = new IoUring(2);
    sender.prepMsgRing(ring.fd, 1, 5, 1, { cqeFlags: IORING_CQE_F_32 });
    sender.submitAndWait(1);
    sender.close();
    ring.prepRead(scene.pipe(), scene.lend(), 64, 1);
  },
};

/** All of them but one: silent ones, and those that wait for all others, exclude each other. */
function prepareAll(ring: IoUring, scene: Scene): void {
  for (const [what, prepare] of Object.entries(OPERATIONS)) {
    if (what !== 'what waits for all others') prepare(ring, scene);
  }
}

/** Sockets of the unix kind. */
function sockets(ring: IoUring, scene: Scene, count: number): number[] {
  for (let i = 0; i < count; i++) ring.prepSocket(1, SOCK_STREAM, 0, i);
  ring.submitAndWait(count);
  return reap(ring).map(({ res }) => scene.files.own(res));
}

/** What was lent is as it was, whatever happens now. */
function nobodyWrites(scene: Scene): void {
  // What came before the close is no concern here.
  const before = scene.watched.map((memory) => memory.slice());
  scene.happens();
  // Whoever is still reading would do it now.
  const other = new IoUring(2);
  other.prepNop(1);
  other.submitAndWait(1);
  other.close();
  for (const [i, memory] of scene.watched.entries()) assert.deepEqual(memory, before[i]);
}

function closes(ring: IoUring): void {
  const start = performance.now();
  ring.close();
  const took = performance.now() - start;
  assert.ok(took < CLOSED_WITHIN_MS, `it took ${Math.round(took)} ms`);
}

const ALL_SHAPES: Record<string, IoUringOptions> = {
  'as rings are': {},
  'with completions of 32 bytes': { cqe32: true },
  'with completions of both sizes': { cqeMixed: true },
  'without deferred work': { deferTaskrun: false },
  'with the least that there is': {
    deferTaskrun: false,
    singleIssuer: false,
    coopTaskrun: false,
    noSqArray: false,
    submitAll: false,
  },
};

/** Those that this kernel has. */
const SHAPES = Object.fromEntries(Object.entries(ALL_SHAPES).filter(([, options]) => isThere(options)));

function isThere(options: IoUringOptions): boolean {
  try {
    new IoUring(1, options).close();
    return true;
  } catch (error) {
    if (neededBy(error) === undefined) throw error;
    return false;
  }
}

describe('close, with this in flight', () => {
  for (const [what, prepare] of Object.entries(OPERATIONS)) {
    it(`${what}: soon over, nothing is left, and nobody writes any more`, () => {
      for (const [shape, options] of Object.entries(SHAPES)) {
        for (const when of ['submitted', 'waited for', 'not submitted'] as const) {
          using scene = new Scene();
          const ring = new IoUring(64, options);
          prepare(ring, scene);
          const before = openDescriptors();
          // Whoever brings descriptors, brings them from here on.
          const held = coreOf(ring).pins.size;
          if (when === 'submitted') ring.submit();
          if (when === 'waited for') ring.submitAndWait(1, { timeoutMs: 5 });
          closes(ring);
          assert.equal(openDescriptors(), before - 1, `${shape}, ${when}, ${held} held: descriptors`);
          nobodyWrites(scene);
        }
      }
    });
  }

  it('everything at once', () => {
    for (const options of Object.values(SHAPES)) {
      using scene = new Scene();
      const ring = new IoUring(256, options);
      prepareAll(ring, scene);
      const before = openDescriptors();
      ring.submitAndWait(1, { timeoutMs: 5 });
      closes(ring);
      assert.ok(openDescriptors() <= before, 'descriptors');
      nobodyWrites(scene);
    }
  });

  it('a ring of the fewest entries, with all of it overflowing', () => {
    using scene = new Scene();
    const ring = new IoUring(1, { cqEntries: 1 });
    const fd = scene.pipe();
    for (let i = 0; i < 100; i++) {
      ring.prepRead(fd, scene.lend(), 64, i);
      ring.submit();
      ring.prepNop(i);
      ring.submit();
    }
    assert.ok(ring.cqHasOverflow);
    const before = openDescriptors();
    closes(ring);
    assert.equal(openDescriptors(), before - 1);
    nobodyWrites(scene);
  });
});

describe('close with sends under way', () => {
  it('plain sends that find no room', () => {
    using scene = new Scene();
    const ring = new IoUring(64);
    const [a] = scene.files.socketPair();
    for (let i = 0; i < 8; i++) ring.prepSend(a, fresh(1 << 20), 1 << 20, i, 0x100 /* MSG_WAITALL */);
    const group = ring.registerBufRing(4, 4096, 1, { filled: false });
    for (let i = 0; i < 4; i++) group.add(i, 4096);
    ring.prepSendBundle(a, 1, 20);
    ring.submit();
    closes(ring);
  });
});

it('a close inside the callback, with everything in flight', () => {
  using scene = new Scene();
  const ring = new IoUring(256);
  prepareAll(ring, scene);
  ring.submitAndWait(1, { timeoutMs: 5 });
  let calls = 0;
  ring.forEachCompletion(() => {
    calls++;
    closes(ring);
  });
  assert.equal(calls, 1);
  nobodyWrites(scene);
});
