/**
 * Constants of operations that wait for something: polls, epoll, children, futexes, clocks. The numbers are
 * those of x86-64 and arm64, which agree.
 */

// ---------------------------------------------------------------- POLL_ADD: `poll32_events`, and its result

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
/** Reported whether asked for or not, as are POLLHUP and POLLNVAL. */
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
/** The peer has shut down its sending half. */
export const POLLRDHUP = 0x2000;

// ---------------------------------------------------------------- EPOLL_CTL: `len`, and `epoll_event.events`

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
/** Also for a poll: wake only one of those who wait. Needs IORING_FEAT_POLL_32BITS there. */
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLONESHOT = 0x40000000;
export const EPOLLET = 0x80000000;

// ---------------------------------------------------------------- WAITID: `len` (P_*), `file_index` (W*)

export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;
export const WNOHANG = 0x1;
export const WSTOPPED = 0x2;
export const WEXITED = 0x4;
export const WCONTINUED = 0x8;
/** The child stays to be waited for. */
export const WNOWAIT = 0x1000000;

// ---------------------------------------------------------------- WAITID: `si_code` of the result

/** The child ended by itself: `si_status` is its exit code. */
export const CLD_EXITED = 1;
/** A signal ended the child: `si_status` is its number, as in all that follow. */
export const CLD_KILLED = 2;
/** The same, and its memory was written to a file. */
export const CLD_DUMPED = 3;
/** A traced child was stopped. */
export const CLD_TRAPPED = 4;
/** The child was stopped. */
export const CLD_STOPPED = 5;
/** The child goes on. */
export const CLD_CONTINUED = 6;

// ---------------------------------------------------------------- futexes: `fd` (flags), `addr3` (mask)

/** Kernel 6.7. The futex is 32 bits wide: the only width there is in practice. */
export const FUTEX2_SIZE_U32 = 0x02;
/** Kernel 6.16. A futex that knows its NUMA node. */
export const FUTEX2_NUMA = 0x04;
/** Kernel 6.7. Not shared with other processes. */
export const FUTEX2_PRIVATE = 0x80;
/** Matches every waiter. */
export const FUTEX_BITSET_MATCH_ANY = 0xffffffff;

// ---------------------------------------------------------------- IORING_REGISTER_CLOCK: `clockid`

export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;
