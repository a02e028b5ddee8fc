import { EINVAL, ENOMEM } from '../abi/errno.ts';
import {
  IORING_FEAT_NODROP,
  IORING_FEAT_RW_CUR_POS,
  IORING_FEAT_SINGLE_MMAP,
  IORING_FEAT_SUBMIT_STABLE,
  IORING_SETUP_ATTACH_WQ,
  IORING_SETUP_CLAMP,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_HYBRID_IOPOLL,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_NO_MMAP,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQE_MIXED,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_SQ_AFF,
  IORING_SETUP_SUBMIT_ALL,
  IORING_SETUP_TASKRUN_FLAG,
  SETUP_FLAGS,
} from '../abi/flags.ts';
import {
  IO_CQRING_OFFSETS,
  IO_SQRING_OFFSETS,
  IO_URING_CQE_SIZE,
  IO_URING_PARAMS,
  IO_URING_PARAMS_SIZE,
  IO_URING_SQE_SIZE,
} from '../abi/layouts.ts';
import type { Native } from '../native/native.ts';
import { PAGE_SIZE_MAX } from './memory/aligned-memory.ts';
import { kernelError } from './kernel/kernel-error.ts';
import {
  checkInteger,
  checkObject,
  isObject,
  outOfRange,
  wrongState,
  wrongType,
  wrongValue,
} from './arguments/argument-errors.ts';
import { ownOptions } from './arguments/own-options.ts';
import { needs } from './kernel/proven-kernel.ts';
import { explainRefusal } from './kernel/refusal.ts';

/** The kernel's own limits (IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES). */
const ENTRIES_MAX = 32768;
const CQ_ENTRIES_MAX = 65536;

/**
 * How to set a ring up. Of each switch: left out, the ring takes it where the kernel has it; `true` insists
 * (and the constructor throws where the kernel refuses); `false` does without.
 */
export interface IoUringOptions {
  /**
   * Completion queue entries, from the submission queue's up to 65536; rounded up to a power of two.
   * Default: four times the submission queue, at least 256; less where the memory that may be locked is short of that.
   * A queue that overflows loses nothing, but every overflow costs extra system calls.
   */
  cqEntries?: number;
  /** IORING_SETUP_SINGLE_ISSUER (6.0): only this thread uses the ring. Always true of a ring in JavaScript. */
  singleIssuer?: boolean;
  /**
   * IORING_SETUP_DEFER_TASKRUN (6.1): completions are finished when this thread enters the kernel for them, never
   * in between. Fastest for a ring that blocks in `submitAndWait`. Needs `singleIssuer`, excludes `sqPoll`. Not for a
   * ring that is waited for by a registered eventfd: some kernels (6.12.115 to 6.12.118) do not signal it for deferred
   * work.
   */
  deferTaskrun?: boolean;
  /**
   * IORING_SETUP_COOP_TASKRUN (5.19): no interruption of this thread for completions. Taken where there is no
   * DEFER_TASKRUN.
   */
  coopTaskrun?: boolean;
  /** IORING_SETUP_SUBMIT_ALL (5.18): a bad entry does not stop the rest of its batch. */
  submitAll?: boolean;
  /** IORING_SETUP_NO_SQARRAY (6.6): no index array between the ring and its entries. */
  noSqArray?: boolean;
  /**
   * IORING_REGISTER_RING_FDS (5.18): enter by a registered index, which saves a look-up at every call. On the main
   * thread only: a worker's memory is freed before its registered rings end, and they could write there.
   */
  registerRingFd?: boolean;
  /**
   * IORING_SETUP_SQPOLL (5.11 without privileges): a kernel thread submits, and keeps a core busy while it polls.
   * Only on request, and only on the main thread: a worker's memory is freed when it ends, and the kernel's thread
   * would go on writing there. `idleMs`: how long it polls before it sleeps (default: the kernel's second); `cpu`:
   * where.
   */
  sqPoll?: boolean | { idleMs?: number; cpu?: number };
  /** IORING_SETUP_SQE128 (5.19): entries of 128 bytes, for drivers that take such commands. */
  sqe128?: boolean;
  /** IORING_SETUP_CQE32 (5.19): completions of 32 bytes: `c.bigCqe()`. */
  cqe32?: boolean;
  /** IORING_SETUP_SQE_MIXED (6.19): entries of both sizes; one of 128 bytes takes two places. */
  sqeMixed?: boolean;
  /** IORING_SETUP_CQE_MIXED (6.18): completions of both sizes; one of 32 bytes takes two places. */
  cqeMixed?: boolean;
  /** IORING_SETUP_IOPOLL: wait for storage by asking it, not by interrupts. Only for O_DIRECT on devices that poll. */
  ioPoll?: boolean;
  /** IORING_SETUP_HYBRID_IOPOLL (6.13): with `ioPoll`, sleep a while before asking. */
  hybridIoPoll?: boolean;
  /** IORING_SETUP_R_DISABLED (5.10): nothing runs until `enableRings()`; restrictions are registered before that. */
  disabled?: boolean;
  /** IORING_SETUP_ATTACH_WQ (5.6): share the kernel's worker threads, and its polling thread, with this ring. */
  attachWq?: { readonly fd: number };
  /** IORING_SETUP_CLAMP (5.6): take the kernel's limits for sizes above them. */
  clamp?: boolean;
}

