/** The three system calls of io_uring, for syscall(2). The same numbers on x86-64 and arm64. */
export const SYS_IO_URING_SETUP = 425;
export const SYS_IO_URING_ENTER = 426;
export const SYS_IO_URING_REGISTER = 427;
