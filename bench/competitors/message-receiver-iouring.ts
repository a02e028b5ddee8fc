/**
 * Receives streams of messages, the same as message-receiver.c: multishot accept, one multishot
 * receive a connection. `--way` says how the kernel uses the `--buffers` of `--buffer-bytes`: one
 * an arrival (plain), as many as arrived (bundle), or piece by piece (incremental). The last
 * `--held` arrivals keep their buffers, as those do that a program is working on. When the last
 * connection has ended it gets a report.
 */
import { type Completion, IoUring, type ProvidedBufRing } from 'iouring';
import { IOSQE_IO_LINK } from 'iouring/abi';
import { listenOnAnyPort, queued } from './loopback.ts';
import { option } from './measurement.ts';

const SQ_ENTRIES = 1024;
const CQ_ENTRIES = 4096;
const DESCRIPTORS_MAX = 4096;
const HELD_MAX = 256;
const GROUP = 0;
const ENOBUFS = 105;
const KEPT = -1;

// The user data of an operation is its descriptor times four, and its kind in the two low bits.
const ACCEPT = 0;
const RECEIVE = 1;
const REPORT = 2;
const CLOSE = 3;

const way = option('--way');
const bundle = way === 'bundle';
const incremental = way === 'incremental';
const heldMax = Number(option('--held'));
if (heldMax >= HELD_MAX || (bundle && heldMax > 0)) {
  throw new Error(`Cannot hold ${heldMax} arrivals`);
}

function serve(ring: IoUring, buffers: ProvidedBufRing, listener: number): never {
  const positions = new Float64Array(DESCRIPTORS_MAX);
  /** What each of the last arrivals leaves free, in order: a buffer, or KEPT. */
  const held = new Int32Array(HELD_MAX);
  let heldCount = 0;
  let oldest = 0;
  let connections = 0;
  let counted = { bytes: 0, completions: 0, buffers: 0, rearms: 0 };

  function receiveFrom(fd: number): void {
    queued(ring.prepRecvMultishot(fd, GROUP, fd * 4 + RECEIVE, { bundle }));
  }

  function letGo(): void {
    const bid = held[oldest];
    if (bid !== KEPT) {
      buffers.recycle(bid);
    }
    oldest = (oldest + 1) % HELD_MAX;
    heldCount--;
  }

  /** An arrival leaves buffer `bid` free, or KEPT, when the program is done with it. */
  function hold(bid: number): void {
    held[(oldest + heldCount) % HELD_MAX] = bid;
    heldCount++;
    if (heldCount > heldMax) {
      letGo();
    }
  }

  function check(fd: number, bytes: Uint8Array): void {
    const position = positions[fd];
    if (bytes[0] !== ((position ^ (position >> 8)) & 255)) {
      throw new Error(`Cannot go on: the bytes at ${position} are in the wrong order`);
    }
    positions[fd] = position + bytes.length;
  }

  function arrived(fd: number, completion: Completion): void {
    counted.completions++;
    if (bundle) {
      for (const piece of buffers.bytes(completion)) {
        check(fd, piece);
        counted.buffers++;
      }
      buffers.recycle(completion);
    } else if (incremental) {
      for (const piece of buffers.bytes(completion)) {
        check(fd, piece);
      }
      const more = completion.bufferMore();
      counted.buffers += more ? 0 : 1;
      hold(more ? KEPT : completion.bufferId()!);
    } else {
      const bid = completion.bufferId()!;
      check(fd, buffers.bytes(bid, completion.res));
      counted.buffers++;
      hold(bid);
    }
  }

  function ended(fd: number): void {
    counted.bytes += positions[fd];
    connections--;
    if (connections === 0) {
      const report = Buffer.from(JSON.stringify(counted));
      counted = { bytes: 0, completions: 0, buffers: 0, rearms: 0 };
      queued(ring.prepSend(fd, report, report.length, fd * 4 + REPORT));
      ring.sqeSetFlags(IOSQE_IO_LINK);
    }
    queued(ring.prepClose(fd, fd * 4 + CLOSE));
  }

  function received(fd: number, completion: Completion): void {
    const { res } = completion;
    if (res === 0) {
      ended(fd);
      return;
    }
    if (res > 0) {
      arrived(fd, completion);
    } else if (res === -ENOBUFS) {
      // No buffer is left: the work comes first.
      while (heldCount > 0) {
        letGo();
      }
    } else {
      throw new Error(`Cannot receive: ${res}`);
    }
    if (!completion.hasMore()) {
      counted.rearms++;
      receiveFrom(fd);
    }
  }

  function accepted(completion: Completion): void {
    const { res } = completion;
    if (res < 0 || res >= DESCRIPTORS_MAX) {
      throw new Error(`Cannot accept: ${res}`);
    }
    connections++;
    positions[res] = 0;
    receiveFrom(res);
    if (!completion.hasMore()) {
      queued(ring.prepAcceptMultishot(listener, listener * 4 + ACCEPT));
    }
  }

  function onCompletion(completion: Completion): void {
    const { userData } = completion;
    const kind = userData & 3;
    if (kind === RECEIVE) {
      received(userData >>> 2, completion);
    } else if (kind === ACCEPT) {
      accepted(completion);
    } else if (completion.res < 0) {
      throw new Error(`Cannot report: ${completion.res}`);
    }
  }

  queued(ring.prepAcceptMultishot(listener, listener * 4 + ACCEPT));
  for (;;) {
    ring.submitAndWait(1);
    ring.forEachCompletion(onCompletion);
  }
}

listenOnAnyPort((listener) => {
  const ring = new IoUring(SQ_ENTRIES, { cqEntries: CQ_ENTRIES });
  const entries = Number(option('--buffers'));
  const size = Number(option('--buffer-bytes'));
  const buffers = ring.registerBufRing(entries, size, GROUP, { incremental });
  serve(ring, buffers, listener);
});
