/** The kernel's answers to questions that are asked before there is a ring. Nothing but koffi is loaded for them. */
import { EINVAL } from '../abi/errno.ts';
import { SYS_IO_URING_REGISTER, SYS_IO_URING_SETUP } from '../abi/syscalls.ts';
import { loadKoffi } from './load-koffi.ts';

type Call = (...args: (number | Uint8Array | null)[]) => number;

// As in abi/registrations.ts and abi/layouts.ts, which are not to be loaded for three numbers.
const IORING_REGISTER_PROBE = 8;
const IO_URING_PARAMS_SIZE = 120;
const IO_URING_PROBE = { operations: 256, size: 16 + 256 * 8 };

/**
 * The answer of io_uring_setup(2) to a call without a second argument, which makes nothing: EFAULT where it may be
 * called, else why it may not.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` if koffi cannot be loaded
 */
export function setupAnswer(): number {
  const koffi = loadKoffi();
  const setup = koffi.load(null).func('syscall', 'int', ['int', 'uint', 'void *']) as unknown as Call;
  return setup(SYS_IO_URING_SETUP, 1, null) < 0 ? koffi.errno() : 0;
}

/**
 * The last IORING_OP_* that the kernel knows, by the word of a ring that is made for the question and closed. -1 where
 * it does not tell, as before Linux 5.6; undefined where it could not be asked.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` if koffi cannot be loaded
 */
export function lastOperation(): number | undefined {
  const koffi = loadKoffi();
  const libc = koffi.load(null);
  const setup = libc.func('syscall', 'int', ['int', 'uint', 'void *']) as unknown as Call;
  const register = libc.func('syscall', 'int', ['int', 'int', 'uint', 'void *', 'uint']) as unknown as Call;
  const close = libc.func('close', 'int', ['int']) as unknown as Call;
  const ring = setup(SYS_IO_URING_SETUP, 1, new Uint8Array(IO_URING_PARAMS_SIZE));
  if (ring < 0) return undefined;
  const probe = new Uint8Array(IO_URING_PROBE.size);
  const call = IORING_REGISTER_PROBE;
  const result = register(SYS_IO_URING_REGISTER, ring, call, probe, IO_URING_PROBE.operations);
  const isUnknown = result < 0 && koffi.errno() === EINVAL;
  close(ring);
  if (result < 0) return isUnknown ? -1 : undefined;
  return probe[0];
}
