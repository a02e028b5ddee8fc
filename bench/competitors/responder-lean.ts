/** The tiny TCP responder on `listen` of iouring/net. */
import { expectGone } from './gone.ts';
import { expectOneRequest, expectWholeResponse, RESPONSE } from './http.ts';
import { lean } from './lean.ts';
import { printLine } from './measurement.ts';

const listener = lean.listen({
  hostname: '127.0.0.1',
  port: 0,
  backlog: 1024,
  socket: {
    data(socket, chunk) {
      expectOneRequest(chunk);
      const taken = socket.write(RESPONSE);
      // A connection that broke takes nothing; its close comes by itself.
      if (taken > 0) {
        expectWholeResponse(taken);
      }
    },
    error(_, error) {
      expectGone(error);
    },
  },
});
printLine({ port: listener.port });
