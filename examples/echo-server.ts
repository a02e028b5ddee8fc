// A TCP echo server on a ring: one multishot accept, one multishot receive a connection, provided buffers.
// The thread blocks in submitAndWait, as an engine with a thread per core does.
import type { Server } from 'node:net';
import { IoUring, type Completion } from 'iouring';
import { MSG_WAITALL } from 'iouring/abi';

const GROUP = 1;
const BUFFERS = 64;
const BUFFER_SIZE = 4096;
const ENOBUFS = 105;

// userData: what the operation is, and for which connection.
const ACCEPT = 1;
const RECV = 2;
const SEND = 3;
const CLOSE = 4;
const KINDS = 8;

/** The descriptor of a listening node:net server, to be accepted from by a ring. */
export function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

/** What is to be sent back on a connection, in order; the first of it is being sent. */
interface Connection {
  outgoing: { bufferId: number; bytes: number }[];
  /** The last receive ended with 0 bytes: one more of these is the end. */
  empty: boolean;
}

/** Echo everything until `connections` connections have come and gone. Blocks. */
export function echo(listenFd: number, connections: number): { arrivals: number; bytes: number } {
  using ring = new IoUring(64);
  using buffers = ring.registerBufRing(BUFFERS, BUFFER_SIZE, GROUP);
  const open = new Map<number, Connection>();
  let gone = 0;
  let arrivals = 0;
  let bytes = 0;

  ring.prepAcceptMultishot(listenFd, ACCEPT);
  while (gone < connections) {
    ring.submitAndWait(1);
    ring.forEachCompletion(complete);
  }
  return { arrivals, bytes };

  function complete(c: Completion): void {
    const kind = c.userData % KINDS;
    const fd = (c.userData - kind) / KINDS;
    if (kind === ACCEPT) accepted(c);
    else if (kind === RECV) received(fd, open.get(fd)!, c);
    else if (kind === SEND) sent(fd, open.get(fd)!, c);
    else gone++;
  }

  function accepted(c: Completion): void {
    if (c.res < 0) throw new Error(`Cannot accept: errno ${-c.res}`);
    open.set(c.res, { outgoing: [], empty: false });
    ring.prepRecvMultishot(c.res, GROUP, c.res * KINDS + RECV);
  }

  function received(fd: number, connection: Connection, c: Completion): void {
    const bufferId = c.bufferId();
    if (bufferId !== undefined) {
      arrivals++;
      bytes += c.res;
      connection.empty = false;
      connection.outgoing.push({ bufferId, bytes: c.res });
      if (connection.outgoing.length === 1) send(fd, connection);
    }
    if (c.hasMore()) return;
    const cutShort = c.res > 0 || c.res === -ENOBUFS || (c.sockNonempty() && !connection.empty);
    connection.empty = c.res === 0;
    if (cutShort) ring.prepRecvMultishot(fd, GROUP, fd * KINDS + RECV);
    else ring.prepClose(fd, fd * KINDS + CLOSE);
  }

  function send(fd: number, { outgoing }: Connection): void {
    const { bufferId, bytes: length } = outgoing[0];
    ring.prepSend(fd, buffers.bytes(bufferId, length), length, fd * KINDS + SEND, MSG_WAITALL);
  }

  function sent(fd: number, connection: Connection, c: Completion): void {
    const { bufferId, bytes: length } = connection.outgoing.shift()!;
    buffers.recycle(bufferId);
    if (c.res === length && connection.outgoing.length > 0) send(fd, connection);
  }
}
