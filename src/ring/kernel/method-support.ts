import { SOCKET_URING_OP_SIOCINQ } from '../../abi/commands.ts';
import { EINVAL, EOPNOTSUPP } from '../../abi/errno.ts';
import { OPERATIONS } from '../../abi/operations.ts';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from '../../abi/socket-flags.ts';
import { monotonicNow } from '../../native/timers.ts';
import type { ProvidedBufRing } from '../buffer-ring.ts';
import { Msghdr } from '../structs/msghdr.ts';
import { ownOptions } from '../arguments/own-options.ts';
import type { OperationSupport } from '../probe.ts';
import { version } from './proven-kernel.ts';
import { coreOf } from '../ring-core.ts';
import type { IoUring } from '../io-uring.ts';
import { SocketAddressBuffer } from '../structs/socket-address.ts';

/** One method of a ring, and whether the kernel has it. */
export interface MethodSupport {
  /** `'prepAcceptMultishot'` */
  name: string;
  /** The operation that it queues: IORING_OP_* */
  opcode: number;
  /** The first kernel that has this form of the operation. */
  since: string;
  supported: boolean;
}

/** The things that a method is tried with. */
interface Trial {
  readonly ring: IoUring;
  /** A descriptor that is no socket: what is meant for one is refused with something else than EINVAL. */
  readonly file: number;
  readonly socket: number;
  /** A group of provided buffers, with a buffer in it. */
  readonly group: number;
}

/** The userData of an operation that is tried. */
const TRIED = 1;
/** And userData that no operation has. */
const NOBODY = 2;
const GROUP = 0;
const PATIENCE_MS = 1000;
const DATAGRAM_PEER = ownOptions({ address: '127.0.0.1', port: 9 });

/**
 * How a method is tried whose form is younger than its operation, so that the operation says nothing of it. Each of
 * these ends at once and changes nothing: a kernel that has the form finds no socket, no timer, no table; one that has
 * it not answers EINVAL, and is not asked where it would do something else.
 */
const TRIALS: Readonly<Record<string, (trial: Trial) => boolean>> = {
  prepPollUpdate: ({ ring }) => ring.prepPollUpdate(NOBODY, TRIED, ownOptions({ events: 1 })),
  prepTimeoutUpdate: ({ ring }) => ring.prepTimeoutUpdate(NOBODY, 1, TRIED),
  prepCancelFd: ({ ring, file }) => ring.prepCancelFd(file, TRIED),
  prepCloseDirect: ({ ring }) => ring.prepCloseDirect(0, TRIED),
  prepAcceptMultishot: ({ ring, file }) => ring.prepAcceptMultishot(file, TRIED),
  prepMsgRingFd: ({ ring, file }) => ring.prepMsgRingFd(file, 0, 0, NOBODY, TRIED),
  prepSendto: ({ ring, file }) => ring.prepSendto(file, new Uint8Array(1), 1, DATAGRAM_PEER, TRIED),
  prepSendBundle: ({ ring, file, group }) => ring.prepSendBundle(file, group, TRIED),
  prepSendv: ({ ring, file }) => ring.prepSendv(file, [new Uint8Array(1)], TRIED),
  'prepSendv({ zeroCopy })': ({ ring, file }) =>
    ring.prepSendv(file, [new Uint8Array(1)], TRIED, 0, ownOptions({ zeroCopy: true })),
  prepRecvMultishot: ({ ring, file, group }) => ring.prepRecvMultishot(file, group, TRIED),
  prepRecvmsgMultishot: ({ ring, file, group }) =>
    ring.prepRecvmsgMultishot(file, group, new Msghdr(ownOptions({ name: 16 })), TRIED),
  prepCmdSock: ({ ring, socket }) => ring.prepCmdSock(SOCKET_URING_OP_SIOCINQ, socket, 0, 0, null, TRIED),
  prepCmdGetsockname: ({ ring, socket }) => ring.prepCmdGetsockname(socket, new SocketAddressBuffer(), TRIED),
};

/**
 * Find out by doing which methods the kernel has. Those whose form cannot be tried without a device count as there if
 * the kernel has shown something as young.
 */
export function methodSupport(ring: IoUring, operations: readonly OperationSupport[]): MethodSupport[] {
  const { native, kernel } = coreOf(ring).resources;
  const file = native.eventfd();
  const socket = native.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const buffers = bufferRingOf(ring);
  const trial: Trial = { ring, file, socket, group: GROUP };
  try {
    return OPERATIONS.flatMap(({ code, since: first, methods, variants, later }) =>
      methods.map((name) => {
        const form = later?.[name];
        const since = form === undefined ? first : variants![form];
        let supported = operations[code].supported;
        if (supported && form !== undefined) {
          const tries = TRIALS[name] as ((trial: Trial) => boolean) | undefined;
          const isTried = tries !== undefined && socket >= 0 && file >= 0;
          supported = isTried ? succeeds(ring, () => tries(trial)) : kernel.isFrom(version(since));
        }
        return { name, opcode: code, since, supported };
      })
    );
  } finally {
    buffers?.[Symbol.dispose]();
    for (const fd of [file, socket]) if (fd >= 0) native.close(fd);
  }
}

/** Without such a group, which are older than they, receives that go on are not there either. */
function bufferRingOf(ring: IoUring): ProvidedBufRing | undefined {
  try {
    return ring.registerBufRing(1, 16, GROUP);
  } catch {
    return undefined;
  }
}

/** Does the kernel know what is queued: does it answer something else than that it does not? */
function succeeds(ring: IoUring, queue: () => boolean): boolean {
  try {
    if (!queue()) return false;
  } catch {
    // It is refused by name, or there is no group.
    return false;
  }
  let res: number | undefined;
  let isOver = false;
  const deadline = monotonicNow() + PATIENCE_MS;
  while (!isOver && monotonicNow() < deadline) {
    ring.submitAndWait(1, ownOptions({ timeoutMs: PATIENCE_MS }));
    ring.forEachCompletion((c) => {
      res ??= c.res;
      isOver = !c.hasMore();
    });
  }
  return res !== undefined && res !== -EINVAL && res !== -EOPNOTSUPP;
}
