// hono on the ring: @hono/node-server takes the function that makes the server.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import http from 'iouring/http';

const app = new Hono();
app.get('/', (context) => context.json({ hello: 'hono' }));

const server = serve(
  { fetch: app.fetch, createServer: http.createServer, port: 0, hostname: '127.0.0.1' },
  ({ port }) => {
    http.get({ host: '127.0.0.1', port, agent: false }, async (response) => {
      for await (const chunk of response) console.log(response.statusCode, String(chunk));
      server.close();
    });
  },
);
