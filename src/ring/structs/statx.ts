import { inspect, type InspectOptions } from 'node:util';
import { STATX_STRUCT, STATX_STRUCT_SIZE, STATX_TIMESTAMP } from '../../abi/layouts.ts';
import { isObject, wrongType } from '../arguments/argument-errors.ts';
import { shown } from '../shown.ts';

const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFBLK = 0o060000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFSOCK = 0o140000;

const NS_PER_S = 1_000_000_000n;

let memoryOf: (statx: Statx) => Uint8Array;

/**
 * Room for a file's status (`struct statx`), which prepStatx has the kernel fill in. It is lent to the kernel
 * meanwhile, and may be used again afterwards.
 *
 * Names and units are those of Node's `fs.Stats` where it has the same. What the kernel did not give, see
 * {@link Statx.mask}, is 0.
 * @example
 * const status = await io.stat('/etc/hostname');
 * console.log(status.isFile(), status.size, status.mtime);
 */
export class Statx {
  readonly #memory = new Uint8Array(new ArrayBuffer(STATX_STRUCT_SIZE));
  readonly #view = new DataView(this.#memory.buffer);

  /** STATX_* bits: which of the fields the file system filled in. */
  get mask(): number {
    return this.#uint32(STATX_STRUCT.stx_mask);
  }

