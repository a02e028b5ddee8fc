import { IORING_OP_SEND_ZC } from '../abi/operations.ts';
import { reactorSoFar } from '../reactor/default-reactor.ts';

/** The numbers of the ring in this thread, and whether it serves sockets; undefined if there is none. */
export function ringSoFar(): { enters: number; submitted: number; hasSockets: boolean } | undefined {
  const io = reactorSoFar();
  if (io === undefined) return undefined;
  const { enters, submitted } = io.stats;
  return { enters, submitted, hasSockets: io.supports(IORING_OP_SEND_ZC) };
}
