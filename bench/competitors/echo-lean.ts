/** Sends back what comes, on `listen` of iouring/net. */
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';
import { printLine } from './measurement.ts';

const listener = lean.listen({
  hostname: '127.0.0.1',
  port: 0,
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
printLine({ port: listener.port });
