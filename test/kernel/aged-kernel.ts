// The kernel of this machine, made to look like an older one: for drop-ins and commands, which take no kernel of a test's making.
import { fileURLToPath } from 'node:url';
import {
  IORING_ACCEPT_DONTWAIT,
  IORING_FEAT_CQE_SKIP,
  IORING_FEAT_EXT_ARG,
  IORING_OFF_SQES,
  IORING_OP_ACCEPT,
  IORING_OP_LINKAT,
  IORING_OP_TIMEOUT,
  IORING_REGISTER_PROBE,
  IORING_REGISTER_USE_REGISTERED_RING,
  IORING_TIMEOUT_BOOTTIME,
  IORING_TIMEOUT_ETIME_SUCCESS,
  IORING_TIMEOUT_REALTIME,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
  IO_URING_PARAMS,
  IO_URING_PROBE_OP_SIZE,
  IO_URING_PROBE_SIZE,
  IO_URING_SQE,
  IO_URING_SQE_SIZE,
} from '../../src/abi/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import type { Native } from '../../src/native/native.ts';
import type * as ages from '../ring/ages.ts';

type Age = ages.Age;

/** No kernel has it. */
const UNKNOWN_OPERATION = 255;
const EINVAL = 22;

/** Operations that were asked for and that the older kernel does not know: it answers them with EINVAL. */
export const refused: number[] = [];

/**
 * From now on, to all rings of this thread: operations, registrations, set-up flags and features of younger kernels are
 * not there. Below 5.15 an accept does not wait on a listener that is non-blocking, and all are taken for such; and
 * what is linked to an operation that the kernel does not know runs all the same.
 */
export function age(to: Age): void {
  const native = koffiNative();
  const { setup, map, unmap, enter, enterWith, register } = native;
  /** Those of all rings: one may be entered by a registered index. */
  const entries = new Map<number, DataView>();
  const change: Partial<Native> = {
    setup(count, params) {
      const view = new DataView(params.buffer, params.byteOffset);
      if (view.getUint32(IO_URING_PARAMS.flags, true) & ~to.setupFlags) return -EINVAL;
      const fd = setup(count, params);
      view.setUint32(IO_URING_PARAMS.features, view.getUint32(IO_URING_PARAMS.features, true) & to.features, true);
      return fd;
    },
    map(fd, offset, length) {
      const address = map(fd, offset, length);
      if (offset === IORING_OFF_SQES && address >= 0) entries.set(address, new DataView(native.view(address, length)));
      return address;
    },
    unmap(address, length) {
      entries.delete(address);
      return unmap(address, length);
    },
    enter(fd, ...rest) {
      for (const sqes of entries.values()) makeOld(sqes, to);
      return enter(fd, ...rest);
    },
    enterWith(fd, ...rest) {
      if ((to.features & IORING_FEAT_EXT_ARG) === 0) return -EINVAL;
      for (const sqes of entries.values()) makeOld(sqes, to);
      return enterWith(fd, ...rest);
    },
    register(fd, opcode, argument, count) {
      if ((opcode & ~IORING_REGISTER_USE_REGISTERED_RING) > to.lastRegistration) return -EINVAL;
      const result = register(fd, opcode, argument, count);
      if ((opcode & ~IORING_REGISTER_USE_REGISTERED_RING) === IORING_REGISTER_PROBE && result >= 0) {
        const bytes = new Uint8Array(native.view(argument, IO_URING_PROBE_SIZE + count * IO_URING_PROBE_OP_SIZE));
        bytes[0] = to.lastOperation;
        bytes.fill(0, IO_URING_PROBE_SIZE + (to.lastOperation + 1) * IO_URING_PROBE_OP_SIZE);
      }
      return result;
    },
  };
  Object.assign(native, change);
}

function makeOld(sqes: DataView, { lastOperation, features }: Age): void {
  const clocks = lastOperation < IORING_OP_LINKAT ? IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME : 0;
  const youngOfTimers = clocks | ((features & IORING_FEAT_CQE_SKIP) === 0 ? IORING_TIMEOUT_ETIME_SUCCESS : 0);
  for (let at = 0; at < sqes.byteLength; at += IO_URING_SQE_SIZE) {
    const opcode = sqes.getUint8(at + IO_URING_SQE.opcode);
    const flags = sqes.getUint16(at + IO_URING_SQE.ioprio, true);
    const isYoung = opcode > lastOperation ||
      (opcode === IORING_OP_ACCEPT && flags > 0 && flags !== IORING_ACCEPT_DONTWAIT) ||
      (opcode === IORING_OP_TIMEOUT && (sqes.getUint32(at + IO_URING_SQE.timeout_flags, true) & youngOfTimers) !== 0);
    if (isYoung && opcode !== UNKNOWN_OPERATION) {
      refused.push(opcode);
      sqes.setUint8(at + IO_URING_SQE.opcode, UNKNOWN_OPERATION);
      if (lastOperation < IORING_OP_LINKAT) {
        const links = sqes.getUint8(at + IO_URING_SQE.flags);
        sqes.setUint8(at + IO_URING_SQE.flags, links & ~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK));
      }
    } else if (opcode === IORING_OP_ACCEPT && (features & IORING_FEAT_EXT_ARG) === 0) {
      sqes.setUint16(at + IO_URING_SQE.ioprio, IORING_ACCEPT_DONTWAIT, true);
    }
  }
}

/** The text of a module that makes the kernel of a process look so. */
function aging(linux: keyof typeof ages): string {
  const [self, known] = [import.meta.url, new URL('../ring/ages.js', import.meta.url).href];
  return `const { age, refused } = await import('${self}');
    const { ${linux} } = await import('${known}');
    age(${linux});`;
}

const preloaded = (text: string): string[] => ['--import', `data:text/javascript,${encodeURIComponent(text)}`];

/**
 * Arguments for node that run the command line so. Its exit status is 99 if it asked the kernel for what that does not have.
 * @param linux an export of `ages.ts`
 */
export function commandOn(linux: keyof typeof ages): string[] {
  const told = "process.on('exit', () => { if (refused.length > 0) process.exitCode = 99; });";
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  return [...preloaded(`${aging(linux)} ${told}`), main];
}

/** Arguments for node that have a program find such a kernel, which calls itself `version` as well. */
export function programOn(linux: keyof typeof ages, version: string): string[] {
  const called = `import os from 'node:os';
    import { syncBuiltinESMExports } from 'node:module';
    os.release = () => '${version}';
    syncBuiltinESMExports();`;
  return preloaded(`${called} ${aging(linux)}`);
}
