/** Sends back what comes, beside timers, on the sockets of `--module`: node:net, or iouring/net. When the load ends its side it gets a report. */
import { listen } from './address.ts';
import { expectGone } from './gone.ts';
import { option } from './measurement.ts';
import { TimerDelays } from './timer-delays.ts';

const { createServer } = (await import(option('--module'))) as typeof import('node:net');

const delays = new TimerDelays();
const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  delays.connected();
  socket.on('data', (chunk) => socket.write(chunk));
  socket.once('end', () => socket.end(delays.ended()));
  socket.on('error', expectGone);
});
listen(server);
