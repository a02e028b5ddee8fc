import { EACCES, EALREADY, EBADF, EBADFD, EBUSY, EINVAL, ENOENT, ENXIO, EPERM, ETIME } from '../../abi/errno.ts';
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC } from '../../abi/event-flags.ts';
import {
  IORING_RESTRICTION_REGISTER_OP,
  IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
  IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
  IORING_RESTRICTION_SQE_OP,
  IO_URING_BPF_CMD_FILTER,
  IO_URING_BPF_FILTER_DENY_REST,
  IO_URING_BPF_FILTER_SZ_STRICT,
} from '../../abi/commands.ts';
import { IORING_ASYNC_CANCEL_ALL } from '../../abi/flags.ts';
import {
  IO_URING_BPF,
  IO_URING_BPF_FILTER,
  IO_URING_BPF_SIZE,
  IO_URING_CLOCK_REGISTER,
  IO_URING_CLOCK_REGISTER_SIZE,
  IO_URING_NAPI,
  IO_URING_NAPI_SIZE,
  IO_URING_RESTRICTION,
  IO_URING_RESTRICTION_SIZE,
  IO_URING_SYNC_CANCEL_REG,
  IO_URING_SYNC_CANCEL_REG_SIZE,
  SOCK_FILTER,
  SOCK_FILTER_SIZE,
} from '../../abi/layouts.ts';
import {
  IORING_REGISTER_BPF_FILTER,
  IORING_REGISTER_CLOCK,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_EVENTFD_ASYNC,
  IORING_REGISTER_IOWQ_AFF,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_REGISTER_NAPI,
  IORING_REGISTER_PERSONALITY,
  IORING_REGISTER_RESTRICTIONS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_UNREGISTER_EVENTFD,
  IORING_UNREGISTER_IOWQ_AFF,
  IORING_UNREGISTER_NAPI,
  IORING_UNREGISTER_PERSONALITY,
} from '../../abi/registrations.ts';
import { checkFd } from '../arguments/entry-fields.ts';
import { ownOptions } from '../arguments/own-options.ts';
import { checkUserData, highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import { kernelError } from '../kernel/kernel-error.ts';
import { needs, version } from '../kernel/proven-kernel.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import {
  checkInteger,
  checkObject,
  checkUint32,
  isObject,
  wrongState,
  wrongType,
  wrongValue,
} from '../arguments/argument-errors.ts';
import { cancelFlags, type CancelMatch } from '../prepare/control.ts';
import { type RingCore, coreOf } from '../ring-core.ts';
import { checkMilliseconds, writeTimespec } from '../structs/timespec.ts';

/** One thing that a restricted ring may do, or must. */
export type Restriction =
  | { /** IORING_REGISTER_*: allow this registration. */ registerOp: number }
  | { /** IORING_OP_*: allow this operation. */ sqeOp: number }
  | { /** IOSQE_*: allow these modifiers. */ sqeFlagsAllowed: number }
  | { /** IOSQE_*: demand these modifiers. */ sqeFlagsRequired: number };

/** How the ring polls network queues while it waits. */
export interface NapiSettings {
  /** How long, in microseconds; 0 is not at all. */
  busyPollTimeoutUs: number;
  /** SO_PREFER_BUSY_POLL: keep interrupts off meanwhile. */
  preferBusyPoll?: boolean;
}

/** An instruction of classic BPF, as `struct sock_filter` has it. */
export interface BpfInstruction {
  code: number;
  jt?: number;
  jf?: number;
  k?: number;
}

/** From this Linux on every kernel enables a ring that it says it has enabled. */
const ENABLES = '5.12';

/** The largest number of processors that a mask here can name. */
const CPUS_MAX = 1024;

/** Registrations that rule how the ring works: notification, credentials, restrictions, worker threads, clocks. */
export interface ControlRegistrations {
  /**
   * Have an eventfd signalled whenever completions are posted; one for a ring. Take `coopTaskrun: true` for a ring that
   * is waited for so: with DEFER_TASKRUN, the default, some kernels (6.12.115 to 6.12.118) signal it once and never
   * again. Before kernel 5.18 nothing may be in flight: the call waits for a second at most.
   *
   * Kernel 5.2. Counterpart of io_uring_register_eventfd(3).
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EBUSY` there is one, or something is in flight, before 5.18; `EBADF`, `EINVAL` it is no eventfd;
   *   `ERR_IOURING_CLOSED`
   * @example
   * ring.registerEventfd(fd);
   */
  registerEventfd(fd: number): void;

