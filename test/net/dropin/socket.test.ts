// net.Socket, name by name as node:net documents it, beside node:net.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket, SocketConstructorOpts } from 'node:net';
import { describe } from 'node:test';
import { withoutIPv6 } from '../../asking.ts';
import { closed, connection, listen, sideBySide, type Net, type Story } from './side-by-side.ts';

/** A server, a client of it and the socket that it accepted. */
async function pair(
  net: Net,
  story: Story,
  options: SocketConstructorOpts = {},
  serverOptions: object = {},
): Promise<{ client: Socket; peer: Socket; close: () => Promise<void> }> {
  const server = net.createServer(serverOptions);
  const port = await listen(story, server);
  const accepted = connection(server);
  const client = story.socket('client', new net.Socket(options));
  client.connect(port, '127.0.0.1');
  const [peer] = await Promise.all([accepted, once(client, 'connect')]);
  story.socket('peer', peer);
  const close = async (): Promise<void> => {
    server.close();
    await closed(server, client, peer);
  };
  return { client, peer, close };
}

/** An event, whatever becomes of it: `once` of node:events rejects at an error. */
const told = (socket: Socket, event: string): Promise<unknown> => new Promise((resolve) => socket.once(event, resolve));
const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const written = (socket: Socket, data: string | Uint8Array): Promise<unknown> =>
  new Promise((resolve) => socket.write(data, resolve));
const properties = (socket: Socket): unknown => {
  const { pending, connecting, readyState, destroyed, readable, writable, bytesRead, bytesWritten, allowHalfOpen } =
    socket;
  const { localAddress, localFamily, remoteAddress, remoteFamily, timeout, bufferSize } = socket;
  const ports = [typeof socket.localPort, typeof socket.remotePort];
  const first = {
    pending,
    connecting,
    readyState,
    destroyed,
    readable,
    writable,
    bytesRead,
    bytesWritten,
    allowHalfOpen,
  };
  return {
    ...first,
    localAddress,
    localFamily,
    remoteAddress,
    remoteFamily,
    timeout,
    bufferSize,
    ports,
    names: typeof socket.address(),
  };
};

describe('a connection', () => {
  sideBySide('given a talk to its end, has the properties of node:net’s at each point', async (net, story) => {
    const server = story.server('server', net.createServer());
    const port = await listen(story, server);
    const client = story.socket('client', new net.Socket());
    story.tell('client', 'before', properties(client));
    client.connect({ port, host: '127.0.0.1' }, () => story.tell('client', 'connected', properties(client)));
    story.tell('client', 'connecting', properties(client));
    const [peer] = await Promise.all([connection(server), once(client, 'connect')]);
    story.socket('peer', peer);
    story.tell(
      'peer',
      'accepted',
      properties(peer),
      (peer as Socket & { server: unknown }).server === server,
      peer instanceof net.Socket,
    );
    client.write('hello');
    client.write('0102', 'hex');
    peer.once('data', () => {
      story.tell('peer', 'got', properties(peer), peer.remotePort === client.localPort, peer.localPort === port);
      story.tell('peer', 'names', { ...peer.address(), port: 0 });
      peer.end('bye');
    });
    server.close();
    await closed(client, peer, server);
    story.tell('client', 'after', properties(client));
    story.tell('peer', 'after', properties(peer));
  });

  sideBySide('given an IPv6 address or a name, connects to it', async (net, story) => {
    for (const host of ['::1', 'localhost']) {
      const server = net.createServer((socket) => socket.end('x'));
      const port = await listen(story, server, { port: 0, host });
      const client = story.socket(host, net.connect({ port, host }));
      await once(client, 'connect');
      story.tell(host, properties(client));
      client.resume();
      server.close();
      await closed(client, server);
    }
  }, withoutIPv6);

  sideBySide('what is written before it is connected goes out first', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    const client = story.socket('client', net.connect(port, '127.0.0.1'));
    story.tell('client', client.write('one '), client.bytesWritten);
    story.tell(
      'client',
      client.write(Buffer.from('two '), () => story.tell('client', 'two is written')),
      client.bytesWritten,
    );
    client.once('connect', () => client.end('three', () => story.tell('client', 'ended')));
    const peer = story.socket('peer', await connection(server));
    server.close();
    await closed(client, peer, server);
    story.tell('client', client.bytesWritten);
  });

  sideBySide('text in every encoding', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    for (
      const encoding of ['utf8', 'utf-8', 'latin1', 'binary', 'ascii', 'ucs2', 'utf16le', 'base64', 'base64url',
        'hex'] as const
    ) {
      client.write('äh, 4142ÿ😀\ud800', encoding);
      client.write('x'.repeat(70_000), encoding);
    }
    client.setDefaultEncoding('latin1');
    client.end('é');
    await close();
    story.tell('client', client.bytesWritten);
    story.tell('peer', peer.bytesRead);
  });

  sideBySide('text that is said to be a buffer is refused', async (net, story) => {
    const { client, close } = await pair(net, story);
    for (const text of ['x', 'x'.repeat(70_000)]) {
      try {
        story.tell('client', client.write(text, 'buffer' as BufferEncoding));
      } catch (error) {
        story.tell('client', 'throws', error);
      }
    }
    client.destroy();
    await close();
  });

  sideBySide('setEncoding: characters are not cut', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    peer.setEncoding('utf8');
    let text = '';
    peer.on('data', (part) => (text += part));
    const bytes = Buffer.from('€😀'.repeat(10));
    for (const byte of bytes) await written(client, Buffer.of(byte));
    client.end();
    await close();
    story.tell('peer', text);
  });

  sideBySide('cork and uncork, writev', async (net, story) => {
    const { client, close } = await pair(net, story);
    client.cork();
    for (let i = 0; i < 50; i++) client.write(`${i} `, () => story.tell('client', `${i} is written`));
    client.write(Buffer.alloc(40_000, 'b'));
    client.write('end');
    story.tell('client', client.writableLength, client.bytesWritten);
    client.uncork();
    story.tell('client', client.bytesWritten);
    client.end();
    await close();
  });
});

