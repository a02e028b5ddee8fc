/**
 * Short connections, the same as direct.c: accept one, receive a request, answer it, close.
 * `--descriptors`: ordinary ones, or direct ones, which stand in the ring's own table and never in
 * the process's.
 */
import { type Completion, IoUring } from 'iouring';
import { IOSQE_FIXED_FILE, IOSQE_IO_LINK, MSG_WAITALL } from 'iouring/abi';
import { listenOnAnyPort, queued } from './loopback.ts';
import { option } from './measurement.ts';

const SQ_ENTRIES = 1024;
const CQ_ENTRIES = 4096;
const SLOTS = 1024;
/** direct-client.c has the same. */
const MESSAGE_BYTES = 64;

// The user data of an operation is its descriptor or slot times four, and its kind in the two low
// bits.
const ACCEPT = 0;
const RECEIVE = 1;
const SEND = 2;
const CLOSE = 3;

const direct = option('--descriptors') === 'direct';

function serve(ring: IoUring, listener: number): never {
  const memory = new Uint8Array(SLOTS * MESSAGE_BYTES);
  const requests = Array.from(
    { length: SLOTS },
    (_, slot) => memory.subarray(slot * MESSAGE_BYTES, (slot + 1) * MESSAGE_BYTES),
  );

  function accept(): void {
    const userData = listener * 4 + ACCEPT;
    const options = direct ? ({ direct: 'alloc' } as const) : undefined;
    queued(ring.prepAcceptMultishot(listener, userData, options));
  }

  function receiveFrom(fd: number): void {
    const userData = fd * 4 + RECEIVE;
    queued(ring.prepRecv(fd, requests[fd], MESSAGE_BYTES, userData, MSG_WAITALL));
    if (direct) {
      ring.sqeSetFlags(IOSQE_FIXED_FILE);
    }
  }

  function answer(fd: number): void {
    queued(ring.prepSend(fd, requests[fd], MESSAGE_BYTES, fd * 4 + SEND));
    ring.sqeSetFlags(direct ? IOSQE_IO_LINK | IOSQE_FIXED_FILE : IOSQE_IO_LINK);
    const userData = fd * 4 + CLOSE;
    queued(direct ? ring.prepCloseDirect(fd, userData) : ring.prepClose(fd, userData));
  }

  function onCompletion(completion: Completion): void {
    const { userData, res } = completion;
    const kind = userData & 3;
    if (kind === ACCEPT) {
      if (res < 0 || res >= SLOTS) {
        throw new Error(`Cannot accept: ${res}`);
      }
      receiveFrom(res);
      if (!completion.hasMore()) {
        accept();
      }
    } else if (kind === CLOSE) {
      if (res < 0) {
        throw new Error(`Cannot close: ${res}`);
      }
    } else if (res !== MESSAGE_BYTES) {
      throw new Error(`Cannot go on: a message was cut short: ${res}`);
    } else if (kind === RECEIVE) {
      answer(userData >>> 2);
    }
  }

  accept();
  for (;;) {
    ring.submitAndWait(1);
    ring.forEachCompletion(onCompletion);
  }
}

listenOnAnyPort((listener) => {
  const ring = new IoUring(SQ_ENTRIES, { cqEntries: CQ_ENTRIES });
  if (direct) {
    ring.registerFilesSparse(SLOTS);
  }
  serve(ring, listener);
});
