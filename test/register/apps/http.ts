import { createServer } from 'node:http';
import { LARGE, serve } from './application.ts';

serve(
  createServer((request, response) => {
    const { method, url } = request;
    if (url === '/large') return void response.end(LARGE);
    if (url === '/missing') return void response.writeHead(404, { 'x-thing': ['1', '2'] }).end('not here');
    if (url === '/parts') {
      response.write('one ');
      return void setImmediate(() => {
        response.write('two ');
        setImmediate(() => response.end('three'));
      });
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    return void request.on(
      'end',
      () => response.end(`${method} ${url} ${Buffer.concat(chunks).length} ${request.httpVersion}`),
    );
  }),
);
