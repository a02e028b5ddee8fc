/**
 * The meaning of an argument, if it is plainly right: then the ring is asked. Whatever is not (wrong, or so unusual
 * that versions of Node differ on it) is undefined here, and given to Node as it came: its answer, and the words of its
 * error, are those of the version that runs.
 */
import { constants } from 'node:fs';
import { types } from '../native/node-util.ts';
import { fileURLToPath } from 'node:url';
import { outOfRange } from '../ring/arguments/argument-errors.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC } = constants;

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** A path as the kernel takes it. */
export type PlainPath = string | Uint8Array;

export function plainPath(path: unknown): PlainPath | undefined {
  if (typeof path === 'string') return path.includes('\0') ? undefined : path;
  // A copy: it may be changed before its turn comes.
  if (types.isUint8Array(path)) return path.includes(0) ? undefined : new Uint8Array(path);
  if (!(path instanceof URL)) return undefined;
  try {
    return plainPath(fileURLToPath(path));
  } catch {
    return undefined;
  }
}

const FLAGS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};
/** The same with the modifiers the other way round: `xw`, `sr+`. */
const ALL_FLAGS = new Map<unknown, number>([
  ...Object.entries(FLAGS),
  ...Object.entries(FLAGS).map((
    [name, bits],
  ): [string, number] => [`${name[1] ?? ''}${name[0]}${name.slice(2)}`, bits]),
]);
// `+r` is none.
for (const name of ['+r', '+w', '+a']) ALL_FLAGS.delete(name);

/** O_* bits; of a call that leaves them out those of `fallback`. */
export function plainFlags(flags: unknown, fallback: 'r' | 'w' | 'a' = 'r'): number | undefined {
  if (flags === undefined || flags === null) return FLAGS[fallback];
  if (typeof flags === 'number') return Number.isInteger(flags) && flags >= 0 && flags < 2 ** 31 ? flags : undefined;
  return ALL_FLAGS.get(flags);
}

/** Permissions, as a number or in octal digits. */
export function plainMode(mode: unknown, fallback: number): number | undefined {
  if (mode === undefined || mode === null) return fallback;
  if (typeof mode === 'string') return /^[0-7]{1,6}$/.test(mode) ? parseInt(mode, 8) : undefined;
  return typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o7777 ? mode : undefined;
}

/** Node takes such a mode for one, and ends the process then (up to Node 24). */
export function modeMisuse(mode: unknown): Error | undefined {
  const bits = typeof mode === 'string' && /^[0-7]+$/.test(mode) ? parseInt(mode, 8) : mode;
  if (typeof bits !== 'number' || !Number.isInteger(bits) || bits < 2 ** 31 || bits >= 2 ** 32) return undefined;
  return outOfRange('mode', '>= 0 && <= 2147483647', bits);
}

/** Null for none: bytes are wanted. */
export function plainEncoding(encoding: unknown): BufferEncoding | null | undefined {
  if (encoding === undefined || encoding === null) return null;
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : undefined;
}

/** Null for none. */
export function plainSignal(signal: unknown): AbortSignal | null | undefined {
  if (signal === undefined) return null;
  return signal instanceof AbortSignal && !types.isProxy(signal) && !signal.aborted ? signal : undefined;
}

/** No options. */
export const NOTHING: Readonly<Record<string, undefined>> = ownOptions({});

/** The options of an operation that a signal aborts. */
export function abortedBy(signal: AbortSignal | null): { signal: AbortSignal } | undefined {
  return signal === null ? undefined : ownOptions({ signal });
}

/** Options that a call may be given besides a path. */
export interface FileOptions {
  readonly encoding: BufferEncoding | null;
  readonly flags: number;
  readonly mode: number;
  readonly flush: boolean;
  readonly signal: AbortSignal | null;
}

const DEFAULTS: Readonly<Record<'r' | 'w' | 'a', FileOptions>> = {
  r: { encoding: null, flags: FLAGS.r, mode: 0o666, flush: false, signal: null },
  w: { encoding: null, flags: FLAGS.w, mode: 0o666, flush: false, signal: null },
  a: { encoding: null, flags: FLAGS.a, mode: 0o666, flush: false, signal: null },
};

/** The options of readFile, writeFile and appendFile: left out, an encoding, or an object. */
export function plainFileOptions(options: unknown, fallback: 'r' | 'w' | 'a'): FileOptions | undefined {
  const defaults = DEFAULTS[fallback];
  if (options === undefined || options === null) return defaults;
  if (typeof options === 'string') {
    const encoding = plainEncoding(options);
    return encoding === undefined ? undefined : { ...defaults, encoding };
  }
  if (typeof options !== 'object') return undefined;
  const { flag, flush = false, mode, buffer, encoding: givenEncoding, signal: givenSignal } = options as Record<
    string,
    unknown
  >;
  const encoding = plainEncoding(givenEncoding);
  const signal = plainSignal(givenSignal);
  const flags = plainFlags(flag || undefined, fallback);
  const permissions = plainMode(mode, 0o666);
  if (encoding === undefined || signal === undefined || flags === undefined || permissions === undefined) {
    return undefined;
  }
  // A buffer of the caller's own came with Node 26.
  if (typeof flush !== 'boolean' || buffer !== undefined) return undefined;
  return { encoding, flags, mode: permissions, flush, signal };
}

/** Is it left out, or does it say where the file stands? */
export function isOwnPosition(position: unknown): boolean {
  return position === undefined || position === null || position === -1;
}

/** A place in a file that is given. */
export function isPosition(position: unknown): position is number {
  return Number.isSafeInteger(position) && (position as number) >= 0;
}
