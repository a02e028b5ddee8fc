import { createServer } from 'node:http';
import Koa from 'koa';
import { LARGE, serve } from './application.ts';

const app = new Koa();
app.use(async (context) => {
  if (context.path === '/large') return void (context.body = LARGE);
  let bytes = 0;
  for await (const chunk of context.req) bytes += (chunk as Buffer).length;
  return void (context.body = { method: context.method, path: context.path, bytes });
});
serve(createServer(app.callback()));
