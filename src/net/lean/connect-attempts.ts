import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import { AbortError, TimeoutError } from '../../reactor/abort.ts';
import { clearTimeout, setTimeout } from '../../native/timers.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';

/** One address of a name. */
export interface Candidate {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * Connects to one address. Rejects when it cannot, and soon after `stop`, if there is one, aborts; what it has opened
 * is closed again then.
 */
export type Attempt<S> = (candidate: Candidate, stop: AbortSignal | undefined) => Promise<S>;

/**
 * The first connection that comes about with an address of `hostname`, in the order in which `dns.lookup` gives them.
 * @returns the connection; rejects with why there is none: the error of the only address, or an AggregateError that has
 *   those of all and the first one's `code`, as Node's
 */
export async function connectInOrder<S>(
  hostname: string,
  stop: AbortSignal | undefined,
  attempt: Attempt<S>,
): Promise<S> {
  const family = isIP(hostname);
  if (family !== 0) return attempt({ address: hostname, family: family as 4 | 6 }, stop);
  const errors: NodeJS.ErrnoException[] = [];
  for (const candidate of await candidatesOf(hostname, stop)) {
    try {
      return await attempt(candidate, stop);
    } catch (error) {
      if (stop?.aborted) throw error;
      errors.push(error as NodeJS.ErrnoException);
    }
  }
  if (errors.length === 1) throw errors[0];
  throw Object.assign(new AggregateError(errors, errors.map((error) => error.message).join('; ')), {
    code: errors[0].code,
  });
}

/**
 * Run an attempt that `signal` and a time can end.
 * @returns what it resolves with; rejects with an AbortError, a TimeoutError, or as it does
 */
export async function connectWithin<S>(
  { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  attempt: (stop: AbortSignal | undefined) => Promise<S>,
): Promise<S> {
  if (signal?.aborted) throw new AbortError(signal);
  // Nothing ends it before its time, and nothing has to be listened to.
  if (signal === undefined && timeoutMs === undefined) return attempt(undefined);
  const stopping = new AbortController();
  const onAbort = (): void => stopping.abort(new AbortError(signal!));
  signal?.addEventListener('abort', onAbort, ownOptions({ once: true }));
  const timer = timeoutMs === undefined ? undefined
    : setTimeout(() => stopping.abort(new TimeoutError('connect', timeoutMs)), timeoutMs);
  try {
    return await attempt(stopping.signal);
  } catch (error) {
    throw stopping.signal.aborted ? stopping.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function candidatesOf(hostname: string, stop: AbortSignal | undefined): Promise<Candidate[]> {
  return new Promise((resolve, reject) => {
    // A look-up cannot be stopped; nobody waits for it any more.
    stop?.addEventListener('abort', () => reject(stop.reason as Error), ownOptions({ once: true }));
    lookup(hostname, ownOptions({ all: true as const }), (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses.map(({ address, family }) => ({ address, family: family as 4 | 6 })));
    });
  });
}
