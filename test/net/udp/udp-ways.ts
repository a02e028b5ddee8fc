import { worth } from '../../../src/net/udp/worth.ts';

/** From now on it pays to have a UDP socket on the ring, whatever comes, or never does: each message finds out. */
export function pays(does: boolean): void {
  const least = does ? 0 : Number.POSITIVE_INFINITY;
  Object.assign(worth, { messages: 1, patience: 1, pause: 0, pays: least, costs: least });
}
