import * as net from 'node:net';
import { isIPv6, type Server } from 'node:net';
import { EADDRINUSE, EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL } from '../../abi/errno.ts';
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_STREAM } from '../../abi/socket-flags.ts';
import { hasIpv6Only } from '../../native/runtime.ts';
import { wrongState } from '../../ring/arguments/argument-errors.ts';
import type { ListenTarget } from './lean-arguments.ts';
import { listenError } from './listen-error.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { bindTo, closeNow, openSocket } from '../transport/socket-calls.ts';

/** A listening socket of libuv's, as far as it is needed here. */
interface ServerHandle {
  listen(backlog: number): number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

/**
 * Bound to the address when it returns; a number is a negative errno. `net.Server` itself looks addresses up first,
 * which takes a turn of the loop even for those that are none to look up. Node has had this function for its cluster
 * module since 0.6, Deno has it too; Bun has not, and its `listen` is done when it returns.
 * @param type -1 of a unix socket
 * @param flags UV_TCP_*
 */
type CreateServerHandle = (
  address: string | null,
  port: number | null,
  type: 4 | 6 | -1 | null,
  fd?: number,
  flags?: number,
) => ServerHandle | number;

const createServerHandle = (net as { _createServerHandle?: CreateServerHandle })._createServerHandle;

const UV_TCP_IPV6ONLY = 1;
const UV_TCP_REUSEPORT = 2;
const [ANY_6, ANY_4] = ['::', '0.0.0.0'];

/** Have `server` listen, now. @throws {ListenError} */
export function listenNow(server: Server, target: ListenTarget): void {
  const { place, backlog } = target;
  if (place.kind === 'tcp') {
    listenTcp(server, place.address, place.port, target);
    return;
  }
  const options = place.kind === 'fd' ? { fd: place.fd, backlog } : { path: place.path, backlog, exclusive: true };
  server.listen(options);
  if (server.listening) return;
  throw place.kind === 'fd' ? listenError(EINVAL) : listenError(whyNot(place.path), place.path, -1);
}

function listenTcp(server: Server, address: string | undefined, port: number, target: ListenTarget): void {
  const { backlog, reusePort, ipv6Only } = target;
  if (reusePort && !hasReusePort()) {
    throw wrongState(
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      'Cannot listen: this version of the runtime has no reusePort',
    );
  }
  if (ipv6Only && !hasIpv6Only()) {
    throw wrongState('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', 'Cannot listen: this runtime has no ipv6Only');
  }
  if (createServerHandle === undefined) {
    server.listen(
      ownOptions({ port, host: address ?? ANY_6, backlog, exclusive: true, reusePort, ipv6Only } as net.ListenOptions),
    );
    // It tells why by an event later on.
    if (!server.listening) throw listenError(whyNotTcp(address ?? ANY_6, port), address ?? ANY_6, port);
    return;
  }
  const handle = listeningHandle(address, port, target);
  // Listens a second time, which changes nothing: connections that have come in between are waiting.
  server.listen(handle as unknown as net.ListenOptions, backlog);
}

function listeningHandle(address: string | undefined, port: number, target: ListenTarget): ServerHandle {
  const { backlog, reusePort, ipv6Only } = target;
  const host = address ?? ANY_6;
  const flags = (ipv6Only && isIPv6(host) ? UV_TCP_IPV6ONLY : 0) | (reusePort ? UV_TCP_REUSEPORT : 0);
  const handle = createServerHandle!(host, port, isIPv6(host) ? 6 : 4, undefined, flags);
  // Whether the port is free is known when it is listened on.
  const answer = typeof handle === 'number' ? handle : handle.listen(backlog);
  if (answer === 0) return handle as ServerHandle;
  if (typeof handle !== 'number') handle.close();
  const hasNoIpv6 = answer === -EAFNOSUPPORT || answer === -EADDRNOTAVAIL || answer === -EINVAL;
  if (address === undefined && hasNoIpv6 && !ipv6Only) return listeningHandle(ANY_4, port, target);
  // Deno says EINVAL of every address that it cannot bind to.
  throw listenError(answer === -EINVAL ? whyNotTcp(host, port) : -answer, host, port);
}

/** The errno that a socket at this address and port meets, as the kernel tells it. */
function whyNotTcp(address: string, port: number): number {
  let fd = -1;
  try {
    fd = openSocket(isIPv6(address) ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    const answer = fd < 0 ? fd : bindTo(fd, { address, port });
    return answer < 0 ? -answer : EADDRINUSE;
  } catch {
    // Without native code there is no asking. Nearly always it is this.
    return EADDRINUSE;
  } finally {
    if (fd >= 0) closeNow(fd);
  }
}

/** The errno that a unix socket at this path meets. */
function whyNot(path: string): number {
  const handle = createServerHandle?.(path, -1, -1);
  if (typeof handle === 'number') return -handle;
  // It has become free in between, or there is no telling here.
  handle?.close();
  return EADDRINUSE;
}

let reusePortWorks: boolean | undefined;

/** An older libuv does not know the flag, and says nothing: so two are made that could not be without it. */
function hasReusePort(): boolean {
  if (createServerHandle === undefined) return true;
  if (reusePortWorks !== undefined) return reusePortWorks;
  const first = createServerHandle('127.0.0.1', 0, 4, undefined, UV_TCP_REUSEPORT);
  if (typeof first === 'number') return false;
  const bound: { port?: number } = {};
  let second: ServerHandle | number | undefined;
  try {
    if (first.listen(1) !== 0 || first.getsockname(bound) !== 0) return false;
    second = createServerHandle('127.0.0.1', bound.port!, 4, undefined, UV_TCP_REUSEPORT);
    reusePortWorks = typeof second !== 'number' && second.listen(1) === 0;
    return reusePortWorks;
  } finally {
    first.close();
    if (typeof second === 'object') second.close();
  }
}
