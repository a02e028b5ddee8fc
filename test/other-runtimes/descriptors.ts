// `node:fs` for the tests in Deno. A descriptor of Deno's own `node:fs` is a number that Deno has given, not the system's, and the tests hand
// descriptors to the ring. Here what opens, closes or takes a descriptor calls libc; everything else is Deno's. The import map of
// scripts/runtimes.mjs puts this in place of `node:fs` for the files of test/ only: the product has Deno's.
import koffi from 'koffi';
import denoDefault, * as deno from 'node:fs';
import { constants } from 'node:os';

export * from 'node:fs';

type Call = (...args: unknown[]) => number;
const libc = koffi.load(null);
const calls = {
  open: libc.func('int open(const char *path, int flags, uint mode)') as Call,
  close: libc.func('int close(int fd)') as Call,
  read: libc.func('int64_t read(int fd, void *buffer, uint64_t length)') as Call,
  pread: libc.func('int64_t pread(int fd, void *buffer, uint64_t length, int64_t offset)') as Call,
  write: libc.func('int64_t write(int fd, void *buffer, uint64_t length)') as Call,
  pwrite: libc.func('int64_t pwrite(int fd, void *buffer, uint64_t length, int64_t offset)') as Call,
  ftruncate: libc.func('int ftruncate(int fd, int64_t length)') as Call,
  fsync: libc.func('int fsync(int fd)') as Call,
  fcntl: libc.func('int fcntl(int fd, int command)') as Call,
};

/** A call, its error told as Node tells it. */
function call(name: keyof typeof calls, args: unknown[], syscall: string = name): number {
  const result = calls[name](...args);
  if (result >= 0) return result;
  const errno = koffi.errno();
  const [code] = Object.entries(constants.errno).find(([, value]) => value === errno)!;
  throw Object.assign(new Error(`${code}: ${syscall}`), { code, errno: -errno, syscall });
}

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_EXCL } = deno.constants;
const FLAGS: Record<string, number> = {
  'r': O_RDONLY,
  'r+': O_RDWR,
  'w': O_WRONLY | O_CREAT | O_TRUNC,
  'wx': O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'a': O_WRONLY | O_CREAT | O_APPEND,
  'a+': O_RDWR | O_CREAT | O_APPEND,
};
/** Node sets it on all that it opens. */
const O_CLOEXEC = 0o2000000;
const F_GETFD = 1;

export function openSync(path: deno.PathLike, flags: string | number = 'r', mode = 0o666): number {
  const number = typeof flags === 'number' ? flags : FLAGS[flags];
  return call('open', [String(path), number | O_CLOEXEC, mode]);
}

export function closeSync(fd: number): void {
  call('close', [fd]);
}

type Place = { offset?: number; length?: number; position?: number | bigint | null };

function transfer(
  [plain, placed]: ['read', 'pread'] | ['write', 'pwrite'],
  fd: number,
  memory: NodeJS.ArrayBufferView,
  place: Place,
): number {
  const bytes = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
  const { offset = 0, length = bytes.length - offset, position = null } = place;
  const piece = bytes.subarray(offset, offset + length);
  if (position === null || position < 0) return call(plain, [fd, piece, piece.length]);
  return call(placed, [fd, piece, piece.length, position], plain);
}

const placeOf = (place: number | Place | undefined, length?: number, position?: number | bigint | null): Place =>
  typeof place === 'object' ? place : {
    ...(place !== undefined && { offset: place }),
    ...(length !== undefined && { length }),
    ...(position !== undefined && { position }),
  };

export function readSync(
  fd: number,
  memory: NodeJS.ArrayBufferView,
  place?: number | Place,
  length?: number,
  position?: number | bigint | null,
): number {
  return transfer(['read', 'pread'], fd, memory, placeOf(place, length, position));
}

export function writeSync(
  fd: number,
  data: NodeJS.ArrayBufferView | string,
  place?: number | Place | null,
  length?: number | BufferEncoding,
  position?: number | null,
): number {
  if (typeof data === 'string') {
    const bytes = Buffer.from(data, length as BufferEncoding | undefined);
    return transfer(['write', 'pwrite'], fd, bytes, { position: place as number | null ?? null });
  }
  return transfer(['write', 'pwrite'], fd, data, placeOf(place ?? undefined, length as number | undefined, position));
}

export function ftruncateSync(fd: number, length = 0): void {
  call('ftruncate', [fd, length]);
}

export function fsyncSync(fd: number): void {
  call('fsync', [fd]);
}

export function fstatSync(fd: number, options?: deno.StatOptions): deno.Stats | deno.BigIntStats {
  call('fcntl', [fd, F_GETFD], 'fstat');
  return deno.statSync(`/proc/self/fd/${fd}`, options as { bigint: false });
}

export function readFileSync(file: deno.PathOrFileDescriptor, options?: BufferEncoding): string | Buffer {
  if (typeof file !== 'number') return deno.readFileSync(file, options);
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(65536);
    const count = readSync(file, piece);
    if (count === 0) break;
    pieces.push(piece.subarray(0, count));
  }
  const all = Buffer.concat(pieces);
  return typeof options === 'string' ? all.toString(options) : all;
}

export default {
  ...denoDefault,
  openSync,
  closeSync,
  readSync,
  writeSync,
  ftruncateSync,
  fsyncSync,
  fstatSync,
  readFileSync,
};
