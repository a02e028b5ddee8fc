// fastify on the ring: its option serverFactory is asked for the server.
import { fastify } from 'fastify';
import http from 'iouring/http';

const app = fastify({ serverFactory: (handler) => http.createServer(handler) });
app.get('/', () => ({ hello: 'fastify' }));

const address = await app.listen({ port: 0, host: '127.0.0.1' });
http.get(address, { agent: false }, async (response) => {
  for await (const chunk of response) console.log(response.statusCode, String(chunk));
  await app.close();
});
