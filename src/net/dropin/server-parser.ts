import { nextTick } from '../../native/timers.ts';

/** node:http's parser of requests, and where its callbacks stand. */
interface Parser {
  incoming: object | null;
  [callback: number]: ((this: Parser, ...args: unknown[]) => unknown) | undefined;
  constructor: { kOnHeaders?: number; kOnHeadersComplete?: number; kOnBody?: number; kOnMessageComplete?: number };
  [COMPLETE]?: (() => void) | undefined;
}

/** That a message is complete is still to be told. */
const COMPLETE = Symbol('complete');

const prepared = new WeakSet<Parser>();
const SETTLED = Promise.resolve();

/** The parser that is being given bytes, and whether they had a body so far. */
let current: Parser | undefined;
let hasBody = false;

/**
 * Have a parser tell of bodies as when it reads from a handle of libuv's: what a body sets off in ticks and microtasks
 * comes before the message is complete. When it is called by JavaScript, as for a socket that has no such handle,
 * nothing comes in between.
 */
export function prepareParser(candidate: unknown): void {
  const parser = candidate as Parser;
  if (prepared.has(parser)) return;
  prepared.add(parser);
  const { kOnHeaders, kOnHeadersComplete, kOnBody, kOnMessageComplete } = parser.constructor;
  if (kOnHeadersComplete === undefined || kOnBody === undefined || kOnMessageComplete === undefined) return;
  // Of the next message, or trailers, which are told before the message is complete.
  for (const begins of [kOnHeaders, kOnHeadersComplete]) before(parser, begins, () => complete(parser));
  before(parser, kOnBody, () => (hasBody = parser === current));
  const onComplete = parser[kOnMessageComplete]!;
  parser[kOnMessageComplete] = function onMessageComplete(): unknown {
    if (!hasBody || this !== current) return onComplete.call(this);
    hasBody = false;
    const { incoming } = this;
    this[COMPLETE] = () => {
      // Whoever has destroyed the socket meanwhile has freed the parser.
      if (this.incoming === incoming) onComplete.call(this);
    };
    void SETTLED.then(() => nextTick(complete, this));
    return undefined;
  };
}

function before(parser: Parser, callback: number | undefined, call: () => void): void {
  const original = callback === undefined ? undefined : parser[callback];
  if (original === undefined) return;
  parser[callback!] = function (...args) {
    call();
    return Reflect.apply(original, this, args);
  };
}

function complete(parser: Parser): void {
  const tell = parser[COMPLETE];
  parser[COMPLETE] = undefined;
  tell?.();
}

/** Call what gives `bytes` to a parser that {@link prepareParser} was given. */
export function giveToParser<B, T>(candidate: unknown, give: (bytes: B) => T, bytes: B): T {
  const parser = candidate as Parser;
  complete(parser);
  const outer = current;
  current = parser;
  hasBody = false;
  try {
    return give(bytes);
  } finally {
    current = outer;
    hasBody = false;
  }
}
