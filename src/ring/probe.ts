import { IO_URING_OP_SUPPORTED } from '../abi/flags.ts';
import { IO_URING_PROBE_OP, IO_URING_PROBE_OP_SIZE, IO_URING_PROBE_SIZE } from '../abi/layouts.ts';
import { OPERATIONS } from '../abi/operations.ts';
import { IORING_REGISTER_PROBE } from '../abi/registrations.ts';
import type { Native } from '../native/native.ts';
import { aligned } from './memory/aligned-memory.ts';
import { ownOptions } from './arguments/own-options.ts';
import { kernelError } from './kernel/kernel-error.ts';
import { needs } from './kernel/proven-kernel.ts';

/** The kernel's word on one operation. */
export interface OperationSupport {
  /** IORING_OP_* */
  opcode: number;
  /** `'IORING_OP_READ'`; undefined for one that is younger than this package. */
  name: string | undefined;
  supported: boolean;
}

const OPCODES_MAX = 256;

/** A ring as far as it is needed here: io_uring_register(2) on it. */
interface Registrar {
  readonly native: Native;
  register(opcode: number, address: number, count: number): number;
}

/** The kernel's answer, and `struct io_uring_probe` as it has filled it. */
function ask(ring: Registrar): { result: number; bytes: Uint8Array } {
  // The kernel demands that all of it be zero on entry.
  const { bytes, address } = aligned(ring.native, IO_URING_PROBE_SIZE + OPCODES_MAX * IO_URING_PROBE_OP_SIZE, 8);
  return { result: ring.register(IORING_REGISTER_PROBE, address, OPCODES_MAX), bytes };
}

/** The code of the last operation that the kernel knows; -1 if it does not tell. */
export function lastOperation(ring: Registrar): number {
  const { result, bytes } = ask(ring);
  return result < 0 ? -1 : bytes[0];
}

/** Ask the kernel which operations it has. */
export function probe(ring: Registrar): OperationSupport[] {
  const { result, bytes } = ask(ring);
  if (result < 0) throw kernelError(-result, 'io_uring_register', `asking for the operations ${needs('5.6')}`);
  const last = bytes[0];
  const count = Math.max(OPERATIONS.length, last + 1);
  return Array.from(ownOptions({ length: count }), (_, opcode) => {
    const entry = IO_URING_PROBE_SIZE + opcode * IO_URING_PROBE_OP_SIZE;
    const supported = opcode <= last && (bytes[entry + IO_URING_PROBE_OP.flags] & IO_URING_OP_SUPPORTED) !== 0;
    return { opcode, name: OPERATIONS[opcode]?.name, supported };
  });
}
