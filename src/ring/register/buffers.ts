import { EBUSY, EFAULT, EINVAL, ENOMEM, ENXIO, EOVERFLOW } from '../../abi/errno.ts';
import {
  IORING_REGISTER_DST_REPLACE,
  IORING_REGISTER_SRC_REGISTERED,
  IORING_RSRC_REGISTER_SPARSE,
} from '../../abi/flags.ts';
import {
  IO_URING_CLONE_BUFFERS,
  IO_URING_CLONE_BUFFERS_SIZE,
  IO_URING_RSRC_REGISTER,
  IO_URING_RSRC_REGISTER_SIZE,
  IO_URING_RSRC_UPDATE2,
  IO_URING_RSRC_UPDATE2_SIZE,
  IOVEC_SIZE,
} from '../../abi/layouts.ts';
import {
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_BUFFERS2,
  IORING_REGISTER_BUFFERS_UPDATE,
  IORING_REGISTER_CLONE_BUFFERS,
  IORING_UNREGISTER_BUFFERS,
} from '../../abi/registrations.ts';
import { ownOptions, NONE } from '../arguments/own-options.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, outOfRange, wrongType } from '../arguments/argument-errors.ts';
import { writeIovec } from '../structs/msghdr.ts';
import { NetPreparation } from '../prepare/network.ts';
import { coreOf, type Hints, type RingCore } from '../ring-core.ts';
import type { UserData } from '../prepare/entry.ts';

/** The kernel's limits on one table: IORING_MAX_REG_BUFFERS, and on one buffer. */
const BUFFERS_MAX = 16384;
const BUFFER_MAX = 2 ** 30;

const HINTS: Hints = ownOptions({
  [EBUSY]: 'buffers are registered already: unregisterBuffers() first, or update them',
  [ENXIO]: 'no buffers are registered',
  [ENOMEM]: 'the limit on locked memory is reached: raise it (ulimit -l), or register less',
  [EFAULT]: 'memory of a kind that cannot be pinned',
  [EINVAL]: 'outside the table, or this kernel has no such table (tags need Linux 5.13, sparse tables 5.19)',
});

/** What a table of buffers is made with. */
export interface TagOptions {
  /**
   * A mark for each: when the last operation that uses it is done, after it was replaced or unregistered, a completion
   * with this userData is posted. 0 is none. Kernel 5.13.
   */
  tags?: readonly UserData[];
}

/** Registered buffers: memory that the kernel pins once and need not look up at every transfer. */
export abstract class BufferRegistration extends NetPreparation {
  /**
   * Register buffers, for operations with `{ fixed: index }`. They stay in memory and count against the limit on locked
   * memory; the ring refers to them until they are replaced or unregistered.
   *
   * Kernel 5.1. Counterpart of io_uring_register_buffers(3) and io_uring_register_buffers_tags(3).
   * @param buffers 1 … 16384, each of at most 1 GiB; all of each
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} `EBUSY`, `ENOMEM` and others of the kernel; `ERR_IOURING_CLOSED`
   */
  registerBuffers(buffers: readonly Lendable[], options?: TagOptions): void {
    const list = this.#list(buffers, 1);
    const tags = tagsOf(coreOf(this), options, list.length);
    coreOf(this).checkOpen();
    const iovecs = this.#iovecs(list);
    if (tags === undefined) {
      coreOf(this).register(IORING_REGISTER_BUFFERS, iovecs.address, list.length, HINTS);
    } else {
      registerResource(coreOf(this), IORING_REGISTER_BUFFERS2, list.length, 0, iovecs.address, tags, HINTS);
    }
    coreOf(this).resources.registeredBuffers = list;
  }

  /**
   * Register a table of `count` places without buffers, to be filled by {@link registerBuffersUpdate}.
   *
   * Kernel 5.19. Counterpart of io_uring_register_buffers_sparse(3).
   * @param count 1 … 16384
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY` and others of the kernel; `ERR_IOURING_CLOSED`
   */
  registerBuffersSparse(count: number): void {
    checkInteger('count', count, 1, BUFFERS_MAX);
    coreOf(this).checkOpen();
    registerResource(coreOf(this), IORING_REGISTER_BUFFERS2, count, IORING_RSRC_REGISTER_SPARSE, 0, undefined, HINTS);
    coreOf(this).resources.registeredBuffers = Array.from(ownOptions({ length: count }), () => undefined);
  }

