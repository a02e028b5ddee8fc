import { RingSignal } from './ring-signal.ts';
import type { OpenWakeUp } from './wake-up.ts';

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
  const settle = (busy: boolean, wanted: boolean): void => {
    const before = isBusy && isWanted;
    isBusy = busy;
    isWanted = wanted;
    const after = busy && wanted;
    if (isClosed || before === after) return;
    if (after) watcher.ref();
    else watcher.unref();
  };
  return {
    arm() {
      if (!isBusy) settle(true, isWanted);
      if (!isClosed && signal.listen()) onWake();
    },
    pause: () => signal.pause(),
    disarm: () => settle(false, isWanted),
    ref: () => settle(isBusy, true),
    unref: () => settle(isBusy, false),
    close() {
      if (isClosed) return;
      isClosed = true;
      watcher.close();
      signal.close();
    },
  };
};