  /** STATX_ATTR_* bits, of which {@link Statx.attributesMask} says which ones the file system knows. */
  get attributes(): number {
    return Number(this.#uint64(STATX_STRUCT.stx_attributes));
  }

  /** STATX_ATTR_* bits: which attributes the file system can tell. */
  get attributesMask(): number {
    return Number(this.#uint64(STATX_STRUCT.stx_attributes_mask));
  }

  /** The block size for efficient reads and writes, in bytes. */
  get blksize(): number {
    return this.#uint32(STATX_STRUCT.stx_blksize);
  }

  /** Hard links. */
  get nlink(): number {
    return this.#uint32(STATX_STRUCT.stx_nlink);
  }

  /** The owner. */
  get uid(): number {
    return this.#uint32(STATX_STRUCT.stx_uid);
  }

  /** The owner's group. */
  get gid(): number {
    return this.#uint32(STATX_STRUCT.stx_gid);
  }

  /** Kind of file and permissions. */
  get mode(): number {
    return this.#view.getUint16(STATX_STRUCT.stx_mode, true);
  }

  /** Inode number, 0 … 2^64-1. */
  get ino(): bigint {
    return this.#uint64(STATX_STRUCT.stx_ino);
  }

  /**
   * Bytes.
   * @throws {RangeError} `ERR_OUT_OF_RANGE` above 2^53-1: read {@link Statx.sizeBigint} then
   */
  get size(): number {
    const size = this.sizeBigint;
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
      const message = `The size ${size} is above 2^53-1 and not exact as a number: read sizeBigint`;
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
    }
    return Number(size);
  }

  /** Bytes, always exact. */
  get sizeBigint(): bigint {
    return this.#uint64(STATX_STRUCT.stx_size);
  }

  /** Allocated, in units of 512 bytes. */
  get blocks(): number {
    return Number(this.#uint64(STATX_STRUCT.stx_blocks));
  }

  /** The last access, in nanoseconds since 1970. */
  get atimeNs(): bigint {
    return this.#nanoseconds(STATX_STRUCT.stx_atime);
  }

  /** The birth, in nanoseconds since 1970. */
  get btimeNs(): bigint {
    return this.#nanoseconds(STATX_STRUCT.stx_btime);
  }

  /** The last change of the status, in nanoseconds since 1970. */
  get ctimeNs(): bigint {
    return this.#nanoseconds(STATX_STRUCT.stx_ctime);
  }

  /** The last change of the contents, in nanoseconds since 1970. */
  get mtimeNs(): bigint {
    return this.#nanoseconds(STATX_STRUCT.stx_mtime);
  }

  /** The last access. */
  get atime(): Date {
    return this.#date(STATX_STRUCT.stx_atime);
  }

  /** The birth. */
  get btime(): Date {
    return this.#date(STATX_STRUCT.stx_btime);
  }

  /** The last change of the status. */
  get ctime(): Date {
    return this.#date(STATX_STRUCT.stx_ctime);
  }

  /** The last change of the contents. */
  get mtime(): Date {
    return this.#date(STATX_STRUCT.stx_mtime);
  }

  /** The last access, in milliseconds since 1970, with a fraction. */
  get atimeMs(): number {
    return this.#milliseconds(STATX_STRUCT.stx_atime);
  }

  /** The last change of the contents, in milliseconds since 1970, with a fraction. */
  get mtimeMs(): number {
    return this.#milliseconds(STATX_STRUCT.stx_mtime);
  }

  /** The last change of the status, in milliseconds since 1970, with a fraction. */
  get ctimeMs(): number {
    return this.#milliseconds(STATX_STRUCT.stx_ctime);
  }

  /** The birth, in milliseconds since 1970, with a fraction. */
  get birthtimeMs(): number {
    return this.#milliseconds(STATX_STRUCT.stx_btime);
  }

  /** {@link Statx.btime}, as `fs.Stats` calls it. */
  get birthtime(): Date {
    return this.btime;
  }

  /** The device that the file is on: both its numbers in one, as `fs.Stats` has it. */
  get dev(): number {
    return device(this.devMajor, this.devMinor);
  }

  get devMajor(): number {
    return this.#uint32(STATX_STRUCT.stx_dev_major);
  }

  get devMinor(): number {
    return this.#uint32(STATX_STRUCT.stx_dev_minor);
  }

  /** The device that the file is, if it is one: both its numbers in one, as `fs.Stats` has it. */
  get rdev(): number {
    return device(this.rdevMajor, this.rdevMinor);
  }

  get rdevMajor(): number {
    return this.#uint32(STATX_STRUCT.stx_rdev_major);
  }

  get rdevMinor(): number {
    return this.#uint32(STATX_STRUCT.stx_rdev_minor);
  }

  /** The mount that the file is in; STATX_MNT_ID. Kernel 5.8. */
  get mntId(): bigint {
    return this.#uint64(STATX_STRUCT.stx_mnt_id);
  }

  /**
   * The alignment that O_DIRECT demands of the address, in bytes; 0 if it cannot be used; STATX_DIOALIGN. Kernel 6.1.
   */
  get dioMemAlign(): number {
    return this.#uint32(STATX_STRUCT.stx_dio_mem_align);
  }

  /**
   * The alignment that O_DIRECT demands of offset and length, in bytes; 0 if it cannot be used; STATX_DIOALIGN. Kernel
   * 6.1.
   */
  get dioOffsetAlign(): number {
    return this.#uint32(STATX_STRUCT.stx_dio_offset_align);
  }

  /** The alignment that O_DIRECT demands of offset and length of a read, where that is less; else 0. Kernel 6.14. */
  get dioReadOffsetAlign(): number {
    return this.#uint32(STATX_STRUCT.stx_dio_read_offset_align);
  }

  /** The subvolume. Kernel 6.10. */
  get subvol(): bigint {
    return this.#uint64(STATX_STRUCT.stx_subvol);
  }

  /** The smallest write that RWF_ATOMIC can be set for, in bytes. Kernel 6.11. */
  get atomicWriteUnitMin(): number {
    return this.#uint32(STATX_STRUCT.stx_atomic_write_unit_min);
  }

  /** The largest write that RWF_ATOMIC can be set for, in bytes. Kernel 6.11. */
  get atomicWriteUnitMax(): number {
    return this.#uint32(STATX_STRUCT.stx_atomic_write_unit_max);
  }

  /** The largest write with RWF_ATOMIC that is fast, in bytes, where that is less; else 0. Kernel 6.16. */
  get atomicWriteUnitMaxOpt(): number {
    return this.#uint32(STATX_STRUCT.stx_atomic_write_unit_max_opt);
  }

  /** How many buffers a write with RWF_ATOMIC may have. Kernel 6.11. */
  get atomicWriteSegmentsMax(): number {
    return this.#uint32(STATX_STRUCT.stx_atomic_write_segments_max);
  }

  isFile(): boolean {
    return this.#isOf(S_IFREG);
  }

  isDirectory(): boolean {
    return this.#isOf(S_IFDIR);
  }

  isSymbolicLink(): boolean {
    return this.#isOf(S_IFLNK);
  }

  isFIFO(): boolean {
    return this.#isOf(S_IFIFO);
  }

  isSocket(): boolean {
    return this.#isOf(S_IFSOCK);
  }

  isCharacterDevice(): boolean {
    return this.#isOf(S_IFCHR);
  }

  isBlockDevice(): boolean {
    return this.#isOf(S_IFBLK);
  }

  /**
   * The numbers that `fs.Stats` is made of, in its order: dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks,
   * and the times of access, contents, status and birth, each in seconds since 1970 and nanoseconds beyond. All as
   * doubles, as Node has them: above 2^53 ino and size are not exact.
   * @param numbers where to put them: 18 places
   */
  toNumbers(numbers: Float64Array): void {
    numbers[0] = this.dev;
    numbers[1] = this.mode;
    numbers[2] = this.nlink;
    numbers[3] = this.uid;
    numbers[4] = this.gid;
    numbers[5] = this.rdev;
    numbers[6] = this.blksize;
    numbers[7] = this.#double(STATX_STRUCT.stx_ino);
    numbers[8] = this.#double(STATX_STRUCT.stx_size);
    numbers[9] = this.#double(STATX_STRUCT.stx_blocks);
    this.#time(numbers, 10, STATX_STRUCT.stx_atime);
    this.#time(numbers, 12, STATX_STRUCT.stx_mtime);
    this.#time(numbers, 14, STATX_STRUCT.stx_ctime);
    this.#time(numbers, 16, STATX_STRUCT.stx_btime);
  }

  /** The numbers of stat(2), and the birth; 64-bit numbers above 2^53-1 as strings. */
  toJSON(): {
    mask: number;
    attributes: number;
    dev: number;
    ino: number | string;
    mode: number;
    nlink: number;
    uid: number;
    gid: number;
    rdev: number;
    size: number | string;
    blksize: number;
    blocks: number;
    atime: Date;
    mtime: Date;
    ctime: Date;
    btime: Date;
  } {
    return {
      mask: this.mask,
      attributes: this.attributes,
      dev: this.dev,
      ino: exact(this.ino),
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size: exact(this.sizeBigint),
      blksize: this.blksize,
      blocks: this.blocks,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
      btime: this.btime,
    };
  }

  #isOf(kind: number): boolean {
    return (this.mode & S_IFMT) === kind;
  }

  #uint32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #uint64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  /** Without a BigInt on the way. */
  #double(offset: number): number {
    return this.#uint32(offset) + this.#uint32(offset + 4) * 2 ** 32;
  }

