import { EBADF, EBUSY, EINVAL, EMFILE, ENXIO, EOVERFLOW } from '../../abi/errno.ts';
import { IORING_REGISTER_FILES_SKIP, IORING_RSRC_REGISTER_SPARSE } from '../../abi/flags.ts';
import {
  IO_URING_FILE_INDEX_RANGE,
  IO_URING_FILE_INDEX_RANGE_SIZE,
  IO_URING_RSRC_UPDATE,
  IO_URING_RSRC_UPDATE_SIZE,
} from '../../abi/layouts.ts';
import {
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES2,
  IORING_REGISTER_FILES_UPDATE,
  IORING_REGISTER_FILES_UPDATE2,
  IORING_REGISTER_FILE_ALLOC_RANGE,
  IORING_UNREGISTER_FILES,
} from '../../abi/registrations.ts';
import { ownOptions } from '../arguments/own-options.ts';
import { checkInteger, checkUint32, wrongType } from '../arguments/argument-errors.ts';
import { registerResource, tagsOf, updateResource, type TagOptions } from './buffers.ts';
import { coreOf, type Hints, type RingCore } from '../ring-core.ts';

/** The kernel's limit on one table (IORING_MAX_FIXED_FILES); that on open files counts too. */
const FILES_MAX = 2 ** 20;

const HINTS: Hints = ownOptions({
  [EBADF]: 'one of them is not open, or is the descriptor of a ring, which cannot be registered',
  [EBUSY]: 'files are registered already: unregisterFiles() first, or update them',
  [EMFILE]: 'the table is larger than the limit on open files: raise it (ulimit -n), or take fewer',
  [ENXIO]: 'no files are registered',
  [EINVAL]: 'outside the table',
});

/**
 * Registered files: a table of slots that operations name instead of descriptors (IOSQE_FIXED_FILE). The kernel need
 * not look a file up each time, and files can be opened into slots without ever being a descriptor.
 */
export interface FileRegistrations {
  /**
   * Register files: `fds[i]` goes to slot i. The descriptors may be closed then; the files stay open in their slots.
   * Before kernel 5.13 nothing may be in flight: the call waits for a second at most, and then it is `EBUSY`.
   *
   * Kernel 5.1. Counterpart of io_uring_register_files(3) and io_uring_register_files_tags(3).
   * @param fds 1 … 1048576 of them; -1 leaves a slot empty
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBADF`, `EBUSY`, `EMFILE` and others of the kernel; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerFiles([fd]);
   */
  registerFiles(fds: readonly number[], options?: TagOptions): void;

  /**
   * Register a table of `count` empty slots, to be filled by {@link registerFilesUpdate} or by operations with
   * `direct`.
   *
   * Kernel 5.19. Counterpart of io_uring_register_files_sparse(3), without its raising of the limit on open files.
   * @param count 1 … 1048576
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY`, `EMFILE` and others of the kernel; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerFilesSparse(16);
   */
  registerFilesSparse(count: number): void;

  /**
   * Put files into slots, from `offset` on; -1 empties a slot, IORING_REGISTER_FILES_SKIP (-2) leaves it (5.12).
   * Operations under way go on with the files they have.
   *
   * Kernel 5.5; with tags 5.13. Counterpart of io_uring_register_files_update(3) and
   * io_uring_register_files_update_tag(3).
   * @returns how many slots were looked at; fewer than asked for when one could not be changed
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerFilesSparse(16);
   * ring.registerFilesUpdate(0, [fd]);
   */
  registerFilesUpdate(offset: number, fds: readonly number[], options?: TagOptions): number;

