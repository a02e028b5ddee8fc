/**
 * Sends zeros in pieces of `--size` to whoever connects, until they end their side; then a report.
 * `--way`: send (the kernel copies each piece), zc (it refers to it), fixed (the same, from a
 * registered buffer). The same as zero-copy.c: pieces are linked in chains, so that they go in
 * order, and there is memory for many at any size.
 */
import { allocateAligned, type Completion, IoUring } from 'iouring';
import { IORING_NOTIF_USAGE_ZC_COPIED, IOSQE_IO_LINK, MSG_WAITALL } from 'iouring/abi';
import { listenOnAnyPort, queued } from './loopback.ts';
import { option } from './measurement.ts';

const MEMORY_BYTES = 4 << 20;
const CHAIN = 8;
const CQ_ENTRIES = 16384;

const size = Number(option('--size'));
const way = option('--way');
const chains = MEMORY_BYTES / size / CHAIN;
if (!Number.isInteger(chains) || chains < 2) {
  throw new Error(`Cannot send pieces of ${size} bytes`);
}

// The user data of an operation: the piece of a send, or what comes after all pieces.
const PIECES = chains * CHAIN;
const ACCEPT = PIECES;
const END = PIECES + 1;
const REPORT = PIECES + 2;
const CLOSE = PIECES + 3;

function serve(ring: IoUring, memory: Uint8Array, listener: number): never {
  const pieces = Array.from({ length: PIECES }, (_, piece) => memory.subarray(piece * size, (piece + 1) * size));
  const zeroCopy = way !== 'send';
  const options = way === 'fixed' ? { fixed: 0, reportUsage: true } : { reportUsage: true };
  const nothing = new Uint8Array(1);
  let connection = -1;
  let ending = false;
  /** Sends of the current chain that have no result yet. */
  let unfinished = 0;
  /** Pieces of each chain that are lent, and of all of them. */
  const lent = new Uint8Array(chains);
  let lentInAll = 0;
  let nextChain = 0;
  let counted = { sends: 0, notifications: 0, copied: 0 };

  function sendPiece(piece: number): void {
    const bytes = pieces[piece];
    queued(
      zeroCopy
        ? ring.prepSendZc(connection, bytes, size, piece, MSG_WAITALL, options)
        : ring.prepSend(connection, bytes, size, piece, MSG_WAITALL),
    );
  }

  function sendChain(): void {
    const first = nextChain * CHAIN;
    for (let i = 0; i < CHAIN; i++) {
      sendPiece(first + i);
      if (i < CHAIN - 1) {
        ring.sqeSetFlags(IOSQE_IO_LINK);
      }
    }
    unfinished = CHAIN;
    lent[nextChain] = CHAIN;
    lentInAll += CHAIN;
    nextChain = (nextChain + 1) % chains;
  }

  function report(): void {
    const text = Buffer.from(JSON.stringify(counted));
    counted = { sends: 0, notifications: 0, copied: 0 };
    queued(ring.prepSend(connection, text, text.length, REPORT, MSG_WAITALL));
    ring.sqeSetFlags(IOSQE_IO_LINK);
    queued(ring.prepClose(connection, CLOSE));
  }

  function proceed(): void {
    if (connection < 0 || unfinished > 0) {
      return;
    }
    if (!ending) {
      if (lent[nextChain] === 0) {
        sendChain();
      }
    } else if (lentInAll === 0) {
      report();
      connection = -1;
    }
  }

  function giveBack(piece: number): void {
    lent[(piece / CHAIN) | 0]--;
    lentInAll--;
  }

  function sent(piece: number, completion: Completion): void {
    const { res } = completion;
    if (completion.isNotification()) {
      counted.notifications++;
      counted.copied += (res & IORING_NOTIF_USAGE_ZC_COPIED) === 0 ? 0 : 1;
      giveBack(piece);
      return;
    }
    if (res !== size) {
      throw new Error(`Cannot send: a send failed or was short: ${res}`);
    }
    counted.sends++;
    unfinished--;
    if (!completion.hasMore()) {
      giveBack(piece);
    }
  }

  function onCompletion(completion: Completion): void {
    const { userData, res } = completion;
    if (userData < PIECES) {
      sent(userData, completion);
    } else if (res < 0) {
      throw new Error(`Cannot go on: operation ${userData - PIECES} ended in ${res}`);
    } else if (userData === ACCEPT) {
      connection = res;
      ending = false;
      queued(ring.prepRecv(connection, nothing, 1, END));
    } else if (userData === END) {
      ending = true;
    } else if (userData === CLOSE) {
      queued(ring.prepAccept(listener, ACCEPT));
    }
  }

  queued(ring.prepAccept(listener, ACCEPT));
  for (;;) {
    ring.submitAndWait(1);
    ring.forEachCompletion(onCompletion);
    proceed();
  }
}

listenOnAnyPort((listener) => {
  const ring = new IoUring(2 * CHAIN, { cqEntries: CQ_ENTRIES });
  // Written to, so that it has pages of its own: until then all of it is the one page of zeros.
  const memory = allocateAligned(MEMORY_BYTES).fill(0);
  if (way === 'fixed') {
    ring.registerBuffers([memory]);
  }
  serve(ring, memory, listener);
});
