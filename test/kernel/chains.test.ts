// Chains of operations that keep silent, on the real kernel: what it says and what it does not, and whose memory is
// held until when. See test/ring/chains.test.ts for what takes luck here.
import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { EBADF, ECANCELED, EINVAL, EPERM, ETIME } from '../../src/abi/errno.ts';
import {
  IORING_OP_NOP,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../src/abi/index.ts';
import { IoUring, type IoUringOptions } from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { it, without } from '../asking.ts';
import { CLOSED_WITHIN_MS } from './closed-within.ts';
import { finalized } from './collect.ts';
import { Descriptors } from './libc.ts';
import { reap } from './reap.ts';
import { Temporary } from './temporary.ts';

const LINK = IOSQE_IO_LINK;
const HARD = IOSQE_IO_HARDLINK;
const SILENT = IOSQE_CQE_SKIP_SUCCESS;

/** A kernel that does not know silence answers EINVAL to all that asks for it. */
const skip = without('5.17', 'IOSQE_CQE_SKIP_SUCCESS');

const pinsOf = (ring: IoUring): { size: number } => coreOf(ring).pins;

/** Submit, and wait for as many completions as there will be. */
function complete(ring: IoUring, count: number): [userData: number, res: number][] {
  const seen: [number, number][] = [];
  const deadline = performance.now() + 10_000;
  do {
    ring.submitAndWait(Math.max(0, count - seen.length), { timeoutMs: 1000 });
    for (const c of reap(ring)) seen.push([c.userData64 < 2n ** 53n ? c.userData : NaN, c.res]);
  } while (seen.length < count && performance.now() < deadline);
  return seen;
}

/** Nothing is left, also after a look at what the kernel had deferred. */
function isOver(ring: IoUring): void {
  assert.deepEqual(complete(ring, 0), []);
  assert.equal(pinsOf(ring).size, 0, 'something is held');
  const start = performance.now();
  ring.close();
  assert.ok(performance.now() - start < CLOSED_WITHIN_MS, 'the close had to wait for something');
}

describe('a chain that keeps silent', { skip }, () => {
  it('only the last speaks; the memory of all is held until then', async () => {
    using files = new Descriptors();
    using folder = new Temporary();
    const ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    const fd = files.own(openSync(folder.file('copy'), 'r+'));
    const weak = ((): WeakRef<Uint8Array>[] => {
      const buffer = new Uint8Array(8);
      ring.prepRead(reader, buffer, 8, 1);
      ring.sqeSetFlags(LINK | SILENT);
      ring.prepWrite(fd, buffer, 8, 2, 0);
      ring.sqeSetFlags(LINK | SILENT);
      ring.prepFsync(fd, 3);
      ring.submit();
      return [new WeakRef(buffer)];
    })();
    await finalized();
    assert.ok(weak[0].deref(), 'nobody but the ring holds it');
    writeSync(writer, '12345678');
    assert.deepEqual(complete(ring, 1), [[3, 0]]);
    assert.equal(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), '12345678');
    isOver(ring);
    await finalized();
    assert.equal(weak[0].deref(), undefined);
  });

  for (const [name, link] of [['soft', LINK], ['hard', HARD]] as const) {
    const then = link === LINK ? 'are cancelled in silence' : 'run';
    it(`${name} links: one that fails says so; the others behind it ${then}`, () => {
      const ring = new IoUring(8);
      ring.prepRead(-1, new Uint8Array(8), 8, 1);
      ring.sqeSetFlags(link | SILENT);
      ring.prepRead(-1, new Uint8Array(8), 8, 2);
      ring.sqeSetFlags(link | SILENT);
      ring.prepNop(3);
      const expected = link === LINK ? [[1, -EBADF]] : [[1, -EBADF], [2, -EBADF], [3, 0]];
      assert.deepEqual(complete(ring, expected.length), expected);
      isOver(ring);
    });
  }

  it('one that reads less than it was asked to has failed, in silence for those behind it', () => {
    using files = new Descriptors();
    using folder = new Temporary();
    const ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('short', 'abcd'), 'r'));
    ring.prepRead(fd, new Uint8Array(8), 8, 1, 0);
    ring.sqeSetFlags(LINK | SILENT);
    ring.prepRead(fd, new Uint8Array(8), 8, 2, 0);
    ring.sqeSetFlags(LINK | SILENT);
    ring.prepNop(3);
    assert.deepEqual(complete(ring, 1), [[1, 4]]);
    isOver(ring);
  });

  it('one before it that speaks and fails: all say that they were cancelled, each with its own userData', () => {
    for (const at of [0, 1]) {
      const ring = new IoUring(8);
      for (let i = 0; i < at; i++) {
        ring.prepWritev(-1, [], 100 + i);
        ring.sqeSetFlags(HARD);
      }
      ring.prepRead(-1, new Uint8Array(8), 8, 1);
      ring.sqeSetFlags(LINK);
      ring.prepRead(-1, new Uint8Array(8), 8, 2);
      ring.sqeSetFlags(LINK | SILENT);
      ring.prepNop(3);
      const seen = complete(ring, 3 + at);
      assert.deepEqual(seen.slice(at), [[1, -EBADF], [2, -ECANCELED], [3, -ECANCELED]]);
      isOver(ring);
    }
  });

  it('refused as a whole, for an entry of it is wrong', () => {
    for (const link of [LINK, HARD]) {
      const ring = new IoUring(8);
      ring.prepRead(-1, new Uint8Array(8), 8, 1);
      ring.sqeSetFlags(link | SILENT);
      ring.prepSqe({ opcode: 255 }, 2);
      ring.sqeSetFlags(link);
      ring.prepNop(3);
      assert.deepEqual(complete(ring, 1), [[1, -ECANCELED]]);
      if (link === LINK) isOver(ring);
      const start = performance.now();
      ring.close();
      assert.ok(performance.now() - start < CLOSED_WITHIN_MS);
    }
    const ring = new IoUring(8);
    ring.prepNop(1);
    ring.sqeSetFlags(LINK);
    ring.prepRead(-1, new Uint8Array(8), 8, 2);
    ring.sqeSetFlags(LINK | SILENT);
    ring.prepSqe({ opcode: 255 }, 3);
    assert.deepEqual(complete(ring, 3), [[1, -ECANCELED], [2, -ECANCELED], [3, -EINVAL]]);
    isOver(ring);
  });

  it('with a time limit: met, and missed', () => {
    using files = new Descriptors();
    const [reader, writer] = files.pipe();
    for (const met of [true, false]) {
      const ring = new IoUring(8);
      ring.prepRead(reader, new Uint8Array(8), 8, 1);
      ring.sqeSetFlags(LINK | SILENT);
      ring.prepLinkTimeout(met ? 60_000 : 1, 2);
      ring.submit();
      if (met) writeSync(writer, '12345678');
      const expected = met ? [[2, -ECANCELED]] : [[1, -ECANCELED], [2, -ETIME]];
      assert.deepEqual(complete(ring, expected.length).sort(), expected);
      isOver(ring);
    }
  });

  it('behind it a zero-copy send, whose notification comes when it likes', () => {
    using files = new Descriptors();
    using folder = new Temporary();
    const ring = new IoUring(8);
    const { fd, port } = files.listener();
    const client = files.connect(port);
    ring.prepAccept(fd, 1);
    const server = files.own(complete(ring, 1)[0][1]);
    const copy = files.own(openSync(folder.file('copy'), 'r+'));
    const bytes = 1 << 16;
    ring.prepWrite(copy, new Uint8Array(8), 8, 2, 0);
    ring.sqeSetFlags(LINK | SILENT);
    ring.prepSendZc(client, new Uint8Array(bytes).fill(7), bytes, 3);
    ring.sqeSetFlags(LINK);
    ring.prepNop(4);
    const seen = complete(ring, 2);
    const received = new Uint8Array(bytes);
    ring.prepRecv(server, received, bytes, 5, 0x100 /* MSG_WAITALL */);
    while (seen.length < 4) seen.push(...complete(ring, 1));
    assert.deepEqual(seen.sort(), [[3, 0], [3, bytes], [4, 0], [5, bytes]]);
    assert.ok(received.every((byte) => byte === 7));
    isOver(ring);
  });
});

