// A loop over what the kernel says ends, whatever it says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_BUF_MORE,
  IORING_CQE_F_MORE,
} from '../../src/abi/flags.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { FakeKernel } from './fake-kernel.ts';

const INT_MAX = 2 ** 31 - 1;

function open(): { kernel: FakeKernel; ring: IoUring } {
  const kernel = new FakeKernel();
  kernel.registerAnswer = () => 0;
  kernel.result = () => undefined;
  return { kernel, ring: new IoUring(8, {}, kernel) };
}

describe('a completion with a provided buffer', () => {
  for (const incremental of [false, true]) {
    for (const bundle of [false, true]) {
      it(`that names any buffer, with any length, is reaped (incremental: ${incremental}, bundle: ${bundle})`, () => {
        for (const bid of [0, 3, 4, 5, 1000, 65535]) {
          for (const res of [INT_MAX, 2 ** 20, 64, 0, -105, -(2 ** 31)]) {
            for (const more of [0, IORING_CQE_F_BUF_MORE]) {
              const { kernel, ring } = open();
              const buffers = ring.registerBufRing(4, 16, 1, { incremental });
              ring.prepRecvMultishot(3, 1, 77, { bundle });
              ring.submit();
              const flags = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | more | (bid << IORING_CQE_BUFFER_SHIFT);
              kernel.post(kernel.entriesSeen[0].userData, res, flags);
              const count = ring.forEachCompletion((c) => {
                assert.deepEqual([c.userData, c.res, c.bufferId()], [77, res, bid]);
                if (bid > 3) assert.throws(() => buffers.bytes(c), { code: 'ERR_OUT_OF_RANGE' });
                else assert.ok(buffers.bytes(c).reduce((sum, bytes) => sum + bytes.length, 0) <= 64);
                for (let i = 0; i < 3; i++) {
                  try {
                    buffers.recycle(c);
                  } catch {
                    // Given back already, or no such buffer.
                  }
                }
              });
              assert.equal(count, 1);
            }
          }
        }
      });
    }
  }

  it('given ids of buffers that the kernel never had, is reaped and takes none', () => {
    const { kernel, ring } = open();
    const buffers = ring.registerBufRing(4, 16, 1, { filled: false });
    ring.prepSendBundle(3, 1, 77);
    ring.submit();
    kernel.post(kernel.entriesSeen[0].userData, INT_MAX, IORING_CQE_F_BUFFER | (2 << IORING_CQE_BUFFER_SHIFT));
    assert.equal(ring.forEachCompletion((c) => assert.deepEqual(buffers.bytes(c), [])), 1);
  });
});

describe('a cursor of the kernel that cannot be right', () => {
  it('a completion queue that is said to have more than it has places: as many are reaped as there are places', () => {
    for (const ahead of [257, 2 ** 20, INT_MAX, -1, -5]) {
      const { kernel, ring } = open();
      kernel.tail = ahead;
      assert.equal(ring.cqReady, 256);
      assert.equal(ring.forEachCompletion(() => {}), 256);
    }
  });

  it('a submission queue that is said to be taken from beyond its tail: the ring closes', () => {
    for (const head of [1000, -1000, INT_MAX]) {
      const { kernel, ring } = open();
      ring.prepNop(1);
      kernel.head = head;
      ring.close();
      assert.equal(ring.closed, true);
    }
  });

  it('entries that the kernel says it took, and did not: the submit comes to an end', () => {
    const { kernel, ring } = open();
    ring.prepNop(1);
    ring.prepNop(2);
    kernel.answers = Array.from({ length: 5000 }, () => 1);
    ring.submit();
    assert.ok(kernel.calls.length < 200, `${kernel.calls.length} calls`);
  });
});