  /**
   * Put buffers into places of the table, from `offset` on; null empties a place. Operations under way go on with the
   * buffers they have.
   *
   * Kernel 5.13. Counterpart of io_uring_register_buffers_update_tag(3).
   * @returns how many places were changed
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   */
  registerBuffersUpdate(offset: number, buffers: readonly (Lendable | null)[], options?: TagOptions): number {
    checkInteger('offset', offset, 0, BUFFERS_MAX - 1);
    const list = this.#list(buffers, 1);
    const tags = tagsOf(coreOf(this), options, list.length);
    coreOf(this).checkOpen();
    const iovecs = this.#iovecs(list);
    const count = updateResource(coreOf(this), IORING_REGISTER_BUFFERS_UPDATE, offset, list.length, iovecs.address, tags, HINTS);
    const table = coreOf(this).resources.registeredBuffers;
    for (let i = 0; i < count; i++) table[offset + i] = list[i] ?? undefined;
    return count;
  }

  /**
   * Give up all registered buffers. Operations under way go on with the buffers they have.
   *
   * Kernel 5.1. Counterpart of io_uring_unregister_buffers(3).
   * @throws {Error} `ENXIO` there are none; `ERR_IOURING_CLOSED`
   */
  unregisterBuffers(): void {
    coreOf(this).checkOpen();
    coreOf(this).register(IORING_UNREGISTER_BUFFERS, 0, 0, HINTS);
    coreOf(this).resources.registeredBuffers = [];
  }

  /**
   * Share the registered buffers of another ring of this thread: both refer to the same memory, pinned once.
   *
   * Kernel 6.12; ranges and `replace` 6.13. Counterpart of io_uring_clone_buffers(3) and io_uring_clone_buffers_offset(3).
   * @param options.count how many, from `srcOffset` of the other's table to `dstOffset` of this one's; default all
   * @param options.replace IORING_REGISTER_DST_REPLACE: take the place of buffers registered here
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY` there are buffers here already, `ENXIO` there are none there; `ERR_IOURING_CLOSED`
   */
  cloneBuffers(
    source: BufferRegistration,
    options?: { srcOffset?: number; dstOffset?: number; count?: number; replace?: boolean },
  ): void {
    if (!(source instanceof BufferRegistration)) throw wrongType('source', 'an IoUring', source);
    const asked: NonNullable<typeof options> = options ?? NONE;
    const { srcOffset = 0, dstOffset = 0, count = 0, replace = false } = asked;
    checkInteger('options.srcOffset', srcOffset, 0, BUFFERS_MAX);
    checkInteger('options.dstOffset', dstOffset, 0, BUFFERS_MAX);
    checkInteger('options.count', count, 0, BUFFERS_MAX);
    coreOf(this).checkOpen();
    coreOf(source).checkOpen();
    const from = coreOf(source).resources;
    const byIndex = from.fd < 0;
    const { view, address } = coreOf(this).scratch(IO_URING_CLONE_BUFFERS_SIZE);
    view.setUint32(IO_URING_CLONE_BUFFERS.src_fd, byIndex ? (from.registeredIndex as number) : from.fd, true);
    const flags = (byIndex ? IORING_REGISTER_SRC_REGISTERED : 0) | (replace ? IORING_REGISTER_DST_REPLACE : 0);
    view.setUint32(IO_URING_CLONE_BUFFERS.flags, flags, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.src_off, srcOffset, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.dst_off, dstOffset, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.nr, count, true);
    coreOf(this).register(IORING_REGISTER_CLONE_BUFFERS, address, 1, {
      [EBUSY]: 'buffers are registered here already: clone with replace, or unregisterBuffers() first',
      [ENXIO]: 'the other ring has no registered buffers',
      [EOVERFLOW]: 'the range ends behind the table',
      [EINVAL]: 'outside the other table; or cloning needs Linux 6.12, ranges and replace 6.13',
    });
    const there = from.registeredBuffers;
    const cloned = there.slice(srcOffset, count === 0 ? undefined : srcOffset + count);
    // What was here and was not replaced stays.
    const table = replace ? [...coreOf(this).resources.registeredBuffers] : [];
    cloned.forEach((buffer, i) => (table[dstOffset + i] = buffer));
    coreOf(this).resources.registeredBuffers = table;
  }

