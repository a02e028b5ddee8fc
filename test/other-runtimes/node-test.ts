// `node:test` for Bun and Deno, around their own: it skips what skipped.ts names, and counts tests as Node does, each `it` once.
import type * as NodeTest from 'node:test';
import type { TestContext, TestOptions } from 'node:test';
import { isFileSkipped, reasonToSkip, unusedReasons } from './skipped.ts';

type Body = (t: TestContext) => void | Promise<void>;

/** What of a test's arguments is what: all may be missing. */
function readArguments(args: unknown[]): [name: string, options: TestOptions, body: Body] {
  const body = args.find((arg): arg is Body => typeof arg === 'function') ?? (() => {});
  const options = args.find((arg): arg is TestOptions => typeof arg === 'object' && arg !== null) ?? {};
  return [typeof args[0] === 'string' ? args[0] : body.name, options, body];
}

/** The same module, whose tests are counted, and skipped where that is written; and what is to be called when they are over. */
export function wrap(own: typeof NodeTest): [module: typeof NodeTest, end: () => void] {
  const suites: string[] = [];
  const counts = { all: 0, passed: 0, skipped: 0 };
  /** How many are skipped here alone, by the reason. */
  const reasons = new Map<string, number>();

  const count = (t: TestContext): { isSkipped: boolean } => {
    const state = { isSkipped: false };
    const { skip } = t;
    t.skip = (message) => {
      state.isSkipped = true;
      skip?.call(t, message);
    };
    return state;
  };

  const it = (...args: unknown[]): unknown => {
    const [name, options, body] = readArguments(args);
    const reason = reasonToSkip([...suites, name].join(' > '));
    const skip = reason ?? options.skip ?? false;
    counts.all++;
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (skip !== false) {
      counts.skipped++;
      return own.it(name, { ...options, skip }, body as never);
    }
    return own.it(name, options, async (t) => {
      const state = count(t);
      try {
        await body(t);
      } finally {
        // Deno leaves the clock of a test that is over stopped, and fails the next one that stops it.
        (t.mock as typeof t.mock | undefined)?.timers?.reset();
      }
      if (state.isSkipped) counts.skipped++;
      else counts.passed++;
    });
  };

  const describe = (...args: unknown[]): unknown => {
    const [name, options, body] = readArguments(args);
    return own.describe(
      name,
      options,
      ((context: never) => {
        suites.push(name);
        try {
          return (body as (context: never) => unknown)(context);
        } finally {
          suites.pop();
        }
      }) as never,
    );
  };

  const failed = (): number => counts.all - counts.passed - counts.skipped + unusedReasons().length;

  const end = (): void => {
    for (const line of unusedReasons()) console.error(`No such test any more: ${line}`);
    for (const [reason, count] of reasons) console.error(`# here ${count}: ${reason}`);
    console.error(`# pass ${counts.passed}\n# skipped ${counts.skipped}\n# fail ${failed()}`);
  };

  const nothing = (): void => {};
  const hooks = isFileSkipped ? { before: nothing, after: nothing, beforeEach: nothing, afterEach: nothing } : {};
  const wrapped = { ...own, ...hooks, it, test: it, describe, suite: describe, default: it };
  return [wrapped as unknown as typeof NodeTest, end];
}
