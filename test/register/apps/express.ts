import { createServer } from 'node:http';
import express from 'express';
import { LARGE, serve } from './application.ts';

const app = express();
app.use(express.text({ limit: '1mb', type: () => true }));
app.get('/large', (_, response) => void response.send(LARGE));
app.get('/parts', (_, response) => {
  response.write('one ');
  setTimeout(() => response.end('two'), 5);
});
app.get('/', (request, response) => void response.json({ ip: request.ip, protocol: request.protocol }));
app.post('/', (request, response) => void response.json({ bytes: (request.body as string).length }));
serve(createServer(app));
