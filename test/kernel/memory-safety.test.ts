// Nothing a caller does in JavaScript may make the kernel write into memory that is not his any more, or crash
// the process. The collector is called at the worst moments.
import assert from 'node:assert/strict';
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { allocateAligned, IoUring, type ProvidedBufRing } from '../../src/index.ts';
import { collect, finalized } from './collect.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';
import { Temporary } from './temporary.ts';

const EFAULT = 14;

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
    for (const attempt of [
      () => structuredClone(memory, { transfer: [memory] }),
      () => port1.postMessage(memory, [memory]),
      () => memory.transfer?.(),
    ]) {
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

  it('memory of allocateAligned and of provided buffers cannot be detached at all, not even by web streams', async () => {
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16384, 1);
    for (const view of [allocateAligned(16384), buffers.bytes(0, 16384)]) {
      const memory = view.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
      const { transfer } = ArrayBuffer.prototype as unknown as { transfer?(): ArrayBuffer };
      let controller: ReadableByteStreamController | undefined;
      const stream = new ReadableStream({ type: 'bytes', start: (c) => void (controller = c) });
      const reader = new ReadableStream({ type: 'bytes' }).getReader({ mode: 'byob' });
      for (const attempt of [
        () => transfer?.call(memory),
        () => structuredClone(memory, { transfer: [memory] }),
        () => controller!.enqueue(new Uint8Array(memory, 0, 16)),
        () => reader.read(new Uint8Array(memory, 0, 16)).catch(() => {}),
      ]) {
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
      fd = files.own(openSync(path, 0o40000 /* O_DIRECT, x86-64 */));
    } catch {
      return t.skip('needs a file system with O_DIRECT');
    }
    const buffer = allocateAligned(4096);
    ring.prepRead(fd, buffer, 4096, 1, 4096);
    assert.equal(complete(ring).res, 4096);
    assert.ok(buffer.every((byte) => byte === 120));
  });
});