describe('the options of a socket', () => {
  sideBySide('allowHalfOpen: it goes on writing when the peer has ended', async (net, story) => {
    const { client, peer, close } = await pair(net, story, { allowHalfOpen: true });
    peer.end('all');
    await once(client, 'end');
    story.tell('client', client.readyState, client.writable);
    client.write('still here');
    client.end('. bye');
    await close();
  });

  sideBySide('allowHalfOpen of a server', async (net, story) => {
    const { client, peer, close } = await pair(net, story, {}, { allowHalfOpen: true });
    client.end('question');
    await once(peer, 'end');
    story.tell('peer', peer.readyState);
    peer.end('answer');
    await close();
  });

  sideBySide('given no allowHalfOpen, a write after the peer’s end fails', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    peer.end();
    await once(client, 'end');
    client.write('too late', (error) => story.tell('client', 'write', error));
    await close();
  });

  sideBySide('pauseOnConnect: nothing is read before it is resumed', async (net, story) => {
    const { client, peer, close } = await pair(net, story, {}, { pauseOnConnect: true });
    story.tell('peer', peer.isPaused(), peer.readableFlowing);
    client.end('waiting');
    await once(client, 'finish');
    story.tell('peer', peer.bytesRead, peer.readableLength);
    peer.resume();
    await close();
  });

  sideBySide('highWaterMark', async (net, story) => {
    const { client, peer, close } = await pair(net, story, { highWaterMark: 100 } as object, { highWaterMark: 50 });
    story.tell('client', client.readableHighWaterMark, client.writableHighWaterMark);
    story.tell('peer', peer.readableHighWaterMark, peer.writableHighWaterMark);
    story.tell('client', client.write('a'.repeat(99)), client.write('b'));
    client.end();
    await close();
  });

  sideBySide('readable and writable', async (net, story) => {
    for (const options of [{ readable: false }, { writable: false }]) {
      const server = net.createServer();
      const port = await listen(story, server);
      const client = story.socket(`client ${JSON.stringify(options)}`, new net.Socket(options));
      client.connect(port, '127.0.0.1');
      const peer = await connection(server);
      peer.resume();
      if (client.connecting) await once(client, 'connect');
      story.tell('client', client.readable, client.writable, client.readyState);
      client.destroy();
      server.close();
      await closed(server, client, peer);
    }
  });

  sideBySide('onread: data goes into the user’s memory', async (net, story) => {
    const buffer = Buffer.alloc(10);
    let all = '';
    let calls = 0;
    const onread = {
      buffer,
      callback(bytes: number, memory: Uint8Array): boolean {
        calls++;
        assert.equal(memory, buffer);
        all += Buffer.from(memory.subarray(0, bytes)).toString();
        return true;
      },
    };
    const { client, peer, close } = await pair(net, story, { onread } as object);
    peer.end('ABCDEFGHIJabcdefghijklmnopqrstuvwxyz');
    await once(client, 'end');
    story.tell('client', all, calls, client.bytesRead);
    await close();
  });

  sideBySide('onread: a function makes memory each time; false stops, resume goes on', async (net, story) => {
    let all = '';
    let made = 0;
    const onread = {
      buffer: (): Uint8Array => Buffer.alloc(++made % 2 === 0 ? 3 : 4),
      callback(bytes: number, memory: Uint8Array): boolean {
        all += Buffer.from(memory.subarray(0, bytes)).toString();
        story.tell('client', 'read', bytes, memory.length, all);
        setImmediate(() => client.resume());
        return false;
      },
    };
    const { client, peer, close } = await pair(net, story, { onread } as object);
    peer.end('ABCDEFGHIJabcdefghij');
    await once(client, 'end');
    story.tell('client', all, made);
    await close();
  });

  sideBySide('onread: the callback is a method of the socket', async (net, story) => {
    const callback = function (this: unknown): void {
      story.tell('client', this === client);
    };
    const { client, peer, close } = await pair(net, story, { onread: { buffer: Buffer.alloc(2), callback } } as object);
    peer.end('abcdefgh');
    await once(client, 'end');
    await close();
  });

  sideBySide('onread: pause within the call', async (net, story) => {
    let all = '';
    const callback = (bytes: number, memory: Uint8Array): void => {
      all += Buffer.from(memory.subarray(0, bytes)).toString();
      if (all.length === 4) {
        client.pause();
        setTimeout(() => {
          story.tell('client', 'paused', all, client.bytesRead);
          client.resume();
        }, 30);
      }
    };
    const { client, peer, close } = await pair(net, story, { onread: { buffer: Buffer.alloc(2), callback } } as object);
    peer.end('abcdefgh');
    await once(client, 'end');
    story.tell('client', all);
    await close();
  });

  sideBySide('given the descriptor of a connection, reads and writes there', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    const native = net.connect(port, '127.0.0.1');
    const [peer] = await Promise.all([connection(server), once(native, 'connect')]);
    story.socket('peer', peer);
    const { fd } = (native as unknown as { _handle: { fd: number } })._handle;
    const { duplicate } = await import('../../../src/net/transport/socket-calls.ts');
    const second = story.socket('second', new net.Socket({ fd: duplicate(fd) }));
    native.destroy();
    await closed(native);
    second.end('from the second descriptor');
    peer.end('to it');
    server.close();
    await closed(second, peer, server);
    story.tell('second', second.bytesRead, second.bytesWritten);
  });
});

