import { EINVAL, EOPNOTSUPP, EPERM } from '../../abi/errno.ts';
import { ZCRX_CTRL_EXPORT, ZCRX_CTRL_FLUSH_RQ } from '../../abi/commands.ts';
import { IORING_MEM_REGION_TYPE_USER } from '../../abi/flags.ts';
import {
  IO_URING_REGION_DESC,
  IO_URING_REGION_DESC_SIZE,
  IO_URING_ZCRX_AREA_REG,
  IO_URING_ZCRX_AREA_REG_SIZE,
  IO_URING_ZCRX_IFQ_REG,
  IO_URING_ZCRX_IFQ_REG_SIZE,
  IO_URING_ZCRX_OFFSETS,
  IO_URING_ZCRX_RQE,
  IO_URING_ZCRX_RQE_SIZE,
  ZCRX_CTRL,
  ZCRX_CTRL_EXPORT_STRUCT,
  ZCRX_CTRL_SIZE,
} from '../../abi/layouts.ts';
import { IORING_REGISTER_ZCRX_CTRL, IORING_REGISTER_ZCRX_IFQ } from '../../abi/registrations.ts';
import { alignedForLending, PAGE_SIZE_MAX } from '../memory/aligned-memory.ts';
import type { Completion } from '../completion.ts';
import { checkInteger, checkObject, checkUint32, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { coreOf } from '../ring-core.ts';

/** A receive queue of a network card, and the memory that its packets land in. */
export interface IfqOptions {
  /** The interface's index, as if_nametoindex(3) tells it. */
  interfaceIndex: number;
  /** The hardware queue; steer the connections there by flow rules. */
  rxQueue: number;
  /** Bytes of memory for packets, whole pages. */
  areaBytes: number;
  /** Entries of the refill queue: a power of two, 1 … 32768. */
  rqEntries: number;
}

/** The mask of the bits of a place that name the area. */
const AREA_SHIFT = 48n;

/**
 * The memory that packets land in: {@link bytes} shows those of a completion, {@link recycle} gives them back to the
 * card.
 */
export class ZcrxQueue {
  /** The id that prepRecvZc takes. */
  readonly id: number;
  readonly #area: Uint8Array<ArrayBuffer>;
  readonly #token: bigint;
  readonly #words: Int32Array;
  readonly #entries: DataView;
  readonly #tailWord: number;
  readonly #mask: number;
  #tail: number;

  /** @internal */
  constructor(
    id: number,
    area: Uint8Array<ArrayBuffer>,
    token: bigint,
    refill: { bytes: Uint8Array<ArrayBuffer>; tail: number; rqes: number; entries: number },
  ) {
    const { buffer, byteOffset, byteLength } = refill.bytes;
    this.id = id;
    this.#area = area;
    this.#token = token;
    this.#words = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    this.#entries = new DataView(buffer, byteOffset + refill.rqes, refill.entries * IO_URING_ZCRX_RQE_SIZE);
    this.#tailWord = refill.tail >>> 2;
    this.#mask = refill.entries - 1;
    this.#tail = Atomics.load(this.#words, this.#tailWord);
  }

  /** The data of a completion of prepRecvZc: a view, the caller's until it is recycled. */
  bytes(c: Completion): Uint8Array {
    const offset = this.#offset(c);
    checkInteger('c.res', c.res, 0, this.#area.length - offset);
    return this.#area.subarray(offset, offset + c.res);
  }

  /** Give the memory of a completion back to the card. */
  recycle(c: Completion): void {
    const offset = this.#offset(c);
    const at = (this.#tail & this.#mask) * IO_URING_ZCRX_RQE_SIZE;
    this.#entries.setBigUint64(at + IO_URING_ZCRX_RQE.off, BigInt(offset) | this.#token, true);
    this.#entries.setUint32(at + IO_URING_ZCRX_RQE.len, c.res, true);
    this.#tail = (this.#tail + 1) | 0;
    Atomics.store(this.#words, this.#tailWord, this.#tail);
  }

  #offset(c: Completion): number {
    const more = c.bigCqe?.();
    if (more === undefined) throw wrongType('c', 'a Completion of prepRecvZc', c);
    return checkInteger('offset', Number(more[0] & ((1n << AREA_SHIFT) - 1n)), 0, this.#area.length - 1);
  }
}

/** Receiving without copying: a network card writes packets into memory of the program. */
export interface ZcrxRegistrations {
  /**
   * Take over a receive queue of a network card. Needs CAP_NET_ADMIN, a card that splits headers from data, and a ring
   * with `deferTaskrun` and `cqe32` or `cqeMixed`. The memory is the ring's, until it is closed.
   *
   * Kernel 6.15. Counterpart of io_uring_register_ifq(3).
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * const queue = ring.registerIfq({ interfaceIndex: 2, rxQueue: 1, rqEntries: 1024, areaBytes: 1 << 22 });
   */
  registerIfq(options: IfqOptions): ZcrxQueue;

  /**
   * Have the kernel take in what was recycled (`'flush'`), or make a descriptor by which another ring can share the
   * queue (`'export'`).
   *
   * Kernel 6.19. Counterpart of io_uring_register_zcrx_ctrl(3).
   * @returns with `'export'` the descriptor, which is the caller's to close; otherwise 0
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerZcrxCtrl(0, 'flush');
   */
  registerZcrxCtrl(zcrxId: number, operation: 'flush' | 'export'): number;
}

export const zcrxRegistrations: ZcrxRegistrations = {
  registerIfq(options) {
    const core = coreOf(this);
    checkObject('options', options);
    const { interfaceIndex, rxQueue, areaBytes, rqEntries } = options;
    checkUint32('options.interfaceIndex', interfaceIndex);
    checkUint32('options.rxQueue', rxQueue);
    const { native } = core.resources;
    checkInteger('options.areaBytes', areaBytes, native.pageSize, 2 ** 30);
    if (areaBytes % native.pageSize !== 0) throw wrongValue('options.areaBytes', 'it must be whole pages');
    checkInteger('options.rqEntries', rqEntries, 1, 32768);
    if (rqEntries & (rqEntries - 1)) throw wrongValue('options.rqEntries', 'it must be a power of two');
    core.checkOpen();
    const area = alignedForLending(native, areaBytes, PAGE_SIZE_MAX);
    const pages = Math.ceil((rqEntries * IO_URING_ZCRX_RQE_SIZE) / native.pageSize) + 1;
    const refill = alignedForLending(native, pages * native.pageSize, native.pageSize);
    const arguments_ = core.array(IO_URING_ZCRX_IFQ_REG_SIZE + IO_URING_ZCRX_AREA_REG_SIZE + IO_URING_REGION_DESC_SIZE);
    const { view, address } = arguments_;
    const areaAt = IO_URING_ZCRX_IFQ_REG_SIZE;
    const regionAt = areaAt + IO_URING_ZCRX_AREA_REG_SIZE;
    view.setUint32(IO_URING_ZCRX_IFQ_REG.if_idx, interfaceIndex, true);
    view.setUint32(IO_URING_ZCRX_IFQ_REG.if_rxq, rxQueue, true);
    view.setUint32(IO_URING_ZCRX_IFQ_REG.rq_entries, rqEntries, true);
    view.setBigUint64(IO_URING_ZCRX_IFQ_REG.area_ptr, BigInt(address + areaAt), true);
    view.setBigUint64(IO_URING_ZCRX_IFQ_REG.region_ptr, BigInt(address + regionAt), true);
    view.setBigUint64(areaAt + IO_URING_ZCRX_AREA_REG.addr, BigInt(area.address), true);
    view.setBigUint64(areaAt + IO_URING_ZCRX_AREA_REG.len, BigInt(areaBytes), true);
    view.setBigUint64(regionAt + IO_URING_REGION_DESC.user_addr, BigInt(refill.address), true);
    view.setBigUint64(regionAt + IO_URING_REGION_DESC.size, BigInt(refill.bytes.length), true);
    view.setUint32(regionAt + IO_URING_REGION_DESC.flags, IORING_MEM_REGION_TYPE_USER, true);
    core.register(IORING_REGISTER_ZCRX_IFQ, address, 1, {
      [EPERM]: 'needs CAP_NET_ADMIN',
      [EINVAL]: 'needs a ring with deferTaskrun and cqe32 or cqeMixed, and such a queue',
      [EOPNOTSUPP]: 'this network card, or its driver, cannot receive without copying',
      19: 'there is no such interface',
    });
    core.resources.keep(area.bytes, refill.bytes);
    const at = (field: number): number => view.getUint32(IO_URING_ZCRX_IFQ_REG.offsets + field, true);
    return new ZcrxQueue(
      view.getUint32(IO_URING_ZCRX_IFQ_REG.zcrx_id, true),
      area.bytes,
      view.getBigUint64(areaAt + IO_URING_ZCRX_AREA_REG.rq_area_token, true),
      {
        bytes: refill.bytes,
        tail: at(IO_URING_ZCRX_OFFSETS.tail),
        rqes: at(IO_URING_ZCRX_OFFSETS.rqes),
        entries: view.getUint32(IO_URING_ZCRX_IFQ_REG.rq_entries, true),
      },
    );
  },

  registerZcrxCtrl(zcrxId, operation) {
    const core = coreOf(this);
    checkUint32('zcrxId', zcrxId);
    if (operation !== 'flush' && operation !== 'export') {
      throw wrongValue('operation', "it must be 'flush' or 'export'");
    }
    core.checkOpen();
    const { view, address } = core.scratch(ZCRX_CTRL_SIZE);
    view.setUint32(ZCRX_CTRL.zcrx_id, zcrxId, true);
    view.setUint32(ZCRX_CTRL.op, operation === 'flush' ? ZCRX_CTRL_FLUSH_RQ : ZCRX_CTRL_EXPORT, true);
    core.register(IORING_REGISTER_ZCRX_CTRL, address, 0);
    if (operation === 'flush') return 0;
    return view.getUint32(ZCRX_CTRL.zc_export + ZCRX_CTRL_EXPORT_STRUCT.zcrx_fd, true);
  },
};
