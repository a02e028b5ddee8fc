/**
 * `iouring/register` for versions of Node that cannot load an ES module when it is needed, and for bundlers, which have
 * to see what is.
 */
import * as datagrams from './datagram-side.ts';
import * as files from './file-side.ts';
import * as kernel from './kernel-side.ts';
import * as ring from './ring-side.ts';
import * as sockets from './socket-side.ts';
import { register } from './start.ts';

export { report, unregister } from './start.ts';
export type { Report, SocketCount } from './report.ts';

register(import.meta.url, {
  sockets: () => sockets,
  ring: () => ring,
  datagrams: () => datagrams,
  files: () => files,
  kernel: () => kernel,
});