  /**
   * The same, but only for completions that were not posted inside the submitting call.
   *
   * Kernel 5.6. Counterpart of io_uring_register_eventfd_async(3).
   * @example
   * ring.registerEventfdAsync(fd);
   */
  registerEventfdAsync(fd: number): void;

  /**
   * Signal no eventfd any more. Before kernel 5.18 nothing may be in flight: the call waits for a second at most.
   *
   * Kernel 5.2. Counterpart of io_uring_unregister_eventfd(3).
   * @throws {Error} `ENXIO` there is none; `EBUSY` something is in flight, before 5.18; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerEventfd(fd);
   * ring.unregisterEventfd();
   */
  unregisterEventfd(): void;

  /** Is a registered eventfd signalled? Counterpart of io_uring_cq_eventfd_enabled(3). */
  get cqEventfdEnabled(): boolean;

  /**
   * Silence a registered eventfd for a while, or let it be signalled again: for completions that come from then on.
   *
   * Kernel 5.8. Counterpart of io_uring_cq_eventfd_toggle(3).
   * @throws {Error} `ERR_IOURING_CLOSED`
   * @example
   * ring.cqEventfdToggle(false);
   */
  cqEventfdToggle(enabled: boolean): void;

  /**
   * Keep the credentials that this thread has now. {@link sqeSetPersonality} has an operation run with them.
   *
   * Kernel 5.6. Counterpart of io_uring_register_personality(3).
   * @returns the id, 1 … 65535
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * const id = ring.registerPersonality();
   */
  registerPersonality(): number;

  /**
   * Forget the credentials.
   *
   * Kernel 5.6. Counterpart of io_uring_unregister_personality(3).
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EINVAL` no such id; `ERR_IOURING_CLOSED`
   * @example
   * const id = ring.registerPersonality();
   * ring.unregisterPersonality(id);
   */
  unregisterPersonality(id: number): void;

  /**
   * Restrict the ring for good to what is listed: other operations complete with `-EACCES`, other registrations throw
   * it. Only once, and only while the ring is `disabled`.
   *
   * Kernel 5.10. Counterpart of io_uring_register_restrictions(3).
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} `EBADFD` the ring is enabled, `EBUSY` it is restricted already; `ERR_IOURING_CLOSED`
   * @example
   * import { IoUring } from 'iouring';
   * import { IORING_OP_READ } from 'iouring/abi';
   *
   * using restricted = new IoUring(8, { disabled: true });
   * restricted.registerRestrictions([{ sqeOp: IORING_OP_READ }]);
   * restricted.enableRings();
   */
  registerRestrictions(restrictions: readonly Restriction[]): void;

  /**
   * Start a ring that was set up `disabled`. This thread is its owner from then on.
   *
   * Kernel 5.10; point releases of 5.10 and 5.11, among them 5.10.46, leave the ring disabled. Counterpart of
   * io_uring_enable_rings(3).
   * @throws {Error} `EBADFD` it is enabled; `ERR_IOURING_UNSUPPORTED` it stays disabled with this kernel;
   *   `ERR_IOURING_CLOSED`
   * @example
   * import { IoUring } from 'iouring';
   *
   * using late = new IoUring(8, { disabled: true });
   * late.enableRings();
   */
  enableRings(): void;

  /**
   * Keep the kernel's worker threads of this ring on these processors.
   *
   * Kernel 5.14. Counterpart of io_uring_register_iowq_aff(3).
   * @param cpus numbers of processors, 0 … 1023
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerIowqAff([0, 1]);
   */
  registerIowqAff(cpus: readonly number[]): void;

  /**
   * Let the kernel's worker threads run anywhere again. Kernel 5.14. Counterpart of io_uring_unregister_iowq_aff(3).
   * @example
   * ring.unregisterIowqAff();
   */
  unregisterIowqAff(): void;

  /**
   * Limit the kernel's worker threads of this ring: those for files and block devices (`bounded`), and those for all
   * else. 0, or nothing, leaves a limit as it is.
   *
   * Kernel 5.15. Counterpart of io_uring_register_iowq_max_workers(3).
   * @returns the limits before
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * const before = ring.registerIowqMaxWorkers(4, 4);
   */
  registerIowqMaxWorkers(bounded?: number, unbounded?: number): { bounded: number; unbounded: number };

