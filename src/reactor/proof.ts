import { ENOMEM } from '../abi/errno.ts';
import { kernelError } from '../ring/kernel/kernel-error.ts';
import { wrongState } from '../ring/arguments/argument-errors.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

/** Longer than an operation that does nothing takes on any machine. */
const PATIENCE_MS = 1000;

/** A ring of buffer descriptions as large as those of all kinds that a reactor begins with. */
const BUFFERS = 1024;

/** No group of the reactor's own has it, for those count from 0. */
const GROUP = 0xffff;

/**
 * Find out by doing that a ring can be used: a filter may allow io_uring_setup(2), and forbid one of the other two
 * calls.
 * @throws {Error} the kernel's refusal: `EPERM` and so on; `ENOMEM`, the ring has left no memory that may be locked
 */
export function prove(ring: IoUring): void {
  ring.prepNop(0);
  ring.submitAndWait(1, ownOptions({ timeoutMs: PATIENCE_MS }));
  if (ring.forEachCompletion(() => {}) === 0) {
    const reason = 'an operation that does nothing was accepted, and not done within a second';
    throw wrongState(
      'ERR_IOURING_UNSUPPORTED',
      `Cannot use io_uring: ${reason}; update the kernel, or leave that sandbox`,
    );
  }
  try {
    ring.registerBufRing(BUFFERS, 1, GROUP)[Symbol.dispose]();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOMEM') {
      throw kernelError(
        ENOMEM,
        'io_uring_register',
        'no memory is left for receive buffers; raise the limit on locked memory: ulimit -l',
      );
    }
    // Before 5.19 there are none, and what needs them says so itself.
    if (code !== 'EINVAL') throw error;
  }
}
