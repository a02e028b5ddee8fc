/**
 * `iouring/dgram` for versions of Node that cannot load an ES module when it is needed, and for bundlers, which have to
 * see what is.
 */
import * as ring from '../net/ring-side.ts';
import { loadRingBy } from '../net/ring-when-needed.ts';

loadRingBy(() => ring);

export * from './names.ts';
export { default } from './names.ts';
