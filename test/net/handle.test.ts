// What people use of `socket._handle`, and what the process tells of its sockets, beside node:net.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { describe } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { closed, connection, sideBySide, type Net } from './side-by-side.ts';

interface Handle {
  fd: number;
  reading: boolean;
  bytesRead: number;
  bytesWritten: number;
  writeQueueSize: number;
  close(done?: () => void): void;
  getAsyncId(): number;
  getpeername?(out: object): number;
  getsockname?(out: object): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  readStart(): number;
  readStop(): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

const handleOf = (socket: Socket): Handle | null => (socket as unknown as { _handle: Handle | null })._handle;

/** What it says of itself. */
function describeHandle(socket: Socket): unknown {
  const handle = handleOf(socket);
  if (handle === null) return null;
  const out: { port?: number; address?: string } = {};
  const { bytesRead, bytesWritten, writeQueueSize } = handle;
  const refs = [handle.hasRef(), (handle.unref(), handle.hasRef()), (handle.ref(), handle.hasRef())];
  const calls = [handle.getpeername?.(out), handle.getsockname?.({}), handle.setNoDelay?.(true), handle.setKeepAlive?.(true, 5)];
  const named = [out.port === socket.remotePort, out.address];
  return [handle.fd >= 0, handle.getAsyncId() > 0, typeof handle.close, bytesRead, bytesWritten, writeQueueSize, refs, calls, named];
}

for (const kind of ['TCP', 'unix'] as const) {
  describe(`${kind}, _handle`, () => {
    const pair = async (net: Net, folder: string): Promise<[Server, Socket, Socket]> => {
      const server = net.createServer();
      const path = join(folder, 'socket');
      if (kind === 'unix') server.listen(path);
      else server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = connection(server);
      const client = net.connect(kind === 'unix' ? { path } : { port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
      const [peer] = await Promise.all([accepted, once(client, 'connect')]);
      return [server, client, peer];
    };

    sideBySide('of a socket that is connected, in use, and gone', async (net, story) => {
      using folder = new Temporary();
      const [server, client, peer] = await pair(net, folder.path);
      story.tell('client', describeHandle(client));
      story.tell('peer', describeHandle(peer));
      client.write('hello');
      await once(peer, 'data');
      story.tell('peer', describeHandle(peer));
      client.destroy();
      story.tell('client', describeHandle(client));
      server.close();
      await closed(client, peer, server);
      story.tell('peer', describeHandle(peer));
    });

    sideBySide('readStop, readStart', async (net, story) => {
      using folder = new Temporary();
      const [server, client, peer] = await pair(net, folder.path);
      let text = '';
      peer.on('data', (data: Buffer) => (text += data.toString()));
      client.write('one ');
      await once(peer, 'data');
      story.tell('peer', handleOf(peer)!.readStop());
      await new Promise((resolve) => client.write('two ', resolve));
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      story.tell('peer', text, handleOf(peer)!.readStart());
      await once(peer, 'data');
      story.tell('peer', text);
      client.destroy();
      server.close();
      await closed(client, peer, server);
    });

    sideBySide('getActiveResourcesInfo names the sockets that keep the process alive', async (net, story) => {
      using folder = new Temporary();
      const count = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'PipeWrap').length;
      const before = count();
      const told = (who: string): void => story.tell(who, count() - before);
      const [server, client, peer] = await pair(net, folder.path);
      // A server of unix sockets is one of them.
      told('connected');
      client.unref();
      told('one unreferenced');
      client.ref();
      client.destroy();
      peer.destroy();
      server.close();
      await closed(client, peer, server);
      await new Promise(setImmediate);
      told('closed');
    });
  });
}

describe('the sockets of node:http', () => {
  sideBySide('have a handle, in a request and in an answer', async (net, story) => {
    const server = http.createServer((request, response) => {
      story.tell('request', describeSome(request.socket));
      response.end('hello');
    });
    const listener = net.createServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const createConnection = (options: object): Socket => net.connect(options as { port: number });
    const kept = Object.assign(new http.Agent({ keepAlive: true }), { createConnection });
    for (const agent of [kept, kept, false] as const) {
      const request = http.get({ port, host: '127.0.0.1', agent, ...(agent === false ? { createConnection } : {}) });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      story.tell('response', describeSome(response.socket));
      response.resume();
      await once(response, 'end');
    }
    kept.destroy();
    listener.close();
    await closed(listener);
  });

  function describeSome(socket: Socket): unknown {
    const handle = handleOf(socket)!;
    return [handle.fd >= 0, handle.getAsyncId() > 0, handle.hasRef(), handle.setNoDelay?.(true), typeof handle.close, handle.getpeername?.({})];
  }
});

describe('_handle of a server', () => {
  sideBySide('who puts something before onconnection gets a handle of each connection', async (net, story) => {
    const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 }, (socket) => socket.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    type Connected = (this: unknown, status: number, client: Handle) => void;
    const handle = (server as unknown as { _handle: { onconnection: Connected } })._handle;
    const { onconnection } = handle;
    handle.onconnection = function (status, client) {
      const { setNoDelay, setKeepAlive } = client;
      client.setNoDelay = (on) => (story.tell('handle', 'setNoDelay', on), setNoDelay!.call(client, on));
      client.setKeepAlive = (on, seconds) => (story.tell('handle', 'setKeepAlive', on, seconds), setKeepAlive!.call(client, on, seconds));
      story.tell('handle', status, client.fd >= 0);
      onconnection.call(this, status, client);
    };
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [data] = (await once(client, 'data')) as [Buffer];
    story.tell('client', data.toString());
    server.close();
    await closed(client, server);
  });
});
