/** Sends a byte to whoever connects and ends its side, on `listen` of iouring/net. */
import { expectGone } from './gone.ts';
import { lean } from './lean.ts';
import { printLine } from './measurement.ts';

const listener = lean.listen({
  hostname: '127.0.0.1',
  port: 0,
  backlog: 1024,
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
printLine({ port: listener.port });
