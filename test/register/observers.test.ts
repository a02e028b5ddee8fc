// Those who observe a program with the flag see what they see without: channels, contexts, instrumentations, entries of
// perf_hooks, stacks.
import { describe } from 'node:test';
import { alike } from './alike.ts';

describe('those who observe', () => {
  alike(
    'diagnostics channels of net, http and undici',
    `
    import { subscribe } from 'node:diagnostics_channel';
    const log = [];
    for (const name of [
      'net.server.socket', 'net.client.socket', 'http.client.request.start', 'http.client.response.finish', 'http.server.request.start',
      'http.server.response.finish', 'http.client.request.created', 'http.server.response.created', 'undici:request:create',
      'undici:client:beforeConnect', 'undici:client:connected', 'undici:client:sendHeaders', 'undici:request:headers',
      'tracing:net.server.listen:asyncStart', 'tracing:net.server.listen:asyncEnd',
    ]) {
      subscribe(name, (message) => log.push(name + ' ' + Object.keys(message).join() + ' ' + (message.socket?.constructor.name ?? '')));
    }
    const server = http.createServer((request, response) => response.end('x'));
    const port = await listening(server);
    await get(port);
    console.log(log.splice(0).join('\\n'));
    await (await fetch('http://127.0.0.1:' + port)).text();
    server.close();
    server.closeAllConnections();
    console.log(log.join('\\n'));`,
  );

  alike(
    'AsyncLocalStorage, in listeners of servers, sockets and requests',
    `
    import { AsyncLocalStorage } from 'node:async_hooks';
    const storage = new AsyncLocalStorage();
    const say = (what) => console.log(what, storage.getStore());
    const server = storage.run('server', () => http.createServer((request, response) => {
      say('request');
      storage.run('request', () => {
        request.resume().on('end', () => { say('end'); setImmediate(() => { say('immediate'); response.end('x'); }); });
        response.on('finish', () => say('finish')).on('close', () => say('close'));
      });
    }));
    let closed;
    server.on('connection', (socket) => {
      say('connection');
      closed = new Promise((resolve) => socket.on('close', () => resolve(storage.getStore())));
    });
    const port = await storage.run('listen', () => listening(server));
    for (const name of ['first', 'second']) {
      await storage.run(name, async () => { await get(port); say('answered'); });
      // When the other side hears of the end is nobody's promise.
      console.log('socket close', await closed);
    }
    await storage.run('fetch', async () => { await (await fetch('http://127.0.0.1:' + port)).text(); say('fetched'); });
    const ofFetch = closed;
    // Which of the two sides hears first of the other's end is nobody's promise.
    const told = [];
    const tell = (what) => told.push(what + ' ' + storage.getStore());
    storage.run('socket', () => {
      const socket = net.connect(port, '127.0.0.1', () => { tell('connect'); socket.end(); });
      socket.resume().on('end', () => tell('ended')).on('close', () => { tell('closed'); server.close(async () => console.log(told.join(), await ofFetch, await closed)); server.closeAllConnections(); });
    });`,
  );

  alike(
    'async_hooks, of how many native handles there are',
    `
    import { createHook } from 'node:async_hooks';
    const types = {};
    createHook({ init(id, type) { if (/^(TCP|PIPE)/.test(type)) types[type] = (types[type] ?? 0) + 1; } }).enable();
    const server = net.createServer((socket) => socket.end('x'));
    const port = await listening(server);
    for (let i = 0; i < 3; i++) await once(net.connect(port, '127.0.0.1').resume(), 'close');
    server.close();
    console.log(Object.entries(types).sort().join(' '));`,
  );

  for (const order of ['before', 'after']) {
    alike(
      `OpenTelemetry’s instrumentation of http, loaded ${order}`,
      `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const { context, trace } = require('@opentelemetry/api');
      const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
      const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
      const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
      context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
      const exporter = new InMemorySpanExporter();
      const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
      trace.setGlobalTracerProvider(provider);
      const instrumentation = new HttpInstrumentation();
      instrumentation.setTracerProvider(provider);
      instrumentation.enable();
      const ours = require('node:http');
      if (process.env.REGISTER) await import(process.env.REGISTER);
      const server = ours.createServer((request, response) => {
        trace.getTracer('test').startSpan('inside').end();
        response.end('x');
      });
      const port = await listening(server);
      await new Promise((done) => ours.get({ host: '127.0.0.1', port, path: '/path', agent: false }, (response) => response.resume().on('end', done)));
      server.close();
      await once(server, 'close');
      for (const span of exporter.getFinishedSpans().sort((a, b) => (a.name + a.kind < b.name + b.kind ? -1 : 1))) {
        const { name, kind, status, attributes } = span;
        const shown = Object.entries(attributes).filter(([key]) => !/port|url|host/.test(key)).map(([key, value]) => key + '=' + value);
        console.log(name, kind, JSON.stringify(status), shown.sort().join(), span.parentSpanContext !== undefined);
      }`,
      { isLate: order === 'before' },
    );
  }

  for (const order of ['before', 'after']) {
    alike(
      `OpenTelemetry’s instrumentation of net, loaded ${order}`,
      `
      import { createRequire } from 'node:module';
      import { fileURLToPath } from 'node:url';
      const require = createRequire(import.meta.url);
      const { NetInstrumentation } = require('@opentelemetry/instrumentation-net');
      const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
      const exporter = new InMemorySpanExporter();
      const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
      const instrumentation = new NetInstrumentation();
      instrumentation.setTracerProvider(provider);
      instrumentation.enable();
      const ours = require('node:net');
      if (process.env.REGISTER) await import(process.env.REGISTER);
      const folder = fileURLToPath(new URL('.', import.meta.url));
      const server = ours.createServer((socket) => socket.end('x'));
      const port = await listening(server);
      const connect = async (...place) => {
        const socket = ours.connect(...place).on('error', () => {});
        await new Promise((done) => socket.resume().on('close', done));
      };
      await connect(port, '127.0.0.1');
      await connect({ port, host: '127.0.0.1' });
      await connect(folder + 'nobody');
      server.close();
      await once(server, 'close');
      await connect(port, '127.0.0.1');
      for (const { name, kind, status, attributes } of exporter.getFinishedSpans()) {
        const shown = Object.entries(attributes).filter(([key, value]) => value !== port && !/port$/.test(key) && !String(value).startsWith(folder));
        console.log(name, kind, JSON.stringify(status).replaceAll(port, 'port').replaceAll(folder, ''), shown.map(([key, value]) => key + '=' + value).sort().join());
      }`,
      { isLate: order === 'before' },
    );
  }

  alike(
    'perf_hooks: entries of net and http, and of timerify',
    `
    import { PerformanceObserver, performance } from 'node:perf_hooks';
    const log = [];
    const observer = new PerformanceObserver((list) => {
      for (const { entryType, name, detail } of list.getEntries()) {
        const kept = { ...detail, req: detail?.req && { ...detail.req, url: detail.req.url.replace(/:[0-9]+/, ':port') }, port: undefined };
        log.push([entryType, name, Object.keys(detail ?? {}).sort().join(), kept.req?.url, kept.host].join(' '));
      }
    });
    observer.observe({ entryTypes: ['net', 'http', 'dns', 'function'] });
    const server = http.createServer((request, response) => response.end('x'));
    const port = await listening(server);
    await get(port, { path: '/path' });
    await once(net.connect(port, '127.0.0.1', function () { this.end(); }).resume(), 'close');
    await once(net.connect({ port, host: 'localhost', family: 4 }, function () { this.end(); }).resume(), 'close');
    performance.timerify(function timed() {})();
    server.close();
    await once(server, 'close');
    // Entries are told of in a turn of their own.
    while (!log.some((entry) => entry.startsWith('function'))) await new Promise(setImmediate);
    await new Promise(setImmediate);
    console.log(log.sort().join('\\n'));`,
  );

  for (
    const [title, flags, error] of [
      ['--enable-source-maps', ['--enable-source-maps'], 'original.ts'],
      ['without source maps', [], 'compiled.mjs'],
    ] as const
  ) {
    alike(
      `the stack of an error in a listener: ${title}`,
      `
      import { writeFileSync } from 'node:fs';
      import { transformSync } from 'esbuild';
      const source = 'type Text = string;\\n\\nexport function answer(): Text {\\n  throw new Error("on purpose");\\n}\\n';
      const { code } = transformSync(source, { loader: 'ts', sourcemap: 'inline', sourcefile: 'original.ts' });
      const file = new URL('compiled.mjs', import.meta.url);
      writeFileSync(file, code);
      const { answer } = await import(file.href);
      const server = http.createServer((request, response) => {
        try {
          answer();
        } catch ({ stack }) {
          response.end(stack.split('\\n').slice(0, 3).join('\\n').replaceAll(new URL('.', import.meta.url).href, ''));
        }
      });
      const stack = await get(await listening(server));
      console.log(stack.includes(${JSON.stringify(error)}), stack.replace(/[^ (]*[/]/g, ''));
      server.close();`,
      { flags: [...flags] },
    );
  }

  for (
    const flag of ['--disable-proto=throw', '--disable-proto=delete', '--frozen-intrinsics',
      '--disallow-code-generation-from-strings', '--throw-deprecation']
  ) {
    alike(
      flag,
      `
      const server = http.createServer((request, response) => response.end('x'));
      const port = await listening(server);
      console.log(await get(port), await (await fetch('http://127.0.0.1:' + port)).text());
      server.close();
      server.closeAllConnections();`,
      { flags: [flag] },
    );
  }

  alike(
    'getConnections, closeIdleConnections, what keeps the process alive',
    `
    const server = http.createServer((request, response) => request.url === '/wait' ? server.once('go', () => response.end('waited')) : response.end('x'));
    const port = await listening(server);
    const agent = new http.Agent({ keepAlive: true });
    const connections = () => new Promise((done) => server.getConnections((error, n) => done(n)));
    await get(port, { agent });
    const waits = get(port, { path: '/wait' });
    await once(server, 'request');
    console.log(await connections());
    console.log(process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).sort().join());
    server.closeIdleConnections();
    while (await connections() > 1);
    server.emit('go');
    console.log(await waits);
    server.close(() => console.log('closed', server.listening, server.address()));
    agent.destroy();`,
  );
});
