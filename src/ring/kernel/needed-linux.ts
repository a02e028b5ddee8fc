import { EINVAL } from '../../abi/errno.ts';
import { OPERATIONS } from '../../abi/operations.ts';
import { needs, version } from './proven-kernel.ts';
import { coreOf } from '../ring-core.ts';
import type { IoUring } from '../io-uring.ts';

/** An operation, or a later form of it. */
export interface Form {
  /** IORING_OP_* */
  readonly opcode: number;
  /** A key of the `variants` of its row: the form that it has. */
  readonly variant?: string;
}

/**
 * A kernel says EINVAL also to what it is too old for. The Linux that such an operation needs, in words; undefined if
 * the ring's kernel has it, so that the answer means what it says.
 * @param res what the kernel has answered
 */
export function neededLinux(ring: IoUring, res: number, form: Form | undefined): string | undefined {
  if (res !== -EINVAL || form === undefined) return undefined;
  const { opcode, variant } = form;
  const { since, variants } = OPERATIONS[opcode];
  const { kernel } = coreOf(ring).resources;
  if (!kernel.hasOperation(opcode)) return needs(since);
  const laterSince = variant === undefined ? undefined : variants?.[variant];
  return laterSince === undefined || kernel.isFrom(version(laterSince)) ? undefined : needs(laterSince);
}
