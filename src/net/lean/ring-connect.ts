import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_TCP,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  TCP_NODELAY,
} from '../../abi/socket-flags.ts';
import type { Reactor } from '../../reactor/reactor.ts';
import { bindTo, closeNow, openSocket, setsockopt } from '../transport/socket-calls.ts';
import { connectInOrder, connectWithin } from './connect-attempts.ts';
import type { ConnectSettings } from './lean-arguments.ts';
import type { LeanSocket } from './types.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { LeanConnection } from './lean-connection.ts';
import { socketError } from '../transport/socket-error.ts';
import { transportOf } from '../transport/transport.ts';

/** Connect through the ring. Resolves when `open` was called; rejects with why there is no connection. */
export function connectThroughRing<T>(io: Reactor, settings: ConnectSettings<T>): Promise<LeanSocket<T>> {
  const { place } = settings;
  return connectWithin(settings, async (stop) => {
    if (place.kind === 'unix') {
      return open(io, settings, await connected(io, AF_UNIX, ownOptions({ path: place.path }), undefined, stop));
    }
    const { port, localAddress } = place;
    return connectInOrder(place.hostname, stop, async ({ address, family }, attemptStop) => {
      const domain = family === 6 ? AF_INET6 : AF_INET;
      return open(io, settings, await connected(io, domain, ownOptions({ address, port }), localAddress, attemptStop));
    });
  });
}

type Target = { path: string } | { address: string; port: number };

/** A descriptor that is connected. */
async function connected(
  io: Reactor,
  domain: number,
  target: Target,
  localAddress: string | undefined,
  stop: AbortSignal | undefined,
): Promise<number> {
  const fd = openSocket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) throw socketError(-fd, 'connect');
  try {
    if (domain !== AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (localAddress !== undefined) {
      const result = bindTo(fd, ownOptions({ address: localAddress, port: 0 }));
      if (result < 0) throw Object.assign(socketError(-result, 'bind'), { address: localAddress });
    }
    await io.connect(fd, target, stop === undefined ? undefined : ownOptions({ signal: stop }));
    return fd;
  } catch (error) {
    closeNow(fd);
    throw error;
  }
}

function open<T>(io: Reactor, settings: ConnectSettings<T>, fd: number): LeanSocket<T> {
  const shared = { handlers: settings.handlers, settings, listener: undefined, closed: (): void => {} };
  const connection = new LeanConnection<T>(transportOf(io), fd, shared);
  connection.open();
  return connection.socket;
}
