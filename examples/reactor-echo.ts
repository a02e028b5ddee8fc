/** A TCP echo server on the event loop: `node reactor-echo.js [PORT]`. Ctrl-C stops it. */
import { Reactor } from 'iouring';
import { AF_INET, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_STREAM, SOCKET_URING_OP_SETSOCKOPT, SOL_SOCKET } from 'iouring/abi';

const io = new Reactor();
const listener = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
await io.cmdSock(SOCKET_URING_OP_SETSOCKOPT, listener, SOL_SOCKET, SO_REUSEADDR, new Int32Array([1]));
await io.bind(listener, { address: '127.0.0.1', port: Number(process.argv[2] ?? 0) });
await io.listen(listener);
const address = io.getsockname(listener);
console.log(`listening on ${'port' in address ? address.port : '?'}`);

const stop = new AbortController();
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());

const { signal } = stop;
const conversations = new Set<Promise<void>>();

async function echo(fd: number): Promise<void> {
  try {
    // A chunk is a view of memory that the kernel filled. It goes back when the loop moves on.
    for await (const chunk of io.recvMany(fd, { signal })) await io.send(fd, chunk.bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ABORT_ERR') console.error(`connection ${fd}: ${code}`);
  } finally {
    await io.closeFd(fd);
  }
}

try {
  for await (const fd of io.acceptMany(listener, { signal })) {
    const conversation = echo(fd).finally(() => conversations.delete(conversation));
    conversations.add(conversation);
  }
} catch (error) {
  if (!signal.aborted) throw error;
}
await Promise.all(conversations);
await io.close(listener);
const { submitted, enters, wakeUps } = io.stats;
console.log(`${submitted} operations, ${enters} system calls to submit them, ${wakeUps} wake-ups`);
await io.close();
