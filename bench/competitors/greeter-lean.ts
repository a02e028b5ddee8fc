/** Sends a byte to whoever connects and ends its side, on `listen` of iouring/net. */
import { leanAddress, printLean } from './address.ts';
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';

const listener = lean.listen({
  ...leanAddress,
  socket: {
    open(socket) {
      socket.end('!');
    },
    data() {},
    error(_, error) {
      expectGone(error);
    },
  },
});
printLean(listener);
