import { IORING_OP_SEND_ZC } from '../abi/operations.ts';
import { AvailableReactor } from '../reactor/available-reactor.ts';
import type { Reactor } from '../reactor/reactor.ts';

/** Where there is no reactor it says so once, whoever asks first. */
export const available = new AvailableReactor('iouring/net');

/**
 * The reactor for sockets; undefined where there is no io_uring, or none that receives many times, so that Node has to do it. The
 * kernel does not tell of the latter: it came with another operation, of which it does.
 */
export function ringForSockets(): Reactor | undefined {
  const io = available.get();
  return io?.supports(IORING_OP_SEND_ZC) ? io : undefined;
}

/** Say, once, that Node does it, and why. */
export function tellFallback(error: Error): void {
  available.tell(error);
}