  /** The caller's list, read once. */
  #list(buffers: readonly (Lendable | null)[], min: number): (Lendable | undefined)[] {
    if (!Array.isArray(buffers)) throw wrongType('buffers', 'an Array of ArrayBufferViews or ArrayBuffers', buffers);
    const list = [...(buffers as readonly (Lendable | null)[])].map((buffer) => buffer ?? undefined);
    checkInteger('buffers.length', list.length, min, BUFFERS_MAX);
    return list;
  }

  /** An array of iovecs for the duration of a call; of an empty place all is zero. */
  #iovecs(list: readonly (Lendable | undefined)[]): { address: number } {
    const { view, address } = coreOf(this).array(list.length * IOVEC_SIZE);
    const { memory } = coreOf(this);
    list.forEach((buffer, i) => {
      if (buffer === undefined) return;
      const length = memory.findWhole(buffer, `buffers[${i}]`);
      if (length > BUFFER_MAX) throw outOfRange(`buffers[${i}].byteLength`, `<= ${BUFFER_MAX} (1 GiB)`, length);
      writeIovec(view, i * IOVEC_SIZE, memory.addressLow, memory.addressHigh, length);
    });
    return { address };
  }
}

/** The tags as the kernel takes them; undefined if there are none. */
export function tagsOf(core: RingCore, options: TagOptions | undefined, count: number): { address: number } | undefined {
  const tags = options?.tags;
  if (tags === undefined) return undefined;
  if (!Array.isArray(tags)) throw wrongType('options.tags', 'an Array of numbers or bigints', tags);
  const list = [...(tags as readonly UserData[])];
  if (list.length !== count) throw outOfRange('options.tags.length', `${count}, one for each`, list.length);
  const { view, address } = core.array(count * 8);
  list.forEach((tag, i) => view.setBigUint64(i * 8, core.userDataForKernel(tag, `options.tags[${i}]`), true));
  return { address };
}

/** Make a table. */
export function registerResource(
  core: RingCore,
  opcode: number,
  count: number,
  flags: number,
  data: number,
  tags: { address: number } | undefined,
  hints: Hints,
): void {
  const { view, address } = core.scratch(IO_URING_RSRC_REGISTER_SIZE);
  view.setUint32(IO_URING_RSRC_REGISTER.nr, count, true);
  view.setUint32(IO_URING_RSRC_REGISTER.flags, flags, true);
  view.setBigUint64(IO_URING_RSRC_REGISTER.data, BigInt(data), true);
  view.setBigUint64(IO_URING_RSRC_REGISTER.tags, BigInt(tags?.address ?? 0), true);
  core.register(opcode, address, IO_URING_RSRC_REGISTER_SIZE, hints);
}

/** Change places of a table. How many were changed. */
export function updateResource(
  core: RingCore,
  opcode: number,
  offset: number,
  count: number,
  data: number,
  tags: { address: number } | undefined,
  hints: Hints,
): number {
  const { view, address } = core.scratch(IO_URING_RSRC_UPDATE2_SIZE);
  view.setUint32(IO_URING_RSRC_UPDATE2.offset, offset, true);
  view.setBigUint64(IO_URING_RSRC_UPDATE2.data, BigInt(data), true);
  view.setBigUint64(IO_URING_RSRC_UPDATE2.tags, BigInt(tags?.address ?? 0), true);
  view.setUint32(IO_URING_RSRC_UPDATE2.nr, count, true);
  return core.register(opcode, address, IO_URING_RSRC_UPDATE2_SIZE, hints);
}
