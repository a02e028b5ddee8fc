/**
 * The kernel's error numbers, 1 to 133: the generic numbering, which x86-64 and arm64 have. They are positive
 * here, as in errno(3); a completion or a system call returns them negated.
 */

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const E2BIG = 7;
export const ENOEXEC = 8;
export const EBADF = 9;
export const ECHILD = 10;
export const EAGAIN = 11;
/** EAGAIN, as sockets also call it. */
export const EWOULDBLOCK = EAGAIN;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const ENOTBLK = 15;
export const EBUSY = 16;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOTTY = 25;
export const ETXTBSY = 26;
export const EFBIG = 27;
export const ENOSPC = 28;
export const ESPIPE = 29;
export const EROFS = 30;
export const EMLINK = 31;
export const EPIPE = 32;
export const EDOM = 33;
export const ERANGE = 34;
export const EDEADLK = 35;
/** EDEADLK, as file locks also call it. */
export const EDEADLOCK = EDEADLK;
export const ENAMETOOLONG = 36;
export const ENOLCK = 37;
export const ENOSYS = 38;
export const ENOTEMPTY = 39;
export const ELOOP = 40;
export const ENOMSG = 42;
export const EIDRM = 43;
export const ECHRNG = 44;
export const EL2NSYNC = 45;
export const EL3HLT = 46;
export const EL3RST = 47;
export const ELNRNG = 48;
export const EUNATCH = 49;
export const ENOCSI = 50;
export const EL2HLT = 51;
export const EBADE = 52;
export const EBADR = 53;
export const EXFULL = 54;
export const ENOANO = 55;
export const EBADRQC = 56;
export const EBADSLT = 57;
export const EBFONT = 59;
export const ENOSTR = 60;
export const ENODATA = 61;
export const ETIME = 62;
export const ENOSR = 63;
export const ENONET = 64;
export const ENOPKG = 65;
export const EREMOTE = 66;
export const ENOLINK = 67;
export const EADV = 68;
export const ESRMNT = 69;
export const ECOMM = 70;
export const EPROTO = 71;
export const EMULTIHOP = 72;
export const EDOTDOT = 73;
export const EBADMSG = 74;
export const EOVERFLOW = 75;
export const ENOTUNIQ = 76;
export const EBADFD = 77;
export const EREMCHG = 78;
export const ELIBACC = 79;
export const ELIBBAD = 80;
export const ELIBSCN = 81;
export const ELIBMAX = 82;
export const ELIBEXEC = 83;
export const EILSEQ = 84;
export const ERESTART = 85;
export const ESTRPIPE = 86;
export const EUSERS = 87;
export const ENOTSOCK = 88;
export const EDESTADDRREQ = 89;
export const EMSGSIZE = 90;
export const EPROTOTYPE = 91;
export const ENOPROTOOPT = 92;
export const EPROTONOSUPPORT = 93;
export const ESOCKTNOSUPPORT = 94;
export const EOPNOTSUPP = 95;
/** EOPNOTSUPP, as glibc and Node also call it. */
export const ENOTSUP = EOPNOTSUPP;
export const EPFNOSUPPORT = 96;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENETRESET = 102;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const EISCONN = 106;
export const ENOTCONN = 107;
export const ESHUTDOWN = 108;
export const ETOOMANYREFS = 109;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;
export const EALREADY = 114;
export const EINPROGRESS = 115;
export const ESTALE = 116;
export const EUCLEAN = 117;
export const ENOTNAM = 118;
export const ENAVAIL = 119;
export const EISNAM = 120;
export const EREMOTEIO = 121;
export const EDQUOT = 122;
export const ENOMEDIUM = 123;
export const EMEDIUMTYPE = 124;
export const ECANCELED = 125;
export const ENOKEY = 126;
export const EKEYEXPIRED = 127;
export const EKEYREVOKED = 128;
export const EKEYREJECTED = 129;
export const EOWNERDEAD = 130;
export const ENOTRECOVERABLE = 131;
export const ERFKILL = 132;
export const EHWPOISON = 133;

/** One error. */
export interface ErrnoRow {
  readonly code: number;
  /** As Node says it: 95 is ENOTSUP there, not the kernel's EOPNOTSUPP. */
  readonly name: string;
  /** As Node (libuv) words it; where it has no words, as glibc does, without the capital. */
  readonly message: string;
}

