/**
 * `iouring/net` for versions of Node that cannot load an ES module when it is needed, and for bundlers, which have to
 * see what is.
 */
import * as ring from './ring-side.ts';
import { loadRingBy } from './ring-when-needed.ts';

loadRingBy(() => ring);

export * from './names.ts';
export { default } from './names.ts';
