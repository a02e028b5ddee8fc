/**
 * The side that asks the kernel, where that is in doubt, whether a ring may be made, and whether it would know what is
 * needed. It loads koffi, and no more.
 */
import { EACCES, ENOSYS, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import { setupAnswer } from '../native/first-answers.ts';
import { kernelError } from '../ring/kernel/kernel-error.ts';
import { explainRefusal } from '../ring/kernel/refusal.ts';

export { lastOperation } from '../native/first-answers.ts';

/** The answers that say no, and will tomorrow. */
const REFUSALS = new Set([EACCES, ENOSYS, EOPNOTSUPP, EPERM]);

/** Why no ring may be made; undefined if one may. */
export function refusalOfSetup(): Error | undefined {
  const errno = setupAnswer();
  if (!REFUSALS.has(errno)) return undefined;
  const { cause, remedy } = explainRefusal(errno);
  return kernelError(errno, 'io_uring_setup', `${cause}; ${remedy}`);
}