/** All of them, by rising number. The kernel uses neither 41 nor 58. */
export const ERRNO: readonly ErrnoRow[] = [
  { code: EPERM, name: 'EPERM', message: 'operation not permitted' },
  { code: ENOENT, name: 'ENOENT', message: 'no such file or directory' },
  { code: ESRCH, name: 'ESRCH', message: 'no such process' },
  { code: EINTR, name: 'EINTR', message: 'interrupted system call' },
  { code: EIO, name: 'EIO', message: 'i/o error' },
  { code: ENXIO, name: 'ENXIO', message: 'no such device or address' },
  { code: E2BIG, name: 'E2BIG', message: 'argument list too long' },
  { code: ENOEXEC, name: 'ENOEXEC', message: 'exec format error' },
  { code: EBADF, name: 'EBADF', message: 'bad file descriptor' },
  { code: ECHILD, name: 'ECHILD', message: 'no child processes' },
  { code: EAGAIN, name: 'EAGAIN', message: 'resource temporarily unavailable' },
  { code: ENOMEM, name: 'ENOMEM', message: 'not enough memory' },
  { code: EACCES, name: 'EACCES', message: 'permission denied' },
  { code: EFAULT, name: 'EFAULT', message: 'bad address in system call argument' },
  { code: ENOTBLK, name: 'ENOTBLK', message: 'block device required' },
  { code: EBUSY, name: 'EBUSY', message: 'resource busy or locked' },
  { code: EEXIST, name: 'EEXIST', message: 'file already exists' },
  { code: EXDEV, name: 'EXDEV', message: 'cross-device link not permitted' },
  { code: ENODEV, name: 'ENODEV', message: 'no such device' },
  { code: ENOTDIR, name: 'ENOTDIR', message: 'not a directory' },
  { code: EISDIR, name: 'EISDIR', message: 'illegal operation on a directory' },
  { code: EINVAL, name: 'EINVAL', message: 'invalid argument' },
  { code: ENFILE, name: 'ENFILE', message: 'file table overflow' },
  { code: EMFILE, name: 'EMFILE', message: 'too many open files' },
  { code: ENOTTY, name: 'ENOTTY', message: 'inappropriate ioctl for device' },
  { code: ETXTBSY, name: 'ETXTBSY', message: 'text file is busy' },
  { code: EFBIG, name: 'EFBIG', message: 'file too large' },
  { code: ENOSPC, name: 'ENOSPC', message: 'no space left on device' },
  { code: ESPIPE, name: 'ESPIPE', message: 'invalid seek' },
  { code: EROFS, name: 'EROFS', message: 'read-only file system' },
  { code: EMLINK, name: 'EMLINK', message: 'too many links' },
  { code: EPIPE, name: 'EPIPE', message: 'broken pipe' },
  { code: EDOM, name: 'EDOM', message: 'numerical argument out of domain' },
  { code: ERANGE, name: 'ERANGE', message: 'result too large' },
  { code: EDEADLK, name: 'EDEADLK', message: 'resource deadlock avoided' },
  { code: ENAMETOOLONG, name: 'ENAMETOOLONG', message: 'name too long' },
  { code: ENOLCK, name: 'ENOLCK', message: 'no locks available' },
  { code: ENOSYS, name: 'ENOSYS', message: 'function not implemented' },
  { code: ENOTEMPTY, name: 'ENOTEMPTY', message: 'directory not empty' },
  { code: ELOOP, name: 'ELOOP', message: 'too many symbolic links encountered' },
  { code: ENOMSG, name: 'ENOMSG', message: 'no message of desired type' },
  { code: EIDRM, name: 'EIDRM', message: 'identifier removed' },
  { code: ECHRNG, name: 'ECHRNG', message: 'channel number out of range' },
  { code: EL2NSYNC, name: 'EL2NSYNC', message: 'level 2 not synchronized' },
  { code: EL3HLT, name: 'EL3HLT', message: 'level 3 halted' },
  { code: EL3RST, name: 'EL3RST', message: 'level 3 reset' },
  { code: ELNRNG, name: 'ELNRNG', message: 'link number out of range' },
  { code: EUNATCH, name: 'EUNATCH', message: 'protocol driver not attached' },
  { code: ENOCSI, name: 'ENOCSI', message: 'no CSI structure available' },
  { code: EL2HLT, name: 'EL2HLT', message: 'level 2 halted' },
  { code: EBADE, name: 'EBADE', message: 'invalid exchange' },
  { code: EBADR, name: 'EBADR', message: 'invalid request descriptor' },
  { code: EXFULL, name: 'EXFULL', message: 'exchange full' },
  { code: ENOANO, name: 'ENOANO', message: 'no anode' },
  { code: EBADRQC, name: 'EBADRQC', message: 'invalid request code' },
  { code: EBADSLT, name: 'EBADSLT', message: 'invalid slot' },
  { code: EBFONT, name: 'EBFONT', message: 'bad font file format' },
  { code: ENOSTR, name: 'ENOSTR', message: 'device not a stream' },
  { code: ENODATA, name: 'ENODATA', message: 'no data available' },
  { code: ETIME, name: 'ETIME', message: 'timer expired' },
  { code: ENOSR, name: 'ENOSR', message: 'out of streams resources' },
  { code: ENONET, name: 'ENONET', message: 'machine is not on the network' },
  { code: ENOPKG, name: 'ENOPKG', message: 'package not installed' },
  { code: EREMOTE, name: 'EREMOTE', message: 'object is remote' },
  { code: ENOLINK, name: 'ENOLINK', message: 'link has been severed' },
  { code: EADV, name: 'EADV', message: 'advertise error' },
  { code: ESRMNT, name: 'ESRMNT', message: 'srmount error' },
  { code: ECOMM, name: 'ECOMM', message: 'communication error on send' },
  { code: EPROTO, name: 'EPROTO', message: 'protocol error' },
  { code: EMULTIHOP, name: 'EMULTIHOP', message: 'multihop attempted' },
  { code: EDOTDOT, name: 'EDOTDOT', message: 'RFS specific error' },
  { code: EBADMSG, name: 'EBADMSG', message: 'bad message' },
  { code: EOVERFLOW, name: 'EOVERFLOW', message: 'value too large for defined data type' },
  { code: ENOTUNIQ, name: 'ENOTUNIQ', message: 'name not unique on network' },
  { code: EBADFD, name: 'EBADFD', message: 'file descriptor in bad state' },
  { code: EREMCHG, name: 'EREMCHG', message: 'remote address changed' },
  { code: ELIBACC, name: 'ELIBACC', message: 'can not access a needed shared library' },
  { code: ELIBBAD, name: 'ELIBBAD', message: 'accessing a corrupted shared library' },
  { code: ELIBSCN, name: 'ELIBSCN', message: '.lib section in a.out corrupted' },
  { code: ELIBMAX, name: 'ELIBMAX', message: 'attempting to link in too many shared libraries' },
  { code: ELIBEXEC, name: 'ELIBEXEC', message: 'cannot exec a shared library directly' },
  { code: EILSEQ, name: 'EILSEQ', message: 'illegal byte sequence' },
  { code: ERESTART, name: 'ERESTART', message: 'interrupted system call should be restarted' },
  { code: ESTRPIPE, name: 'ESTRPIPE', message: 'streams pipe error' },
  { code: EUSERS, name: 'EUSERS', message: 'too many users' },
  { code: ENOTSOCK, name: 'ENOTSOCK', message: 'socket operation on non-socket' },
  { code: EDESTADDRREQ, name: 'EDESTADDRREQ', message: 'destination address required' },
  { code: EMSGSIZE, name: 'EMSGSIZE', message: 'message too long' },
  { code: EPROTOTYPE, name: 'EPROTOTYPE', message: 'protocol wrong type for socket' },
  { code: ENOPROTOOPT, name: 'ENOPROTOOPT', message: 'protocol not available' },
  { code: EPROTONOSUPPORT, name: 'EPROTONOSUPPORT', message: 'protocol not supported' },
  { code: ESOCKTNOSUPPORT, name: 'ESOCKTNOSUPPORT', message: 'socket type not supported' },
  { code: ENOTSUP, name: 'ENOTSUP', message: 'operation not supported on socket' },
  { code: EPFNOSUPPORT, name: 'EPFNOSUPPORT', message: 'protocol family not supported' },
  { code: EAFNOSUPPORT, name: 'EAFNOSUPPORT', message: 'address family not supported' },
  { code: EADDRINUSE, name: 'EADDRINUSE', message: 'address already in use' },
  { code: EADDRNOTAVAIL, name: 'EADDRNOTAVAIL', message: 'address not available' },
  { code: ENETDOWN, name: 'ENETDOWN', message: 'network is down' },
  { code: ENETUNREACH, name: 'ENETUNREACH', message: 'network is unreachable' },
  { code: ENETRESET, name: 'ENETRESET', message: 'network dropped connection on reset' },
  { code: ECONNABORTED, name: 'ECONNABORTED', message: 'software caused connection abort' },
  { code: ECONNRESET, name: 'ECONNRESET', message: 'connection reset by peer' },
  { code: ENOBUFS, name: 'ENOBUFS', message: 'no buffer space available' },
  { code: EISCONN, name: 'EISCONN', message: 'socket is already connected' },
  { code: ENOTCONN, name: 'ENOTCONN', message: 'socket is not connected' },
  { code: ESHUTDOWN, name: 'ESHUTDOWN', message: 'cannot send after transport endpoint shutdown' },
  { code: ETOOMANYREFS, name: 'ETOOMANYREFS', message: 'too many references: cannot splice' },
  { code: ETIMEDOUT, name: 'ETIMEDOUT', message: 'connection timed out' },
  { code: ECONNREFUSED, name: 'ECONNREFUSED', message: 'connection refused' },
  { code: EHOSTDOWN, name: 'EHOSTDOWN', message: 'host is down' },
  { code: EHOSTUNREACH, name: 'EHOSTUNREACH', message: 'host is unreachable' },
  { code: EALREADY, name: 'EALREADY', message: 'connection already in progress' },
  { code: EINPROGRESS, name: 'EINPROGRESS', message: 'operation now in progress' },
  { code: ESTALE, name: 'ESTALE', message: 'stale file handle' },
  { code: EUCLEAN, name: 'EUCLEAN', message: 'structure needs cleaning' },
  { code: ENOTNAM, name: 'ENOTNAM', message: 'not a XENIX named type file' },
  { code: ENAVAIL, name: 'ENAVAIL', message: 'no XENIX semaphores available' },
  { code: EISNAM, name: 'EISNAM', message: 'is a named type file' },
  { code: EREMOTEIO, name: 'EREMOTEIO', message: 'remote I/O error' },
  { code: EDQUOT, name: 'EDQUOT', message: 'disk quota exceeded' },
  { code: ENOMEDIUM, name: 'ENOMEDIUM', message: 'no medium found' },
  { code: EMEDIUMTYPE, name: 'EMEDIUMTYPE', message: 'wrong medium type' },
  { code: ECANCELED, name: 'ECANCELED', message: 'operation canceled' },
  { code: ENOKEY, name: 'ENOKEY', message: 'required key not available' },
  { code: EKEYEXPIRED, name: 'EKEYEXPIRED', message: 'key has expired' },
  { code: EKEYREVOKED, name: 'EKEYREVOKED', message: 'key has been revoked' },
  { code: EKEYREJECTED, name: 'EKEYREJECTED', message: 'key was rejected by service' },
  { code: EOWNERDEAD, name: 'EOWNERDEAD', message: 'owner died' },
  { code: ENOTRECOVERABLE, name: 'ENOTRECOVERABLE', message: 'state not recoverable' },
  { code: ERFKILL, name: 'ERFKILL', message: 'operation not possible due to RF-kill' },
  { code: EHWPOISON, name: 'EHWPOISON', message: 'memory page has hardware error' },
];

/**
 * The name of an error: 'EBADF'. What is not in the table, negative numbers included, is named as Node does:
 * 'Unknown system error 999'.
 * @example
 * import { errnoName } from 'iouring/abi';
 *
 * console.log(errnoName(2)); // ENOENT
 */
export function errnoName(errno: number): string {
  return find(errno)?.name ?? unknown(errno);
}

/**
 * The meaning of an error, in Node's words: 'bad file descriptor'. Unknown ones as in {@link errnoName}.
 * @example
 * import { errnoMessage } from 'iouring/abi';
 *
 * console.log(errnoMessage(2)); // no such file or directory
 */
export function errnoMessage(errno: number): string {
  return find(errno)?.message ?? unknown(errno);
}

function find(errno: number): ErrnoRow | undefined {
  return ERRNO.find((row) => row.code === errno);
}

function unknown(errno: number): string {
  return `Unknown system error ${errno}`;
}
