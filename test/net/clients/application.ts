import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';

const CHUNK = Buffer.alloc(40_000, 'a chunk of what is large ');

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

/** What the servers of these tests answer, over HTTP/1 and HTTP/2. */
export function application(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
  // Not comparable.
  response.sendDate = false;
  if (pathname === '/hello') {
    response.setHeader('content-type', 'text/plain');
    response.end('hello\n');
  } else if (pathname === '/echo') {
    request.pipe(response as ServerResponse);
  } else if (pathname === '/large') {
    Readable.from(chunks(Number(searchParams.get('bytes')))).pipe(response as ServerResponse);
  } else if (pathname === '/request') {
    const names = Object.keys(request.headers).filter((name) => !/^(:authority|host|user-agent)$/.test(name));
    const headers = Object.fromEntries(names.sort().map((name) => [name, request.headers[name]]));
    response.end(JSON.stringify({ method: request.method, url: request.url, headers }));
  } else if (pathname === '/digest') {
    const hash = createHash('sha256');
    request.on('data', (data: Buffer) => void hash.update(data)).on('end', () => void response.end(hash.digest('hex')));
  } else {
    response.statusCode = 404;
    response.end('no such thing\n');
  }
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a large answer is. */
export function large(bytes: number): Buffer {
  return Buffer.concat([...chunks(bytes)]);
}
