/**
 * `iouring/http`: `node:http` through the ring, without anything that concerns the rest of the process. What servers
 * accept goes through it, and what `request`, `get` and agents connect, while that pays. `https` and `http2` are not
 * here: over TLS the ring does not pay.
 * @example
 * import { createServer } from 'iouring/http'; // was: 'node:http'
 *
 * createServer((_, response) => response.end('hello')).listen(8080);
 */
import { requireRingFrom } from '../net/ring-when-needed.ts';

requireRingFrom(import.meta.url);

export * from './names.ts';
export { default } from './names.ts';
