import { createHook } from 'node:async_hooks';
import { nextTick } from '../../native/timers.ts';

let kept: object | undefined;

/**
 * Keep one of the objects alive that Node makes for each `process.nextTick`. Where none is alive when V8 collects all
 * garbage, what V8 knows of their shape is collected too; the place that makes them is then slow for the rest of the
 * process: ten times, measured on Node 20 and 26. A program that is driven by a ring comes to such a moment sooner or
 * later, for its ticks are few.
 */
export function keepTickObject(): void {
  if (kept !== undefined) return;
  kept = {};
  const hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === 'TickObject') kept = resource;
    },
  });
  hook.enable();
  nextTick(() => {});
  hook.disable();
}