describe('pause, resume and back-pressure', () => {
  sideBySide('a paused socket keeps what comes and gives it on', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    peer.pause();
    client.write('one');
    await new Promise((resolve) => setTimeout(resolve, 20));
    story.tell('peer', peer.isPaused(), peer.readableLength);
    peer.resume();
    await once(peer, 'data');
    client.end('two');
    await close();
  });

  sideBySide('a slow reader stops a fast writer, and all arrives', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    const client = net.connect(port, '127.0.0.1');
    const peer = await connection(server);
    const chunk = Buffer.alloc(64 * 1024, 'z');
    let stopped = false;
    let drained = 0;
    client.on('drain', () => drained++);
    let sent = 0;
    const fill = (): void => {
      while (sent < 16 * 1024 * 1024) {
        sent += chunk.length;
        if (!client.write(chunk)) {
          stopped = true;
          client.once('drain', fill);
          return;
        }
      }
      client.end();
    };
    fill();
    await new Promise((resolve) => setTimeout(resolve, 50));
    story.tell('client', stopped, client.writableNeedDrain, sent < 16 * 1024 * 1024, client.writableLength > 0);
    let received = 0;
    for await (const data of peer as AsyncIterable<Buffer>) {
      received += data.length;
      if (received % 7 === 0) await nextTick();
    }
    server.close();
    await closed(client, server);
    story.tell('client', received, drained > 0, client.bytesWritten);
  });

  sideBySide('readable and read()', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    peer.removeAllListeners('data');
    peer.pause();
    client.end('abcdefghij');
    const parts: string[] = [];
    peer.on('readable', () => {
      for (let part = peer.read(4) as Buffer | null; part !== null; part = peer.read(4) as Buffer | null) {
        parts.push(part.toString());
      }
      const rest = peer.read() as Buffer | null;
      if (rest !== null) parts.push(rest.toString());
    });
    await close();
    story.tell('peer', parts.join(''));
  });

  sideBySide('pipe back', async (net, story) => {
    const { client, peer, close } = await pair(net, story, {}, { allowHalfOpen: true });
    peer.pipe(peer);
    for (let i = 0; i < 20; i++) await written(client, `${i},`);
    client.end();
    await close();
  });
});

