/**
 * All that is Node's as it is, and why. Everything else of the module, and of its handles, goes through the ring; what
 * Node adds to the module in versions to come is passed through as well until it stands elsewhere.
 */
export const PASSED_THROUGH: Readonly<Record<string, string>> = {
  access: 'io_uring has no faccessat',
  chmod: 'io_uring has no fchmodat',
  chown: 'io_uring has no fchownat',
  constants: 'not a function',
  copyFile: 'one call of libuv does all of it; through the ring it is nine operations',
  glob: 'listing directories: io_uring has no getdents',
  lchmod: 'Linux has none',
  lchown: 'io_uring has no fchownat',
  lutimes: 'io_uring has no utimensat',
  mkdtemp: 'one directory at a time: nothing to gain',
  mkdtempDisposable: 'one directory at a time: nothing to gain',
  opendir: 'io_uring has no getdents',
  readdir: 'io_uring has no getdents',
  readlink: 'io_uring has no readlinkat',
  realpath: 'io_uring has no readlinkat',
  statfs: 'io_uring has no statfs',
  utimes: 'io_uring has no utimensat',
  watch: 'inotify wakes the event loop itself',
};

/** The same for the methods of a FileHandle. Streams and lines of one are Node's, over the reads and writes of ours. */
export const PASSED_THROUGH_OF_HANDLES: Readonly<Record<string, string>> = {
  chmod: 'io_uring has no fchmod',
  chown: 'io_uring has no fchown',
  utimes: 'io_uring has no futimens',
  createReadStream: 'Node’s stream over read',
  createWriteStream: 'Node’s stream over write and writev',
  readLines: 'Node’s interface over createReadStream',
  getAsyncId: 'not an operation',
  pull: 'an experiment of Node 26: its own iterator and its own reads',
  pullSync: 'the same, and does not wait',
  writer: 'the same for writes',
};
