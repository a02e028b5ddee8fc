import { RingSignal } from './ring-signal.ts';
import type { OpenWakeUp } from './wake-up.ts';

/** Ends what the loop still watches. */
const watched = new Set<() => void>();

/**
 * When the process ends by itself, Node runs the loop once more to close its handles. A descriptor that is readable
 * then would have koffi call JavaScript, which nobody can any more: the process would abort.
 */
const endAll = (): void => {
  for (const end of watched) end();
};

/** Node: the loop polls the ring's eventfd, as it polls sockets. */
export const openPollWakeUp: OpenWakeUp = (ring, native, onWake) => {
  const signal = new RingSignal(ring, native);
  const watcher = native.poll(signal.fd, () => {
    signal.reset();
    onWake();
  });
  watcher.unref();
  let isBusy = false;
  let isWanted = true;
  let isClosed = false;
  let isWatching = true;
  const end = (): void => {
    isWatching = false;
    watcher.close();
  };
  if (watched.size === 0) process.on('exit', endAll);
  watched.add(end);
  const settle = (busy: boolean, wanted: boolean): void => {
    const before = isBusy && isWanted;
    isBusy = busy;
    isWanted = wanted;
    const after = busy && wanted;
    if (!isWatching || before === after) return;
    if (after) watcher.ref();
    else watcher.unref();
  };
  return {
    engage: () => settle(true, isWanted),
    disengage: () => settle(false, isWanted),
    listen: () => !isClosed && signal.listen(),
    pause: () => signal.pause(),
    ref: () => settle(isBusy, true),
    unref: () => settle(isBusy, false),
    close() {
      if (isClosed) return;
      isClosed = true;
      if (isWatching) end();
      watched.delete(end);
      if (watched.size === 0) process.off('exit', endAll);
      signal.close();
    },
  };
};