describe('destroy', () => {
  for (
    const [when, act] of Object.entries({
      'before it is connected': (socket: Socket) => socket.destroy(),
      'with an error before it is connected': (socket: Socket) => socket.destroy(new Error('enough')),
      'when it is connected': (socket: Socket) => socket.once('connect', () => socket.destroy()),
      'with an error when it is connected': (socket: Socket) =>
        socket.once('connect', () => socket.destroy(new Error('enough'))),
      'after a write': (socket: Socket) => socket.once('connect', () => (socket.write('last words'), socket.destroy())),
      'after an end': (socket: Socket) => socket.once('connect', () => (socket.end('last words'), socket.destroy())),
      'in the middle of data': (socket: Socket) => socket.once('data', () => socket.destroy()),
      'twice': (socket: Socket) => socket.once('connect', () => (socket.destroy(), socket.destroy(new Error('again')))),
      'soon': (socket: Socket) => socket.once('connect', () => (socket.write('x'), socket.destroySoon())),
      'soon, with nothing written': (socket: Socket) => socket.once('connect', () => socket.destroySoon()),
    })
  ) {
    sideBySide(when, async (net, story) => {
      const server = net.createServer();
      const port = await listen(story, server);
      const accepted = connection(server);
      const client = story.socket('client', net.connect(port, '127.0.0.1'));
      act(client);
      const mayBeAccepted = !when.includes('before');
      if (mayBeAccepted) {
        const peer = story.socket('peer', await accepted);
        if (when.includes('data')) peer.write('welcome');
        await closed(client, peer);
      } else {
        await closed(client);
      }
      story.tell('client', properties(client));
      client.write('after', (error) => story.tell('client', 'write', error));
      client.resetAndDestroy();
      await nextTick();
      server.close();
      await closed(server);
    });
  }

  sideBySide('resetAndDestroy: the peer gets ECONNRESET', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    await written(client, 'x');
    await once(peer, 'data');
    story.tell('client', client.resetAndDestroy() === client);
    await close();
  });

  sideBySide('resetAndDestroy while connecting, and before', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    const none = story.socket('none', new net.Socket());
    none.resetAndDestroy();
    const client = story.socket('client', net.connect(port, '127.0.0.1'));
    const peer = connection(server);
    // Whether the client has closed before the peer hears of it is not told.
    server.once('connection', (socket) => story.socket('peer', socket, ['error', 'close']));
    client.resetAndDestroy();
    await closed(client);
    await closed(await peer);
    server.close();
    await closed(server);
  });

  sideBySide('Symbol.asyncDispose', async (net, story) => {
    const { client, close } = await pair(net, story);
    const dispose = (client as unknown as Record<symbol, (() => Promise<void>) | undefined>)[Symbol.asyncDispose];
    await dispose?.call(client);
    if (!client.destroyed) client.destroy();
    await close();
  });
});

