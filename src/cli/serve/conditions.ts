import fresh from 'fresh';
import type { HotFile } from './hot-files.ts';
import type { RequestFields } from './http-request.ts';

/** The verdict of a request's conditions: send it, `304 Not Modified`, or `412 Precondition Failed`. */
export type Verdict = 200 | 304 | 412;

/** The conditions in the order in which RFC 9110, 13.2.2, has them. If-Range is {@link mayBeRanged}. */
export function verdictOf(fields: RequestFields, { etag, lastModified }: HotFile): Verdict {
  const match = fields['if-match'];
  const unmodifiedSince = fields['if-unmodified-since'];
  if (match !== undefined) {
    if (match.trim() !== '*' && !tagsOf(match).some((tag) => isSameStrongly(tag, etag))) return 412;
  } else if (unmodifiedSince !== undefined && Date.parse(lastModified) > Date.parse(unmodifiedSince)) {
    return 412;
  }
  return fresh(fields, { etag, 'last-modified': lastModified }) ? 304 : 200;
}

/** Is a part wanted of this very file? Only a strong validator tells. */
export function mayBeRanged(ifRange: string | undefined, { etag, lastModified, isSettled }: HotFile): boolean {
  if (ifRange === undefined) return true;
  if (ifRange.includes('"')) return isSameStrongly(ifRange.trim(), etag);
  return isSettled && Date.parse(ifRange) === Date.parse(lastModified);
}

function tagsOf(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

function isSameStrongly(one: string, other: string): boolean {
  return one === other && !one.startsWith('W/');
}
