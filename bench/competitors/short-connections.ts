/**
 * Connects to the greeter at `--port`, or `--unix`, reads until it ends its side and closes, `--at-once` at a time, over and over, with the
 * sockets of `--module`: node:net, or iouring/net.
 */
import { serverAddress } from './address.ts';
import { Measurement, option } from './measurement.ts';

const { connect } = (await import(option('--module'))) as typeof import('node:net');

const address = serverAddress();
const measurement = new Measurement();
let ops = 0;

function next(): void {
  const socket = connect(address);
  socket.resume();
  socket.once('close', (failed) => {
    if (failed || socket.bytesRead !== 1) {
      throw new Error(`Cannot go on: a connection brought ${socket.bytesRead} bytes`);
    }
    ops++;
    if (!measurement.proceeds(ops)) {
      process.exit();
    }
    next();
  });
}

for (let i = 0; i < Number(option('--at-once')); i++) {
  next();
}
