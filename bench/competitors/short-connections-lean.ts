/**
 * Connects to the greeter at `--port`, or `--unix`, reads until it ends its side and closes, `--at-once` at a time, over and over, with
 * `connect` of iouring/net.
 */
import { leanServerAddress } from './address.ts';
import { lean } from './lean.ts';
import { Measurement, option } from './measurement.ts';

const measurement = new Measurement();
let ops = 0;
let bytes = 0;

const connection = {
  ...leanServerAddress(),
  socket: {
    data(_: unknown, chunk: Buffer) {
      bytes += chunk.length;
    },
    close(_: unknown, error?: Error) {
      ops++;
      if (error || bytes < ops) {
        console.error(error ?? new Error(`Cannot go on: ${ops} connections brought ${bytes} bytes`));
        process.exit(1);
      }
      if (!measurement.proceeds(ops)) {
        process.exit();
      }
      next();
    },
  },
};

function next(): void {
  lean.connect(connection).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}

for (let i = 0; i < Number(option('--at-once')); i++) {
  next();
}
