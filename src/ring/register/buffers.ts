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
import type { UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, outOfRange, wrongType } from '../arguments/argument-errors.ts';
import { writeIovec } from '../structs/msghdr.ts';
import { coreOf, isRing, type Hints, type RingCore } from '../ring-core.ts';

/** The kernel's limits on one table: IORING_MAX_REG_BUFFERS, and on one buffer. */
const BUFFERS_MAX = 16384;
const BUFFER_MAX = 2 ** 30;

const HINTS: Hints = ownOptions({
  [EBUSY]: 'buffers are registered already: unregisterBuffers() first, or update them',
  [ENXIO]: 'no buffers are registered',
  [ENOMEM]: 'the limit on locked memory is reached: raise it (ulimit -l), or register less',
  [EFAULT]: 'memory of a kind that cannot be pinned',
  [EINVAL]: 'outside the table',
});

/** The marks that a table of buffers, or of files, is made with. */
export interface TagOptions {
  /**
   * A mark for each: when the last operation that uses it is done, after it was replaced, a completion with this
   * userData is posted; from kernel 6.13 on also after the table was unregistered. 0 is none. Kernel 5.13.
   */
  tags?: readonly UserData[];
}

/** Registered buffers: memory that the kernel pins once and need not look up at every transfer. */
export interface BufferRegistrations {
  /**
   * Register buffers, for operations with `{ fixed: index }`. They stay in memory and count against the limit on locked
   * memory; the ring refers to them until they are replaced or unregistered. Before kernel 5.13 nothing may be in
   * flight: the call waits for a second at most, and then it is `EBUSY`.
   *
   * Kernel 5.1. Counterpart of io_uring_register_buffers(3) and io_uring_register_buffers_tags(3).
   * @param buffers 1 … 16384, each of at most 1 GiB; all of each
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} `EBUSY`, `ENOMEM` and others of the kernel; `ERR_IOURING_CLOSED`
   * @example
   * const block = Buffer.alloc(65_536);
   * ring.registerBuffers([block]);
   * ring.prepRead(fd, block, block.length, 1, 0, { fixed: 0 });
   */
  registerBuffers(buffers: readonly Lendable[], options?: TagOptions): void;

  /**
   * Register a table of `count` places without buffers, to be filled by {@link registerBuffersUpdate}.
   *
   * Kernel 5.19. Counterpart of io_uring_register_buffers_sparse(3).
   * @param count 1 … 16384
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY` and others of the kernel; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerBuffersSparse(16);
   * ring.registerBuffersUpdate(0, [buffer]);
   */
  registerBuffersSparse(count: number): void;

  /**
   * Put buffers into places of the table, from `offset` on; null empties a place. Operations under way go on with the
   * buffers they have.
   *
   * Kernel 5.13. Counterpart of io_uring_register_buffers_update_tag(3).
   * @returns how many places were changed
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerBuffersSparse(16);
   * ring.registerBuffersUpdate(0, [buffer]);
   */
  registerBuffersUpdate(offset: number, buffers: readonly (Lendable | null)[], options?: TagOptions): number;

  /**
   * Give up all registered buffers. Operations under way go on with the buffers they have. Before kernel 6.13 they have
   * to end first, and so have those on registered files: the call waits for a second at most.
   *
   * Kernel 5.1. Counterpart of io_uring_unregister_buffers(3).
   * @throws {Error} `ENXIO` there are none; `EBUSY` operations use them still, before 6.13; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerBuffers([buffer]);
   * ring.unregisterBuffers();
   */
  unregisterBuffers(): void;

  /**
   * Share the registered buffers of another ring of this thread: both refer to the same memory, pinned once.
   *
   * Kernel 6.12; ranges and `replace` 6.13. Counterpart of io_uring_clone_buffers(3) and
   * io_uring_clone_buffers_offset(3).
   * @param options.count how many, from `srcOffset` of the other's table to `dstOffset` of this one's; default all
   * @param options.replace IORING_REGISTER_DST_REPLACE: take the place of buffers registered here
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY` there are buffers here already, `ENXIO` there are none there; `ERR_IOURING_CLOSED`
   * @example
   * ring.cloneBuffers(otherRing);
   */
  cloneBuffers(
    source: BufferRegistrations,
    options?: { srcOffset?: number; dstOffset?: number; count?: number; replace?: boolean },
  ): void;
}

