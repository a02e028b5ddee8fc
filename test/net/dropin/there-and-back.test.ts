/**
 * A connection goes through the ring while that pays, and through Node while it does not: it changes while it is at work,
 * and nobody may notice.
 */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import * as node from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import tls from 'node:tls';
import { Agent as OurAgent, createServer } from '../../../src/http/index.ts';
import * as ours from '../../../src/net/index.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import { count, isWorthKeeping, isWorthTaking, load, worth } from '../../../src/net/dropin/worth.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atOnce } from '../from-the-first-byte.ts';
import { CERTIFICATE, KEY } from '../clients/certificate.ts';
import { randomOf } from '../../reactor/random.ts';
import { run } from '../../run.ts';

const asItIs = { ...worth };
// A look comes soon.
beforeEach(() => {
  atOnce();
  worth.writes = 16;
});
afterEach(() => void Object.assign(worth, asItIs));

/** It pays whatever comes, or never does. */
function pays(does: boolean): void {
  const least = does ? 0 : Number.POSITIVE_INFINITY;
  Object.assign(worth, {
    writes: 1,
    pays: least,
    costs: least,
    received: Number.POSITIVE_INFINITY,
    sent: Number.POSITIVE_INFINITY,
  });
}

/** From now on it pays and does not in turns, so that every connection changes again and again. */
function changeAllTheTime(random: (below: number) => number): () => void {
  let does = true;
  pays(does);
  const timer = setInterval(() => {
    if (random(3) > 0) pays(does = !does);
  }, 1);
  return () => clearInterval(timer);
}

type Way = ReturnType<typeof wayOf>;

/** What people use of a handle. */
interface KeptHandle {
  readonly fd: number;
  close(): void;
  getAsyncId(): number;
  getpeername(out: object): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  readStart(): number;
  readStop(): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

/** Waits for its turn to be on a way, by messages of a byte. */
async function exchangeUntil(client: node.Socket, socket: node.Socket, way: Way): Promise<number> {
  for (let i = 1; i < 1000; i++) {
    client.write('x');
    await once(client, 'data');
    if (wayOf(socket) === way) return i;
  }
  throw new Error(`it never came to ${way}: it is ${wayOf(socket)}`);
}

async function place(kind: 'TCP' | 'unix', folder: Temporary, server: node.Server): Promise<node.NetConnectOpts> {
  server.listen(kind === 'TCP' ? { port: 0, host: '127.0.0.1' } : { path: join(folder.path, 'socket') });
  await once(server, 'listening');
  const address = server.address()!;
  return typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' };
}

for (const kind of ['TCP', 'unix'] as const) {
  describe(`a socket over ${kind} that is accepted`, () => {
    it('given that it pays, and then does not, goes there and back, and counts its bytes on', async () => {
      using folder = new Temporary();
      const server = ours.createServer((socket) => void socket.on('data', (data) => socket.write(data)));
      const accepted = once(server, 'connection') as Promise<[node.Socket]>;
      const client = node.connect(await place(kind, folder, server));
      const [socket] = await accepted;
      let bytes = 0;
      for (const way of ['early', 'ring', 'early', 'ring'] as const) {
        pays(way === 'ring');
        bytes += await exchangeUntil(client, socket, way);
        assert.deepEqual([socket.bytesRead, socket.bytesWritten], [bytes, bytes], way);
      }
      pays(false);
      bytes += await exchangeUntil(client, socket, 'early');
      const closed = once(socket, 'close');
      client.end();
      await Promise.all([closed, once(client, 'close')]);
      assert.deepEqual([socket.bytesRead, socket.bytesWritten], [bytes, bytes]);
      server.close();
    });

    it('given that it is to go back while its peer floods it and does not read, it is read on', async () => {
      using folder = new Temporary();
      const total = 16 * 2 ** 20;
      const server = ours.createServer((socket) => {
        let [isFlooded, got, answers] = [false, 0, 0];
        socket.on('data', (data): void => {
          isFlooded ||= data.length > 1;
          if (!isFlooded) return void socket.write(data);
          got += data.length;
          pays(false);
          // A small answer leads to a look, and behind it is one that the peer leaves where it is.
          if (++answers <= 20) socket.write(answers < 20 ? 'y' : Buffer.alloc(total));
          if (got === total) socket.destroy();
        });
      });
      const accepted = once(server, 'connection') as Promise<[node.Socket]>;
      const client = node.connect(await place(kind, folder, server));
      const [socket] = await accepted;
      pays(true);
      await exchangeUntil(client, socket, 'ring');
      client.on('error', () => {}).pause();
      client.write(Buffer.alloc(total));
      await once(socket, 'close');
      assert.equal(socket.bytesRead >= total, true);
      client.destroy();
      server.close();
    });

    it('given pieces of any size in both directions while it changes, each byte arrives once and in order', async () => {
      using folder = new Temporary();
      const random = randomOf(kind === 'TCP' ? 17 : 18);
      const stop = changeAllTheTime(random);
      const ways = new Set<Way>();
      const server = ours.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('data', (data) => {
          ways.add(wayOf(socket));
          if (!socket.write(data)) socket.pause();
        });
        socket.on('drain', () => socket.resume());
        socket.on('end', () => socket.end());
      });
      const where = await place(kind, folder, server);
      const one = async (connect: typeof node.connect, total: number): Promise<void> => {
        const client = connect({ ...where, allowHalfOpen: true });
        let [sent, got] = [0, 0];
        client.on('data', (data) => {
          for (const byte of data) assert.equal(byte, got++ % 251);
        });
        while (sent < total) {
          const piece = Buffer.alloc(1 + random(random(4) === 0 ? 100_000 : 300));
          for (let i = 0; i < piece.length; i++) piece[i] = sent++ % 251;
          if (!client.write(piece)) await once(client, 'drain');
          if (random(3) === 0) await once(client, 'data');
        }
        client.end();
        await once(client, 'close');
        assert.equal(got, sent);
      };
      const each = [node.connect, ours.connect as typeof node.connect].flatMap((connect) =>
        [1, 2, 3, 4].map(() => one(connect, 400_000))
      );
      await Promise.all(each);
      stop();
      assert.deepEqual([...ways].sort(), ['early', 'ring']);
      server.close();
    });
  });
}

