import modules from 'node:module';
import { debuglog } from '../native/node-util.ts';
import { ringSide as ofSockets } from './dropin/ring-when-needed.ts';
import type * as ring from './ring-side.ts';
import { WhenNeeded } from './transport/when-needed.ts';
import { ringSide as ofDatagrams } from './udp/ring-when-needed.ts';

type Ring = typeof ring;

/** The modules behind the ring, for all kinds of sockets. */
export const ringSide = new WhenNeeded<Ring>();

/** Say how `ring-side.ts` is loaded: undefined where that fails, and it is tried again by the next that needs it. */
export function loadRingBy(load: () => Ring | undefined): void {
  ringSide.loadBy(load);
  // iouring/register counts what is loaded, and may have been before.
  if (!ofSockets.isLoadable) ofSockets.loadBy(() => ringSide.get()?.ofSockets);
  if (!ofDatagrams.isLoadable) ofDatagrams.loadBy(() => ringSide.get()?.ofDatagrams);
}

/**
 * Have it required when the first socket goes through the ring: most programs have none, and it is most of what there
 * is to load, and to keep. Versions of Node that take the entries which call this can require ES modules.
 * @param entry the address of one, which is in the folder beside `net`, or in that
 */
export function requireRingFrom(entry: string): void {
  loadRingBy(() => {
    try {
      return modules.createRequire(entry)('../net/ring-side.js') as Ring;
    } catch (error) {
      // The same modules are being imported at this moment, or there are no descriptors left: Node does it.
      debuglog('iouring')('not loaded: %s', (error as Error).message.split('\n')[0]);
      return undefined;
    }
  });
}
