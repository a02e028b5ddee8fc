import { AvailableReactor } from '../reactor/available-reactor.ts';
import type { Reactor } from '../reactor/reactor.ts';

const available = new AvailableReactor('iouring/fs');

/** The reactor for what is done with open files; undefined where there is no io_uring, so that Node has to do it. */
export function ringForFiles(): Reactor | undefined {
  return available.get();
}

/**
 * The reactor for what is done with paths. Under the permission model it is Node that knows which may be touched, and
 * checks them in its own native code: all of these are Node's then.
 */
export function ringForPaths(): Reactor | undefined {
  return hasPermissionModel ? undefined : available.get();
}

/** Is this process run with `--permission`? Some operations on open files are forbidden then, too. */
export const hasPermissionModel = (process as { permission?: unknown }).permission !== undefined;
