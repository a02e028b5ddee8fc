import { Reactor } from './reactor.ts';

let reactor: Reactor | undefined;

/**
 * The reactor of this thread, made when it is first asked for, and anew if it was closed. `iouring/fs` and `iouring/net` use it.
 * @throws {Error} as {@link Reactor}: no io_uring here, or it is forbidden
 */
export function defaultReactor(): Reactor {
  if (reactor === undefined || reactor.closed) reactor = new Reactor();
  return reactor;
}
