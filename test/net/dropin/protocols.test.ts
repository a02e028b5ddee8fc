// node:http, node:https, node:tls and node:http2 over sockets of ours, by emit('connection') and by createConnection;
// over Node's own as well, whose answers are the measure.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { Server, Socket } from 'node:net';
import { describe } from 'node:test';
import tls from 'node:tls';
import { CERTIFICATE, KEY } from '../clients/certificate.ts';
import { closed, connection, listen, sideBySide, type Net, type Story } from './side-by-side.ts';

const credentials = { key: KEY, cert: CERTIFICATE };

const BIG = Buffer.alloc(3_000_000, 'x');
const DIALS = ['connecting', 'connected', 'in use'] as const;

type Handler = (request: http.IncomingMessage | http2.Http2ServerRequest, response: http.ServerResponse) => void;

/** Says where the request came from and how long it was. */
const handler: Handler = (request, response): void => {
  let length = 0;
  request.on('data', (data: Buffer) => (length += data.length));
  request.on('end', () => {
    response.setHeader('x-request', `${request.socket.remoteAddress} ${request.socket.remoteFamily} ${length}`);
    response.end(request.url === '/big' ? BIG : 'small');
  });
};

/** Listens, and hands its connections to another server. */
async function front(
  net: Net,
  story: Story,
  server: { emit(event: 'connection', socket: Socket): boolean },
): Promise<[Server, number]> {
  const listener = net.createServer((socket) => server.emit('connection', socket));
  return [listener, await listen(story, listener)];
}

async function request(
  module: typeof http | typeof https,
  options: https.RequestOptions,
  body = '',
): Promise<unknown[]> {
  const [response] = (await once(module.request({ host: '127.0.0.1', ...options }).end(body), 'response')) as [
    http.IncomingMessage,
  ];
  return [response.statusCode, response.headers['x-request'], await lengthOf(response)];
}

async function lengthOf(stream: AsyncIterable<unknown>): Promise<number> {
  let length = 0;
  for await (const data of stream) length += (data as Buffer).length;
  return length;
}

/** A connection in one of its states. */
async function dial(net: Net, port: number, state: (typeof DIALS)[number]): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  if (state !== 'connecting') await once(socket, 'connect');
  // As it is when afterwards reading has begun.
  if (state === 'in use') await new Promise(setImmediate);
  return socket;
}