describe('a chain that the kernel’s own thread takes', { skip }, () => {
  /** A ring whose thread serves another one too: then it takes no more than eight entries at a time. */
  function openTwo(): IoUring[] | undefined {
    const options: IoUringOptions = { sqPoll: { idleMs: 100 } };
    try {
      const one = new IoUring(32, options);
      return [one, new IoUring(32, { ...options, attachWq: one })];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).errno === -EPERM) return undefined;
      throw error;
    }
  }

  it('in portions that cut it: no memory is let go of while it is used', async (t) => {
    using files = new Descriptors();
    const [reader, writer] = files.pipe();
    const rings = openTwo();
    if (rings === undefined) return t.skip('needs SQPOLL');
    const [one, ring] = rings;
    const weak = ((): WeakRef<Uint8Array> => {
      const buffer = new Uint8Array(64);
      for (let i = 0; i < 7; i++) ring.prepNop(100 + i);
      ring.prepRead(reader, buffer, 64, 1);
      try {
        ring.sqeSetFlags(LINK | SILENT);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ERR_INVALID_STATE', 'refused there');
      }
      ring.prepNop(2);
      return new WeakRef(buffer);
    })();
    // The nops, and the one behind the read if that does not wait for it.
    const seen = complete(ring, 7);
    ring.submitAndWait(1, { timeoutMs: 100 });
    seen.push(...reap(ring).map((c): [number, number] => [c.userData, c.res]));
    await finalized();
    const inFlight = !seen.some(([userData]) => userData === 1);
    const held = weak.deref() !== undefined;
    ring.close();
    one.close();
    assert.ok(inFlight, 'nothing was written yet');
    assert.ok(held, 'the read is in flight, and its memory is gone');
    writeSync(writer, 'late');
  });
});