export const bufferRegistrations: BufferRegistrations = {
  registerBuffers(buffers, options) {
    const core = coreOf(this);
    const list = checkBuffers(buffers, 1);
    const tags = tagsOf(core, options, list.length);
    core.checkOpen();
    const iovecs = writeIovecs(core, list);
    if (tags === undefined) {
      core.register(IORING_REGISTER_BUFFERS, iovecs.address, list.length, HINTS);
    } else {
      registerResource(core, IORING_REGISTER_BUFFERS2, list.length, 0, iovecs.address, tags, HINTS);
    }
    core.resources.registeredBuffers = list;
  },

  registerBuffersSparse(count) {
    const core = coreOf(this);
    checkInteger('count', count, 1, BUFFERS_MAX);
    core.checkOpen();
    registerResource(core, IORING_REGISTER_BUFFERS2, count, IORING_RSRC_REGISTER_SPARSE, 0, undefined, HINTS);
    core.resources.registeredBuffers = Array.from(ownOptions({ length: count }), () => undefined);
  },

  registerBuffersUpdate(offset, buffers, options) {
    const core = coreOf(this);
    checkInteger('offset', offset, 0, BUFFERS_MAX - 1);
    const list = checkBuffers(buffers, 1);
    const tags = tagsOf(core, options, list.length);
    core.checkOpen();
    const { address } = writeIovecs(core, list);
    const count = updateResource(core, IORING_REGISTER_BUFFERS_UPDATE, offset, list.length, address, tags, HINTS);
    const table = core.resources.registeredBuffers;
    for (let i = 0; i < count; i++) table[offset + i] = list[i] ?? undefined;
    return count;
  },

  unregisterBuffers() {
    const core = coreOf(this);
    core.checkOpen();
    core.register(IORING_UNREGISTER_BUFFERS, 0, 0, HINTS);
    core.resources.registeredBuffers = [];
  },

  cloneBuffers(source, options) {
    const core = coreOf(this);
    if (!isRing(source)) throw wrongType('source', 'an IoUring', source);
    const asked: NonNullable<typeof options> = options ?? NONE;
    const { srcOffset = 0, dstOffset = 0, count = 0, replace = false } = asked;
    checkInteger('options.srcOffset', srcOffset, 0, BUFFERS_MAX);
    checkInteger('options.dstOffset', dstOffset, 0, BUFFERS_MAX);
    checkInteger('options.count', count, 0, BUFFERS_MAX);
    core.checkOpen();
    coreOf(source).checkOpen();
    const from = coreOf(source).resources;
    const byIndex = from.fd < 0;
    const isRange = srcOffset !== 0 || dstOffset !== 0 || count !== 0;
    const form = replace ? 'replace' : isRange ? 'ranges' : undefined;
    const { view, address } = core.scratch(IO_URING_CLONE_BUFFERS_SIZE);
    view.setUint32(IO_URING_CLONE_BUFFERS.src_fd, byIndex ? (from.registeredIndex as number) : from.fd, true);
    const flags = (byIndex ? IORING_REGISTER_SRC_REGISTERED : 0) | (replace ? IORING_REGISTER_DST_REPLACE : 0);
    view.setUint32(IO_URING_CLONE_BUFFERS.flags, flags, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.src_off, srcOffset, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.dst_off, dstOffset, true);
    view.setUint32(IO_URING_CLONE_BUFFERS.nr, count, true);
    core.register(IORING_REGISTER_CLONE_BUFFERS, address, 1, {
      [EBUSY]: 'buffers are registered here already: clone with replace, or unregisterBuffers() first',
      [ENXIO]: 'the other ring has no registered buffers',
      [EOVERFLOW]: 'the range ends behind the table',
      [EINVAL]: 'outside the other table',
    }, form);
    const there = from.registeredBuffers;
    const cloned = there.slice(srcOffset, count === 0 ? undefined : srcOffset + count);
    // What was here and was not replaced stays.
    const table = replace ? [...core.resources.registeredBuffers] : [];
    cloned.forEach((buffer, i) => (table[dstOffset + i] = buffer));
    core.resources.registeredBuffers = table;
  },
};

/** The caller's list, read once. */
function checkBuffers(buffers: readonly (Lendable | null)[], min: number): (Lendable | undefined)[] {
  if (!Array.isArray(buffers)) throw wrongType('buffers', 'an Array of ArrayBufferViews or ArrayBuffers', buffers);
  const list = [...(buffers as readonly (Lendable | null)[])].map((buffer) => buffer ?? undefined);
  checkInteger('buffers.length', list.length, min, BUFFERS_MAX);
  return list;
}

/** An array of iovecs for the duration of a call; of an empty place all is zero. */
function writeIovecs(core: RingCore, list: readonly (Lendable | undefined)[]): { address: number } {
  const { view, address } = core.array(list.length * IOVEC_SIZE);
  const { memory } = core;
  list.forEach((buffer, i) => {
    if (buffer === undefined) return;
    const length = memory.findWhole(buffer, `buffers[${i}]`);
    if (length > BUFFER_MAX) throw outOfRange(`buffers[${i}].byteLength`, `<= ${BUFFER_MAX} (1 GiB)`, length);
    writeIovec(view, i * IOVEC_SIZE, memory.addressLow, memory.addressHigh, length);
  });
  return { address };
}

/** The tags as the kernel takes them; undefined if there are none. */
export function tagsOf(
  core: RingCore,
  options: TagOptions | undefined,
  count: number,
): { address: number } | undefined {
  const tags = options?.tags;
  if (tags === undefined) return undefined;
  if (!Array.isArray(tags)) throw wrongType('options.tags', 'an Array of numbers or bigints', tags);
  const list = [...(tags as readonly UserData[])];
  if (list.length !== count) throw outOfRange('options.tags.length', `${count}, one for each`, list.length);
  const { view, address } = core.array(count * 8);
  list.forEach((tag, i) => view.setBigUint64(i * 8, core.userDataForKernel(tag, `options.tags[${i}]`), true));
  core.resources.unasked += list.filter((tag) => BigInt(tag) !== 0n).length;
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
  const form = flags & IORING_RSRC_REGISTER_SPARSE ? 'sparse' : undefined;
  core.register(opcode, address, IO_URING_RSRC_REGISTER_SIZE, hints, form);
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
