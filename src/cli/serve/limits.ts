/** When to give up on a client, in milliseconds; and what it may send. */
export interface Limits {
  /** Connections that are served; others are answered with 503. */
  readonly connections: number;
  /** Bytes of a request's line and fields. */
  readonly head: number;
  /** The head has to be there by then. */
  readonly headMs: number;
  /** Between two requests. */
  readonly idleMs: number;
  /** An answer has to move on. */
  readonly sendMs: number;
}
