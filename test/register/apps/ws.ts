import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { serve } from './application.ts';

const server = createServer((request, response) => void request.resume().on('end', () => response.end('no WebSocket')));
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('close', (code, reason) => process.send!(`websocket closed ${code} ${String(reason)}`));
});
serve(server);