/** A ring as the kernel made it. */
export interface Setup {
  fd: number;
  /** `struct io_uring_params` as the kernel filled it. */
  params: DataView;
  setupFlags: number;
  features: number;
  /** Where the rings are, if not in the kernel's own memory. */
  memory: RingMemory | undefined;
}

/** A stretch of memory. */
export interface Mapping {
  address: number;
  length: number;
}

interface RingMemory {
  rings: Mapping;
  sqes: Mapping;
}

/** The demand that a switch makes on one flag. */
interface Switch {
  flag: number;
  name: string;
  wanted: boolean | undefined;
}

/** Check the arguments, then set up with the strongest flags that both the options and the kernel allow. */
export function setUp(native: Native, entries: number, options: IoUringOptions): Setup {
  checkOptions(options);
  checkInteger('entries', entries, 1, options.clamp ? 2 ** 31 - 1 : ENTRIES_MAX);
  const sqEntries = 2 ** Math.ceil(Math.log2(Math.min(entries, ENTRIES_MAX)));
  const cqEntries = options.cqEntries ?? Math.min(CQ_ENTRIES_MAX, Math.max(256, 4 * sqEntries));
  if (options.cqEntries !== undefined) {
    checkInteger('options.cqEntries', cqEntries, 1, CQ_ENTRIES_MAX);
    if (cqEntries < sqEntries) {
      throw outOfRange('options.cqEntries', `at least the ${sqEntries} submission entries`, cqEntries);
    }
  }
  const poll = pollOptions(options.sqPoll);
  if (poll.flags !== 0 && !native.isMainThread) {
    const message = 'Cannot poll the submission queue of a worker: the kernel would outlive its memory';
    throw wrongState('ERR_IOURING_UNSUPPORTED', message);
  }
  const demands = { ...poll, flags: poll.flags | shapes(options), wqFd: checkWorkers(options) };
  if (demands.wqFd >= 0) demands.flags |= IORING_SETUP_ATTACH_WQ;
  const memory = native.isMainThread ? undefined : allocateRings(native, sqEntries, cqEntries, demands.flags);
  const attempt = (place: RingMemory | undefined, completions = cqEntries): Setup | number =>
    tryTiers(native, entries, completions, demands, tiers(options), place);
  let setup = attempt(memory);
  if (memory && typeof setup === 'number') {
    for (const { address, length } of [memory.rings, memory.sqes]) native.unmap(address, length);
    setup = attempt(undefined);
  }
  // It is generous where nobody has said how large it is to be.
  const isDefault = options.cqEntries === undefined;
  for (let least = cqEntries >> 1; setup === ENOMEM && isDefault && least >= sqEntries; least >>= 1) {
    setup = attempt(undefined, least);
  }
  if (typeof setup !== 'number') return checkFeatures(native, setup);
  const flags = demands.flags | switches(options).reduce(insisted, 0);
  const asked = SETUP_FLAGS.filter(({ value }) => flags & value);
  const { cause, remedy } = explainRefusal(setup, asked.map(({ name }) => name).join(' | '));
  const young = setup === EINVAL ? asked.find(({ value }) => isUnknown(native, value)) : undefined;
  const reason = young === undefined ? cause : `${young.name} ${needs(young.since)}`;
  throw kernelError(setup, 'io_uring_setup', `${reason}; ${remedy}`);
}

