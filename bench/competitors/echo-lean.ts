/** Sends back what comes, on `listen` of iouring/net. */
import { leanAddress, printLean } from './address.ts';
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';

const listener = lean.listen({
  ...leanAddress,
  socket: {
    open(socket) {
      socket.setNoDelay(true);
    },
    data(socket, chunk) {
      if (socket.write(chunk) < chunk.length) {
        throw new Error('Cannot send back: there is no room for a message');
      }
    },
    error(_, error) {
      expectGone(error);
    },
  },
});
printLean(listener);
