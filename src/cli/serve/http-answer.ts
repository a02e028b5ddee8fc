import escapeHtml from 'escape-html';
import parseRange from 'range-parser';
import { randomUUID } from 'node:crypto';
import { mayBeRanged, verdictOf } from './conditions.ts';
import type { HotFile } from './hot-files.ts';
import type { HttpRequest } from './http-request.ts';

/** A part of a file. */
export interface FilePart {
  readonly offset: number;
  readonly length: number;
}

/** An answer, but for the fields that every answer has. */
export interface Answer {
  readonly status: number;
  /** Each line with its end; but `Content-Length`. */
  readonly fields: string;
  /** Bytes of the body, of which a HEAD does not get any. */
  readonly length: number;
  /** The body: bytes as they are, and parts of the file. */
  readonly body: readonly (Buffer | FilePart)[];
}

/** More parts than that are not worth it: the whole file is sent. */
const PARTS_MAX = 16;
export const ALLOWED = 'GET, HEAD, OPTIONS';

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  304: 'Not Modified',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

/** The first line of an answer. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\n`;
}

/** An answer that is nothing but a status, with a word for a person. */
export function plainAnswer(status: number, fields = ''): Answer {
  if (status === 204) return { status, fields, length: 0, body: [] };
  return textAnswer(status, 'text/plain; charset=utf-8', `${status} ${REASONS[status]}\n`, fields);
}

/** A page. */
export function textAnswer(status: number, type: string, text: string, fields = ''): Answer {
  const body = Buffer.from(text);
  return {
    status,
    fields: `Content-Type: ${type}\r\nX-Content-Type-Options: nosniff\r\n${fields}`,
    length: body.length,
    body: [body],
  };
}

/** It is elsewhere. @param location escaped */
export function redirectAnswer(location: string): Answer {
  const text = `<!doctype html><title>Moved</title><a href="${escapeHtml(location)}">${escapeHtml(location)}</a>\n`;
  return textAnswer(301, 'text/html; charset=utf-8', text, `Location: ${location}\r\n`);
}

/** A file, some of it, or why neither. */
export function fileAnswer({ method, fields }: HttpRequest, hot: HotFile): Answer {
  const { etag, lastModified, contentType, status } = hot;
  const validators = `ETag: ${etag}\r\nLast-Modified: ${lastModified}\r\n`;
  const verdict = verdictOf(fields, hot);
  if (verdict === 304) return { status: 304, fields: validators, length: 0, body: [] };
  if (verdict === 412) return plainAnswer(412, validators);
  const whole = `Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n${validators}`;
  // A range means something to GET only.
  const range = method === 'GET' ? fields['range'] : undefined;
  const parts = range !== undefined && mayBeRanged(fields['if-range'], hot) ? rangesOf(range, status.size) : undefined;
  if (parts === 'unsatisfiable') return plainAnswer(416, `Content-Range: bytes */${status.size}\r\n${validators}`);
  if (parts === undefined) {
    const all = { offset: 0, length: status.size };
    return { status: 200, fields: `Content-Type: ${contentType}\r\n${whole}`, length: status.size, body: [all] };
  }
  if (parts.length > 1) return multipart(parts, hot, whole);
  const [part] = parts;
  return {
    status: 206,
    fields: `Content-Type: ${contentType}\r\n${contentRange(part, status.size)}${whole}`,
    length: part.length,
    body: [part],
  };
}

/** RFC 9110, 14.6. */
function multipart(parts: readonly FilePart[], { contentType, status }: HotFile, whole: string): Answer {
  const boundary = randomUUID();
  const body: (Buffer | FilePart)[] = [];
  let start = `--${boundary}\r\n`;
  for (const part of parts) {
    body.push(Buffer.from(`${start}Content-Type: ${contentType}\r\n${contentRange(part, status.size)}\r\n`), part);
    start = `\r\n--${boundary}\r\n`;
  }
  body.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  return { status: 206, fields: `Content-Type: multipart/byteranges; boundary=${boundary}\r\n${whole}`, length, body };
}

/**
 * The parts that are wanted; those that touch are one. Undefined: all of it, for the field is not understood, or asks
 * for too many.
 */
function rangesOf(range: string, size: number): FilePart[] | 'unsatisfiable' | undefined {
  if (!/^\s*bytes\s*=/i.test(range)) return undefined;
  // The parser finds more than there is at the end unsatisfiable; RFC 9110, 14.1.2, has it mean everything.
  const clipped = range.replace(
    /([=,]\s*)-(\d+)/g,
    (all, before: string, last: string) => (Number(last) > size ? `${before}-${size}` : all),
  );
  const ranges = parseRange(size, clipped, { __proto__: null, combine: true } as { combine: true });
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === -2 || ranges.length > PARTS_MAX) return undefined;
  return ranges.map(({ start, end }) => ({ offset: start, length: end - start + 1 }));
}

function contentRange({ offset, length }: FilePart, size: number): string {
  return `Content-Range: bytes ${offset}-${offset + length - 1}/${size}\r\n`;
}
