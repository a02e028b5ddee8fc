/**
 * Receives streams, or sends one in pieces of `--bytes`, by `--direction`, on the sockets of `--module`: node:net, or iouring/net,
 * which speaks the same. When the load ends its side it gets a report.
 */
import type { Socket } from 'node:net';
import { listen } from './address.ts';
import { expectGone } from './gone.ts';
import { option } from './measurement.ts';
import { BYTES_A_TURN, StreamReport } from './stream-report.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const piece = Buffer.alloc(Number(option('--bytes')));
const report = new StreamReport();

function receive(socket: Socket): void {
  let position = 0;
  socket.on('data', (chunk) => (position = report.arrived(position, chunk)));
}

function send(socket: Socket): void {
  let immediate: NodeJS.Immediate | undefined;
  function pump(): void {
    for (let turn = 0; turn < BYTES_A_TURN; turn += piece.length) {
      report.pieces++;
      if (!socket.write(piece)) {
        return;
      }
    }
    immediate = setImmediate(pump);
  }
  socket.on('drain', pump);
  socket.once('end', () => {
    clearImmediate(immediate);
    socket.off('drain', pump);
  });
  socket.resume();
  pump();
}

const run = option('--direction') === 'receive' ? receive : send;
const server = createServer({ allowHalfOpen: true }, (socket) => {
  report.connections++;
  run(socket);
  socket.once('end', () => socket.end(report.ended()));
  socket.on('error', expectGone);
});
listen(server);