  /**
   * Give up the table. Operations under way go on with the files they have. Before kernel 6.13 they have to end first,
   * and so have those that use registered buffers: the call waits for a second at most. One on a slot that keeps silent
   * (IOSQE_CQE_SKIP_SUCCESS) counts as under way for ever there, unless it is linked to one that does not.
   *
   * Kernel 5.1. Counterpart of io_uring_unregister_files(3).
   * @throws {Error} `ENXIO` there is none; `EBUSY` operations use slots still, before 6.13; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerFiles([fd]);
   * ring.unregisterFiles();
   */
  unregisterFiles(): void;

  /**
   * Have the kernel pick from these slots only where it is asked to (`direct: 'alloc'`); the others are the program's.
   *
   * Kernel 6.0. Counterpart of io_uring_register_file_alloc_range(3).
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerFilesSparse(16);
   * ring.registerFileAllocRange(8, 8);
   */
  registerFileAllocRange(offset: number, length: number): void;
}

export const fileRegistrations: FileRegistrations = {
  registerFiles(fds, options) {
    const core = coreOf(this);
    const list = checkDescriptors(fds, -1);
    const tags = tagsOf(core, options, list.length);
    core.checkOpen();
    const address = writeDescriptors(core, list);
    if (tags === undefined) core.register(IORING_REGISTER_FILES, address, list.length, HINTS);
    else registerResource(core, IORING_REGISTER_FILES2, list.length, 0, address, tags, HINTS);
  },

  registerFilesSparse(count) {
    const core = coreOf(this);
    checkInteger('count', count, 1, FILES_MAX);
    core.checkOpen();
    registerResource(core, IORING_REGISTER_FILES2, count, IORING_RSRC_REGISTER_SPARSE, 0, undefined, HINTS);
  },

  registerFilesUpdate(offset, fds, options) {
    const core = coreOf(this);
    checkInteger('offset', offset, 0, FILES_MAX - 1);
    const list = checkDescriptors(fds, IORING_REGISTER_FILES_SKIP);
    const tags = tagsOf(core, options, list.length);
    core.checkOpen();
    const data = writeDescriptors(core, list);
    if (tags !== undefined) {
      return updateResource(core, IORING_REGISTER_FILES_UPDATE2, offset, list.length, data, tags, HINTS);
    }
    const { view, address } = core.scratch(IO_URING_RSRC_UPDATE_SIZE);
    view.setUint32(IO_URING_RSRC_UPDATE.offset, offset, true);
    view.setBigUint64(IO_URING_RSRC_UPDATE.data, BigInt(data), true);
    return core.register(IORING_REGISTER_FILES_UPDATE, address, list.length, HINTS);
  },

  unregisterFiles() {
    const core = coreOf(this);
    core.checkOpen();
    core.register(IORING_UNREGISTER_FILES, 0, 0, HINTS);
  },

  registerFileAllocRange(offset, length) {
    const core = coreOf(this);
    checkUint32('offset', offset);
    checkUint32('length', length);
    core.checkOpen();
    const { view, address } = core.scratch(IO_URING_FILE_INDEX_RANGE_SIZE);
    view.setUint32(IO_URING_FILE_INDEX_RANGE.off, offset, true);
    view.setUint32(IO_URING_FILE_INDEX_RANGE.len, length, true);
    core.register(IORING_REGISTER_FILE_ALLOC_RANGE, address, 0, {
      [EINVAL]: 'outside the table, or no files are registered',
      [EOVERFLOW]: 'the range ends behind the last slot there can be',
    });
  },
};

function checkDescriptors(fds: readonly number[], min: number): number[] {
  if (!Array.isArray(fds)) throw wrongType('fds', 'an Array of numbers', fds);
  const list = [...(fds as readonly number[])];
  checkInteger('fds.length', list.length, 1, FILES_MAX);
  list.forEach((fd, i) => checkInteger(`fds[${i}]`, fd, min, 2 ** 31 - 1));
  return list;
}

function writeDescriptors(core: RingCore, list: readonly number[]): number {
  const { view, address } = core.array(list.length * 4);
  list.forEach((fd, i) => view.setInt32(i * 4, fd, true));
  return address;
}
