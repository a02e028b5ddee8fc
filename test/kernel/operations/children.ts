// Child processes that Node knows nothing of, and so does not wait for.
import koffi from 'koffi';

const libc = koffi.load(null);
const spawn = libc.func(
  'int posix_spawn(_Out_ int *pid, str path, void *actions, void *attributes, const char **argv, const char **envp)',
) as (...args: unknown[]) => number;
const waitpid = libc.func('int waitpid(int pid, void *status, int options)') as (...args: unknown[]) => number;
const syscall = libc.func('syscall', 'int', ['int', 'int', 'uint']) as (...args: unknown[]) => number;

const SYS_PIDFD_OPEN = 434;

/** Child processes that are killed and collected with the block, those that are not yet. */
export class Children implements Disposable {
  readonly #pids = new Set<number>();

  /** Start a shell. Its process id. */
  shell(script: string): number {
    const pid = [-1];
    const errno = spawn(pid, '/bin/sh', null, null, ['sh', '-c', script, null], [null]);
    if (errno !== 0) throw new Error(`posix_spawn: errno ${errno}`);
    this.#pids.add(pid[0]);
    return pid[0];
  }

  /** Somebody else collected it. */
  collected(pid: number): void {
    this.#pids.delete(pid);
  }

  [Symbol.dispose](): void {
    for (const pid of this.#pids) {
      process.kill(pid, 'SIGKILL');
      waitpid(pid, null, 0);
    }
    this.#pids.clear();
  }
}

/** A descriptor of a process. */
export function pidfdOpen(pid: number): number {
  const fd = syscall(SYS_PIDFD_OPEN, pid, 0);
  if (fd < 0) throw new Error(`pidfd_open: errno ${koffi.errno()}`);
  return fd;
}
