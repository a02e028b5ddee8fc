/**
 * The operations of io_uring: a constant for each, and one table with a row for each.
 *
 * docs/operations.md, the names in a probe and what `diagnose` reports are made from the rows. The prep methods are
 * written by hand, for speed, and compared with their rows by tests: which fields are addresses, what lies there and
 * whether it is kept until the completion (test/ring/rows.test.ts); since which kernel, like which call and what `res`
 * means (test/docs.test.ts). A row without a test on a kernel fails test/kernel/operations.every.test.ts.
 */

/** Does nothing: for tests and for measuring the way there and back. Kernel 5.1. */
export const IORING_OP_NOP = 0;
/** Read into scattered memory. Kernel 5.1. */
export const IORING_OP_READV = 1;
/** Write from scattered memory. Kernel 5.1. */
export const IORING_OP_WRITEV = 2;
/** Flush a file, or a range of it, to its device; fdatasync(2) by a flag. Kernel 5.1. */
export const IORING_OP_FSYNC = 3;
/** Read into a registered buffer. Kernel 5.1. */
export const IORING_OP_READ_FIXED = 4;
/** Write from a registered buffer. Kernel 5.1. */
export const IORING_OP_WRITE_FIXED = 5;
/** Wait until a descriptor is ready; once, repeatedly, or level-triggered. Kernel 5.1. */
export const IORING_OP_POLL_ADD = 6;
/** End a poll, or change its mask or its user_data. Kernel 5.1. */
export const IORING_OP_POLL_REMOVE = 7;
/** Start the write-back of a range of a file, or wait for it. Kernel 5.2. */
export const IORING_OP_SYNC_FILE_RANGE = 8;
/** Send scattered memory, with address and control data. Kernel 5.3. */
export const IORING_OP_SENDMSG = 9;
/** Receive into scattered memory, with address and control data. Kernel 5.3. */
export const IORING_OP_RECVMSG = 10;
/** A timer: by time, by the number of completions, or repeating. Kernel 5.4. */
export const IORING_OP_TIMEOUT = 11;
/** End a timer, or set a new time for it. Kernel 5.5. */
export const IORING_OP_TIMEOUT_REMOVE = 12;
/** Accept a connection, or all that come. Kernel 5.5. */
export const IORING_OP_ACCEPT = 13;
/** Cancel requests, by user_data, descriptor, operation, or all. Kernel 5.5. */
export const IORING_OP_ASYNC_CANCEL = 14;
/** A time limit for the request linked just before it. Kernel 5.5. */
export const IORING_OP_LINK_TIMEOUT = 15;
/** Connect a socket. Kernel 5.5. */
export const IORING_OP_CONNECT = 16;
/** Allocate, punch or zero a range of a file. Kernel 5.6. */
export const IORING_OP_FALLOCATE = 17;
/** Open a file. Kernel 5.6. */
export const IORING_OP_OPENAT = 18;
/** Close a descriptor, or free a slot. Kernel 5.6. */
export const IORING_OP_CLOSE = 19;
/** Change slots of the registered files. Kernel 5.6. */
export const IORING_OP_FILES_UPDATE = 20;
/** Status of a file. Kernel 5.6. */
export const IORING_OP_STATX = 21;
/** Read at an offset or at the file position. Kernel 5.6. */
export const IORING_OP_READ = 22;
/** Write at an offset or at the file position. Kernel 5.6. */
export const IORING_OP_WRITE = 23;
/** Announce how a file will be used. Kernel 5.6. */
export const IORING_OP_FADVISE = 24;
/** Announce how memory of this process will be used. Kernel 5.6. */
export const IORING_OP_MADVISE = 25;
/** Send on a socket. Kernel 5.6. */
export const IORING_OP_SEND = 26;
/** Receive from a socket; once, or all that comes. Kernel 5.6. */
export const IORING_OP_RECV = 27;
/** Open a file, with control over how its path is resolved. Kernel 5.6. */
export const IORING_OP_OPENAT2 = 28;
/** Edit an epoll set. Kernel 5.6. */
export const IORING_OP_EPOLL_CTL = 29;
/** Move bytes between a pipe and another descriptor, without copying. Kernel 5.7. */
export const IORING_OP_SPLICE = 30;
/** Give buffers to a group; buffer rings have taken its place. Kernel 5.7. */
export const IORING_OP_PROVIDE_BUFFERS = 31;
/** Take buffers out of a group. Kernel 5.7. */
export const IORING_OP_REMOVE_BUFFERS = 32;
/** Copy the contents of a pipe into another, without taking them out. Kernel 5.8. */
export const IORING_OP_TEE = 33;
/** Shut one or both directions of a connection. Kernel 5.11. */
export const IORING_OP_SHUTDOWN = 34;
/** Rename a file. Kernel 5.11. */
export const IORING_OP_RENAMEAT = 35;
/** Remove a file or a directory. Kernel 5.11. */
export const IORING_OP_UNLINKAT = 36;
/** Make a directory. Kernel 5.15. */
export const IORING_OP_MKDIRAT = 37;
/** Make a symbolic link. Kernel 5.15. */
export const IORING_OP_SYMLINKAT = 38;
/** Make a hard link. Kernel 5.15. */
export const IORING_OP_LINKAT = 39;
/** Post a completion to another ring, or pass it a direct descriptor. Kernel 5.18. */
export const IORING_OP_MSG_RING = 40;
/** Set an extended attribute of an open file. Kernel 5.19. */
export const IORING_OP_FSETXATTR = 41;
/** Set an extended attribute of a path. Kernel 5.19. */
export const IORING_OP_SETXATTR = 42;
/** Get an extended attribute of an open file. Kernel 5.19. */
export const IORING_OP_FGETXATTR = 43;
/** Get an extended attribute of a path. Kernel 5.19. */
export const IORING_OP_GETXATTR = 44;
/** Make a socket. Kernel 5.19. */
export const IORING_OP_SOCKET = 45;
/** A command of the driver behind a descriptor: sockets, block devices, NVMe, ublk, FUSE. Kernel 5.19. */
export const IORING_OP_URING_CMD = 46;
/** Send without copying. Kernel 6.0. */
export const IORING_OP_SEND_ZC = 47;
/** Send scattered memory without copying. Kernel 6.1. */
export const IORING_OP_SENDMSG_ZC = 48;
/** Read into provided buffers whenever there is something; not for regular files. Kernel 6.7. */
export const IORING_OP_READ_MULTISHOT = 49;
/** Wait for a child process. Kernel 6.7. */
export const IORING_OP_WAITID = 50;
/** Wait for a futex. Kernel 6.7. */
export const IORING_OP_FUTEX_WAIT = 51;
/** Wake waiters of a futex. Kernel 6.7. */
export const IORING_OP_FUTEX_WAKE = 52;
/** Wait for one of several futexes. Kernel 6.7. */
export const IORING_OP_FUTEX_WAITV = 53;
/** Give a slot an ordinary descriptor too. Kernel 6.8. */
export const IORING_OP_FIXED_FD_INSTALL = 54;
/** Set the length of a file. Kernel 6.9. */
export const IORING_OP_FTRUNCATE = 55;
/** Bind a socket. Kernel 6.11. */
export const IORING_OP_BIND = 56;
/** Make a socket accept connections. Kernel 6.11. */
export const IORING_OP_LISTEN = 57;
/** Receive without copying, from a registered queue of a network card; multishot only. Kernel 6.15. */
export const IORING_OP_RECV_ZC = 58;
/** Wait for the events of an epoll set. Kernel 6.15. */
export const IORING_OP_EPOLL_WAIT = 59;
/** Read into pieces of a registered buffer. Kernel 6.15. */
export const IORING_OP_READV_FIXED = 60;
/** Write from pieces of a registered buffer. Kernel 6.15. */
export const IORING_OP_WRITEV_FIXED = 61;
/** Make a pipe. Kernel 6.16. */
export const IORING_OP_PIPE = 62;
/** A NOP that takes a 128-byte entry. Kernel 6.19. */
export const IORING_OP_NOP128 = 63;
/** A command of a driver that takes a 128-byte entry. Kernel 6.19. */
export const IORING_OP_URING_CMD128 = 64;

