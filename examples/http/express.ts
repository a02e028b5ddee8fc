// express on the ring: express is a listener of a server, whichever has made it.
import express from 'express';
import http from 'iouring/http'; // was: 'node:http'

const app = express();
app.get('/', (_, response) => void response.json({ hello: 'express' }));

const server = http.createServer(app).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  http.get({ host: '127.0.0.1', port, agent: false }, async (response) => {
    for await (const chunk of response) console.log(response.statusCode, String(chunk));
    server.close();
  });
});