  #time(numbers: Float64Array, at: number, offset: number): void {
    numbers[at] = this.#uint32(offset) + this.#view.getInt32(offset + 4, true) * 2 ** 32;
    numbers[at + 1] = this.#uint32(offset + STATX_TIMESTAMP.tv_nsec);
  }

  #nanoseconds(offset: number): bigint {
    const seconds = this.#view.getBigInt64(offset + STATX_TIMESTAMP.tv_sec, true);
    return seconds * NS_PER_S + BigInt(this.#uint32(offset + STATX_TIMESTAMP.tv_nsec));
  }

  #milliseconds(offset: number): number {
    const seconds = this.#uint32(offset) + this.#view.getInt32(offset + 4, true) * 2 ** 32;
    return seconds * 1000 + this.#uint32(offset + STATX_TIMESTAMP.tv_nsec) / 1e6;
  }

  /** Rounded to a millisecond as in `fs.Stats`. */
  #date(offset: number): Date {
    const seconds = Number(this.#view.getBigInt64(offset + STATX_TIMESTAMP.tv_sec, true));
    return new Date(Math.round(seconds * 1000 + this.#uint32(offset + STATX_TIMESTAMP.tv_nsec) / 1e6));
  }

  /** Not a method: whoever has one could call it. */
  static {
    memoryOf = (statx) => {
      if (!isObject(statx) || !(#memory in statx)) {
        throw wrongType('statx', 'a Statx', statx);
      }
      return statx.#memory;
    };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown('Statx', () => (this.toJSON()), depth, options, show);
  }
}

/** The memory of a Statx, for the kernel to fill in. @throws {TypeError} `ERR_INVALID_ARG_TYPE` */
export const memoryOfStatx = memoryOf!;

/** As makedev(3) has it: 12 bits of the one and 8 of the other at the bottom, the rest of both above. */
function device(major: number, minor: number): number {
  const low = ((major & 0xfff) << 8) | (minor & 0xff);
  return low + Math.floor(minor / 2 ** 8) * 2 ** 20 + Math.floor(major / 2 ** 12) * 2 ** 44;
}

function exact(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : `${value}`;
}
