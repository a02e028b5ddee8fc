import { IORING_OP_SEND_ZC } from '../../abi/operations.ts';
import { AvailableReactor } from '../../reactor/available-reactor.ts';
import type { Reactor } from '../../reactor/reactor.ts';

/**
 * Where there is no reactor it says so once, whoever asks first. Sockets need one that receives many times. The kernel does not tell of
 * that: it came with another operation, of which it does.
 */
export const available = new AvailableReactor('iouring/net', [IORING_OP_SEND_ZC]);

/** The reactor for sockets; undefined where there is no io_uring, or an older one, so that Node has to do it. */
export function ringForSockets(): Reactor | undefined {
  return available.get();
}

/** Say, once, that Node does it, and why. */
export function tellFallback(error: Error): void {
  available.tell(error);
}