/** Flags that the kernel takes only together with another. */
const COMPANIONS: Readonly<Record<number, number>> = ownOptions({
  [IORING_SETUP_DEFER_TASKRUN]: IORING_SETUP_SINGLE_ISSUER,
  [IORING_SETUP_SQ_AFF]: IORING_SETUP_SQPOLL,
  [IORING_SETUP_HYBRID_IOPOLL]: IORING_SETUP_IOPOLL,
});

/** Has the kernel not got this set-up flag? It is tried alone, so that nothing else can be the reason. */
function isUnknown(native: Native, flag: number): boolean {
  // That one wants a ring, and all kernels that this package is for have it.
  if (flag === IORING_SETUP_ATTACH_WQ) return false;
  const params = new Uint8Array(IO_URING_PARAMS_SIZE);
  new DataView(params.buffer).setUint32(IO_URING_PARAMS.flags, flag | (COMPANIONS[flag] ?? 0), true);
  const fd = native.setup(1, params);
  if (fd >= 0) native.close(fd);
  return fd === -EINVAL;
}

/** The part that every attempt asks for. */
interface Demands {
  flags: number;
  idleMs: number;
  cpu: number;
  /** The ring to share workers with, or -1. */
  wqFd: number;
}

/** The ring, or the errno of the last refusal. */
function tryTiers(
  native: Native,
  entries: number,
  cqEntries: number,
  demands: Demands,
  flagSets: number[],
  memory: RingMemory | undefined,
): Setup | number {
  for (const flags of flagSets) {
    const bytes = new Uint8Array(IO_URING_PARAMS_SIZE);
    const params = new DataView(bytes.buffer);
    const placed = memory ? IORING_SETUP_NO_MMAP : 0;
    params.setUint32(IO_URING_PARAMS.flags, flags | IORING_SETUP_CQSIZE | demands.flags | placed, true);
    params.setUint32(IO_URING_PARAMS.cq_entries, cqEntries, true);
    params.setUint32(IO_URING_PARAMS.sq_thread_idle, demands.idleMs, true);
    params.setUint32(IO_URING_PARAMS.sq_thread_cpu, demands.cpu, true);
    params.setUint32(IO_URING_PARAMS.wq_fd, demands.wqFd, true);
    if (memory) {
      const rings = IO_URING_PARAMS.cq_off + IO_CQRING_OFFSETS.user_addr;
      const sqes = IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS.user_addr;
      params.setBigUint64(rings, BigInt(memory.rings.address), true);
      params.setBigUint64(sqes, BigInt(memory.sqes.address), true);
    }
    const fd = native.setup(entries, bytes);
    if (fd >= 0) {
      const setupFlags = params.getUint32(IO_URING_PARAMS.flags, true);
      const features = params.getUint32(IO_URING_PARAMS.features, true);
      return { fd, params, setupFlags, features, memory };
    }
    if (fd !== -EINVAL) return -fd;
  }
  return EINVAL;
}

/**
 * Memory of our own for a worker's ring (IORING_SETUP_NO_MMAP, 6.5). A mapping of the ring's file would keep the ring
 * alive when the worker is terminated and its descriptor closed, with everything that its operations hold; this does
 * not, and is all that is lost then.
 */