/** What does not throw, and the internals that only TypeScript hides. */
const INTERNAL = new Set([
  'close', 'toJSON', 'queue', 'checkOpen', 'isRefused', 'isRefusedBig', 'alignBig', 'grown', 'lease', 'endChain', 'findKey',
  'findKeys', 'userDataForKernel', 'bufferGroup', 'path', 'timespec', 'socketAddress', 'iovecs', 'addressBuffer', 'register',
  'scratch', 'array', 'tags', 'registerResource', 'updateResource', 'registeredWaits',
]);

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
    assert.ok(performance.now() - start < 4000, 'not given up on after the time limit, but ended');
  });

  it('every method afterwards throws ERR_IOURING_CLOSED; closing again, and disposing, do nothing', () => {
    const ring = new IoUring(8);
    const buffers = ring.registerBufRing(2, 16, 1);
    ring.close();
    const buffer = new Uint8Array(8);
    // The prep methods have a test of their own: operations/no-room.ts.
    const calls: Record<string, () => unknown> = {
      sqeSetFlags: () => ring.sqeSetFlags(0),
      sqeSetBufGroup: () => ring.sqeSetBufGroup(1),
      sqeSetPersonality: () => ring.sqeSetPersonality(1),
      sqeSetIoprio: () => ring.sqeSetIoprio(1),
      submit: () => ring.submit(),
      submitAndWait: () => ring.submitAndWait(1),
      'submitAndWait, timed': () => ring.submitAndWait(1, { timeoutMs: 1 }),
      'submitAndWait, until': () => ring.submitAndWait(1, { deadline: 1n, minWaitMs: 1, noIowait: true }),
      submitAndWaitReg: () => ring.submitAndWaitReg(1, 0),
      forEachCompletion: () => ring.forEachCompletion(() => {}),
      completions: () => [...ring.completions()],
      copyCompletions: () => ring.copyCompletions(),
      peek: () => ring.peek(),
      probe: () => ring.probe(),
      registerBufRing: () => ring.registerBufRing(2, 16, 2),
      registerRingFd: () => ring.registerRingFd(),
      unregisterRingFd: () => ring.unregisterRingFd(),
      closeRingFd: () => ring.closeRingFd(),
      resizeRings: () => ring.resizeRings(8),
      registerWaitRegion: () => ring.registerWaitRegion(1),
      setWait: () => ring.setWait(0, {}),
      registerBuffers: () => ring.registerBuffers([buffer]),
      registerBuffersSparse: () => ring.registerBuffersSparse(1),
      registerBuffersUpdate: () => ring.registerBuffersUpdate(0, [buffer]),
      unregisterBuffers: () => ring.unregisterBuffers(),
      cloneBuffers: () => ring.cloneBuffers(ring),
      registerFiles: () => ring.registerFiles([0]),
      registerFilesSparse: () => ring.registerFilesSparse(1),
      registerFilesUpdate: () => ring.registerFilesUpdate(0, [0]),
      unregisterFiles: () => ring.unregisterFiles(),
      registerFileAllocRange: () => ring.registerFileAllocRange(0, 1),
      registerEventfd: () => ring.registerEventfd(0),
      registerEventfdAsync: () => ring.registerEventfdAsync(0),
      unregisterEventfd: () => ring.unregisterEventfd(),
      cqEventfdToggle: () => ring.cqEventfdToggle(true),
      registerPersonality: () => ring.registerPersonality(),
      unregisterPersonality: () => ring.unregisterPersonality(1),
      registerRestrictions: () => ring.registerRestrictions([{ sqeOp: 0 }]),
      enableRings: () => ring.enableRings(),
      registerIowqAff: () => ring.registerIowqAff([0]),
      unregisterIowqAff: () => ring.unregisterIowqAff(),
      registerIowqMaxWorkers: () => ring.registerIowqMaxWorkers(),
      registerSyncCancel: () => ring.registerSyncCancel(1),
      registerNapi: () => ring.registerNapi({ busyPollTimeoutUs: 1 }),
      unregisterNapi: () => ring.unregisterNapi(),
      registerClock: () => ring.registerClock(1),
      registerBpfFilter: () => ring.registerBpfFilter({ opcode: 0, program: [{ code: 6 }] }),
      registerRaw: () => ring.registerRaw(8, null, 0),
      registerIfq: () => ring.registerIfq({ interfaceIndex: 1, rxQueue: 0, areaBytes: 65536, rqEntries: 1 }),
      registerZcrxCtrl: () => ring.registerZcrxCtrl(0, 'flush'),
      'buffers.bytes': () => buffers.bytes(0, 1),
      'buffers.recycle': () => buffers.recycle(0),
      'buffers.add': () => buffers.add(0, 1),
      'buffers.head': () => buffers.head(),
      'buffers.available': () => buffers.available(),
    };
    for (const [name, call] of Object.entries(calls)) {
      assert.throws(call, { code: 'ERR_IOURING_CLOSED', message: /closed/ }, name);
    }
    const methods = Object.keys(calls).filter((name) => name in ring);
    const prototypes = [];
    for (let p = Object.getPrototypeOf(ring) as object; p !== Object.prototype; p = Object.getPrototypeOf(p) as object) {
      prototypes.push(p);
    }
    const all = prototypes
      .flatMap((p) => Object.entries(Object.getOwnPropertyDescriptors(p)))
      .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
      .map(([name]) => name)
      .filter((name) => !name.startsWith('prep') && !INTERNAL.has(name));
    assert.deepEqual([...new Set(all)].sort(), methods.sort(), 'and there is no method that this test forgot');
    ring.close();
    ring[Symbol.dispose]();
    buffers[Symbol.dispose]();
    assert.equal(ring.fd, -1);
    assert.equal(ring.closed, true);
    assert.equal(buffers.group, 1);
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
