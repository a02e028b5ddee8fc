/**
 * Receives streams, or sends one in pieces of `--bytes`, by `--direction`, on `listen` of iouring/socket. When the load ends its
 * side it gets a report.
 */
import type { LeanSocket } from 'iouring/socket';
import { leanAddress, printLean } from './address.ts';
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';
import { option } from './measurement.ts';
import { BYTES_A_TURN, StreamReport } from './stream-report.ts';

interface Stream {
  /** Of a receiver: bytes that came. Of a sender: bytes of the current piece that were taken. */
  position: number;
  /** The report, once the load has ended its side. */
  last: Buffer | undefined;
}

const piece = Buffer.alloc(Number(option('--bytes')));
const sending = option('--direction') === 'send';
const report = new StreamReport();

function pump(socket: LeanSocket<Stream>): void {
  const stream = socket.data;
  for (let turn = 0; stream.last === undefined && turn < BYTES_A_TURN;) {
    if (!wrote(socket, piece)) {
      return;
    }
    turn += piece.length;
    report.pieces++;
  }
  if (stream.last === undefined) {
    setImmediate(pump, socket);
  } else if (wrote(socket, stream.last)) {
    socket.end();
  }
}

/** Whether the rest of `bytes` was taken; otherwise `drain` follows. */
function wrote(socket: LeanSocket<Stream>, bytes: Buffer): boolean {
  const stream = socket.data;
  const rest = bytes.length - stream.position;
  const taken = socket.write(bytes, stream.position, rest);
  stream.position = taken < rest ? stream.position + Math.max(0, taken) : 0;
  return taken >= rest;
}

/** The load has ended its side. What is left of a piece is given up: all its bytes are alike. */
function finish(socket: LeanSocket<Stream>): void {
  socket.data.last = Buffer.from(report.ended());
  socket.data.position = 0;
  pump(socket);
}

const listener = lean.listen<Stream>({
  ...leanAddress,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = { position: 0, last: undefined };
      report.connections++;
      if (sending) {
        pump(socket);
      }
    },
    data(socket, chunk) {
      socket.data.position = report.arrived(socket.data.position, chunk);
    },
    drain: pump,
    end: finish,
    error(_, error) {
      expectGone(error);
    },
  },
});
printLean(listener);