describe('errors', () => {
  sideBySide('ECONNREFUSED', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    server.close();
    await closed(server);
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      const client = story.socket(host, net.connect({ port, host }));
      await closed(client);
      story.tell(host, properties(client));
    }
  });

  sideBySide('a write to a peer that is gone: EPIPE or ECONNRESET, once', async (net, story) => {
    const { client, peer, close } = await pair(net, story, { allowHalfOpen: true });
    client.removeAllListeners('error').on(
      'error',
      ({ name, code }: NodeJS.ErrnoException) => story.tell('client', name, /^E(PIPE|CONNRESET)$/.test(code!)),
    );
    peer.resetAndDestroy();
    const write = (error?: Error | null): void => {
      if (!error && !client.destroyed) client.write(Buffer.alloc(1000), () => setImmediate(write));
    };
    write();
    await close();
  });

  sideBySide('write after end, and write to one that is closed', async (net, story) => {
    const { client, close } = await pair(net, story);
    client.end('x');
    client.write('y', (error) => story.tell('client', 'write', error));
    await close();
    story.tell('client', client.write('z', (error) => story.tell('client', 'write', error)));
    await new Promise(setImmediate);
  });

  sideBySide('given something that is no data, write fails as node:net does', async (net, story) => {
    const { client, close } = await pair(net, story);
    for (const value of [null, 5, {}, undefined]) {
      assert.throws(
        () => client.write(value as never),
        (error) => (story.tell('thrown', error), true),
      );
    }
    assert.throws(
      () => client.write('x', 'no such encoding' as BufferEncoding),
      (error) => (story.tell('thrown', error), true),
    );
    client.end();
    await close();
  });

  sideBySide('wrong arguments', async (net, story) => {
    const attempt = (call: () => unknown): void => {
      try {
        call();
        story.tell('nobody', 'nothing thrown');
      } catch (error) {
        story.tell('nobody', error);
      }
    };
    attempt(() => net.connect({} as never));
    attempt(() => net.connect(70_000));
    attempt(() => net.connect({ port: 'x' } as never));
    attempt(() => net.connect({ port: 1, localAddress: 'x' }));
    attempt(() => net.connect({ port: 1, localPort: 'x' } as never));
    attempt(() => net.connect({ port: 1, lookup: 5 } as never));
    attempt(() => net.connect({ path: 5 } as never));
    attempt(() => new net.Socket({ fd: -1 }));
    attempt(() => new net.Socket({ objectMode: true } as never));
    attempt(() => new net.Socket({ keepAliveInitialDelay: 'x' } as never));
    attempt(() => new net.Socket().setTimeout('x' as never));
    attempt(() => new net.Socket().setTimeout(1, 'x' as never));
    const { client, close } = await pair(net, story);
    attempt(() => client.setTimeout(-1));
    client.end();
    await close();
  });

  sideBySide('connect again on a connection', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    client.on('error', () => {});
    peer.connect(peer.localPort!, '127.0.0.1');
    story.tell('peer', properties(peer));
    await close();
  });

  sideBySide('connect again on a socket that was closed', async (net, story) => {
    const server = net.createServer((peer) => peer.end('hello'));
    const port = await listen(story, server);
    const client = story.socket('client', new net.Socket());
    for (let life = 0; life < 3; life++) {
      client.connect(port, '127.0.0.1');
      await once(client, 'close');
      story.tell('client', life, properties(client));
    }
    server.close();
    await closed(server);
  });
});

describe('timers and settings', () => {
  sideBySide('setTimeout: idle, then not idle', async (net, story) => {
    const { client, peer, close } = await pair(net, story);
    client.setTimeout(40, () => story.tell('client', 'listener'));
    await once(client, 'timeout');
    story.tell('client', client.timeout, client.destroyed);
    const start = performance.now();
    client.setTimeout(300);
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      peer.write('.');
    }
    await once(client, 'timeout');
    story.tell('client', performance.now() - start > 650);
    client.setTimeout(0);
    client.end();
    await close();
  });

  sideBySide('the option timeout', async (net, story) => {
    const server = net.createServer();
    const port = await listen(story, server);
    // The time runs from the call on: it may be over before the connection is there.
    const client = story.socket('client', net.connect({ port, host: '127.0.0.1', timeout: 30 }), ['error', 'close']);
    const timedOut = once(client, 'timeout');
    const peer = await connection(server);
    await timedOut;
    story.tell('client', 'timed out', client.timeout, client.destroyed);
    client.destroy();
    server.close();
    await closed(client, server, peer.resume());
  });

  sideBySide('given any time of its life, setters take effect and return the socket', async (net, story) => {
    const none = new net.Socket();
    const set = (who: string, socket: Socket): void => {
      for (const value of [true, false, undefined]) story.tell(who, socket.setNoDelay(value) === socket);
      for (const args of [[true], [true, 5000], [false], [true, 1000]] as [boolean, number?][]) {
        story.tell(who, socket.setKeepAlive(...args) === socket);
      }
      story.tell(who, socket.ref() === socket, socket.unref() === socket, socket.ref() === socket);
    };
    set('none', none);
    const { client, peer, close } = await pair(net, story, {}, {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 3000,
    });
    set('client', client);
    set('peer', peer);
    client.end();
    await close();
    set('client', client);
  });
});

