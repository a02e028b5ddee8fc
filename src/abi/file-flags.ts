/**
 * Constants of file operations beside io_uring's own flags. The numbers are those of x86-64 and arm64, which
 * agree. For O_*, some of which differ (O_DIRECT, O_DIRECTORY, O_NOFOLLOW), take `fs.constants`.
 */

// ---------------------------------------------------------------- the *at operations: `fd`, and their flags

/** In place of a directory: the current one. */
export const AT_FDCWD = -100;
/** STATX: about a symbolic link itself. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** UNLINKAT: a directory, as rmdir(2). */
export const AT_REMOVEDIR = 0x200;
/** LINKAT: the target of a symbolic link. */
export const AT_SYMLINK_FOLLOW = 0x400;
/** STATX: do not trigger an automount. */
export const AT_NO_AUTOMOUNT = 0x800;
/** STATX, LINKAT: an empty path means the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** STATX: as stat(2) would, in a network file system. */
export const AT_STATX_SYNC_AS_STAT = 0x0000;
/** STATX: ask the server. */
export const AT_STATX_FORCE_SYNC = 0x2000;
/** STATX: do not ask the server. */
export const AT_STATX_DONT_SYNC = 0x4000;

// ---------------------------------------------------------------- `open_flags`, of which `fs.constants` has the others

/** The descriptor is closed in programs that this one starts. */
export const O_CLOEXEC = 0x80000;

/** fcntl(2): a second descriptor, closed in programs that this one starts. */
export const F_DUPFD_CLOEXEC = 1030;

// ---------------------------------------------------------------- STATX: `len` is what is wanted

export const STATX_TYPE = 0x1;
export const STATX_MODE = 0x2;
export const STATX_NLINK = 0x4;
export const STATX_UID = 0x8;
export const STATX_GID = 0x10;
export const STATX_ATIME = 0x20;
export const STATX_MTIME = 0x40;
export const STATX_CTIME = 0x80;
export const STATX_INO = 0x100;
export const STATX_SIZE = 0x200;
export const STATX_BLOCKS = 0x400;
/** All of the above: what stat(2) gives. */
export const STATX_BASIC_STATS = 0x7ff;
/** The time of birth. */
export const STATX_BTIME = 0x800;
export const STATX_MNT_ID = 0x1000;
/** Alignment for O_DIRECT. Kernel 6.1. */
export const STATX_DIOALIGN = 0x2000;

// ---------------------------------------------------------------- `rw_flags` of reads and writes

/** Kernel 4.6. Poll for the completion; for IORING_SETUP_IOPOLL the ring does it. */
export const RWF_HIPRI = 0x1;
/** Kernel 4.7. As O_DSYNC. */
export const RWF_DSYNC = 0x2;
/** Kernel 4.7. As O_SYNC. */
export const RWF_SYNC = 0x4;
/** Kernel 4.13. EAGAIN instead of waiting. In io_uring only this does it, not the descriptor's O_NONBLOCK. */
export const RWF_NOWAIT = 0x8;
/** Kernel 4.16. As O_APPEND. */
export const RWF_APPEND = 0x10;
/** Kernel 6.9. Ignore O_APPEND. */
export const RWF_NOAPPEND = 0x20;
/** Kernel 6.11. All of the write or nothing, even when the power fails. */
export const RWF_ATOMIC = 0x40;
/** Kernel 6.14. Leave nothing in the page cache. */
export const RWF_DONTCACHE = 0x80;

// ---------------------------------------------------------------- `rename_flags`

/** EEXIST if the new path is there. */
export const RENAME_NOREPLACE = 0x1;
/** Both paths change places. */
export const RENAME_EXCHANGE = 0x2;
/** Leave a whiteout behind, in an overlay file system. */
export const RENAME_WHITEOUT = 0x4;

// ---------------------------------------------------------------- FALLOCATE: `len` is the mode

/** Do not change the file's size. */
export const FALLOC_FL_KEEP_SIZE = 0x1;
/** Give the range's blocks back; requires KEEP_SIZE. */
export const FALLOC_FL_PUNCH_HOLE = 0x2;
/** Cut the range out. */
export const FALLOC_FL_COLLAPSE_RANGE = 0x8;
/** The range reads as zeros. */
export const FALLOC_FL_ZERO_RANGE = 0x10;
/** Make room in the middle. */
export const FALLOC_FL_INSERT_RANGE = 0x20;
/** Un-share blocks of a reflinked file. */
export const FALLOC_FL_UNSHARE_RANGE = 0x40;

// ---------------------------------------------------------------- `sync_range_flags`

export const SYNC_FILE_RANGE_WAIT_BEFORE = 0x1;
export const SYNC_FILE_RANGE_WRITE = 0x2;
export const SYNC_FILE_RANGE_WAIT_AFTER = 0x4;

// ---------------------------------------------------------------- `splice_flags`, with SPLICE_F_FD_IN_FIXED

export const SPLICE_F_MOVE = 0x1;
export const SPLICE_F_NONBLOCK = 0x2;
export const SPLICE_F_MORE = 0x4;

// ---------------------------------------------------------------- `xattr_flags`

export const XATTR_CREATE = 0x1;
export const XATTR_REPLACE = 0x2;

// ---------------------------------------------------------------- `open_how.resolve`

export const RESOLVE_NO_XDEV = 0x1;
export const RESOLVE_NO_MAGICLINKS = 0x2;
export const RESOLVE_NO_SYMLINKS = 0x4;
export const RESOLVE_BENEATH = 0x8;
export const RESOLVE_IN_ROOT = 0x10;
/** EAGAIN unless the path is in the cache. */
export const RESOLVE_CACHED = 0x20;

// ---------------------------------------------------------------- `fadvise_advice` of FADVISE and MADVISE

export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_HUGEPAGE = 14;
export const MADV_HWPOISON = 100;
export const MADV_GUARD_INSTALL = 102;
