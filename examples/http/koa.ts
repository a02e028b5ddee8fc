// koa on the ring: a koa application gives a listener.
import Koa from 'koa';
import http from 'iouring/http'; // was: 'node:http'

const app = new Koa();
app.use((context) => void (context.body = { hello: 'koa' }));

const server = http.createServer(app.callback()).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  http.get({ host: '127.0.0.1', port, agent: false }, async (response) => {
    for await (const chunk of response) console.log(response.statusCode, String(chunk));
    server.close();
  });
});
