import assert from 'node:assert/strict';
import {
  IORING_OP_READ_FIXED,
  IORING_OP_SEND_ZC,
  IORING_OP_SPLICE,
  IORING_OP_WRITE_FIXED,
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_EVENTFD_ASYNC,
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES2,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PROBE,
  IORING_REGISTER_RESTRICTIONS,
  IORING_REGISTER_RING_FDS,
  IORING_UNREGISTER_BUFFERS,
  IORING_UNREGISTER_EVENTFD,
  IORING_UNREGISTER_FILES,
  IO_URING_RSRC_REGISTER,
  IO_URING_RSRC_REGISTER_SIZE,
  IOSQE_FIXED_FILE,
  SPLICE_F_FD_IN_FIXED,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import type { IoUringOptions } from '../../src/ring/setup.ts';
import type { Age } from './ages.ts';
import { FakeKernel, type Entry } from './fake-kernel.ts';

/** Before 5.18 these wait until nothing is in flight. */
const QUIESCE = new Set([
  IORING_REGISTER_EVENTFD,
  IORING_UNREGISTER_EVENTFD,
  IORING_REGISTER_EVENTFD_ASYNC,
  IORING_REGISTER_RESTRICTIONS,
  IORING_REGISTER_ENABLE_RINGS,
]);
/** And before 5.13 these, too. */
const QUIESCE_5_10 = new Set([IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS, IORING_REGISTER_FILES]);
const USE_BUFFERS = new Set([IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, IORING_OP_SEND_ZC]);

/** Before 6.13 files and buffers are counted together: who gives up either waits for the users of both. */
function usesTables({ opcode, flags, words }: Entry): boolean {
  const isFromSlot = opcode === IORING_OP_SPLICE && (words[7] & SPLICE_F_FD_IN_FIXED) !== 0;
  return (flags & IOSQE_FIXED_FILE) !== 0 || USE_BUFFERS.has(opcode) || isFromSlot;
}

/**
 * A kernel that is old: it does not look at fields that it does not know, and waits in registrations for what is in
 * flight, which may be for ever. A test must not get there.
 */
export class OldKernel extends FakeKernel {
  readonly #age: Age;

  constructor(age: Age) {
    super();
    this.#age = age;
    this.features = age.features;
    this.unknownFlags = ~age.setupFlags;
  }

  override register(fd: number, opcode: number, argument: number, count: number): number {
    const { lastOperation, lastRegistration } = this.#age;
    super.register(fd, opcode, argument, count);
    assert.ok(!this.#waitsIn(opcode), `registration ${opcode} waits in this kernel for what is in flight`);
    if (opcode > lastRegistration) return -22;
    if (opcode === IORING_REGISTER_FILES2 && lastRegistration < IORING_REGISTER_PBUF_RING) {
      // It was all zero before there were empty tables.
      if (this.read(argument, IO_URING_RSRC_REGISTER_SIZE).getUint32(IO_URING_RSRC_REGISTER.flags, true) !== 0) {
        return -22;
      }
    }
    if (opcode === IORING_REGISTER_PROBE) {
      const place = this.at(argument)!;
      new Uint8Array(place.memory.deref()!)[place.offset] = lastOperation;
    }
    return 0;
  }

  #waitsIn(opcode: number): boolean {
    const { lastRegistration } = this.#age;
    const isUnknown = opcode > lastRegistration;
    const quiesces = (lastRegistration < IORING_REGISTER_RING_FDS && (isUnknown || QUIESCE.has(opcode))) ||
      (lastRegistration < IORING_REGISTER_FILES2 && QUIESCE_5_10.has(opcode));
    if (quiesces) return this.inFlight.size > 0;
    if (opcode !== IORING_UNREGISTER_FILES && opcode !== IORING_UNREGISTER_BUFFERS) return false;
    return this.entriesSeen.some((entry) => usesTables(entry) && this.inFlight.has(entry.userData));
  }

  /** Let an operation in flight come to its end. */
  complete(userData: bigint, res: number): void {
    assert.ok(this.inFlight.delete(userData), 'it is in flight');
    this.post(userData, res);
  }

  /** How often it was asked for this. */
  asked(opcode: number): number {
    return this.registered.filter((call) => call.opcode === opcode).length;
  }
}

/** A ring on such a kernel, where everything stays in flight. */
export function open(age: Age, options: IoUringOptions = {}): { ring: IoUring; kernel: OldKernel } {
  const kernel = new OldKernel(age);
  kernel.result = () => undefined;
  return { kernel, ring: new IoUring(8, options, kernel) };
}