  /**
   * Cancel operations in flight and wait until they are over. Their completions are there to be reaped then, or a
   * moment later.
   *
   * Kernel 6.0. Counterpart of io_uring_register_sync_cancel(3).
   * @param target as of {@link prepCancel}; by opcode from Linux 6.6 on
   * @param options.all not only the first that is found
   * @param options.timeoutMs wait no longer than that; default: without limit, which blocks the thread that long
   * @returns how many were cancelled with `all`; 0 otherwise
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} `ENOENT` none such, `EALREADY`, `ETIME`; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerSyncCancel({ fd: socket }, { timeoutMs: 100 });
   */
  registerSyncCancel(target: UserData | CancelMatch, options?: { all?: boolean; timeoutMs?: number }): number;

  /**
   * Poll the queues of network devices while waiting, instead of waiting for interrupts.
   *
   * Kernel 6.9. Counterpart of io_uring_register_napi(3).
   * @returns the settings before
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerNapi({ busyPollTimeoutUs: 50 });
   */
  registerNapi(settings: NapiSettings): Required<NapiSettings>;

  /**
   * Poll no more.
   *
   * Kernel 6.9. Counterpart of io_uring_unregister_napi(3).
   * @returns the settings before
   * @example
   * ring.unregisterNapi();
   */
  unregisterNapi(): Required<NapiSettings>;

  /**
   * Choose the clock of waits: of their lengths, and of `deadline`.
   *
   * Kernel 6.12. Counterpart of io_uring_register_clock(3).
   * @param clock CLOCK_MONOTONIC, which stands still while the machine sleeps, or CLOCK_BOOTTIME, which does not
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * import { CLOCK_BOOTTIME } from 'iouring/abi';
   *
   * ring.registerClock(CLOCK_BOOTTIME);
   */
  registerClock(clock: number): void;

  /**
   * Have a program of classic BPF look at every operation of one kind before it runs: what it returns 0 for is denied.
   *
   * Kernel 7.0. Counterpart of io_uring_register_bpf_filter(3).
   * @param filter.opcode IORING_OP_*
   * @param filter.program 1 … 4096 instructions; what it reads is `struct io_uring_bpf_ctx`
   * @param filter.denyRest IO_URING_BPF_FILTER_DENY_REST: deny operations that have no filter
   * @param filter.pduSize IO_URING_BPF_FILTER_SZ_STRICT (7.1): the kernel's payload must be so many bytes
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * import { IORING_OP_OPENAT } from 'iouring/abi';
   *
   * // BPF_RET | BPF_K of 0: nothing is opened.
   * ring.registerBpfFilter({ opcode: IORING_OP_OPENAT, program: [{ code: 0x06, k: 0 }] });
   */
  registerBpfFilter(
    filter: {
      opcode: number;
      program: readonly BpfInstruction[];
      denyRest?: boolean;
      pduSize?: number;
    },
  ): void;

  /**
   * io_uring_register(2) as it is, for what this package has no method for. `argument` is used for the duration of the
   * call only. **It trusts you**, as prepSqe does: an address in the argument is not checked.
   *
   * @param opcode IORING_REGISTER_*
   * @param count `nr_args`
   * @returns what the kernel answers
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal; `ERR_IOURING_CLOSED`
   * @example
   * import { IORING_REGISTER_EVENTFD } from 'iouring/abi';
   *
   * ring.registerRaw(IORING_REGISTER_EVENTFD, new Int32Array([fd]), 1);
   */
  registerRaw(opcode: number, argument: Lendable | null, count: number): number;
}

