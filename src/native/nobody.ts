import { AsyncResource } from './node-hooks.ts';

/**
 * The context of nobody: the one that this module is loaded in. `iouring/register` loads it before the program begins,
 * so that what is loaded later has it as well, in whichever context that may be.
 */
export const NOBODY: AsyncResource = new AsyncResource('IOURING');
