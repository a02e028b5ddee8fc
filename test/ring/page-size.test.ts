// Machines whose pages are larger than 4 KiB: arm64 has kernels with 16 and with 64.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_REGISTER_MEM_REGION,
  IORING_REGISTER_PBUF_RING,
  IO_URING_BUF_REG,
  IO_URING_BUF_REG_SIZE,
  IO_URING_MEM_REGION_REG,
  IO_URING_MEM_REGION_REG_SIZE,
  IO_URING_REGION_DESC,
  IO_URING_REGION_DESC_SIZE,
  MADV_WILLNEED,
} from '../../src/abi/index.ts';
import { alignedForLending } from '../../src/ring/memory/aligned-memory.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { FakeKernel } from './fake-kernel.ts';

/** A kernel with pages of any size, which demands of memory what a kernel does. */
class PagedKernel extends FakeKernel {
  override readonly pageSize: number;
  /** What was registered: an address, and a size if the kernel looks at that. */
  readonly seen: { address: number; size: number }[] = [];

  constructor(pageSize: number) {
    super();
    this.pageSize = pageSize;
  }

  override register(fd: number, opcode: number, argument: number, count: number): number {
    if (opcode === IORING_REGISTER_PBUF_RING) {
      const call = this.read(argument, IO_URING_BUF_REG_SIZE);
      this.seen.push({ address: Number(call.getBigUint64(IO_URING_BUF_REG.ring_addr, true)), size: this.pageSize });
      return 0;
    }
    if (opcode === IORING_REGISTER_MEM_REGION) {
      const call = this.read(argument, IO_URING_MEM_REGION_REG_SIZE);
      const place = call.getBigUint64(IO_URING_MEM_REGION_REG.region_uptr, true);
      const region = this.read(place, IO_URING_REGION_DESC_SIZE);
      const address = Number(region.getBigUint64(IO_URING_REGION_DESC.user_addr, true));
      this.seen.push({ address, size: Number(region.getBigUint64(IO_URING_REGION_DESC.size, true)) });
      return 0;
    }
    return super.register(fd, opcode, argument, count);
  }
}

for (const pageSize of [4096, 16_384, 65_536]) {
  describe(`with pages of ${pageSize} bytes`, () => {
    it('the ring of a group of buffers begins at a page, however small it is', () => {
      const kernel = new PagedKernel(pageSize);
      const ring = new IoUring(8, {}, kernel);
      for (let group = 1; group <= 5; group++) ring.registerBufRing(1, 16, group);
      assert.equal(kernel.seen.length, 5);
      for (const { address } of kernel.seen) assert.equal(address % pageSize, 0);
      ring.close();
    });

    it('the region of registered waits is whole pages', () => {
      const kernel = new PagedKernel(pageSize);
      const ring = new IoUring(8, { disabled: true }, kernel);
      ring.registerWaitRegion(1);
      assert.deepEqual(kernel.seen.map(({ size }) => size), [pageSize]);
      ring.close();
    });

    it('advice on memory is taken for whole pages only, and the error says how to have such', () => {
      const kernel = new PagedKernel(pageSize);
      const ring = new IoUring(8, {}, kernel);
      const { bytes } = alignedForLending(kernel, 2 * pageSize, pageSize);
      assert.ok(ring.prepMadvise(bytes, pageSize, MADV_WILLNEED, 1));
      const message = new RegExp(`allocateAligned\\(bytes, ${pageSize}\\)`);
      for (const [from, length] of [[0, pageSize - 512], [pageSize / 2, pageSize]]) {
        const misuse = (): boolean => ring.prepMadvise(bytes.subarray(from), length, MADV_WILLNEED, 1);
        assert.throws(misuse, { code: 'ERR_INVALID_ARG_VALUE', message });
      }
      ring.close();
    });

    it('memory that is allocated begins at a page if that is asked for', () => {
      const kernel = new PagedKernel(pageSize);
      for (const bytes of [1, 5000, 20_000, 200_000]) {
        assert.equal(alignedForLending(kernel, bytes, pageSize).address % pageSize, 0);
      }
    });
  });
}
