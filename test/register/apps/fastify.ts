import { fastify } from 'fastify';
import { LARGE, serve } from './application.ts';

const app = fastify({ bodyLimit: 1 << 20 });
app.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body));
app.get('/', (request) => ({ ip: request.ip, url: request.url }));
app.get('/large', () => LARGE);
app.post('/', (request) => ({ bytes: (request.body as string).length }));
await app.ready();
serve(app.server);