/**
 * When memory that was lent is the program's again.
 *
 * - `submit`: when the submission has returned (with SQPOLL: when the kernel's thread has taken the entry).
 * - `completion`: with the last completion, the one without IORING_CQE_F_MORE.
 * - `notification`: with the completion that has IORING_CQE_F_NOTIF; or with the first one, if that has no
 *   IORING_CQE_F_MORE. A send that failed may still announce a notification.
 * - `returned`: the buffers stay lent beyond this operation, until completions have named them all or
 *   REMOVE_BUFFERS has taken them back.
 */
export type Until = 'submit' | 'completion' | 'notification' | 'returned';

/** The use that the kernel makes of the memory. */
export type Access = 'read' | 'write' | 'readwrite';

/**
 * The contents of the memory. `name` and `value` are an extended attribute's, `descriptors` are 32-bit numbers,
 * `attributes` is a `struct io_uring_attr_pi`, `range` must stay mapped, and `command` is what the driver
 * makes of it: for a block device and a socket option there are plain numbers in that field.
 */
export type Lent =
  | 'attributes'
  | 'buffer'
  | 'command'
  | 'descriptors'
  | 'epoll_event'
  | 'futex'
  | 'futex_waitv'
  | 'iovec'
  | 'msghdr'
  | 'name'
  | 'open_how'
  | 'option'
  | 'path'
  | 'range'
  | 'siginfo'
  | 'sockaddr'
  | 'socklen'
  | 'statx'
  | 'timespec'
  | 'value';

/** Memory that an operation lends to the kernel. */
export interface Lend {
  /** The field of the SQE that holds its address. An address of 0 lends nothing. */
  readonly field: 'addr' | 'addr2' | 'addr3' | 'attr_ptr' | 'optval';
  readonly what: Lent;
  readonly access: Access;
  readonly until: Until;
  /**
   * The memory it points to in turn: data behind iovecs, futexes behind a futex_waitv. What lies between a
   * msghdr and its data (the array of iovecs, the name, the control data) is lent as long as the msghdr.
   */
  readonly through?: { readonly access: Access; readonly until: Until };
  /** Only in this form of the operation; a key of its `variants`. */
  readonly variant?: string;
}

/** One operation. */
export interface Operation {
  readonly code: number;
  readonly name: string;
  /** The ring's methods for it; with the option that it takes to have this one. */
  readonly methods: readonly string[];
  /** The options of these methods. */
  readonly options?: readonly string[];
  /** The system call that it resembles. */
  readonly like?: string;
  /** The first kernel that has it. */
  readonly since: string;
  /** The first kernel that has a later form of it, by form. */
  readonly variants?: Readonly<Record<string, string>>;
  /**
   * Those of the later forms that a kernel does otherwise than asked, without a word, which does not look at the field
   * that asks for it: by form, the first kernel that does it or answers EINVAL. Before that one the ring refuses them.
   * Forms that are not here are EINVAL, EOPNOTSUPP or the like on every kernel that has the operation and not them.
   */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Those of the methods that are for a later form only, each with the key of that in `variants`. */
  readonly later?: Readonly<Record<string, string>>;
  /**
   * The addresses it takes. With IOSQE_BUFFER_SELECT it takes no `buffer`, and of iovecs only the length: the
   * memory comes from a group then, to which it was lent beforehand.
   */
  readonly lends: readonly Lend[];
  /** The meaning of the completion's `res` when it is not negative. */
  readonly result: string;
  /** liburing's functions for it. */
  readonly helpers: readonly string[];
  readonly purpose: string;
}

