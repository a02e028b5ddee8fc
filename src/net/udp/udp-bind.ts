import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from '../../abi/socket-flags.ts';
import { bindTo, closeNow, openSocket, setsockopt } from '../transport/socket-calls.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import type { UdpHandle } from './node-dgram.ts';

/** Flags of libuv's, as Node gives them to its handle. */
const UV_UDP_IPV6ONLY = 1;
const UV_UDP_REUSEADDR = 4;

/** Have `handle` bound with SO_REUSEPORT, which has to be set before, by handing it a socket that is. */
export function bindWithReusePort(handle: UdpHandle, isIPv6: boolean): void {
  const { bind } = handle;
  handle.bind = (address, port, flags) => {
    try {
      const fd = boundSocket(address, port, flags, isIPv6);
      return fd < 0 ? fd : handle.open(fd);
    } catch {
      // An address with a zone, or no native calls: Node does without the option then, as it does by itself.
      return bind.call(handle, address, port, flags);
    }
  };
}

/** A descriptor, or -errno. */
function boundSocket(address: string, port: number, flags: number, isIPv6: boolean): number {
  const fd = openSocket(isIPv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return fd;
  let result = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (result === 0 && flags & UV_UDP_REUSEADDR) result = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (result === 0 && isIPv6 && flags & UV_UDP_IPV6ONLY) result = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  try {
    if (result === 0) result = bindTo(fd, ownOptions({ address, port }));
  } catch (error) {
    closeNow(fd);
    throw error;
  }
  if (result === 0) return fd;
  closeNow(fd);
  return result;
}
