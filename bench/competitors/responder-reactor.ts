/** The tiny TCP responder on a Reactor: acceptMany, recvMany, send. */
import { Reactor } from 'iouring';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from 'iouring/abi';
import { expectOneRequest, expectWholeResponse, RESPONSE } from './http.ts';
import { printLine } from './measurement.ts';

const io = new Reactor();

async function respond(fd: number): Promise<void> {
  try {
    for await (const chunk of io.recvMany(fd)) {
      expectOneRequest(chunk.bytes);
      expectWholeResponse(await io.send(fd, RESPONSE));
    }
  } catch (error) {
    // The load generator resets its connections when it has finished.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ECONNRESET' && code !== 'EPIPE') {
      throw error;
    }
  }
  await io.closeFd(fd);
}

const listener = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
await io.bind(listener, { address: '127.0.0.1', port: 0 });
await io.listen(listener, 1024);
const address = io.getsockname(listener);
printLine({ port: 'port' in address ? address.port : undefined });
for await (const connection of io.acceptMany(listener)) {
  void respond(connection);
}