export const controlRegistrations: ControlRegistrations = {
  registerEventfd(fd) {
    eventfd(coreOf(this), IORING_REGISTER_EVENTFD, fd);
  },

  registerEventfdAsync(fd) {
    eventfd(coreOf(this), IORING_REGISTER_EVENTFD_ASYNC, fd);
  },

  unregisterEventfd() {
    const core = coreOf(this);
    core.checkOpen();
    core.register(IORING_UNREGISTER_EVENTFD, 0, 0, { [ENXIO]: 'no eventfd is registered' });
  },

  get cqEventfdEnabled() {
    const core = coreOf(this);
    return !core.resources.closed && !core.cq.eventfdDisabled;
  },

  cqEventfdToggle(enabled) {
    const core = coreOf(this);
    core.checkOpen();
    core.cq.eventfdDisabled = !enabled;
  },

  registerPersonality() {
    const core = coreOf(this);
    core.checkOpen();
    return core.register(IORING_REGISTER_PERSONALITY, 0, 0);
  },

  unregisterPersonality(id) {
    const core = coreOf(this);
    checkInteger('id', id, 0, 0xffff);
    core.checkOpen();
    core.register(IORING_UNREGISTER_PERSONALITY, 0, id, { [EINVAL]: `there is no personality ${id}` });
  },

  registerRestrictions(restrictions) {
    const core = coreOf(this);
    if (!Array.isArray(restrictions)) throw wrongType('restrictions', 'an Array', restrictions);
    const list = [...(restrictions as readonly Restriction[])].map(restrictionOf);
    checkInteger('restrictions.length', list.length, 1, 256);
    core.checkOpen();
    const { view, address } = core.array(list.length * IO_URING_RESTRICTION_SIZE);
    list.forEach(([kind, value], i) => {
      const at = i * IO_URING_RESTRICTION_SIZE;
      view.setUint16(at + IO_URING_RESTRICTION.opcode, kind, true);
      view.setUint8(at + IO_URING_RESTRICTION.sqe_op, value);
    });
    core.register(IORING_REGISTER_RESTRICTIONS, address, list.length, {
      [EBADFD]: 'the ring is enabled: set it up with disabled: true and restrict it before enableRings()',
      [EBUSY]: 'the ring is restricted already',
      [EINVAL]: 'a restriction that the kernel does not know',
    });
  },

  enableRings() {
    const core = coreOf(this);
    core.checkOpen();
    core.register(IORING_REGISTER_ENABLE_RINGS, 0, 0, { [EBADFD]: 'the ring is enabled already' });
    const { kernel } = core.resources;
    // Some stable kernels answer 0 and do not clear IORING_SETUP_R_DISABLED. A call that asks for nothing tells.
    if (!kernel.isFrom(version(ENABLES)) && core.resources.enter(0, 0, 0) === -EBADFD) {
      throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot enable the ring: ${needs(ENABLES)}`);
    }
  },

  registerIowqAff(cpus) {
    const core = coreOf(this);
    if (!Array.isArray(cpus)) throw wrongType('cpus', 'an Array of numbers', cpus);
    const list = [...(cpus as readonly number[])];
    checkInteger('cpus.length', list.length, 1, CPUS_MAX);
    list.forEach((cpu, i) => checkInteger(`cpus[${i}]`, cpu, 0, CPUS_MAX - 1));
    core.checkOpen();
    const bytes = CPUS_MAX / 8;
    const { view, address } = core.scratch(bytes);
    for (const cpu of list) view.setUint8(cpu >> 3, view.getUint8(cpu >> 3) | (1 << (cpu & 7)));
    core.register(IORING_REGISTER_IOWQ_AFF, address, bytes, {
      [EINVAL]: 'none of these processors is one that this process may use',
    });
  },

  unregisterIowqAff() {
    const core = coreOf(this);
    core.checkOpen();
    core.register(IORING_UNREGISTER_IOWQ_AFF, 0, 0);
  },

  registerIowqMaxWorkers(bounded = 0, unbounded = 0) {
    const core = coreOf(this);
    checkInteger('bounded', bounded, 0, 2 ** 31 - 1);
    checkInteger('unbounded', unbounded, 0, 2 ** 31 - 1);
    core.checkOpen();
    const { view, address } = core.scratch(8);
    view.setUint32(0, bounded, true);
    view.setUint32(4, unbounded, true);
    core.register(IORING_REGISTER_IOWQ_MAX_WORKERS, address, 2);
    return { bounded: view.getUint32(0, true), unbounded: view.getUint32(4, true) };
  },

  registerSyncCancel(target, options) {
    const core = coreOf(this);
    const isMatch = isObject(target);
    if (!isMatch) checkUserData('target', target);
    const match: CancelMatch = ownOptions(isMatch ? { ...target } : { userData: target });
    const { userData, fd, opcode, any, fixed } = match;
    if (userData === undefined && fd === undefined && opcode === undefined && !any) {
      throw wrongValue('target', `it must match by userData, fd, opcode or any${fixed ? '; fixed needs fd' : ''}`);
    }
    if (opcode !== undefined) checkInteger('target.opcode', opcode, 0, 0xff);
    const timeoutMs = options?.timeoutMs;
    if (timeoutMs !== undefined && timeoutMs !== Infinity) checkMilliseconds('options.timeoutMs', timeoutMs);
    const { flags, file } = cancelFlags(coreOf(this), match);
    const all = options?.all ?? false;
    core.checkOpen();
    const cancel = (low: number, high: number): number => {
      const { view, address } = core.scratch(IO_URING_SYNC_CANCEL_REG_SIZE);
      view.setInt32(IO_URING_SYNC_CANCEL_REG.addr, low, true);
      view.setInt32(IO_URING_SYNC_CANCEL_REG.addr + 4, high, true);
      view.setInt32(IO_URING_SYNC_CANCEL_REG.fd, file, true);
      view.setUint32(IO_URING_SYNC_CANCEL_REG.flags, all ? flags | IORING_ASYNC_CANCEL_ALL : flags, true);
      const time = IO_URING_SYNC_CANCEL_REG.timeout;
      if (timeoutMs !== undefined && timeoutMs !== Infinity) writeTimespec(view, time, timeoutMs);
      else new Uint8Array(view.buffer, view.byteOffset + time, 16).fill(0xff);
      view.setUint8(IO_URING_SYNC_CANCEL_REG.opcode, opcode ?? 0);
      return core.resources.register(IORING_REGISTER_SYNC_CANCEL, address, 1);
    };
    if (userData === undefined) return answer(core, [cancel(0, 0)], all);
    // Operations that lend memory went to the kernel under keys of ours.
    const { pins } = core;
    const slots = core.findKeys(userData, fd === undefined ? undefined : file, opcode);
    const results: number[] = [];
    for (const slot of slots) {
      results.push(cancel(pins.keyLow(slot), pins.keyHigh(slot)));
      if (!all && results.at(-1) !== -ENOENT) return answer(core, results.slice(-1), all);
    }
    results.push(cancel(lowWord(userData), highWord(userData)));
    return answer(core, results, all);
  },

  registerNapi(settings) {
    checkObject('settings', settings);
    const { busyPollTimeoutUs, preferBusyPoll = false } = settings;
    checkUint32('settings.busyPollTimeoutUs', busyPollTimeoutUs);
    return napi(coreOf(this), IORING_REGISTER_NAPI, busyPollTimeoutUs, preferBusyPoll);
  },

  unregisterNapi() {
    return napi(coreOf(this), IORING_UNREGISTER_NAPI, 0, false);
  },

  registerClock(clock) {
    const core = coreOf(this);
    checkUint32('clock', clock);
    if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_BOOTTIME) {
      throw wrongValue('clock', 'it must be CLOCK_MONOTONIC or CLOCK_BOOTTIME');
    }
    core.checkOpen();
    const { view, address } = core.scratch(IO_URING_CLOCK_REGISTER_SIZE);
    view.setUint32(IO_URING_CLOCK_REGISTER.clockid, clock, true);
    core.register(IORING_REGISTER_CLOCK, address, 0);
    core.resources.clock = clock;
  },

  registerBpfFilter(filter) {
    const core = coreOf(this);
    checkObject('filter', filter);
    const { opcode, program, denyRest = false, pduSize } = filter;
    checkInteger('filter.opcode', opcode, 0, 0xff);
    if (!Array.isArray(program)) throw wrongType('filter.program', 'an Array of instructions', program);
    const list = [...(program as readonly BpfInstruction[])].map((instruction, i) => {
      if (!isObject(instruction)) {
        throw wrongType(`filter.program[${i}]`, 'an object', instruction);
      }
      const { code, jt = 0, jf = 0, k = 0 } = instruction;
      checkInteger(`filter.program[${i}].code`, code, 0, 0xffff);
      checkInteger(`filter.program[${i}].jt`, jt, 0, 0xff);
      checkInteger(`filter.program[${i}].jf`, jf, 0, 0xff);
      checkUint32(`filter.program[${i}].k`, k);
      return { code, jt, jf, k };
    });
    checkInteger('filter.program.length', list.length, 1, 4096);
    if (pduSize !== undefined) checkInteger('filter.pduSize', pduSize, 0, 0xff);
    core.checkOpen();
    const instructions = core.array(list.length * SOCK_FILTER_SIZE);
    list.forEach(({ code, jt, jf, k }, i) => {
      const at = i * SOCK_FILTER_SIZE;
      instructions.view.setUint16(at + SOCK_FILTER.code, code, true);
      instructions.view.setUint8(at + SOCK_FILTER.jt, jt);
      instructions.view.setUint8(at + SOCK_FILTER.jf, jf);
      instructions.view.setUint32(at + SOCK_FILTER.k, k, true);
    });
    const { view, address } = core.scratch(IO_URING_BPF_SIZE);
    const at = IO_URING_BPF.filter;
    let flags = denyRest ? IO_URING_BPF_FILTER_DENY_REST : 0;
    if (pduSize !== undefined) flags |= IO_URING_BPF_FILTER_SZ_STRICT;
    view.setUint16(IO_URING_BPF.cmd_type, IO_URING_BPF_CMD_FILTER, true);
    view.setUint32(at + IO_URING_BPF_FILTER.opcode, opcode, true);
    view.setUint32(at + IO_URING_BPF_FILTER.flags, flags, true);
    view.setUint32(at + IO_URING_BPF_FILTER.filter_len, list.length, true);
    view.setUint8(at + IO_URING_BPF_FILTER.pdu_size, pduSize ?? 0);
    view.setBigUint64(at + IO_URING_BPF_FILTER.filter_ptr, BigInt(instructions.address), true);
    core.register(IORING_REGISTER_BPF_FILTER, address, 1, {
      [EINVAL]: 'the program is not valid',
      [EACCES]: 'needs no_new_privs, or CAP_SYS_ADMIN',
      [EPERM]: 'needs no_new_privs, or CAP_SYS_ADMIN',
    });
  },

  registerRaw(opcode, argument, count) {
    const core = coreOf(this);
    checkUint32('opcode', opcode);
    checkUint32('count', count);
    core.checkOpen();
    let address = 0;
    if (argument !== null) {
      const { memory } = core;
      memory.findWhole(argument, 'argument');
      address = memory.addressHigh * 2 ** 32 + (memory.addressLow >>> 0);
    }
    return core.register(opcode, address, count);
  },
};

function eventfd(core: RingCore, opcode: number, fd: number): void {
  const file = checkFd('fd', fd);
  core.checkOpen();
  const { view, address } = core.scratch(4);
  view.setInt32(0, file, true);
  core.register(opcode, address, 1, {
    [EBUSY]: 'an eventfd is registered already: unregisterEventfd() first',
    [EBADF]: 'the descriptor is not open',
    [EINVAL]: 'the descriptor is not an eventfd',
  });
}

function napi(core: RingCore, opcode: number, timeoutUs: number, prefer: boolean): Required<NapiSettings> {
  core.checkOpen();
  const { view, address } = core.scratch(IO_URING_NAPI_SIZE);
  view.setUint32(IO_URING_NAPI.busy_poll_to, timeoutUs, true);
  view.setUint8(IO_URING_NAPI.prefer_busy_poll, prefer ? 1 : 0);
  core.register(opcode, address, 1, { [EINVAL]: 'this kernel is built without CONFIG_NET_RX_BUSY_POLL' });
  return {
    busyPollTimeoutUs: view.getUint32(IO_URING_NAPI.busy_poll_to, true),
    preferBusyPoll: view.getUint8(IO_URING_NAPI.prefer_busy_poll) !== 0,
  };
}

/** Kind and value of a restriction, as the kernel has them. */
function restrictionOf(restriction: Restriction, i: number): [kind: number, value: number] {
  const kinds: Record<string, number> = {
    registerOp: IORING_RESTRICTION_REGISTER_OP,
    sqeOp: IORING_RESTRICTION_SQE_OP,
    sqeFlagsAllowed: IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    sqeFlagsRequired: IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
  };
  const name = `restrictions[${i}]`;
  checkObject(name, restriction);
  const entries = Object.entries(restriction);
  if (entries.length !== 1 || !Object.hasOwn(kinds, entries[0][0])) {
    throw wrongValue(name, `it must have one of ${Object.keys(kinds).join(', ')}`);
  }
  const [kind, value] = entries[0] as [string, unknown];
  return [kinds[kind], checkInteger(`${name}.${kind}`, value, 0, 0xff)];
}

/** The one result of several cancellations. */
function answer(core: RingCore, results: readonly number[], all: boolean): number {
  const cancelled = results.filter((result) => result > 0).reduce((sum, result) => sum + result, 0);
  const worst = results.find((result) => result < 0 && result !== -ENOENT);
  if (worst !== undefined) throw core.registerError(IORING_REGISTER_SYNC_CANCEL, -worst, CANCEL_HINTS[-worst]);
  if (!all && results.every((result) => result === -ENOENT)) {
    throw kernelError(ENOENT, 'io_uring_register', CANCEL_HINTS[ENOENT]);
  }
  return cancelled;
}

const CANCEL_HINTS: Record<number, string> = ownOptions({
  [ENOENT]: 'no such operation is in flight',
  [EALREADY]: 'the operation is running, and past stopping',
  [ETIME]: 'the operation was not over in time; its completion comes later',
});
