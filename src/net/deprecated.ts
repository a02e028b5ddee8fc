/**
 * A name that stood here in version 0.1 and has an entry point of its own now: it goes on for one version, and says so
 * once.
 */
import { deprecate } from '../native/node-util.ts';
import type { connectLean as connect } from './lean/connect.ts';
import type { listen as listenNow } from './lean/listen.ts';
import type * as ring from './ring-side.ts';
import { ringSide } from './ring-when-needed.ts';
import { createSocket as createUdpSocket } from './udp/udp-socket.ts';

function lean(): typeof ring {
  const side = ringSide.get();
  if (side !== undefined) return side;
  const message = 'Cannot load what is behind the ring now: import it from iouring/socket, in place of iouring/net';
  throw Object.assign(new Error(message), { code: 'ERR_IOURING_UNSUPPORTED' });
}

const moved = (what: string, to: string): string => `${what} of iouring/net is deprecated: import it from ${to}`;

/** @deprecated import it from `iouring/socket` */
export const listen: typeof listenNow = deprecate(
  (options) => lean().listen(options),
  moved('listen', 'iouring/socket'),
  'IOURING_DEP0001',
);
/** @deprecated import it from `iouring/socket` */
export const connectLean: typeof connect = deprecate(
  (options) => lean().connectLean(options),
  moved('connect with handlers', 'iouring/socket'),
  'IOURING_DEP0002',
);
/** @deprecated import it from `iouring/dgram` */
export const createSocket: typeof createUdpSocket = deprecate(
  createUdpSocket,
  moved('createSocket', 'iouring/dgram'),
  'IOURING_DEP0003',
);
