/**
 * Turns of the event loop: an immediate that asks for the next one, over and over, as programs do that cut long work into pieces.
 * Meanwhile an accept is in flight that nobody connects to (`--accept idle`), or nothing is (`--accept none`); `--how` reactor, listen (of
 * iouring/net), or the module whose createServer it is, node:net or iouring/net.
 */
import { once } from 'node:events';
import { Measurement, option } from './measurement.ts';

const how = option('--how');
const isIdle = option('--accept') === 'idle';

/** Has an accept wait, or begins what would and ends it again: what is loaded, and has run, is the same. */
async function begin(): Promise<void> {
  if (how === 'reactor') {
    const { Reactor } = await import('iouring');
    const { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } = await import('iouring/abi');
    const io = new Reactor();
    const listener = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    await io.bind(listener, { address: '127.0.0.1', port: 0 });
    await io.listen(listener);
    if (isIdle) {
      void io.accept(listener);
    }
  } else if (how === 'listen') {
    const { lean } = await import('./lean.ts');
    const listener = lean.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    if (!isIdle) {
      listener.stop();
    }
  } else {
    const { createServer } = (await import(how)) as typeof import('node:net');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    if (!isIdle) {
      server.close();
      await once(server, 'close');
    }
  }
}

await begin();
const measurement = new Measurement();
let ops = 0;

function turn(): void {
  ops++;
  if (!measurement.proceeds(ops)) {
    process.exit();
  }
  setImmediate(turn);
}

setImmediate(turn);
