import { nativeStreamClass } from './native-stream.ts';

/** Node's native stream, with what it calls to begin to read. */
interface Stream {
  onreadstart: () => number;
  readStart(): number;
}

/**
 * Calls a function as Node's native code calls one that waits for a descriptor: ticks and microtasks run behind it, and
 * what it or they throw is uncaught. It is to be called by native code, with nothing of JavaScript's above it that
 * Node has called so.
 */
export type InCallbackScope = (call: () => void) => void;

/**
 * Opens a scope by a native stream that asks, in vain, to be read.
 *
 * Leans on: that its native method `readStart` calls `onreadstart` as native code calls JavaScript. Otherwise: there is
 * none.
 *
 * - watched by test/native/callback-scope.test.ts: ticks and microtasks run behind each call, in their order
 */
export function callbackScope(): InCallbackScope | undefined {
  let call: () => void = nothing;
  let isCalled = false;
  try {
    const stream = new (nativeStreamClass() as new () => Stream)();
    stream.onreadstart = () => {
      isCalled = true;
      call();
      return 0;
    };
    stream.readStart();
    if (!isCalled) return undefined;
    return (wanted) => {
      call = wanted;
      stream.readStart();
      call = nothing;
    };
  } catch {
    return undefined;
  }
}

function nothing(): void {}
