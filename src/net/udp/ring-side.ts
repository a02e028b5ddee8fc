import { wrongState } from '../../ring/arguments/argument-errors.ts';
import { ringForSockets, tellFallback } from '../transport/ring-or-node.ts';
import { bindWithReusePort } from './udp-bind.ts';
import { RingUdp } from './udp-handle.ts';

/** Say, once, that sockets of this runtime stay what they are. */
function tellForeign(): void {
  const message = 'Cannot use io_uring for UDP: the runtime keeps its UDP sockets otherwise than Node does';
  tellFallback(wrongState('ERR_IOURING_UNSUPPORTED', message));
}

/**
 * The part of us that only a UDP socket needs which goes through the ring. Nothing that is loaded before there is one
 * imports it: see `ring-when-needed.ts`.
 */
export const ring = { RingUdp, bindWithReusePort, ringForSockets, tellForeign };
