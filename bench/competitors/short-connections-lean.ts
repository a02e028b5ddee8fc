/**
 * Connects to the greeter at `--port`, reads until it ends its side and closes, `--at-once` at a time, over and over, with
 * `connect` of iouring/net.
 */
import { lean } from './lean.ts';
import { Measurement, option } from './measurement.ts';

const port = Number(option('--port'));
const measurement = new Measurement();
let ops = 0;
let bytes = 0;

const connection = {
  hostname: '127.0.0.1',
  port,
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
