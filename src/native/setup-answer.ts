import { SYS_IO_URING_SETUP } from '../abi/syscalls.ts';
import { loadKoffi } from './load-koffi.ts';

type Setup = (call: number, entries: number, params: null) => number;

/**
 * The answer of io_uring_setup(2) to a call without a second argument, which makes nothing: EFAULT where it may be
 * called, else why it may not. Nothing but koffi is loaded for it.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` if koffi cannot be loaded
 */
export function setupAnswer(): number {
  const koffi = loadKoffi();
  const setup = koffi.load(null).func('syscall', 'int', ['int', 'uint', 'void *']) as unknown as Setup;
  return setup(SYS_IO_URING_SETUP, 1, null) < 0 ? koffi.errno() : 0;
}
