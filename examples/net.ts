// node:http over sockets on the ring, and an echo server on the lean face.
// #region shown
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'iouring/net'; // was: 'node:net'
import { connect, listen } from 'iouring/socket';

// The drop-in: a Server and Sockets as node:net has them, so that what is built on those works.
const http = createHttpServer((request, response) => response.end(`hello from ${request.url}\n`));
const server = createServer((socket) => http.emit('connection', socket));
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address() as { port: number };
  console.log(await (await fetch(`http://127.0.0.1:${port}/ring`)).text());
  server.close();
  http.closeAllConnections();
});

// The lean face: handlers that all connections share, views instead of copies, no streams.
const echo = listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    data: (socket, data) => void socket.write(data), // `data` is valid during the call; write() copies it
    close: () => echo.stop(),
  },
});
await connect({
  hostname: '127.0.0.1',
  port: echo.port!,
  socket: {
    open: (socket) => void socket.end('hello'),
    data: (_, data) => console.log(`echoed: ${data.toString()}`),
  },
});
// #endregion
