/** The tiny TCP responder on Bun.listen; only Bun runs it. */
import { expectOneRequest, expectWholeResponse, RESPONSE } from './http.ts';
import { printLine } from './measurement.ts';

interface BunSocket {
  write(bytes: Uint8Array): number;
}

declare const Bun: {
  listen(options: {
    hostname: string;
    port: number;
    socket: { data(socket: BunSocket, chunk: Uint8Array): void; error(): void };
  }): { readonly port: number };
};

const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    data(socket, chunk) {
      expectOneRequest(chunk);
      const sent = socket.write(RESPONSE);
      // A connection that broke takes nothing, and is closed by Bun.
      if (sent > 0) {
        expectWholeResponse(sent);
      }
    },
    error() {},
  },
});
printLine({ port: server.port });