describe('a connection of a server of node:http', () => {
  /** Answers with what came, and its length. */
  function echo(request: http.IncomingMessage, response: http.ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      response.setHeader('x-length', body.length);
      response.end(body);
    });
  }

  async function serve(listener: http.RequestListener): Promise<[http.Server, node.Server, number]> {
    const server = http.createServer(listener);
    const sockets = ours.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      server.emit('connection', socket);
    });
    sockets.listen(0, '127.0.0.1');
    await once(sockets, 'listening');
    return [server, sockets, (sockets.address() as node.AddressInfo).port];
  }

  async function post(agent: http.Agent, port: number, body: Buffer): Promise<http.IncomingMessage> {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent }).end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    assert.ok(Buffer.concat(await response.toArray()).equals(body));
    return response;
  }

  it('given a server of node:http, requests go on over the ring, and back', async () => {
    const ways: Way[] = [];
    const [, sockets, port] = await serve((request, response) => {
      ways.push(wayOf(request.socket));
      echo(request, response);
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const does of [true, false, true, false]) {
      pays(does);
      for (let i = 0; i < 10; i++) await post(agent, port, Buffer.alloc(i * 1000, i));
    }
    const changes = ways.filter((way, i) => way !== ways[i - 1]);
    assert.deepEqual(changes, ['early', 'ring', 'early', 'ring', 'early']);
    agent.destroy();
    sockets.close();
  });

  it('given bodies of any size while it changes, each comes back whole, on connections that are kept', async () => {
    const random = randomOf(23);
    const ways = new Set<Way>();
    const [, sockets, port] = await serve((request, response) => {
      ways.add(wayOf(request.socket));
      echo(request, response);
    });
    const stop = changeAllTheTime(random);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const one = async (): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        await post(agent, port, Buffer.alloc(random(random(4) === 0 ? 300_000 : 3000), random(256)));
      }
    };
    await Promise.all([one(), one(), one(), one()]);
    stop();
    assert.deepEqual([...ways].sort(), ['early', 'ring']);
    agent.destroy();
    sockets.close();
  });

  it('given requests that come all at once, they are answered in their order while it changes', async () => {
    const random = randomOf(29);
    const [, sockets, port] = await serve((request, response) => {
      // Some later than others.
      const answer = (): void => void response.end(`<${request.url}>`);
      if (random(2) === 0) answer();
      else setImmediate(answer);
    });
    const stop = changeAllTheTime(random);
    const client = node.connect(port, '127.0.0.1');
    let text = '';
    client.on('data', (data) => (text += String(data)));
    const REQUESTS = 500;
    for (let i = 0; i < REQUESTS; i++) {
      client.write(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
      if (random(10) === 0) await new Promise(setImmediate);
    }
    while (!text.includes(`</${REQUESTS - 1}>`)) await once(client, 'data');
    stop();
    assert.deepEqual(
      [...text.matchAll(/<\/(\d+)>/g)].map(([, number]) => Number(number)),
      Array.from({ length: REQUESTS }, (_, i) => i),
    );
    client.destroy();
    sockets.close();
  });

  it('given an upgrade on the ring, the socket that is handed over gets what comes, and may go back', async () => {
    const [server, sockets, port] = await serve((_, response) => response.end('x'));
    const upgraded = once(server, 'upgrade') as Promise<[unknown, node.Socket]>;
    const client = node.connect(port, '127.0.0.1');
    const accepted = once(sockets, 'connection') as Promise<[node.Socket]>;
    pays(true);
    const [socket] = await accepted;
    while (wayOf(socket) !== 'ring') {
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(client, 'data');
    }
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst');
    const [, handed, head] = (await upgraded) as unknown as [unknown, node.Socket, Buffer];
    assert.equal(handed, socket);
    let got = String(head);
    socket.on('data', (data) => {
      got += String(data);
      socket.write(data);
    });
    const ways = new Set<Way>();
    for (let i = 0; i < 20; i++) {
      pays(i % 8 < 4);
      client.write(`<${i}>`);
      await once(client, 'data');
      ways.add(wayOf(socket));
    }
    assert.deepEqual([...ways].sort(), ['early', 'ring']);
    assert.equal(got, `first${Array.from({ length: 20 }, (_, i) => `<${i}>`).join('')}`);
    client.destroy();
    sockets.close();
  });

  it('given that the server closes its idle connections after a change, they are closed', async () => {
    for (const does of [true, false]) {
      const server = createServer(echo).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as node.AddressInfo;
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      pays(true);
      for (let i = 0; i < 3; i++) await post(agent, port, Buffer.from('x'));
      pays(does);
      for (let i = 0; i < 3; i++) await post(agent, port, Buffer.from('x'));
      const [[free]] = Object.values(agent.freeSockets) as [[node.Socket]];
      const closed = once(free, 'close');
      server.closeIdleConnections();
      await closed;
      server.close();
      await once(server, 'close');
    }
  });
});

