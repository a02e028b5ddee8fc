/**
 * The tiny TCP responder on a ring, the same as responder.c: multishot accept, one multishot
 * receive a connection from a provided-buffer ring, a send for each request.
 */
import { createServer } from 'node:net';
import { type Completion, IoUring, type ProvidedBufRing } from 'iouring';
import { expectOneRequest, expectWholeResponse, RESPONSE } from './http.ts';
import { printLine } from './measurement.ts';

const SQ_ENTRIES = 1024;
const CQ_ENTRIES = 4096;
const BUFFERS = 512;
const BUFFER_BYTES = 1024;
const GROUP = 0;
const ENOBUFS = 105;

// The user data of an operation is its descriptor times four, and its kind in the two low bits.
const ACCEPT = 0;
const RECEIVE = 1;
const SEND = 2;
const CLOSE = 3;

function queued(accepted: boolean): void {
  if (!accepted) {
    throw new Error('Cannot queue: the submission queue is full');
  }
}

function respond(ring: IoUring, buffers: ProvidedBufRing, listener: number): never {
  function receiveFrom(fd: number): void {
    queued(ring.prepRecvMultishot(fd, GROUP, fd * 4 + RECEIVE));
  }

  function received(fd: number, completion: Completion): void {
    const { res } = completion;
    if (res > 0) {
      const bid = completion.bufferId()!;
      expectOneRequest(buffers.bytes(bid, res));
      buffers.recycle(bid);
      queued(ring.prepSend(fd, RESPONSE, RESPONSE.length, fd * 4 + SEND));
      if (!completion.hasMore()) {
        receiveFrom(fd);
      }
    } else if (res === -ENOBUFS) {
      receiveFrom(fd);
    } else {
      // Whatever SOCK_NONEMPTY says: TCP sets it at the end too. A connection closed by mistake is
      // one that wrk complains of.
      queued(ring.prepClose(fd, fd * 4 + CLOSE));
    }
  }

  function accepted(completion: Completion): void {
    if (completion.res < 0) {
      throw new Error(`Cannot accept: ${completion.res}`);
    }
    receiveFrom(completion.res);
    if (!completion.hasMore()) {
      queued(ring.prepAcceptMultishot(listener, listener * 4 + ACCEPT));
    }
  }

  function onCompletion(completion: Completion): void {
    const { userData, res } = completion;
    const kind = userData & 3;
    if (kind === RECEIVE) {
      received(userData >>> 2, completion);
    } else if (kind === SEND) {
      // A connection that broke is closed by its receive.
      if (res >= 0) {
        expectWholeResponse(res);
      }
    } else if (kind === ACCEPT) {
      accepted(completion);
    }
  }

  queued(ring.prepAcceptMultishot(listener, listener * 4 + ACCEPT));
  for (;;) {
    ring.submitAndWait(1);
    ring.forEachCompletion(onCompletion);
  }
}

// Node makes the listening socket and never accepts from it: its event loop gets no other turn.
const server = createServer();
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const listener = (server as unknown as { _handle: { fd: number } })._handle.fd;
  const ring = new IoUring(SQ_ENTRIES, { cqEntries: CQ_ENTRIES });
  const buffers = ring.registerBufRing(BUFFERS, BUFFER_BYTES, GROUP);
  const address = server.address();
  printLine({ port: typeof address === 'object' ? address?.port : undefined });
  respond(ring, buffers, listener);
});
