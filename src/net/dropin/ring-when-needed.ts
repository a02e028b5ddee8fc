import { RingWhenNeeded } from '../transport/when-needed.ts';
import type { ring } from './ring-side.ts';

/** The modules behind the ring, for connections. */
export const ringSide = new RingWhenNeeded<typeof ring>();
