/** The path that a request asks for, below the folder that is served. */
export interface RequestPath {
  /**
   * Without a slash at either end; empty for the folder itself. A character for each byte: file names need not be text.
   */
  readonly path: string;
  /** It ended in a slash. */
  readonly isDirectory: boolean;
  /** With its question mark, as it came. */
  readonly query: string;
}

/** A part of the name is hidden. */
const HIDDEN = /(?:^|\/)\./;
const ESCAPE = /%([0-9A-Fa-f]{2})?/g;
/** The beginning of an absolute target, which every server has to understand. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/**
 * The path in a request's target; undefined if there is none in it, or none that may be asked for: a wrong escape, a
 * NUL, a `..`. `.` and empty parts are left out. The kernel is told to stay below the folder all the same.
 */
export function requestPath(target: string): RequestPath | undefined {
  const local = target.replace(ORIGIN, '');
  if (local !== '' && local[0] !== '/' && local[0] !== '?') return undefined;
  const end = local.search(/[?#]/);
  const query = end === -1 ? '' : local.slice(end).replace(/#.*/s, '');
  let isValid = true;
  const decoded = (end === -1 ? local : local.slice(0, end)).replace(ESCAPE, (_, hex: string | undefined) => {
    isValid &&= hex !== undefined && hex !== '00';
    return hex === undefined ? '' : String.fromCharCode(parseInt(hex, 16));
  });
  if (!isValid) return undefined;
  const parts = decoded.split('/');
  if (parts.includes('..')) return undefined;
  const last = parts[parts.length - 1];
  const path = parts.filter((part) => part !== '' && part !== '.').join('/');
  return { path, isDirectory: path === '' || last === '' || last === '.', query };
}

/** Is a file, or a folder on the way to it, one that is not shown? */
export function isHidden(path: string): boolean {
  return HIDDEN.test(path);
}

/** A path as it stands in a URL: only what needs no escape in any part of one is left as it is. */
export function escapePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9\-._~/]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A path as bytes. */
export function pathBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
