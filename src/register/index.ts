/**
 * `iouring/register`: puts the ring behind Node's own modules, for a program that is not changed: `node --import iouring/register app.js`.
 * Importing it is what does it; {@link unregister} takes it back. What is replaced, and why, stands in `replacements.ts`.
 *
 * The environment variable `IOURING` chooses: `off`, or a list of `net`, `http`, `dgram` and `fs`. `IOURING_REPORT=1` (or `json`) prints at the
 * end, on stderr, what went through the ring and what did not.
 */
import { debuglog } from 'node:util';
import { Registration } from './registration.ts';
import { Reporter, reportAtEnd, type Report } from './report.ts';

export type { Report, SocketCount } from './report.ts';

/** One for a thread, whichever copy of the package it is of. */
const KEY = Symbol.for('iouring.register');
const REPORT_VARIABLE = 'IOURING_REPORT';

const thread = globalThis as { [KEY]?: string };

/** Where this is; a bundle made for CommonJS does not know. */
const PLACE = (import.meta.url as string | undefined) ?? 'a bundle';

let registration: Registration | undefined;
let reporter: Reporter | undefined;

if (thread[KEY] === undefined) {
  Object.defineProperty(globalThis, KEY, { value: PLACE, configurable: true });
  registration = new Registration();
  const wanted = process.env[REPORT_VARIABLE] ?? '';
  if (wanted !== '' && wanted !== '0') {
    reporter = new Reporter(registration);
    reportAtEnd(reporter, wanted === 'json' ? 'json' : 'table');
  }
} else {
  debuglog('iouring')('%s does nothing: %s has registered in this thread', PLACE, thread[KEY]);
}

/**
 * Give Node's modules back what was replaced in this thread. Sockets that are open stay on the ring.
 * @returns false if there was nothing to give back: another copy of the package has registered, or it was done before
 */
export function unregister(): boolean {
  if (registration === undefined) return false;
  registration.end();
  registration = undefined;
  delete thread[KEY];
  return true;
}

/** What went through the ring so far in this thread; undefined unless the environment variable `IOURING_REPORT` asks for it. */
export function report(): Report | undefined {
  return reporter?.report;
}
