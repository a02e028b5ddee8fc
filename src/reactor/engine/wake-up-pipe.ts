import { POLLIN } from '../../abi/event-flags.ts';
import { IOSQE_IO_LINK } from '../../abi/flags.ts';
import type { Native } from '../../native/native.ts';
import { kernelError } from '../../ring/kernel/kernel-error.ts';
import { IoUring } from '../../ring/io-uring.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { RingSignal } from './ring-signal.ts';
import type { OpenWakeUp } from './wake-up.ts';

/**
 * A second ring watches the eventfd of the first: when that has something, the kernel itself writes a byte into a pipe,
 * which the event loop reads as it reads any other. Dearer than the loop's own poll, by a system call and a read for
 * each wake-up, and without anything that a loop could call when its thread ends.
 */
export const openPipeWakeUp: OpenWakeUp = (ring, native, onWake) => {
  const signal = new RingSignal(ring, native);
  const [reader, writer] = makePipe(native);
  const forgetWriter = native.closeAtThreadExit(writer);
  const watcher = new IoUring(2, ownOptions({ cqEntries: 4, deferTaskrun: false, registerRingFd: false }), native);
  const byte = new Uint8Array(1);
  /** The second ring is at it. */
  let isWatching = false;
  let isBusy = false;
  let isWanted = true;
  let isClosed = false;
  const pipe = native.readPipe(reader, () => {
    isWatching = false;
    signal.reset();
    onWake();
  });
  pipe.unref();
  const settle = (): void => {
    if (isClosed) return;
    if (isBusy && (isWanted || pipe.needsRef)) pipe.ref();
    else pipe.unref();
  };
  return {
    engage() {
      isBusy = true;
      settle();
    },
    disengage() {
      isBusy = false;
      settle();
    },
    listen() {
      if (isClosed) return false;
      if (!isWatching) {
        isWatching = true;
        watcher.forEachCompletion(() => {});
        watcher.prepPollAdd(signal.fd, POLLIN, 1);
        watcher.sqeSetFlags(IOSQE_IO_LINK);
        watcher.prepWrite(writer, byte, 1, 2);
        watcher.submit();
      }
      return signal.listen();
    },
    pause: () => signal.pause(),
    ref() {
      isWanted = true;
      settle();
    },
    unref() {
      isWanted = false;
      settle();
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      watcher.close();
      forgetWriter();
      native.close(writer);
      signal.close();
      pipe.close();
    },
  };
};

function makePipe(native: Native): Int32Array {
  const fds = new Int32Array(2);
  const result = native.pipe(fds);
  if (result < 0) throw kernelError(-result, 'pipe2', 'no descriptors left for the pipe that wakes the event loop');
  return fds;
}
