/** Sends back what comes, beside timers, on `listen` of iouring/net. When the load ends its side it gets a report. */
import { leanAddress, printLean } from './address.ts';
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';
import { TimerDelays } from './timer-delays.ts';

const delays = new TimerDelays();
const listener = lean.listen({
  ...leanAddress,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      delays.connected();
      socket.setNoDelay(true);
    },
    data(socket, chunk) {
      if (socket.write(chunk) < chunk.length) {
        throw new Error('Cannot send back: there is no room for a message');
      }
    },
    end(socket) {
      socket.end(delays.ended());
    },
    error(_, error) {
      expectGone(error);
    },
  },
});
printLean(listener);
