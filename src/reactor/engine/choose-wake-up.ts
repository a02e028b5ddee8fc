import { hasUvLoop } from '../../native/runtime.ts';
import type { Native } from '../../native/native.ts';
import { openPipeWakeUp } from './wake-up-pipe.ts';
import { openPollWakeUp } from './wake-up-poll.ts';
import type { OpenWakeUp } from './wake-up.ts';

/**
 * The one place that chooses. The loop's own poll is the cheaper way, and Node's: in a worker it would call into
 * JavaScript once more when the thread ends, which is fatal; Deno does not go on after the call; Bun ends the process.
 * See runtime.ts.
 */
export function chooseWakeUp({ isMainThread }: Native): OpenWakeUp {
  return hasUvLoop() && isMainThread ? openPollWakeUp : openPipeWakeUp;
}
