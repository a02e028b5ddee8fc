import type { OpenWakeUp } from './wake-up.ts';

/** The loop polls the ring's descriptor, as it polls sockets. */
export const openPollWakeUp: OpenWakeUp = (ring, native, onWake) => {
  const watcher = native.poll(ring.fd, onWake);
  watcher.unref();
  let isArmed = false;
  let isWanted = true;
  let isClosed = false;
  const settle = (armed: boolean, wanted: boolean): void => {
    const before = isArmed && isWanted;
    isArmed = armed;
    isWanted = wanted;
    const after = armed && wanted;
    if (isClosed || before === after) return;
    if (after) watcher.ref();
    else watcher.unref();
  };
  return {
    arm: () => settle(true, isWanted),
    disarm: () => settle(false, isWanted),
    ref: () => settle(isArmed, true),
    unref: () => settle(isArmed, false),
    close() {
      if (isClosed) return;
      isClosed = true;
      watcher.close();
    },
  };
};
