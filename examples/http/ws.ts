// ws on the ring: it takes the server that it upgrades requests of.
import http from 'iouring/http';
import { WebSocket, WebSocketServer } from 'ws';

const server = http.createServer();
new WebSocketServer({ server }).on(
  'connection',
  (socket) => socket.on('message', (data) => socket.send(`echo ${String(data)}`)),
);

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  client.on('open', () => client.send('hello'));
  client.on('message', (data) => {
    console.log(String(data));
    client.close();
  });
  client.on('close', () => server.close());
});
