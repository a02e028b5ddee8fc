import { readFileSync } from 'node:fs';

/** 1 keeps all drop-ins on Node, whichever way they were imported. */
const DISABLING_VARIABLE = 'IOURING_DISABLED';
const SYSCTL = '/proc/sys/kernel/io_uring_disabled';

/**
 * Why there can be no ring here, as far as that is known without native code, which takes longer to load than most
 * programs want to wait: the first socket or file that wants a ring finds out the rest.
 */
export function obstacle(): Error | undefined {
  if (process.env[DISABLING_VARIABLE] === '1') {
    return refusal(`the environment variable ${DISABLING_VARIABLE} is set to 1`, 'ERR_IOURING_DISABLED');
  }
  const { platform } = process;
  if (platform !== 'linux') return refusal(`it exists only on Linux, this is ${platform}`, 'ERR_IOURING_UNSUPPORTED');
  if (valueOf(SYSCTL) === '2') {
    return refusal('the administrator disabled it for all processes (kernel.io_uring_disabled is 2)', 'EPERM');
  }
  return undefined;
}

/** Errors after which a ring is tried for again: what they tell of passes. */
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** Will there never be a ring, after this error? */
export function isFinal(error: NodeJS.ErrnoException): boolean {
  return !SHORTAGES.has(error.code ?? '');
}

function refusal(reason: string, code: string): Error {
  return Object.assign(new Error(`io_uring is not used: ${reason}`), { code });
}

/** A kernel setting; undefined where there is none. */
function valueOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