function allocateRings(
  native: Native,
  sqEntries: number,
  cqEntries: number,
  flags: number,
): RingMemory | undefined {
  const whole = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE_MAX) * PAGE_SIZE_MAX;
  const cqeSize = flags & IORING_SETUP_CQE32 ? 2 * IO_URING_CQE_SIZE : IO_URING_CQE_SIZE;
  const sqeSize = flags & IORING_SETUP_SQE128 ? 2 * IO_URING_SQE_SIZE : IO_URING_SQE_SIZE;
  const cqBytes = 2 ** Math.ceil(Math.log2(cqEntries)) * cqeSize;
  // A page for the header, which the kernel alone knows the size of.
  const rings = { address: 0, length: whole(PAGE_SIZE_MAX + cqBytes + sqEntries * 4) };
  const sqes = { address: 0, length: whole(sqEntries * sqeSize) };
  rings.address = native.allocate(rings.length);
  if (rings.address < 0) return undefined;
  sqes.address = native.allocate(sqes.length);
  if (sqes.address >= 0) return { rings, sqes };
  native.unmap(rings.address, rings.length);
  return undefined;
}

const insisted = (flags: number, { flag, wanted }: Switch): number => (wanted ? flags | flag : flags);

/** The features that everything here is built on; all of them are in 5.6. */
const REQUIRED = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RW_CUR_POS;

function checkFeatures(native: Native, setup: Setup): Setup {
  if ((setup.features & REQUIRED) === REQUIRED) return setup;
  native.close(setup.fd);
  const message = `Cannot create ring: the kernel is too old for this package, which ${needs('5.6')}`;
  throw wrongState('ERR_IOURING_UNSUPPORTED', message);
}

function switches(options: IoUringOptions): Switch[] {
  const { singleIssuer, deferTaskrun, coopTaskrun, submitAll, noSqArray } = options;
  return [
    { flag: IORING_SETUP_NO_SQARRAY, name: 'noSqArray', wanted: noSqArray },
    { flag: IORING_SETUP_DEFER_TASKRUN, name: 'deferTaskrun', wanted: deferTaskrun },
    { flag: IORING_SETUP_SINGLE_ISSUER, name: 'singleIssuer', wanted: singleIssuer },
    { flag: IORING_SETUP_COOP_TASKRUN, name: 'coopTaskrun', wanted: coopTaskrun },
    { flag: IORING_SETUP_SUBMIT_ALL, name: 'submitAll', wanted: submitAll },
  ];
}

/** Flag sets, strongest first, without doubles; each leaves out what a younger kernel brought. */
function tiers(options: IoUringOptions): number[] {
  const wanted = switches(options);
  const forced = wanted.reduce(insisted, options.deferTaskrun ? IORING_SETUP_SINGLE_ISSUER : 0);
  let without = wanted.reduce((flags, s) => (s.wanted === false ? flags | s.flag : flags), 0);
  if (options.sqPoll) without |= IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;
  if (options.coopTaskrun || options.singleIssuer === false) without |= IORING_SETUP_DEFER_TASKRUN;
  let flags = IORING_SETUP_NO_SQARRAY |
    IORING_SETUP_DEFER_TASKRUN |
    IORING_SETUP_SINGLE_ISSUER |
    IORING_SETUP_COOP_TASKRUN |
    IORING_SETUP_SUBMIT_ALL;
  const found = [flags];
  for (
    const youngest of [
      IORING_SETUP_NO_SQARRAY, // 6.6
      IORING_SETUP_DEFER_TASKRUN, // 6.1
      IORING_SETUP_SINGLE_ISSUER, // 6.0
      IORING_SETUP_COOP_TASKRUN, // 5.19
      IORING_SETUP_SUBMIT_ALL, // 5.18
    ]
  ) {
    found.push(flags &= ~youngest);
  }
  return [...new Set(found.map((tier) => complete((tier & ~without) | forced)))];
}