describe('connect', () => {
  sideBySide('every form of it', async (net, story, name) => {
    const server = net.createServer((peer) => peer.end());
    const port = await listen(story, server, { port: 0, host: '127.0.0.1' });
    const unix = net.createServer((peer) => peer.end());
    unix.listen(`\0${name}`);
    await once(unix, 'listening');
    const forms: Record<string, (listener: () => void) => Socket> = {
      'port, host, listener': (listener) => net.connect(port, '127.0.0.1', listener),
      'text as port': (listener) => net.connect(String(port) as never, '127.0.0.1', listener),
      options: (listener) => net.connect({ port, host: '127.0.0.1' }, listener),
      createConnection: (listener) => net.createConnection({ port, host: '127.0.0.1' }, listener),
      path: (listener) => net.connect(`\0${name}`, listener),
      'option path': (listener) => net.connect({ path: `\0${name}` }, listener),
      'new Socket': (listener) => new net.Socket().connect({ port, host: '127.0.0.1' }, listener),
      'without new': (listener) => (net.Socket as unknown as () => Socket)().connect(port, '127.0.0.1', listener),
      family: (listener) => net.connect({ port, host: 'localhost', family: 4 }, listener),
      localAddress: (listener) => net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }, listener),
    };
    for (const [form, connect] of Object.entries(forms)) {
      const client = connect(() => story.tell(form, 'connected', client.localAddress));
      story.socket(form, client);
      await closed(client);
    }
    server.close();
    unix.close();
    await closed(server, unix);
  });

  sideBySide('lookup: one address, all, none, a wrong one', async (net, story) => {
    const server = net.createServer((peer) => peer.end());
    const port = await listen(story, server);
    type Answer = (error: Error | null, address?: unknown, family?: number) => void;
    const lookups: Record<string, (host: string, options: { all?: boolean }, answer: Answer) => void> = {
      good: (
        _host,
        { all },
        answer,
      ) => (all ? answer(null, [{ address: '127.0.0.1', family: 4 }]) : answer(null, '127.0.0.1', 4)),
      two: (_host, { all }, answer) =>
        all
          ? answer(null, [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }])
          : answer(null, '127.0.0.1', 4),
      failing: (_host, _options, answer) => answer(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
      odd: (_host, { all }, answer) => (all ? answer(null, [{ address: 'x', family: 4 }]) : answer(null, 'x', 4)),
    };
    for (const [name, lookup] of Object.entries(lookups)) {
      for (const autoSelectFamily of [true, false]) {
        const who = `${name} ${autoSelectFamily}`;
        const events = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connect', 'error', 'close'];
        const client = story.socket(
          who,
          net.connect({ port, host: 'some.name', lookup: lookup as never, autoSelectFamily }),
          events,
        );
        await closed(client.resume());
        story.tell(who, client.autoSelectFamilyAttemptedAddresses);
      }
    }
    server.close();
    await closed(server);
  });

  sideBySide('signal: before, while connecting, when connected', async (net, story) => {
    const server = net.createServer((peer) => peer.on('error', () => {}).resume());
    const port = await listen(story, server);
    for (const when of ['before', 'while', 'connected']) {
      const control = new AbortController();
      if (when === 'before') control.abort();
      const client = story.socket(when, new net.Socket({ signal: control.signal }));
      client.on('error', () => {});
      client.connect(port, '127.0.0.1');
      if (when === 'while') control.abort();
      if (when === 'connected') {
        await once(client, 'connect');
        client.write('x');
        control.abort(new Error('why'));
      }
      await told(client, 'close');
      // One that was aborted before may be connected all the same.
      if (!client.destroyed) {
        await told(client, 'connect');
        client.destroy();
        await told(client, 'close');
      }
    }
    server.close();
    await closed(server);
  });

  sideBySide('blockList and other options of newer versions', async (net, story) => {
    const server = net.createServer((peer) => peer.end());
    const port = await listen(story, server);
    const blockList = new net.BlockList();
    blockList.addAddress('127.0.0.1');
    const client = story.socket(
      'client',
      net.connect({ port, host: '127.0.0.1', blockList } as object as { port: number }),
    );
    await closed(client.resume());
    server.close();
    await closed(server);
  });
});
