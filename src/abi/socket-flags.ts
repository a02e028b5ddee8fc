/**
 * Constants of socket operations: families, types, levels, and the flags of send(2), recv(2) and accept4(2).
 * The numbers are those of x86-64 and arm64, which agree; some other architectures have their own.
 */

// ---------------------------------------------------------------- SOCKET: `fd` is the family, `off` the type

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
/** With a type, or as flag of an accept: the new descriptor does not block. */
export const SOCK_NONBLOCK = 0x800;
/** With a type, or as flag of an accept: the new descriptor is closed by exec. Not for a direct slot. */
export const SOCK_CLOEXEC = 0x80000;

export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;

// ---------------------------------------------------------------- SHUTDOWN: `len`

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

// ---------------------------------------------------------------- `msg_flags` of sends and receives

/** Out-of-band data. */
export const MSG_OOB = 0x1;
/** The data received stays in the queue. */
export const MSG_PEEK = 0x2;
/** Only to hosts on the same network. */
export const MSG_DONTROUTE = 0x4;
/** Out: control data did not fit. */
export const MSG_CTRUNC = 0x8;
/** In: return a datagram's full length. Out: the datagram did not fit. */
export const MSG_TRUNC = 0x20;
/** EAGAIN instead of waiting. In io_uring only this does it, not the descriptor's O_NONBLOCK. */
export const MSG_DONTWAIT = 0x40;
/** End of a record. */
export const MSG_EOR = 0x80;
/** Not before all of it is received, or sent. Without it a short result does not break a chain. */
export const MSG_WAITALL = 0x100;
/** Link layer: the peer answered. */
export const MSG_CONFIRM = 0x800;
/** Receive from the error queue. */
export const MSG_ERRQUEUE = 0x2000;
/** EPIPE, but no SIGPIPE. */
export const MSG_NOSIGNAL = 0x4000;
/** More follows: do not send a short packet yet. */
export const MSG_MORE = 0x8000;
/** Zero copy of the classic kind; SEND_ZC does not need it. */
export const MSG_ZEROCOPY = 0x4000000;
/** Send data with the first packet of a connection. */
export const MSG_FASTOPEN = 0x20000000;
/** Descriptors received are closed by exec. */
export const MSG_CMSG_CLOEXEC = 0x40000000;

// ---------------------------------------------------------------- socket options: `level` and `optname`

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_INCOMING_CPU = 49;
export const SO_MEMINFO = 55;
export const SO_ZEROCOPY = 60;
export const TCP_NODELAY = 1;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_FASTOPEN = 23;
export const IP_TOS = 1;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;

/** Type of a control message that carries descriptors. */
export const SCM_RIGHTS = 1;
