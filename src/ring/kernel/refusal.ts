import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import {
  EAGAIN,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOMEM,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  EACCES,
} from '../../abi/errno.ts';
import { likelyContainer, type Container } from './container.ts';

/** Why io_uring_setup(2) was refused, as far as this process can find out, and what to do about it. */
export interface Refusal {
  cause: string;
  remedy: string;
}

/**
 * `asked` names the options that were forced, for the message about flags that the kernel does not know; `container` is
 * where this process is likely to be.
 */
export function explainRefusal(errno: number, asked = '', container = likelyContainer()): Refusal {
  switch (errno) {
    case EPERM:
    case EACCES:
      return explainForbidden(container);
    case ENOSYS:
    case EOPNOTSUPP:
      if (container?.isFilter === false) return container;
      // Some profiles answer so, Podman's among them. A kernel with this switch has io_uring.
      if (isFiltered() && read(SWITCH) !== undefined) return container ?? FILTERED;
      return {
        cause: 'this kernel has no io_uring: older than 5.1, built without it, or a sandbox such as gVisor',
        remedy: 'run on Linux 5.6 or later, outside that sandbox',
      };
    case ENOMEM:
      return {
        cause: `no memory for the rings, or the limit on locked memory (${limit('Max locked memory')}) is reached`,
        remedy: 'ask for fewer entries, or raise the limit: ulimit -l, or LimitMEMLOCK= in the unit file',
      };
    case EMFILE:
      return {
        cause: `this process has too many open files (limit: ${limit('Max open files')})`,
        remedy: 'close rings that are no longer used, or raise the limit: ulimit -n',
      };
    case ENFILE:
      return {
        cause: 'the system has too many open files',
        remedy: 'raise it: sysctl fs.file-max',
      };
    case EAGAIN:
      return { cause: 'the kernel is short of memory or threads', remedy: 'try again, or lower the load' };
    case EINVAL:
      return {
        cause: `this kernel (${release()}) knows or allows no such set-up${asked && `: ${asked}`}`,
        remedy: 'leave the options that are not needed to the ring, which takes what the kernel has',
      };
    default:
      return { cause: 'the kernel gave no further reason', remedy: 'see io_uring_setup(2)' };
  }
}

/** The administrator's switch; Linux 6.6. */
const SWITCH = '/proc/sys/kernel/io_uring_disabled';

const FILTERED: Refusal = {
  cause: 'a seccomp filter forbids it, as the default profiles of Docker, Podman and Kubernetes do',
  remedy: 'allow io_uring_setup, io_uring_enter and io_uring_register in the profile' +
    ' (to try: docker run --security-opt seccomp=unconfined)',
};

function isFiltered(): boolean {
  return /^Seccomp:\s*2$/m.test(read('/proc/self/status') ?? '');
}

function explainForbidden(container: Container | undefined): Refusal {
  const disabled = read(SWITCH)?.trim();
  if (disabled === '2') {
    return {
      cause: 'the administrator disabled io_uring for all processes (kernel.io_uring_disabled is 2)',
      remedy: 'as root: sysctl kernel.io_uring_disabled=0',
    };
  }
  if (disabled === '1') {
    return {
      cause: 'the administrator reserved io_uring for CAP_SYS_ADMIN and one group (kernel.io_uring_disabled is 1)',
      remedy: 'join the group in kernel.io_uring_group, or as root: sysctl kernel.io_uring_disabled=0',
    };
  }
  if (container?.isFilter === false || (container !== undefined && isFiltered())) return container;
  if (isFiltered()) return FILTERED;
  return {
    cause: 'a security module (SELinux, AppArmor) or a missing privilege (SQPOLL before Linux 5.11)',
    remedy: 'look for the denial in the audit log, and allow io_uring for this program',
  };
}

function limit(name: string): string {
  const line = new RegExp(`^${name}\\s+(\\S+)\\s+\\S+\\s+(\\S*)`, 'm').exec(read('/proc/self/limits') ?? '');
  return line ? `${line[1]} ${line[2]}`.trim() : 'unknown';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
