import { existsSync } from 'node:fs';

/** Descriptors have paths here; not where there is no /proc. */
export const HAS_DESCRIPTOR_PATHS = existsSync('/proc/self/fd');

/** A path to an open directory or file, whatever has become of its names; undefined where descriptors have none. */
export function descriptorPath(fd: number): string | undefined {
  return HAS_DESCRIPTOR_PATHS ? `/proc/self/fd/${fd}` : undefined;
}
