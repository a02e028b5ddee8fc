/**
 * A name that stood here in version 0.1 and has an entry point of its own now: it goes on for one version, and says so
 * once.
 */
import { deprecate } from 'node:util';
import { connectLean as connect } from './lean/connect.ts';
import { listen as listenNow } from './lean/listen.ts';
import { ring } from './udp/ring-side.ts';
import { ringSide } from './udp/ring-when-needed.ts';
import { createSocket as createUdpSocket } from './udp/udp-socket.ts';

ringSide.loadBy(() => ring);

const moved = (what: string, to: string): string => `${what} of iouring/net is deprecated: import it from ${to}`;

/** @deprecated import it from `iouring/socket` */
export const listen: typeof listenNow = deprecate(listenNow, moved('listen', 'iouring/socket'), 'IOURING_DEP0001');
/** @deprecated import it from `iouring/socket` */
export const connectLean: typeof connect = deprecate(
  connect,
  moved('connect with handlers', 'iouring/socket'),
  'IOURING_DEP0002',
);
/** @deprecated import it from `iouring/dgram` */
export const createSocket: typeof createUdpSocket = deprecate(
  createUdpSocket,
  moved('createSocket', 'iouring/dgram'),
  'IOURING_DEP0003',
);
