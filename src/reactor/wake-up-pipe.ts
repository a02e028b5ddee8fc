import { Socket } from 'node:net';
import { POLLIN } from '../abi/event-flags.ts';
import { IOSQE_IO_LINK } from '../abi/flags.ts';
import type { Native } from '../native/native.ts';
import { kernelError } from '../ring/kernel-error.ts';
import { IoUring } from '../ring/ring.ts';
import type { OpenWakeUp } from './wake-up.ts';

/**
 * A second ring watches the first: as soon as that has completions, the kernel itself writes a byte into a pipe, which the
 * event loop reads as it reads any other. Dearer than the loop's own poll, by an entry and a read for each wake-up, and
 * without anything that a loop could call when its thread ends.
 */
export const openPipeWakeUp: OpenWakeUp = (ring, native, onWake) => {
  const [reader, writer] = makePipe(native);
  const forgetWriter = native.closeAtThreadExit(writer);
  const watcher = new IoUring(2, { cqEntries: 4, deferTaskrun: false, registerRingFd: false }, native);
  const byte = new Uint8Array(1);
  let isArmed = false;
  let isClosed = false;
  const socket = new Socket({
    fd: reader,
    readable: true,
    writable: false,
    onread: {
      buffer: new Uint8Array(64),
      callback: () => {
        isArmed = false;
        onWake();
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', () => {});
  socket.unref();
  socket.resume();
  let isWanted = true;
  let isBusy = false;
  const settle = (): void => {
    if (isClosed) return;
    if (isBusy && isWanted) socket.ref();
    else socket.unref();
  };
  return {
    arm() {
      if (!isBusy) {
        isBusy = true;
        settle();
      }
      if (isArmed || isClosed) return;
      isArmed = true;
      watcher.forEachCompletion(() => {});
      watcher.prepPollAdd(ring.fd, POLLIN, 1);
      watcher.sqeSetFlags(IOSQE_IO_LINK);
      watcher.prepWrite(writer, byte, 1, 2);
      watcher.submit();
    },
    disarm() {
      isBusy = false;
      settle();
    },
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
      socket.destroy();
    },
  };
};

function makePipe(native: Native): Int32Array {
  const fds = new Int32Array(2);
  const result = native.pipe(fds);
  if (result < 0) throw kernelError(-result, 'pipe2', 'no descriptors left for the pipe that wakes the event loop');
  return fds;
}
