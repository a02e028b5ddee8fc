/** The work of both entries of `iouring/register`. */
import { debuglog } from '../native/node-util.ts';
import { Registration } from './registration.ts';
import type { Report } from './report.ts';
import { Reporter, reportAtEnd } from './reporter.ts';
import type { Loaders } from './sides.ts';

/** One for a thread, whichever copy of the package it is of. */
const KEY = Symbol.for('iouring.register');
const REPORT_VARIABLE = 'IOURING_REPORT';

const thread = globalThis as { [KEY]?: string };

let registration: Registration | undefined;
let reporter: Reporter | undefined;

/**
 * Register in this thread, unless another copy of the package has.
 * @param place where the entry is; undefined in a bundle made for CommonJS
 * @param loaders how what is behind the replacements is loaded
 */
export function register(place: string | undefined, loaders: Loaders): void {
  const name = place ?? 'a bundle';
  if (thread[KEY] !== undefined) {
    debuglog('iouring')('%s does nothing: %s has registered in this thread', name, thread[KEY]);
    return;
  }
  Object.defineProperty(globalThis, KEY, { value: name, configurable: true });
  registration = new Registration(loaders);
  const wanted = process.env[REPORT_VARIABLE] ?? '';
  if (wanted === '' || wanted === '0') return;
  reporter = new Reporter(registration);
  reportAtEnd(reporter, wanted === 'json' ? 'json' : 'table');
}

/**
 * Give Node's modules, and the process, back what was replaced in this thread. Sockets that are open stay on the ring.
 * @returns false if there was nothing to give back: another copy of the package has registered, or it was done before
 * @example
 * import { unregister } from 'iouring/register';
 *
 * unregister();
 */
export function unregister(): boolean {
  if (registration === undefined) return false;
  registration.end();
  registration = undefined;
  delete thread[KEY];
  return true;
}

/**
 * A report of this thread so far; undefined unless the environment variable `IOURING_REPORT` asks for it.
 * @example
 * import { report } from 'iouring/register';
 *
 * console.log(report()); // with IOURING_REPORT=1
 */
export function report(): Report | undefined {
  return reporter?.report;
}
