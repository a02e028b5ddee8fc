import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { LARGE, serve } from './application.ts';

const app = new Hono();
app.get('/', (context) => context.text('hello'));
app.get('/large', (context) => context.text(LARGE));
app.post('/', async (context) => context.json({ bytes: (await context.req.text()).length }));
serve(createAdaptorServer({ fetch: app.fetch }) as Server);