/** All operations; the index is the code. */
export const OPERATIONS: readonly Operation[] = [
  {
    code: IORING_OP_NOP,
    name: 'IORING_OP_NOP',
    methods: ['prepNop'],
    options: ['result', 'fd', 'fixedFile', 'fixedBuffer', 'taskWork', 'cqe32'],
    since: '5.1',
    variants: { inject: '6.10', file: '6.13', cqe32: '6.18' },
    ignored: { inject: '6.10', file: '6.10', cqe32: '6.10' },
    lends: [],
    result: '0, or with IORING_NOP_INJECT_RESULT the value of len',
    helpers: ['io_uring_prep_nop'],
    purpose: 'does nothing: for tests and for measuring the way there and back',
  },
  {
    code: IORING_OP_READV,
    name: 'IORING_OP_READV',
    methods: ['prepReadv'],
    options: ['offset', 'rwFlags', 'pi'],
    like: 'preadv2(2)',
    since: '5.1',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'write', until: 'completion' },
      },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'write', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes read',
    helpers: ['io_uring_prep_readv', 'io_uring_prep_readv2'],
    purpose: 'read into scattered memory',
  },
  {
    code: IORING_OP_WRITEV,
    name: 'IORING_OP_WRITEV',
    methods: ['prepWritev'],
    options: ['offset', 'rwFlags', 'pi'],
    like: 'pwritev2(2)',
    since: '5.1',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'completion' },
      },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'read', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes written',
    helpers: ['io_uring_prep_writev', 'io_uring_prep_writev2'],
    purpose: 'write from scattered memory',
  },
  {
    code: IORING_OP_FSYNC,
    name: 'IORING_OP_FSYNC',
    methods: ['prepFsync'],
    options: ['datasync', 'offset', 'length'],
    like: 'fsync(2)',
    since: '5.1',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_fsync'],
    purpose: 'flush a file, or a range of it, to its device; fdatasync(2) by a flag',
  },
  {
    code: IORING_OP_READ_FIXED,
    name: 'IORING_OP_READ_FIXED',
    methods: ['prepRead({ fixed })'],
    options: ['offset', 'rwFlags', 'fixed', 'pi'],
    like: 'pread(2)',
    since: '5.1',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'write', until: 'completion' },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'write', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes read',
    helpers: ['io_uring_prep_read_fixed'],
    purpose: 'read into a registered buffer',
  },
  {
    code: IORING_OP_WRITE_FIXED,
    name: 'IORING_OP_WRITE_FIXED',
    methods: ['prepWrite({ fixed })'],
    options: ['offset', 'rwFlags', 'fixed', 'pi'],
    like: 'pwrite(2)',
    since: '5.1',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'read', until: 'completion' },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'read', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes written',
    helpers: ['io_uring_prep_write_fixed'],
    purpose: 'write from a registered buffer',
  },
  {
    code: IORING_OP_POLL_ADD,
    name: 'IORING_OP_POLL_ADD',
    methods: ['prepPollAdd'],
    options: ['multishot', 'level'],
    like: 'poll(2)',
    since: '5.1',
    variants: { events32: '5.9', multishot: '5.13', level: '6.0' },
    ignored: { events32: '5.9' },
    lends: [],
    result: 'the events that are there (POLL*)',
    helpers: ['io_uring_prep_poll_add', 'io_uring_prep_poll_multishot'],
    purpose: 'wait until a descriptor is ready; once, repeatedly, or level-triggered',
  },
  {
    code: IORING_OP_POLL_REMOVE,
    name: 'IORING_OP_POLL_REMOVE',
    methods: ['prepPollRemove', 'prepPollUpdate'],
    options: ['events', 'newUserData', 'multishot', 'level'],
    since: '5.1',
    variants: { update: '5.13' },
    later: { prepPollUpdate: 'update' },
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_poll_remove', 'io_uring_prep_poll_update'],
    purpose: 'end a poll, or change its mask or its user_data',
  },
  {
    code: IORING_OP_SYNC_FILE_RANGE,
    name: 'IORING_OP_SYNC_FILE_RANGE',
    methods: ['prepSyncFileRange'],
    like: 'sync_file_range(2)',
    since: '5.2',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_sync_file_range'],
    purpose: 'start the write-back of a range of a file, or wait for it',
  },
  {
    code: IORING_OP_SENDMSG,
    name: 'IORING_OP_SENDMSG',
    methods: ['prepSendmsg'],
    options: ['flags', 'pollFirst'],
    like: 'sendmsg(2)',
    since: '5.3',
    variants: { control: '5.12' },
    lends: [
      {
        field: 'addr',
        what: 'msghdr',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'completion' },
      },
    ],
    result: 'bytes sent',
    helpers: ['io_uring_prep_sendmsg'],
    purpose: 'send scattered memory, with address and control data',
  },
  {
    code: IORING_OP_RECVMSG,
    name: 'IORING_OP_RECVMSG',
    methods: ['prepRecvmsg', 'prepRecvmsgMultishot'],
    options: ['flags', 'pollFirst'],
    like: 'recvmsg(2)',
    since: '5.3',
    variants: { control: '5.12', multishot: '6.0' },
    ignored: { multishot: '5.19' },
    later: { prepRecvmsgMultishot: 'multishot' },
    lends: [
      {
        field: 'addr',
        what: 'msghdr',
        access: 'readwrite',
        until: 'completion',
        through: { access: 'write', until: 'completion' },
      },
    ],
    result: 'bytes received; multishot: bytes used in the buffer, with io_uring_recvmsg_out',
    helpers: ['io_uring_prep_recvmsg', 'io_uring_prep_recvmsg_multishot'],
    purpose: 'receive into scattered memory, with address and control data',
  },
  {
    code: IORING_OP_TIMEOUT,
    name: 'IORING_OP_TIMEOUT',
    methods: ['prepTimeout'],
    options: ['count', 'absolute', 'clock', 'multishot', 'etimeSuccess'],
    since: '5.4',
    variants: { clock: '5.15', etimeSuccess: '5.16', multishot: '6.4', immediate: '7.1' },
    lends: [{ field: 'addr', what: 'timespec', access: 'read', until: 'submit' }],
    result: '0 when so many completions came; the time being up is -ETIME',
    helpers: ['io_uring_prep_timeout'],
    purpose: 'a timer: by time, by the number of completions, or repeating',
  },
  {
    code: IORING_OP_TIMEOUT_REMOVE,
    name: 'IORING_OP_TIMEOUT_REMOVE',
    methods: ['prepTimeoutRemove', 'prepTimeoutUpdate'],
    options: ['absolute', 'clock', 'link'],
    since: '5.5',
    variants: { update: '5.11', linkUpdate: '5.15' },
    later: { prepTimeoutUpdate: 'update' },
    lends: [{ field: 'addr2', what: 'timespec', access: 'read', until: 'submit', variant: 'update' }],
    result: '0',
    helpers: ['io_uring_prep_timeout_remove', 'io_uring_prep_timeout_update'],
    purpose: 'end a timer, or set a new time for it',
  },
  {
    code: IORING_OP_ACCEPT,
    name: 'IORING_OP_ACCEPT',
    methods: ['prepAccept', 'prepAcceptMultishot'],
    options: ['flags', 'direct', 'address', 'dontwait', 'pollFirst'],
    like: 'accept4(2)',
    since: '5.5',
    variants: { direct: '5.15', multishot: '5.19' },
    ignored: { direct: '5.15' },
    later: { prepAcceptMultishot: 'multishot' },
    lends: [
      { field: 'addr', what: 'sockaddr', access: 'write', until: 'completion' },
      { field: 'addr2', what: 'socklen', access: 'readwrite', until: 'completion' },
    ],
    result: 'the descriptor; direct: 0, or the slot if the kernel picked it',
    helpers: [
      'io_uring_prep_accept',
      'io_uring_prep_accept_direct',
      'io_uring_prep_multishot_accept',
      'io_uring_prep_multishot_accept_direct',
    ],
    purpose: 'accept a connection, or all that come',
  },
  {
    code: IORING_OP_ASYNC_CANCEL,
    name: 'IORING_OP_ASYNC_CANCEL',
    methods: ['prepCancel', 'prepCancelFd'],
    options: ['all', 'userData', 'fd', 'fixed', 'opcode', 'any'],
    since: '5.5',
    variants: { all: '5.19', descriptor: '5.19', any: '5.19', slot: '6.0', operation: '6.6', both: '6.6' },
    ignored: { slot: '6.0', operation: '6.6', both: '6.6' },
    later: { prepCancelFd: 'descriptor' },
    lends: [],
    result: '0; with IORING_ASYNC_CANCEL_ALL how many were cancelled',
    helpers: ['io_uring_prep_cancel', 'io_uring_prep_cancel64', 'io_uring_prep_cancel_fd'],
    purpose: 'cancel requests, by user_data, descriptor, operation, or all',
  },
  {
    code: IORING_OP_LINK_TIMEOUT,
    name: 'IORING_OP_LINK_TIMEOUT',
    methods: ['prepLinkTimeout'],
    options: ['absolute', 'clock', 'etimeSuccess'],
    since: '5.5',
    lends: [{ field: 'addr', what: 'timespec', access: 'read', until: 'submit' }],
    result: 'never a success: -ETIME when it struck, -ECANCELED when the request was done first',
    helpers: ['io_uring_prep_link_timeout'],
    purpose: 'a time limit for the request linked just before it',
  },
  {
    code: IORING_OP_CONNECT,
    name: 'IORING_OP_CONNECT',
    methods: ['prepConnect'],
    like: 'connect(2)',
    since: '5.5',
    lends: [{ field: 'addr', what: 'sockaddr', access: 'read', until: 'submit' }],
    result: '0',
    helpers: ['io_uring_prep_connect'],
    purpose: 'connect a socket',
  },
  {
    code: IORING_OP_FALLOCATE,
    name: 'IORING_OP_FALLOCATE',
    methods: ['prepFallocate'],
    like: 'fallocate(2)',
    since: '5.6',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_fallocate'],
    purpose: 'allocate, punch or zero a range of a file',
  },
  {
    code: IORING_OP_OPENAT,
    name: 'IORING_OP_OPENAT',
    methods: ['prepOpenat', 'prepOpen'],
    options: ['mode', 'direct'],
    like: 'openat(2)',
    since: '5.6',
    variants: { direct: '5.15' },
    ignored: { direct: '5.15' },
    lends: [{ field: 'addr', what: 'path', access: 'read', until: 'submit' }],
    result: 'the descriptor; direct: 0, or the slot if the kernel picked it',
    helpers: [
      'io_uring_prep_openat',
      'io_uring_prep_openat_direct',
      'io_uring_prep_open',
      'io_uring_prep_open_direct',
    ],
    purpose: 'open a file',
  },
  {
    code: IORING_OP_CLOSE,
    name: 'IORING_OP_CLOSE',
    methods: ['prepClose', 'prepCloseDirect'],
    like: 'close(2)',
    since: '5.6',
    variants: { direct: '5.15' },
    ignored: { direct: '5.15' },
    later: { prepCloseDirect: 'direct' },
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_close', 'io_uring_prep_close_direct'],
    purpose: 'close a descriptor, or free a slot',
  },
  {
    code: IORING_OP_FILES_UPDATE,
    name: 'IORING_OP_FILES_UPDATE',
    methods: ['prepFilesUpdate'],
    since: '5.6',
    variants: { allocate: '6.0' },
    lends: [{ field: 'addr', what: 'descriptors', access: 'readwrite', until: 'completion' }],
    result: 'how many slots were changed',
    helpers: ['io_uring_prep_files_update'],
    purpose: 'change slots of the registered files',
  },
  {
    code: IORING_OP_STATX,
    name: 'IORING_OP_STATX',
    methods: ['prepStatx'],
    like: 'statx(2)',
    since: '5.6',
    lends: [
      { field: 'addr', what: 'path', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'statx', access: 'write', until: 'completion' },
    ],
    result: '0',
    helpers: ['io_uring_prep_statx'],
    purpose: 'status of a file',
  },
  {
    code: IORING_OP_READ,
    name: 'IORING_OP_READ',
    methods: ['prepRead'],
    options: ['offset', 'rwFlags', 'pi'],
    like: 'pread(2)',
    since: '5.6',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'write', until: 'completion' },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'write', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes read',
    helpers: ['io_uring_prep_read'],
    purpose: 'read at an offset or at the file position',
  },
  {
    code: IORING_OP_WRITE,
    name: 'IORING_OP_WRITE',
    methods: ['prepWrite'],
    options: ['offset', 'rwFlags', 'pi'],
    like: 'pwrite(2)',
    since: '5.6',
    variants: { attributes: '6.14' },
    ignored: { attributes: '6.14' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'read', until: 'completion' },
      {
        field: 'attr_ptr',
        what: 'attributes',
        access: 'read',
        until: 'completion',
        through: { access: 'read', until: 'completion' },
        variant: 'attributes',
      },
    ],
    result: 'bytes written',
    helpers: ['io_uring_prep_write'],
    purpose: 'write at an offset or at the file position',
  },
  {
    code: IORING_OP_FADVISE,
    name: 'IORING_OP_FADVISE',
    methods: ['prepFadvise'],
    like: 'posix_fadvise(2)',
    since: '5.6',
    variants: { length64: '6.11' },
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_fadvise', 'io_uring_prep_fadvise64'],
    purpose: 'announce how a file will be used',
  },
  {
    code: IORING_OP_MADVISE,
    name: 'IORING_OP_MADVISE',
    methods: ['prepMadvise'],
    like: 'madvise(2)',
    since: '5.6',
    variants: { length64: '6.11' },
    lends: [{ field: 'addr', what: 'range', access: 'readwrite', until: 'completion' }],
    result: '0',
    helpers: ['io_uring_prep_madvise', 'io_uring_prep_madvise64'],
    purpose: 'announce how memory of this process will be used',
  },
  {
    code: IORING_OP_SEND,
    name: 'IORING_OP_SEND',
    methods: ['prepSend', 'prepSendto', 'prepSendBundle', 'prepSendv'],
    options: ['flags', 'to', 'pollFirst', 'len'],
    like: 'send(2)',
    since: '5.6',
    variants: { sendto: '6.1', provided: '6.10', bundle: '6.10', vectorized: '6.17' },
    ignored: { sendto: '5.19', vectorized: '5.19' },
    later: { prepSendto: 'sendto', prepSendBundle: 'bundle', prepSendv: 'vectorized' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'read', until: 'completion' },
      { field: 'addr2', what: 'sockaddr', access: 'read', until: 'submit', variant: 'sendto' },
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'completion' },
        variant: 'vectorized',
      },
    ],
    result: 'bytes sent',
    helpers: [
      'io_uring_prep_send',
      'io_uring_prep_sendto',
      'io_uring_prep_send_bundle',
      'io_uring_prep_send_set_addr',
    ],
    purpose: 'send on a socket',
  },
  {
    code: IORING_OP_RECV,
    name: 'IORING_OP_RECV',
    methods: ['prepRecv', 'prepRecvMultishot'],
    options: ['flags', 'pollFirst', 'bundle', 'len', 'limit'],
    like: 'recv(2)',
    since: '5.6',
    variants: { multishot: '6.0', bundle: '6.10' },
    ignored: { multishot: '5.19', bundle: '5.19' },
    later: { prepRecvMultishot: 'multishot' },
    lends: [{ field: 'addr', what: 'buffer', access: 'write', until: 'completion' }],
    result: 'bytes received; 0 at the end of the stream',
    helpers: ['io_uring_prep_recv', 'io_uring_prep_recv_multishot'],
    purpose: 'receive from a socket; once, or all that comes',
  },
  {
    code: IORING_OP_OPENAT2,
    name: 'IORING_OP_OPENAT2',
    methods: ['prepOpenat2'],
    options: ['direct'],
    like: 'openat2(2)',
    since: '5.6',
    variants: { direct: '5.15', flags64: '5.19' },
    ignored: { direct: '5.15', flags64: '5.19' },
    lends: [
      { field: 'addr', what: 'path', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'open_how', access: 'read', until: 'submit' },
    ],
    result: 'the descriptor; direct: 0, or the slot if the kernel picked it',
    helpers: ['io_uring_prep_openat2', 'io_uring_prep_openat2_direct'],
    purpose: 'open a file, with control over how its path is resolved',
  },
  {
    code: IORING_OP_EPOLL_CTL,
    name: 'IORING_OP_EPOLL_CTL',
    methods: ['prepEpollCtl'],
    like: 'epoll_ctl(2)',
    since: '5.6',
    lends: [{ field: 'addr', what: 'epoll_event', access: 'read', until: 'submit' }],
    result: '0',
    helpers: ['io_uring_prep_epoll_ctl'],
    purpose: 'edit an epoll set',
  },
  {
    code: IORING_OP_SPLICE,
    name: 'IORING_OP_SPLICE',
    methods: ['prepSplice'],
    options: ['flags', 'fixedIn'],
    like: 'splice(2)',
    since: '5.7',
    lends: [],
    result: 'bytes moved',
    helpers: ['io_uring_prep_splice'],
    purpose: 'move bytes between a pipe and another descriptor, without copying',
  },
  {
    code: IORING_OP_PROVIDE_BUFFERS,
    name: 'IORING_OP_PROVIDE_BUFFERS',
    methods: ['prepProvideBuffers'],
    since: '5.7',
    lends: [{ field: 'addr', what: 'buffer', access: 'readwrite', until: 'returned' }],
    result: '0',
    helpers: ['io_uring_prep_provide_buffers'],
    purpose: 'give buffers to a group; buffer rings have taken its place',
  },
  {
    code: IORING_OP_REMOVE_BUFFERS,
    name: 'IORING_OP_REMOVE_BUFFERS',
    methods: ['prepRemoveBuffers'],
    since: '5.7',
    lends: [],
    result: 'how many buffers were removed',
    helpers: ['io_uring_prep_remove_buffers'],
    purpose: 'take buffers out of a group',
  },
  {
    code: IORING_OP_TEE,
    name: 'IORING_OP_TEE',
    methods: ['prepTee'],
    options: ['flags', 'fixedIn'],
    like: 'tee(2)',
    since: '5.8',
    lends: [],
    result: 'bytes duplicated',
    helpers: ['io_uring_prep_tee'],
    purpose: 'copy the contents of a pipe into another, without taking them out',
  },
  {
    code: IORING_OP_SHUTDOWN,
    name: 'IORING_OP_SHUTDOWN',
    methods: ['prepShutdown'],
    like: 'shutdown(2)',
    since: '5.11',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_shutdown'],
    purpose: 'shut one or both directions of a connection',
  },
  {
    code: IORING_OP_RENAMEAT,
    name: 'IORING_OP_RENAMEAT',
    methods: ['prepRenameat', 'prepRename'],
    options: ['flags'],
    like: 'renameat2(2)',
    since: '5.11',
    lends: [
      { field: 'addr', what: 'path', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'path', access: 'read', until: 'submit' },
    ],
    result: '0',
    helpers: ['io_uring_prep_renameat', 'io_uring_prep_rename'],
    purpose: 'rename a file',
  },
  {
    code: IORING_OP_UNLINKAT,
    name: 'IORING_OP_UNLINKAT',
    methods: ['prepUnlinkat', 'prepUnlink'],
    like: 'unlinkat(2)',
    since: '5.11',
    lends: [{ field: 'addr', what: 'path', access: 'read', until: 'submit' }],
    result: '0',
    helpers: ['io_uring_prep_unlinkat', 'io_uring_prep_unlink'],
    purpose: 'remove a file or a directory',
  },
  {
    code: IORING_OP_MKDIRAT,
    name: 'IORING_OP_MKDIRAT',
    methods: ['prepMkdirat', 'prepMkdir'],
    like: 'mkdirat(2)',
    since: '5.15',
    lends: [{ field: 'addr', what: 'path', access: 'read', until: 'submit' }],
    result: '0',
    helpers: ['io_uring_prep_mkdirat', 'io_uring_prep_mkdir'],
    purpose: 'make a directory',
  },
  {
    code: IORING_OP_SYMLINKAT,
    name: 'IORING_OP_SYMLINKAT',
    methods: ['prepSymlinkat', 'prepSymlink'],
    like: 'symlinkat(2)',
    since: '5.15',
    lends: [
      { field: 'addr', what: 'path', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'path', access: 'read', until: 'submit' },
    ],
    result: '0',
    helpers: ['io_uring_prep_symlinkat', 'io_uring_prep_symlink'],
    purpose: 'make a symbolic link',
  },
  {
    code: IORING_OP_LINKAT,
    name: 'IORING_OP_LINKAT',
    methods: ['prepLinkat', 'prepLink'],
    like: 'linkat(2)',
    since: '5.15',
    lends: [
      { field: 'addr', what: 'path', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'path', access: 'read', until: 'submit' },
    ],
    result: '0',
    helpers: ['io_uring_prep_linkat', 'io_uring_prep_link'],
    purpose: 'make a hard link',
  },
  {
    code: IORING_OP_MSG_RING,
    name: 'IORING_OP_MSG_RING',
    methods: ['prepMsgRing', 'prepMsgRingFd'],
    options: ['cqeFlags', 'skipCqe'],
    since: '5.18',
    variants: { descriptor: '6.0', flags: '6.3' },
    later: { prepMsgRingFd: 'descriptor' },
    lends: [],
    result: '0; passing a descriptor: the slot if the kernel picked it',
    helpers: [
      'io_uring_prep_msg_ring',
      'io_uring_prep_msg_ring_cqe_flags',
      'io_uring_prep_msg_ring_fd',
      'io_uring_prep_msg_ring_fd_alloc',
    ],
    purpose: 'post a completion to another ring, or pass it a direct descriptor',
  },
  {
    code: IORING_OP_FSETXATTR,
    name: 'IORING_OP_FSETXATTR',
    methods: ['prepFsetxattr'],
    options: ['flags'],
    like: 'fsetxattr(2)',
    since: '5.19',
    lends: [
      { field: 'addr', what: 'name', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'value', access: 'read', until: 'submit' },
    ],
    result: '0',
    helpers: ['io_uring_prep_fsetxattr'],
    purpose: 'set an extended attribute of an open file',
  },
  {
    code: IORING_OP_SETXATTR,
    name: 'IORING_OP_SETXATTR',
    methods: ['prepSetxattr'],
    options: ['flags'],
    like: 'setxattr(2)',
    since: '5.19',
    lends: [
      { field: 'addr', what: 'name', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'value', access: 'read', until: 'submit' },
      { field: 'addr3', what: 'path', access: 'read', until: 'submit' },
    ],
    result: '0',
    helpers: ['io_uring_prep_setxattr'],
    purpose: 'set an extended attribute of a path',
  },
  {
    code: IORING_OP_FGETXATTR,
    name: 'IORING_OP_FGETXATTR',
    methods: ['prepFgetxattr'],
    like: 'fgetxattr(2)',
    since: '5.19',
    lends: [
      { field: 'addr', what: 'name', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'value', access: 'write', until: 'completion' },
    ],
    result: "bytes of the attribute's value",
    helpers: ['io_uring_prep_fgetxattr'],
    purpose: 'get an extended attribute of an open file',
  },
  {
    code: IORING_OP_GETXATTR,
    name: 'IORING_OP_GETXATTR',
    methods: ['prepGetxattr'],
    like: 'getxattr(2)',
    since: '5.19',
    lends: [
      { field: 'addr', what: 'name', access: 'read', until: 'submit' },
      { field: 'addr2', what: 'value', access: 'write', until: 'completion' },
      { field: 'addr3', what: 'path', access: 'read', until: 'submit' },
    ],
    result: "bytes of the attribute's value",
    helpers: ['io_uring_prep_getxattr'],
    purpose: 'get an extended attribute of a path',
  },
  {
    code: IORING_OP_SOCKET,
    name: 'IORING_OP_SOCKET',
    methods: ['prepSocket'],
    options: ['direct'],
    like: 'socket(2)',
    since: '5.19',
    lends: [],
    result: 'the descriptor; direct: 0, or the slot if the kernel picked it',
    helpers: ['io_uring_prep_socket', 'io_uring_prep_socket_direct', 'io_uring_prep_socket_direct_alloc'],
    purpose: 'make a socket',
  },
  {
    code: IORING_OP_URING_CMD,
    name: 'IORING_OP_URING_CMD',
    methods: ['prepUringCmd', 'prepCmdSock', 'prepCmdGetsockname', 'prepCmdDiscard', 'prepCmdZoneResetAll'],
    options: ['addr', 'len', 'addr3', 'cmd', 'pointers', 'fixed', 'multishot', 'peer'],
    like: 'ioctl(2)',
    since: '5.19',
    variants: {
      fixed: '6.1',
      socket: '6.6',
      socketOption: '6.7',
      discard: '6.12',
      multishot: '6.18',
      getsockname: '6.19',
      zoneReset: '7.0',
    },
    later: {
      prepCmdSock: 'socket',
      prepCmdGetsockname: 'getsockname',
      prepCmdDiscard: 'discard',
      prepCmdZoneResetAll: 'zoneReset',
    },
    lends: [
      { field: 'addr', what: 'command', access: 'readwrite', until: 'completion' },
      { field: 'addr3', what: 'command', access: 'readwrite', until: 'completion' },
      { field: 'optval', what: 'option', access: 'readwrite', until: 'completion', variant: 'socketOption' },
      { field: 'addr', what: 'sockaddr', access: 'write', until: 'completion', variant: 'getsockname' },
      { field: 'addr3', what: 'socklen', access: 'readwrite', until: 'completion', variant: 'getsockname' },
    ],
    result: "what the command says; queue lengths: bytes; getsockopt: the option's length",
    helpers: [
      'io_uring_prep_uring_cmd',
      'io_uring_prep_cmd_sock',
      'io_uring_prep_cmd_getsockname',
      'io_uring_prep_cmd_discard',
      'io_uring_prep_cmd_zone_reset_all',
    ],
    purpose: 'a command of the driver behind a descriptor: sockets, block devices, NVMe, ublk, FUSE',
  },
  {
    code: IORING_OP_SEND_ZC,
    name: 'IORING_OP_SEND_ZC',
    methods: ['prepSendZc', 'prepSendv({ zeroCopy })'],
    options: ['flags', 'to', 'fixed', 'reportUsage', 'pollFirst'],
    like: 'send(2)',
    since: '6.0',
    variants: { reportUsage: '6.2', vectorized: '6.17' },
    later: { 'prepSendv({ zeroCopy })': 'vectorized' },
    lends: [
      { field: 'addr', what: 'buffer', access: 'read', until: 'notification' },
      { field: 'addr2', what: 'sockaddr', access: 'read', until: 'submit' },
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'notification' },
        variant: 'vectorized',
      },
    ],
    result: 'bytes sent; a second completion with IORING_CQE_F_NOTIF when the buffer is free',
    helpers: ['io_uring_prep_send_zc', 'io_uring_prep_send_zc_fixed', 'io_uring_prep_send_set_addr'],
    purpose: 'send without copying',
  },
  {
    code: IORING_OP_SENDMSG_ZC,
    name: 'IORING_OP_SENDMSG_ZC',
    methods: ['prepSendmsgZc'],
    options: ['flags', 'fixed', 'reportUsage', 'pollFirst'],
    like: 'sendmsg(2)',
    since: '6.1',
    variants: { fixed: '6.15' },
    lends: [
      {
        field: 'addr',
        what: 'msghdr',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'notification' },
      },
    ],
    result: 'bytes sent; a second completion with IORING_CQE_F_NOTIF when the buffers are free',
    helpers: ['io_uring_prep_sendmsg_zc', 'io_uring_prep_sendmsg_zc_fixed'],
    purpose: 'send scattered memory without copying',
  },
  {
    code: IORING_OP_READ_MULTISHOT,
    name: 'IORING_OP_READ_MULTISHOT',
    methods: ['prepReadMultishot'],
    options: ['len', 'offset'],
    like: 'read(2)',
    since: '6.7',
    lends: [],
    result: 'bytes read',
    helpers: ['io_uring_prep_read_multishot'],
    purpose: 'read into provided buffers whenever there is something; not for regular files',
  },
  {
    code: IORING_OP_WAITID,
    name: 'IORING_OP_WAITID',
    methods: ['prepWaitid'],
    like: 'waitid(2)',
    since: '6.7',
    lends: [{ field: 'addr2', what: 'siginfo', access: 'write', until: 'completion' }],
    result: '0',
    helpers: ['io_uring_prep_waitid'],
    purpose: 'wait for a child process',
  },
  {
    code: IORING_OP_FUTEX_WAIT,
    name: 'IORING_OP_FUTEX_WAIT',
    methods: ['prepFutexWait'],
    options: ['mask', 'flags'],
    like: 'futex(2)',
    since: '6.7',
    lends: [{ field: 'addr', what: 'futex', access: 'read', until: 'completion' }],
    result: '0',
    helpers: ['io_uring_prep_futex_wait'],
    purpose: 'wait for a futex',
  },
  {
    code: IORING_OP_FUTEX_WAKE,
    name: 'IORING_OP_FUTEX_WAKE',
    methods: ['prepFutexWake'],
    options: ['mask', 'flags'],
    like: 'futex(2)',
    since: '6.7',
    lends: [{ field: 'addr', what: 'futex', access: 'read', until: 'completion' }],
    result: 'how many waiters were woken',
    helpers: ['io_uring_prep_futex_wake'],
    purpose: 'wake waiters of a futex',
  },
  {
    code: IORING_OP_FUTEX_WAITV,
    name: 'IORING_OP_FUTEX_WAITV',
    methods: ['prepFutexWaitv'],
    options: ['flags'],
    like: 'futex_waitv(2)',
    since: '6.7',
    lends: [
      {
        field: 'addr',
        what: 'futex_waitv',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'completion' },
      },
    ],
    result: 'the index of the futex that was woken',
    helpers: ['io_uring_prep_futex_waitv'],
    purpose: 'wait for one of several futexes',
  },
  {
    code: IORING_OP_FIXED_FD_INSTALL,
    name: 'IORING_OP_FIXED_FD_INSTALL',
    methods: ['prepFixedFdInstall'],
    options: ['noCloexec'],
    since: '6.8',
    lends: [],
    result: 'the descriptor',
    helpers: ['io_uring_prep_fixed_fd_install'],
    purpose: 'give a slot an ordinary descriptor too',
  },
  {
    code: IORING_OP_FTRUNCATE,
    name: 'IORING_OP_FTRUNCATE',
    methods: ['prepFtruncate'],
    like: 'ftruncate(2)',
    since: '6.9',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_ftruncate'],
    purpose: 'set the length of a file',
  },
  {
    code: IORING_OP_BIND,
    name: 'IORING_OP_BIND',
    methods: ['prepBind'],
    like: 'bind(2)',
    since: '6.11',
    lends: [{ field: 'addr', what: 'sockaddr', access: 'read', until: 'submit' }],
    result: '0',
    helpers: ['io_uring_prep_bind'],
    purpose: 'bind a socket',
  },
  {
    code: IORING_OP_LISTEN,
    name: 'IORING_OP_LISTEN',
    methods: ['prepListen'],
    like: 'listen(2)',
    since: '6.11',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_listen'],
    purpose: 'make a socket accept connections',
  },
  {
    code: IORING_OP_RECV_ZC,
    name: 'IORING_OP_RECV_ZC',
    methods: ['prepRecvZc'],
    options: ['len'],
    like: 'recv(2)',
    since: '6.15',
    lends: [],
    result: 'bytes received, at the place the 32-byte completion names',
    helpers: [],
    purpose: 'receive without copying, from a registered queue of a network card; multishot only',
  },
  {
    code: IORING_OP_EPOLL_WAIT,
    name: 'IORING_OP_EPOLL_WAIT',
    methods: ['prepEpollWait'],
    like: 'epoll_wait(2)',
    since: '6.15',
    lends: [{ field: 'addr', what: 'epoll_event', access: 'write', until: 'completion' }],
    result: 'how many events were stored',
    helpers: ['io_uring_prep_epoll_wait'],
    purpose: 'wait for the events of an epoll set',
  },
  {
    code: IORING_OP_READV_FIXED,
    name: 'IORING_OP_READV_FIXED',
    methods: ['prepReadv({ fixed })'],
    options: ['offset', 'rwFlags', 'fixed'],
    like: 'preadv2(2)',
    since: '6.15',
    lends: [
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'write', until: 'completion' },
      },
    ],
    result: 'bytes read',
    helpers: ['io_uring_prep_readv_fixed'],
    purpose: 'read into pieces of a registered buffer',
  },
  {
    code: IORING_OP_WRITEV_FIXED,
    name: 'IORING_OP_WRITEV_FIXED',
    methods: ['prepWritev({ fixed })'],
    options: ['offset', 'rwFlags', 'fixed'],
    like: 'pwritev2(2)',
    since: '6.15',
    lends: [
      {
        field: 'addr',
        what: 'iovec',
        access: 'read',
        until: 'submit',
        through: { access: 'read', until: 'completion' },
      },
    ],
    result: 'bytes written',
    helpers: ['io_uring_prep_writev_fixed'],
    purpose: 'write from pieces of a registered buffer',
  },
  {
    code: IORING_OP_PIPE,
    name: 'IORING_OP_PIPE',
    methods: ['prepPipe'],
    options: ['flags', 'direct'],
    like: 'pipe2(2)',
    since: '6.16',
    lends: [{ field: 'addr', what: 'descriptors', access: 'write', until: 'completion' }],
    result: '0; both descriptors, or slots, are in the array',
    helpers: ['io_uring_prep_pipe', 'io_uring_prep_pipe_direct'],
    purpose: 'make a pipe',
  },
  {
    code: IORING_OP_NOP128,
    name: 'IORING_OP_NOP128',
    methods: ['prepNop128'],
    since: '6.19',
    lends: [],
    result: '0',
    helpers: ['io_uring_prep_nop128'],
    purpose: 'a NOP that takes a 128-byte entry',
  },
  {
    code: IORING_OP_URING_CMD128,
    name: 'IORING_OP_URING_CMD128',
    methods: ['prepUringCmd128'],
    options: ['addr', 'len', 'addr3', 'cmd', 'pointers', 'fixed', 'multishot'],
    like: 'ioctl(2)',
    since: '6.19',
    lends: [
      { field: 'addr', what: 'command', access: 'readwrite', until: 'completion' },
      { field: 'addr3', what: 'command', access: 'readwrite', until: 'completion' },
    ],
    result: 'what the command says',
    helpers: ['io_uring_prep_uring_cmd128'],
    purpose: 'a command of a driver that takes a 128-byte entry',
  },
];
