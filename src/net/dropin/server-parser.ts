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
  const isKnown = kOnHeaders !== undefined && kOnHeadersComplete !== undefined;
  if (!isKnown || kOnBody === undefined || kOnMessageComplete === undefined) return;
  const onBody = parser[kOnBody]!;
  // With a fixed number of arguments: to gather and spread them shows in the time of a request.
  parser[kOnBody] = function onBodyPart(bytes, start, length): unknown {
    hasBody = this === current;
    return onBody.call(this, bytes, start, length);
  };
  const onComplete = parser[kOnMessageComplete]!;
  parser[kOnMessageComplete] = function onMessageComplete(): unknown {
    if (!hasBody || this !== current) return onComplete.call(this);
    hasBody = false;
    const { incoming } = this;
    const release = holdNext(this);
    this[COMPLETE] = () => {
      release();
      // Whoever has destroyed the socket meanwhile has freed the parser.
      if (this.incoming === incoming) onComplete.call(this);
    };
    void SETTLED.then(() => nextTick(complete, this));
    return undefined;
  };
}

/**
 * A message is to be complete before the parser tells of the next one, or of trailers, which belong to it.
 * @returns gives the parser its callbacks back
 */
function holdNext(parser: Parser): () => void {
  const { kOnHeaders, kOnHeadersComplete } = parser.constructor;
  const held = [kOnHeaders!, kOnHeadersComplete!].map((callback) => [callback, parser[callback]] as const);
  for (const [callback, original] of held) {
    if (original === undefined) continue;
    parser[callback] = function (...args): unknown {
      complete(this);
      return Reflect.apply(original, this, args);
    };
  }
  return () => {
    for (const [callback, original] of held) parser[callback] = original;
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