describe('close with a silent chain in flight', { skip }, () => {
  it('that waits in a pipe, in a worker thread, or for others of its chain', () => {
    using files = new Descriptors();
    const [reader, writer] = files.pipe();
    const tty = files.own(openSync('/dev/ptmx', 'r+'));
    for (const [fd, flags] of [[reader, 0], [reader, IOSQE_ASYNC], [tty, IOSQE_ASYNC]] as const) {
      for (const link of [LINK, HARD]) {
        const ring = new IoUring(16);
        const buffers = Array.from({ length: 3 }, () => new Uint8Array(64).fill(0xa5));
        for (const [i, buffer] of buffers.entries()) {
          ring.prepRead(fd, buffer, 64, i);
          ring.sqeSetFlags(link | SILENT | flags);
        }
        ring.prepNop(9);
        ring.submit();
        const start = performance.now();
        ring.close();
        assert.ok(performance.now() - start < CLOSED_WITHIN_MS, `${performance.now() - start} ms`);
        if (fd === reader) {
          writeSync(writer, 'late');
          const rest = new IoUring(1);
          rest.prepRead(reader, new Uint8Array(4), 4, 1);
          assert.deepEqual(complete(rest, 1), [[1, 4]], 'nobody has taken it');
          rest.close();
        }
        for (const buffer of buffers) assert.ok(buffer.every((byte) => byte === 0xa5));
      }
    }
  });
});

it('the operation that silence is about most is one that does nothing', { skip }, () => {
  using ring = new IoUring(4);
  ring.prepSqe({ opcode: IORING_OP_NOP }, 1);
  ring.sqeSetFlags(SILENT);
  ring.prepNop(2);
  assert.deepEqual(complete(ring, 1), [[2, 0]]);
  assert.throws(() => ring.prepSqe({ opcode: IORING_OP_NOP, flags: SILENT }, 1), { code: 'ERR_INVALID_ARG_VALUE' });
});
