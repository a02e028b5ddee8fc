import { inspect, type InspectOptions } from 'node:util';
import { SIGINFO, SIGINFO_SIZE } from '../../abi/layouts.ts';
import { isObject, wrongType } from '../arguments/argument-errors.ts';
import { shown } from '../shown.ts';

let memoryOf: (info: Siginfo) => Uint8Array;

/**
 * Room for what became of a child process (`siginfo_t`), which prepWaitid has the kernel fill in. It is lent to the
 * kernel meanwhile, and may be used again afterwards.
 * @example
 * import { Siginfo } from 'iouring';
 * import { P_PID, WEXITED } from 'iouring/abi';
 *
 * const info = new Siginfo();
 * ring.prepWaitid(P_PID, 4711, WEXITED, info, 1);
 * ring.submitAndWait(1);
 * console.log(info.status);
 */
export class Siginfo {
  readonly #memory = new Uint8Array(new ArrayBuffer(SIGINFO_SIZE));
  readonly #view = new DataView(this.#memory.buffer);

  /** 17, SIGCHLD; 0 if the kernel told nothing, as before the operation is done, or when WNOHANG found no child. */
  get signo(): number {
    return this.#view.getInt32(SIGINFO.si_signo, true);
  }

  /** The event: CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED or CLD_CONTINUED. */
  get code(): number {
    return this.#view.getInt32(SIGINFO.si_code, true);
  }

  /** The child. */
  get pid(): number {
    return this.#view.getInt32(SIGINFO.si_pid, true);
  }

  /** The real user that the child runs as. */
  get uid(): number {
    return this.#view.getUint32(SIGINFO.si_uid, true);
  }

  /** The exit code with CLD_EXITED; with all others the number of the signal. */
  get status(): number {
    return this.#view.getInt32(SIGINFO.si_status, true);
  }

  toJSON(): { signo: number; code: number; pid: number; uid: number; status: number } {
    const { signo, code, pid, uid, status } = this;
    return { signo, code, pid, uid, status };
  }

  /** Not a method: whoever has one could call it. */
  static {
    memoryOf = (info) => {
      if (!isObject(info) || !(#memory in info)) {
        throw wrongType('info', 'a Siginfo', info);
      }
      return info.#memory;
    };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown('Siginfo', () => (this.toJSON()), depth, options, show);
  }
}

/** The memory of a Siginfo, for the kernel to fill in. @throws {TypeError} `ERR_INVALID_ARG_TYPE` */
export const memoryOfSiginfo = memoryOf!;