describe('protocols', () => {
  sideBySide('http', async (net, story) => {
    const [listener, port] = await front(net, story, http.createServer(handler));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const createConnection = (options: object): Socket => net.connect(options as { port: number });
    (agent as unknown as { createConnection: typeof createConnection }).createConnection = createConnection;
    for (const options of [{ createConnection, agent: false as const }, { agent }]) {
      const who = 'agent' in options && options.agent ? 'kept alive' : 'once';
      story.tell(who, await request(http, { port, ...options }));
      story.tell(who, await request(http, { port, path: '/big', ...options }));
      story.tell(who, await request(http, { port, method: 'POST', ...options }, BIG.toString()));
      // Bodies and heads of every size.
      for (let size = 1; size < 100_000; size *= 3) {
        const headers = { 'x-long': 'h'.repeat(size % 10_000) };
        story.tell(who, await request(http, { port, method: 'PUT', headers, ...options }, 'b'.repeat(size)));
      }
    }
    agent.destroy();
    listener.close();
    await closed(listener);
  });

  sideBySide('http: pipelined, upgraded, and what is no request', async (net, story) => {
    const server = http.createServer(handler);
    server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${head.toString()}`,
      );
      socket.pipe(socket);
    });
    const [listener, port] = await front(net, story, server);
    const talk = async (who: string, ...texts: string[]): Promise<void> => {
      const socket = net.connect(port, '127.0.0.1');
      let answer = '';
      socket.on('data', (data: Buffer) => (answer += data.toString()));
      for (const text of texts) await new Promise((resolve) => socket.write(text, resolve));
      if (who === 'upgraded') socket.end();
      await closed(socket);
      story.tell(who, answer.replaceAll(/Date: .*/g, 'Date'));
    };
    await talk(
      'pipelined',
      `${'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5)}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    await talk('in pieces', ...'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.split(''));
    await talk(
      'upgraded',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhead',
      ' and',
      ' tail',
    );
    await talk('nonsense', 'what?\r\n\r\n');
    listener.close();
    await closed(listener);
  });

  sideBySide('http: what comes while a connection is idle is nobody’s answer', async (net, story) => {
    const answer = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    let connections = 0;
    const sockets: Socket[] = [];
    const server = net.createServer((socket) => {
      const number = ++connections;
      sockets.push(socket.on('error', () => {}));
      socket.on('data', () => socket.write(answer(`of connection ${number}`)));
    });
    const port = await listen(story, server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const createConnection = (options: object): Socket => net.connect(options as { port: number });
    (agent as unknown as { createConnection: typeof createConnection }).createConnection = createConnection;
    const ask = async (): Promise<void> => {
      const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [
        http.IncomingMessage,
      ];
      let text = '';
      for await (const data of response) text += String(data);
      story.tell('client', text);
    };
    await ask();
    await ask();
    const idle = (): Socket | undefined => Object.values(agent.freeSockets).flat()[0];
    while (idle() === undefined) await new Promise(setImmediate);
    const socket = idle()!;
    const { bytesRead } = socket;
    sockets[0].write(answer('poison'));
    // Some versions of Node close it then, others when it is used again.
    while (!socket.destroyed && socket.bytesRead === bytesRead) await new Promise(setImmediate);
    await new Promise(setImmediate);
    await ask().catch((error: Error) => story.tell('client', error));
    story.tell('server', connections);
    agent.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
    await closed(server);
  });

  sideBySide('https', async (net, story) => {
    const [listener, port] = await front(net, story, https.createServer(credentials, handler));
    const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
    for (const path of ['/', '/big', '/big']) {
      story.tell('https', await request(https, { port, path, agent, method: 'POST' }, BIG.toString()));
    }
    agent.destroy();
    listener.close();
    await closed(listener);
  });

  for (const size of [10_000, 40_000]) {
    sideBySide(
      `tls in a tunnel that is destroyed when what is behind it has ended: ${size} bytes arrive`,
      async (net, story) => {
        const [inner, innerPort] = await front(
          net,
          story,
          tls.createServer(credentials, (socket) => socket.end(BIG.subarray(0, size))),
        );
        const tunnel = tls.createServer(credentials, (socket) => {
          const behind = net.connect(innerPort, '127.0.0.1');
          behind.pipe(socket).on('error', () => {});
          socket.pipe(behind).on('error', () => {});
          behind.on('end', () => socket.destroy());
        });
        const [outer, port] = await front(net, story, tunnel);
        const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
        const client = tls.connect({ socket, rejectUnauthorized: false });
        let length = 0;
        client.on('data', (data: Buffer) => (length += data.length));
        client.on('error', ({ code }: NodeJS.ErrnoException) => story.tell('client', code));
        await closed(client);
        story.tell('client', length);
        for (const listener of [inner, outer]) listener.close();
        await closed(inner, outer);
      },
    );
  }

  sideBySide('http: what a body sets off comes before its message is complete', async (net, story) => {
    const server = http.createServer((request, response) => {
      const told = (what: string): void => story.tell(request.url!, what, request.complete);
      told('request');
      process.nextTick(told, 'tick after the request');
      request.on('data', (data: Buffer) => {
        told(`data ${data.length}`);
        process.nextTick(told, 'tick');
        process.nextTick(() => process.nextTick(told, 'second tick'));
        void Promise.resolve().then(() => told('microtask'));
        if (request.url !== '/answered in between') return;
        request.pause();
        response.end();
        response.on(
          'finish',
          () => story.tell(request.url!, 'finish', (request as unknown as { _dumped: boolean })._dumped),
        );
      });
      request.on('end', () => {
        told('end');
        response.end();
      });
    });
    const [listener, port] = await front(net, story, server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/', '/answered in between', '/']) {
      for (const body of ['', 'a', 'b'.repeat(3000)]) {
        story.tell(path, await request(http, { port, path: encodeURI(path), method: 'POST', agent }, body));
      }
    }
    agent.destroy();
    listener.close();
    await closed(listener);
  });

  sideBySide('http2: a stream that is given up in the packet that asked for it', async (net, story) => {
    const server = http2.createServer();
    server.on('stream', (stream) => {
      for (const event of ['aborted', 'error', 'finish', 'end', 'close']) {
        stream.on(event, () => story.tell('server', event));
      }
      stream.respond();
      stream.end('ok');
    });
    const [listener, port] = await front(net, story, server);
    const frame = (type: number, flags: number, stream: number, ...payload: number[]): Buffer =>
      Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload]);
    // GET, http, /, and whom it is for.
    const headers = [0x82, 0x86, 0x84, 0x41, 9, ...Buffer.from('localhost')];
    const client = net.connect(port, '127.0.0.1');
    await once(client, 'connect');
    const [SETTINGS, HEADERS, RST_STREAM] = [4, 1, 3];
    const { NGHTTP2_CANCEL } = http2.constants;
    client.write(Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(SETTINGS, 0, 0),
      frame(HEADERS, 5, 1, ...headers),
      frame(RST_STREAM, 0, 1, 0, 0, 0, NGHTTP2_CANCEL),
    ]));
    client.resume();
    const [stream] = (await once(server, 'stream')) as [http2.ServerHttp2Stream];
    if (!stream.closed) await once(stream, 'close');
    client.end();
    await once(client, 'close');
    listener.close();
    await closed(listener);
  });

  for (const state of DIALS) {
    sideBySide(`tls over a socket that is ${state}`, async (net, story) => {
      const server = tls.createServer(credentials, (socket) => {
        story.tell('server', socket.remoteAddress, socket.localFamily, socket.address());
        socket.pipe(socket);
      });
      const [listener, port] = await front(net, story, server);
      const socket = story.socket('raw', await dial(net, port, state), ['error', 'close']);
      const client = tls.connect({ socket, rejectUnauthorized: false });
      await once(client, 'secureConnect');
      if (state === 'in use') story.tell('client', client.remoteAddress, client.remoteFamily, client.localAddress);
      client.setNoDelay(true).setKeepAlive(true, 1000).setTimeout(10_000);
      client.end(BIG);
      story.tell('client', await lengthOf(client));
      await closed(client, socket);
      listener.close();
      await closed(listener);
    });
  }

  for (const when of ['the same tick', 'the next tick', 'an immediate', 'the attempt', 'a listener of connect']) {
    sideBySide(`tls takes a socket that is being connected, in ${when}`, async (net, story) => {
      const [listener, port] = await front(net, story, tls.createServer(credentials, (socket) => socket.pipe(socket)));
      const socket = story.socket('raw', net.connect(port, '127.0.0.1').setNoDelay(true), ['error', 'close']);
      if (when === 'the next tick') await new Promise<void>((resolve) => process.nextTick(resolve));
      if (when === 'an immediate') await new Promise(setImmediate);
      const taken = (): Promise<void> =>
        new Promise((resolve) => {
          const client = tls.connect({ socket, rejectUnauthorized: false });
          client.on('secureConnect', () => story.tell('client', 'secure', client.encrypted));
          client.end(BIG);
          void lengthOf(client).then((length) => {
            story.tell('client', length);
            resolve(closed(client, socket));
          });
        });
      if (when === 'the attempt' || when === 'a listener of connect') {
        await new Promise((resolve) =>
          socket.once(when === 'the attempt' ? 'connectionAttempt' : 'connect', () => resolve(taken()))
        );
      } else {
        await taken();
      }
      listener.close();
      await closed(listener);
    });
  }

  sideBySide('tls: the peer goes away in the handshake, and after it', async (net, story) => {
    const server = tls.createServer(credentials, (socket) => socket.on('close', () => story.tell('secure', 'closed')));
    server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => story.tell('server', code));
    const [listener, port] = await front(net, story, server);
    const socket = net.connect(port, '127.0.0.1');
    const [peer] = await Promise.all([connection(listener), once(socket, 'connect')]);
    socket.destroy();
    await closed(socket, peer);
    const client = tls.connect({ socket: net.connect(port, '127.0.0.1'), rejectUnauthorized: false });
    const secure = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
    client.on('error', () => {});
    const [accepted] = await secure;
    accepted.on('error', () => {});
    client.destroy();
    await closed(accepted);
    listener.close();
    await closed(listener);
  });

  for (const isSecure of [false, true]) {
    for (const state of DIALS) {
      sideBySide(`http2${isSecure ? ', secure' : ''}, over a socket that is ${state}`, async (net, story) => {
        const server = isSecure
          ? http2.createSecureServer(credentials, handler as never)
          : http2.createServer(handler as never);
        const [listener, port] = await front(net, story, server);
        const socket = await dial(net, port, state);
        const createConnection = (): Socket =>
          isSecure ? tls.connect({ socket, rejectUnauthorized: false, ALPNProtocols: ['h2'] }) : socket;
        const client = http2.connect(isSecure ? 'https://localhost' : 'http://localhost', { createConnection });
        const one = async (path: string, body: Buffer): Promise<void> => {
          const stream = client.request({ ':path': path, ':method': 'POST' });
          const answered = once(stream, 'response') as Promise<[http2.IncomingHttpHeaders]>;
          stream.end(body);
          const [headers] = await answered;
          story.tell(path, headers[':status'], headers['x-request'], await lengthOf(stream));
        };
        await one('/', Buffer.of());
        await Promise.all(Array.from({ length: 5 }, () => one('/big', BIG.subarray(0, 500_000))));
        client.close();
        await once(client, 'close');
        listener.close();
        await closed(listener);
      });
    }
  }
});
