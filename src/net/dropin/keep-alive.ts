import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from '../../abi/socket-flags.ts';
import { getsockopt, setsockopt } from '../transport/socket-calls.ts';
import { node } from './node-net.ts';

/** An option of a socket and its value. */
type Setting = readonly [level: number, name: number, value: number];

const OPTIONS = [
  [SOL_SOCKET, SO_KEEPALIVE],
  [IPPROTO_TCP, TCP_KEEPIDLE],
  [IPPROTO_TCP, TCP_KEEPINTVL],
  [IPPROTO_TCP, TCP_KEEPCNT],
] as const;

/** By what was asked for. */
const learned = new Map<string, readonly Setting[]>();
const LEARNED_MAX = 64;

/**
 * Set SO_KEEPALIVE and what belongs to it as Node's `setKeepAlive` of a handle would. Which options that changes, and
 * to what, depends on the version: it is learned from a handle that is made for it and closed again.
 * @param values as the handle is given them: the seconds before the first probe, …
 * @returns 0 or -errno
 */
export function keepAliveAsNode(fd: number, on: boolean, values: readonly (number | undefined)[]): number {
  if (!on) return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
  const key = values.join();
  let settings = learned.get(key);
  if (settings === undefined) {
    settings = learn(values);
    if (learned.size >= LEARNED_MAX) learned.clear();
    learned.set(key, settings);
  }
  for (const setting of settings) {
    const result = setsockopt(fd, ...setting);
    if (result < 0) return result;
  }
  return 0;
}

function learn(values: readonly (number | undefined)[]): readonly Setting[] {
  const handle = node._createServerHandle('127.0.0.1', 0, 4);
  const plain = [SOL_SOCKET, SO_KEEPALIVE, 1] as const;
  if (typeof handle === 'number') return [plain];
  try {
    const fd = handle.fd ?? -1;
    const before = OPTIONS.map(([level, name]) => getsockopt(fd, level, name));
    handle.setKeepAlive?.(true, ...values);
    const settings: Setting[] = [];
    for (const [index, [level, name]] of OPTIONS.entries()) {
      const value = getsockopt(fd, level, name);
      if (value >= 0 && value !== before[index]) settings.push([level, name, value]);
    }
    return settings.length > 0 ? settings : [plain];
  } finally {
    handle.close();
  }
}
