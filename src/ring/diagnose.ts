import { release } from 'node:os';
import { errnoMessage } from '../abi/errno.ts';
import { FEATURES, SETUP_FLAGS, flagNames } from '../abi/flags.ts';
import { runtimeName } from '../native/runtime.ts';
import { ownOptions } from './arguments/own-options.ts';
import type { KernelError } from './kernel/kernel-error.ts';
import { methodSupport, type MethodSupport } from './kernel/method-support.ts';
import type { OperationSupport } from './probe.ts';
import { likelyContainer, type Container } from './kernel/container.ts';
import { explainRefusal, type Refusal } from './kernel/refusal.ts';
import { IoUring } from './io-uring.ts';

/** Is io_uring usable here, and if not, why. */
export interface Diagnosis {
  usable: boolean;
  /** As uname(2) calls it. Only shown: what the kernel can do is tried, not concluded from this. */
  kernel: string;
  platform: string;
  arch: string;
  runtime: string;
  /**
   * The kind of container or sandbox that this is likely in, of those that are known to forbid io_uring: `'Docker'`,
   * `'gVisor'`, …
   */
  container?: string;
  /** Why a ring could not be made, or could not be made to work. */
  problem?: Refusal & { code: string; message: string };
  /** The ring that was made, as the kernel made it. */
  ring?: {
    sqEntries: number;
    cqEntries: number;
    setupFlags: string[];
    features: string[];
    /** Could its descriptor be registered, to be entered by index? */
    registeredRingFd: boolean;
    /** Could a ring of provided buffers be registered, which multishot receives need? */
    providedBuffers: boolean;
  };
  /** Every operation that this package or this kernel knows. */
  operations: OperationSupport[];
  /**
   * Every method of a ring that queues an operation: the kernel may have the operation and lack the form of it that a
   * method is for.
   */
  methods: MethodSupport[];
}

/**
 * Find out by doing: set a ring up, send an operation through it, register a buffer ring, close it.
 * Never throws for what the machine lacks.
 * @example
 * import { diagnose } from 'iouring';
 *
 * const { usable, problem } = diagnose();
 * if (!usable) console.log(problem?.code, problem?.remedy);
 */
export function diagnose(): Diagnosis {
  const { platform, arch } = process;
  const diagnosis: Diagnosis = {
    usable: false,
    kernel: release(),
    platform,
    arch,
    runtime: runtimeName(),
    operations: [],
    methods: [],
  };
  const container = likelyContainer();
  if (container !== undefined) diagnosis.container = container.name;
  let ring: IoUring | undefined;
  try {
    ring = new IoUring(8);
    ring.prepNop(1);
    ring.submitAndWait(1, ownOptions({ timeoutMs: 1000 }));
    diagnosis.usable = ring.forEachCompletion(() => {}) === 1;
    diagnosis.ring = {
      sqEntries: ring.sqEntries,
      cqEntries: ring.cqEntries,
      setupFlags: flagNames(SETUP_FLAGS, ring.setupFlags),
      features: flagNames(FEATURES, ring.features),
      registeredRingFd: ring.registeredFd !== undefined,
      providedBuffers: tryBufferRing(ring),
    };
    diagnosis.operations = ring.probe();
    if (diagnosis.usable) diagnosis.methods = methodSupport(ring, diagnosis.operations);
    else diagnosis.problem = SILENT;
  } catch (error) {
    diagnosis.usable = false;
    diagnosis.problem = explain(error as KernelError, container);
  } finally {
    ring?.close();
  }
  return diagnosis;
}

const SILENT = {
  code: 'ETIME',
  message: 'An operation that does nothing did not complete within a second',
  cause: 'the kernel, or the sandbox that stands in for it, accepts operations and does not run them',
  remedy: 'update the kernel, or leave that sandbox',
};

function tryBufferRing(ring: IoUring): boolean {
  try {
    ring.registerBufRing(1, 16, 0)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

function explain(error: KernelError, container: Container | undefined): NonNullable<Diagnosis['problem']> {
  const { code, message, errno, syscall } = error;
  if (typeof errno === 'number') {
    const refusal = `${code}: ${errnoMessage(-errno)}, ${syscall}`;
    const { cause, remedy } = explainRefusal(-errno, '', container);
    return { code, message: refusal, cause, remedy };
  }
  // An error that says itself what it comes from.
  const instead = container?.isFilter === false ? container.remedy : 'see the message';
  const { reason = message, remedy = instead } = error as { reason?: string; remedy?: string };
  return { code, message, cause: reason, remedy };
}