/** Settle what the flags demand of each other. */
function complete(flags: number): number {
  if (flags & IORING_SETUP_DEFER_TASKRUN) flags &= ~IORING_SETUP_COOP_TASKRUN;
  // Tells a reaper with an empty queue that entering the kernel would bring something.
  const lazy = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;
  return flags & lazy ? flags | IORING_SETUP_TASKRUN_FLAG : flags;
}

function checkOptions(options: IoUringOptions): void {
  const bools: { name: string; wanted: unknown }[] = [...switches(options)];
  for (const name of ['registerRingFd', ...(Object.keys(SHAPES) as (keyof typeof SHAPES)[])] as const) {
    bools.push({ name, wanted: options[name] });
  }
  for (const { name, wanted } of bools) {
    if (wanted !== undefined && typeof wanted !== 'boolean') {
      throw wrongType(`options.${name}`, 'of type boolean', wanted);
    }
  }
  if (options.deferTaskrun && options.singleIssuer === false) {
    throw wrongValue('options.deferTaskrun', 'it needs singleIssuer');
  }
  if (options.deferTaskrun && options.coopTaskrun) {
    throw wrongValue('options.coopTaskrun', 'deferTaskrun takes its place: choose one');
  }
  for (const name of ['deferTaskrun', 'coopTaskrun'] as const) {
    if (options.sqPoll && options[name]) throw wrongValue(`options.${name}`, 'it excludes sqPoll');
  }
  for (const [one, other] of [['sqe128', 'sqeMixed'], ['cqe32', 'cqeMixed']] as const) {
    if (options[one] && options[other]) {
      throw wrongValue(`options.${other}`, `${one} makes all of them large: choose one`);
    }
  }
  if (options.hybridIoPoll && !options.ioPoll) throw wrongValue('options.hybridIoPoll', 'it needs ioPoll');
}

/** The flags that are asked for by name, and never left out: the ring would be another one without them. */
const SHAPES = {
  sqe128: IORING_SETUP_SQE128,
  cqe32: IORING_SETUP_CQE32,
  sqeMixed: IORING_SETUP_SQE_MIXED,
  cqeMixed: IORING_SETUP_CQE_MIXED,
  ioPoll: IORING_SETUP_IOPOLL,
  hybridIoPoll: IORING_SETUP_HYBRID_IOPOLL,
  disabled: IORING_SETUP_R_DISABLED,
  clamp: IORING_SETUP_CLAMP,
} as const;

function shapes(options: IoUringOptions): number {
  const asked = (Object.keys(SHAPES) as (keyof typeof SHAPES)[]).filter((name) => options[name]);
  return asked.reduce((flags, name) => flags | SHAPES[name], 0);
}

/** The descriptor of the ring to share workers with, or -1. */
function checkWorkers({ attachWq }: IoUringOptions): number {
  if (attachWq === undefined) return -1;
  checkObject('options.attachWq', attachWq, 'an IoUring');
  return checkInteger('options.attachWq.fd', attachWq.fd, 0, 2 ** 31 - 1);
}

function pollOptions(sqPoll: IoUringOptions['sqPoll']): { flags: number; idleMs: number; cpu: number } {
  if (sqPoll === undefined || sqPoll === false) return { flags: 0, idleMs: 0, cpu: 0 };
  if (sqPoll === true) return { flags: IORING_SETUP_SQPOLL, idleMs: 0, cpu: 0 };
  if (!isObject(sqPoll)) {
    throw wrongType('options.sqPoll', 'of type boolean or an object', sqPoll);
  }
  const { idleMs = 0, cpu } = sqPoll;
  checkInteger('options.sqPoll.idleMs', idleMs, 0, 2 ** 32 - 1);
  if (cpu !== undefined) checkInteger('options.sqPoll.cpu', cpu, 0, 2 ** 32 - 1);
  const affinity = cpu === undefined ? 0 : IORING_SETUP_SQ_AFF;
  return { flags: IORING_SETUP_SQPOLL | affinity, idleMs, cpu: cpu ?? 0 };
}