describe('what stays as it was', () => {
  it('given writes in contexts of their own, data comes in that of the connection, before and after', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen = new Set<string | undefined>();
    const server = ours.createServer((socket) => {
      socket.on('data', (data) => {
        seen.add(storage.getStore());
        storage.run('answer', () => socket.write(data));
      });
    });
    const accepted = once(server, 'connection') as Promise<[node.Socket]>;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as node.AddressInfo;
    const client = storage.run('client', () => ours.connect(port, '127.0.0.1'));
    const heard = new Set<string | undefined>();
    client.on('data', () => heard.add(storage.getStore()));
    const [socket] = await accepted;
    for (const way of ['ring', 'early', 'ring', 'early'] as const) {
      pays(way === 'ring');
      await storage.run('write', () => exchangeUntil(client, socket, way));
      await storage.run('write', () => exchangeUntil(client, client, way));
      for (let i = 0; i < 3; i++) await storage.run('write', () => exchangeUntil(client, socket, way));
    }
    assert.deepEqual([[...seen], [...heard]], [[undefined], ['client']]);
    client.destroy();
    server.close();
  });

  it('given a handle that a listener of an agent has kept, it is what the socket has, on either way', async () => {
    const server = http.createServer((_, response) => response.end('x')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as node.AddressInfo;
    const agent = new OurAgent({ keepAlive: true, maxSockets: 1 });
    const kept = new Set<KeptHandle>();
    let socket!: node.Socket & { _handle: KeptHandle };
    const ask = async (): Promise<void> => {
      const request = http.get({ host: '127.0.0.1', port, agent });
      request.on('socket', (one: typeof socket) => kept.add((socket = one)._handle));
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      await response.toArray();
    };
    const use = (handle: KeptHandle): unknown => {
      const out: { port?: number } = {};
      const calls = [handle.getpeername(out), handle.setNoDelay(true), handle.setKeepAlive(true, 5)];
      // One that an agent has free is not referenced.
      const refs = [(handle.ref(), handle.hasRef()), (handle.unref(), handle.hasRef())];
      return [handle.fd === socket._handle.fd && handle.fd > 0, handle.getAsyncId() > 0, calls, refs, out.port];
    };
    const OPEN = [true, true, [0, 0, 0], [true, false], port];
    for (const way of ['ring', 'early', 'ring', 'early'] as const) {
      pays(way === 'ring');
      for (let i = 0; i < 10; i++) await ask();
      assert.equal(wayOf(socket), way);
      for (const handle of kept) assert.deepEqual(use(handle), OPEN, way);
      for (const handle of kept) assert.deepEqual([handle.readStop(), handle.readStart()], [0, 0]);
    }
    assert.ok(kept.size > 1);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    for (const handle of kept) {
      assert.ok(handle.fd < 0 && !handle.hasRef());
      handle.close();
    }
    agent.destroy();
    server.close();
  });

  it('given ways that changed before, it goes to another process, and comes back', async () => {
    using folder = new Temporary();
    const file = folder.file(
      'child.cjs',
      `process.on('message', (_, socket) => {
        socket?.on('data', (data) => {
          if (String(data) !== 'back') return socket.write('child ' + data);
          socket.pause().removeAllListeners('data');
          process.send('back', socket);
        });
        process.send('heard');
      });`,
    );
    const child = fork(file);
    for (const ways of [['ring'], ['ring', 'early'], ['ring', 'early', 'ring']] as const) {
      // One that has sent a socket keeps the others for Node.
      const server = ours.createServer((socket) => void socket.on('data', (data) => socket.write(data)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = once(server, 'connection') as Promise<[node.Socket]>;
      const client = node.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
      const [socket] = await accepted;
      for (const way of ways) {
        pays(way === 'ring');
        await exchangeUntil(client, socket, way);
      }
      socket.pause().removeAllListeners('data');
      // The sender reads on until it hears that the socket has arrived.
      child.send('there', socket);
      await once(child, 'message');
      client.write('one');
      assert.equal(String((await once(client, 'data'))[0]), 'child one', ways.join());
      client.write('back');
      const [, returned] = (await once(child, 'message')) as [string, node.Socket];
      child.send('has come back');
      await once(child, 'message');
      returned.on('data', (data) => returned.end(`parent ${String(data)}`));
      client.write('two');
      assert.equal(String((await once(client, 'data'))[0]), 'parent two', ways.join());
      await once(client, 'close');
      server.close();
    }
    child.disconnect();
    await once(child, 'exit');
  });

  it('given many bytes before, a connection that was taken again stays where it pays', async () => {
    const server = ours.createServer((socket) => void socket.on('data', (data) => socket.write(data.subarray(0, 1))));
    const accepted = once(server, 'connection') as Promise<[node.Socket]>;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = node.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
    const [socket] = await accepted;
    client.write(Buffer.alloc(8 << 20));
    while (socket.bytesRead < 8 << 20) await once(client, 'data');
    pays(true);
    await exchangeUntil(client, socket, 'ring');
    pays(false);
    await exchangeUntil(client, socket, 'early');
    pays(true);
    Object.assign(worth, { received: 1000, sent: 1000 });
    await exchangeUntil(client, socket, 'ring');
    for (let i = 0; i < 20; i++) {
      await exchangeUntil(client, socket, 'ring');
      assert.equal(wayOf(socket), 'ring');
    }
    client.destroy();
    server.close();
  });

  it('given TLS that begins on a connection of the ring, the bytes before it are counted', async () => {
    const secret = { key: KEY, cert: CERTIFICATE };
    const count = async (net: Pick<typeof node, 'createServer'>): Promise<[number, number, Way]> => {
      let way: Way;
      const server = net.createServer((socket) => {
        socket.on('data', function onData(data) {
          if (String(data) !== 'begin') {
            socket.write(data);
            return;
          }
          socket.off('data', onData);
          way = wayOf(socket);
          const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: tls.createSecureContext(secret) });
          secure.on('data', (text) => secure.end(text));
          socket.write('go');
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = once(server, 'connection') as Promise<[node.Socket]>;
      const client = node.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
      for (let i = 0; i < 20; i++) {
        client.write(Buffer.alloc(1000));
        for (let got = 0; got < 1000;) got += ((await once(client, 'data')) as [Buffer])[0].length;
      }
      client.write('begin');
      await once(client, 'data');
      const secure = tls.connect({ socket: client, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
      secure.write('hello');
      assert.equal(String((await once(secure, 'data'))[0]), 'hello');
      const [socket] = await accepted;
      await once(socket, 'close');
      server.close();
      return [socket.bytesRead, socket.bytesWritten, way];
    };
    pays(true);
    const [read, written, way] = await count(ours);
    assert.equal(way, 'ring');
    const [readOfNode, writtenOfNode] = await count(node);
    // A ticket and a signature differ by some bytes from time to time.
    assert.ok(Math.abs(read - readOfNode) < 100 && Math.abs(written - writtenOfNode) < 100, `${read} ${readOfNode}`);
  });
});

describe('when it cannot be done', () => {
  const URLS = ['net/index.js', 'net/dropin/changing-ways.js', 'net/dropin/worth.js', 'reactor/default-reactor.js'].map(
    (
      name,
    ) => JSON.stringify(new URL(`../../../src/${name}`, import.meta.url).href),
  );
  const PRELUDE = `
    import { once } from 'node:events';
    import { openSync, closeSync, readdirSync } from 'node:fs';
    import * as node from 'node:net';
    const [ours, { wayOf }, { worth }, { defaultReactor }] =
      await Promise.all([${URLS.map((url) => `import(${url})`).join()}]);
    const pays = (does) => Object.assign(worth, { writes: 1, unwatched: 1, rest: 0, sustained: 0, patience: 1, milliseconds: 0, pause: 0,
      pays: does ? 0 : Infinity, costs: does ? 0 : Infinity, received: Infinity, sent: Infinity });
    Object.assign(worth, { writes: 16, unwatched: 1, rest: 0 });
    const exchange = async (client, times) => {
      for (let i = 0; i < times; i++) {
        client.write('x');
        await once(client, 'data');
      }
    };`;

  it('given no descriptor for the change, the connection goes on as it is, and changes later', async () => {
    const program = `${PRELUDE}
      const server = node.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      defaultReactor();
      const client = ours.connect(server.address().port, '127.0.0.1');
      await once(client, 'connect');
      const ways = [];
      for (const way of ['ring', 'early']) {
        pays(way === 'ring');
        const taken = [];
        try {
          for (;;) taken.push(openSync('/dev/null'));
        } catch (error) {
          if (error.code !== 'EMFILE') throw error;
        }
        await exchange(client, 20);
        ways.push(wayOf(client));
        for (const fd of taken) closeSync(fd);
        await exchange(client, 20);
        ways.push(wayOf(client));
      }
      process.stdout.write(ways.join() + ' ' + client.bytesRead + ' ' + client.bytesWritten);
      client.destroy();
      server.close();`;
    const { status, stdout, stderr } = await run('sh', [
      '-c',
      'ulimit -n 256 && exec "$0" --input-type=module -e "$1"',
      process.execPath,
      program,
    ]);
    assert.deepEqual([status, stdout, stderr], [0, 'early,ring,ring,early 80 80', '']);
  });

  it('given a worker that exits in the tick of a change, no descriptor is left, and peers hear of the end', async () => {
    const program = `${PRELUDE}
      import { parentPort, Worker, workerData } from 'node:worker_threads';
      if (workerData) {
        const { port, does } = workerData;
        pays(true);
        const client = ours.connect(port, '127.0.0.1');
        if (!does) await exchange(client, 20);
        pays(does);
        client.write('x');
        for (let i = 0; i < workerData.ticks; i++) await new Promise((resolve) => process.nextTick(resolve));
        process.exit();
      }
      const text = process.argv[1];
      const open = new Set();
      const server = node.createServer((socket) => {
        open.add(socket);
        socket.on('error', () => {}).on('close', () => open.delete(socket)).pipe(socket);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const start = async (does, ticks) => {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)), {
          workerData: { port: server.address().port, does, ticks },
        });
        await once(worker, 'exit');
      };
      await start(true, 0);
      const count = () => readdirSync('/proc/self/fd').length;
      while (open.size > 0) await new Promise(setImmediate);
      const before = count();
      for (let i = 0; i < 12; i++) await start(i % 2 === 0, i >> 1);
      while (open.size > 0 || count() > before) await new Promise(setImmediate);
      process.stdout.write('none');
      server.close();`;
    const argv = ['--input-type=module', '-e', program, program];
    const { status, stdout, stderr } = await run(process.execPath, argv);
    assert.deepEqual([status, stdout, stderr], [0, 'none', '']);
  });
});

describe('whether it pays', () => {
  beforeEach(() => void Object.assign(worth, { writes: 16, milliseconds: 0, pause: 0 }));
  const turn = (): Promise<void> => new Promise(setImmediate);
  const connections = Array.from({ length: 32 }, () => ({}));

  it('given many connections that write in a turn of the loop, it does; given one in each, it does not', async () => {
    for (let i = 0; i < 32; i++) {
      for (const connection of connections) count(connection);
      await turn();
    }
    assert.deepEqual([isWorthTaking(100, 100), isWorthKeeping(100, 100)], [true, true]);
    assert.deepEqual([isWorthTaking(1e6, 100), isWorthKeeping(100, 1e6)], [false, false]);
    for (let i = 0; i < 600; i++) {
      count(connections[i % connections.length]);
      await turn();
    }
    assert.deepEqual([isWorthTaking(100, 100), isWorthKeeping(100, 100)], [false, false]);
  });

  it('given one connection that writes many times in a turn, it does not', async () => {
    for (let i = 0; i < 300; i++) {
      count(connections[0]);
      count(connections[0]);
      count(connections[1]);
      await turn();
    }
    assert.equal(isWorthTaking(100, 100), false);
  });

  for (const count of [1, 2]) {
    const looked = count === 1 ? 'nobody looks at the one that writes alone' : 'they are looked at as often as others';
    it(`given a thousand writes of ${count} in a tick, ${looked}`, async () => {
      Object.assign(worth, { writes: 256 });
      const server = ours.createServer((socket) => void socket.resume());
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as node.AddressInfo;
      const clients = Array.from({ length: count }, () => ours.connect(port, '127.0.0.1'));
      await Promise.all(clients.map((client) => once(client, 'connect')));
      // The load asks too, when it measures: after 256 messages as well.
      let looks = 0;
      Object.defineProperty(load, 'pays', { configurable: true, get: () => (looks++, false) });
      try {
        for (let i = 0; i < 1000; i++) clients[i % count].write('x');
        await Promise.all(clients.map((client) => new Promise((resolve) => void client.write('x', resolve))));
        await turn();
      } finally {
        Reflect.deleteProperty(load, 'pays');
      }
      assert.ok(count === 1 ? looks === 0 : looks > 0 && looks <= 12, `${looks} looks`);
      for (const client of clients) client.destroy();
      server.close();
      await once(server, 'close');
    });
  }

  it('given many clients that wait for answers, their connections go through the ring; given one, it does not', async () => {
    const server = ours.createServer((socket) => void socket.on('data', (data) => socket.write(data)));
    const sockets: node.Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as node.AddressInfo;
    const exchange = async (client: node.Socket, times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        client.write('hello');
        await once(client, 'data');
      }
    };
    const clients = Array.from({ length: 64 }, () => node.connect(port, '127.0.0.1'));
    await exchange(clients[0], 100);
    assert.equal(wayOf(sockets[0]), 'early');
    await Promise.all(clients.map(async (client) => exchange(client, 100)));
    assert.equal(sockets.filter((socket) => wayOf(socket) === 'ring').length, 64);
    await exchange(clients[0], 600);
    assert.equal(sockets.filter((socket) => wayOf(socket) === 'ring').length, 63);
    for (const client of clients) client.destroy();
    server.close();
  });
});
