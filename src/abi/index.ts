/**
 * The entry point of `iouring/abi`: the kernel's interface as data. Its names are too many to list here.
 * @example
 * import { errnoName, IORING_OP_READ, OPERATIONS } from 'iouring/abi';
 *
 * console.log(OPERATIONS[IORING_OP_READ].since, errnoName(2)); // 5.6 ENOENT
 */
export * from './commands.ts';
export * from './errno.ts';
export * from './event-flags.ts';
export * from './file-flags.ts';
export * from './flags.ts';
export * from './layouts.ts';
export * from './mmap.ts';
export * from './operations.ts';
export * from './registrations.ts';
export * from './socket-flags.ts';
export * from './structs.ts';
export * from './syscalls.ts';
