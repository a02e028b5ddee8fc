/** Shared by the servers: a listening socket, and a queue that must not be full; see loopback.h. */
import { createServer } from 'node:net';
import { printLine } from './measurement.ts';

/**
 * Listens on a port the kernel chooses, prints it, and hands the listening descriptor over. Node
 * makes the socket and never accepts from it: its event loop gets no other turn.
 */
export function listenOnAnyPort(serve: (listener: number) => never): void {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
    const listener = (server as unknown as { _handle: { fd: number } })._handle.fd;
    const address = server.address();
    printLine({ port: typeof address === 'object' ? address?.port : undefined });
    serve(listener);
  });
}

/** Throws unless an operation found its place in the queue. */
export function queued(accepted: boolean): void {
  if (!accepted) {
    throw new Error('Cannot queue: the submission queue is full');
  }
}
