import type { Wait } from './engine.ts';
import { Reactor } from './reactor.ts';

/** `ring` or `loop`: how the default reactor waits, see {@link ReactorOptions.wait}. */
const WAIT_VARIABLE = 'IOURING_WAIT';

let reactor: Reactor | undefined;

/**
 * The reactor of this thread, made when it is first asked for, and anew if it was closed. `iouring/fs` and
 * `iouring/net` use it. The environment variable `IOURING_WAIT=ring` or `loop` chooses how it waits.
 * @throws {Error} as {@link Reactor}: no io_uring here, or it is forbidden
 * @example
 * import { defaultReactor } from 'iouring';
 *
 * await defaultReactor().sleep(10);
 */
export function defaultReactor(): Reactor {
  if (reactor === undefined || reactor.closed) reactor = new Reactor({ wait: chosenWait() });
  return reactor;
}

/** The same, if anybody has asked for it so far. */
export function reactorSoFar(): Reactor | undefined {
  return reactor;
}

/** Looked at once: what the environment says at the start holds. */
const wanted = process.env[WAIT_VARIABLE];
let isToldOf = false;

/**
 * The wait that the environment chooses, if it does. A word that means nothing is told of once, for nobody could catch
 * an error here.
 */
function chosenWait(): Wait | undefined {
  if (wanted === undefined || wanted === '') return undefined;
  if (wanted === 'ring' || wanted === 'loop') return wanted;
  if (!isToldOf) {
    isToldOf = true;
    const message =
      `The environment variable ${WAIT_VARIABLE} is '${wanted}', and is ignored: it can be 'ring' or 'loop'`;
    process.emitWarning(message, { type: 'IOURingWarning', code: 'IOURING_WAIT' });
  }
  return undefined;
}
