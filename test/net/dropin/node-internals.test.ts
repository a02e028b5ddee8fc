// What the drop-in leans on in Node is in one file, and each of it has a test that fails where a version does it
// otherwise.
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ASKED_TO_BIND, ASKED_TO_CONNECT } from '../../../src/net/dropin/node-internals.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import ours from '../../../src/net/index.ts';
import { Temporary } from '../../kernel/temporary.ts';

fromTheFirstByte();

const INTERNALS = 'src/net/dropin/node-internals.ts';
const skip = !existsSync(INTERNALS) && 'needs the sources of the project';

describe('node-internals.ts', { skip }, () => {
  const text = skip === false ? readFileSync(INTERNALS, 'utf8') : '';

  it('says of each export what it leans on, and which test watches it', () => {
    const exports = text.split(/^export (?:function|const) /m).slice(0, -1);
    assert.ok(exports.length >= 9);
    for (const before of exports) {
      assert.match(before.slice(before.lastIndexOf('/**')), /^ \* Leans on: [^]+^ \* - watched by\s/m);
    }
  });

  it('names tests that there are', () => {
    const flat = text.replace(/\n \* +/g, ' ');
    const watched = [...flat.matchAll(/ - watched by (\S+): (.+?)(?= - watched by |\n)/g)];
    assert.ok(watched.length >= 9);
    for (const [, file, title] of watched) {
      assert.ok(existsSync(file), file);
      const source = readFileSync(file, 'utf8');
      assert.ok(source.includes(`'${title}',`) || source.includes(`\`${title}\`,`), `${file} has no test '${title}'`);
    }
  });

  it('is the only file of src/net that reads stack traces, or the names of functions, classes and symbols of Node’s', () => {
    const files = readdirSync('src/net', { recursive: true, encoding: 'utf8' }).map((file) => join('src/net', file));
    // UDP looks for one symbol, and says so where there is none: then it goes through Node.
    const others = files.filter((name) =>
      name.endsWith('.ts') && name !== INTERNALS && name !== 'src/net/udp/node-dgram.ts'
    );
    for (const file of others) {
      const source = readFileSync(file, 'utf8');
      const hack =
        /captureStackTrace|\['undefined'\]|\.name === |\{ name \} = |getOwnPropertySymbols|\.description\b|_parent\b/;
      assert.doesNotMatch(source, hack, file);
    }
  });
});

describe('what it is for', () => {
  it('given sockets of both kinds, their data goes through the ring', async (t) => {
    using folder = new Temporary();
    for (const place of [{ port: 0, host: '127.0.0.1' }, { path: join(folder.path, 'socket') }]) {
      const ways: unknown[] = [];
      const server = ours.createServer((socket) => {
        ways.push(wayOf(socket));
        socket.pipe(socket);
      });
      t.after(() => server.close());
      server.listen(place);
      await once(server, 'listening');
      const address = server.address()!;
      const client = ours.connect(
        typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' },
      );
      for (let i = 0; i < 20; i++) {
        client.write('x');
        await once(client, 'data');
      }
      assert.deepEqual([...ways, wayOf(client)], ['ring', 'ring']);
      client.end();
      await once(client, 'close');
    }
  });

  it(
    'given a socket that is connecting, with an address of its own or without, Node asks for its handle as often as it is known to',
    async (t) => {
      const server = net.createServer((socket) => socket.end());
      t.after(() => server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as net.AddressInfo;
      for (
        const [options, expected] of [
          [{ host: '127.0.0.1' }, ASKED_TO_CONNECT],
          [{ host: 'localhost', family: 4, autoSelectFamily: false }, ASKED_TO_CONNECT],
          [{ host: '127.0.0.1', localAddress: '127.0.0.1' }, ASKED_TO_CONNECT + ASKED_TO_BIND],
        ] as const
      ) {
        const socket = new Asked();
        socket.connect({ port, ...options });
        socket.count = 0;
        await once(socket, 'connect');
        await once(socket.resume(), 'close');
        assert.equal(socket.countAtConnect, expected, JSON.stringify(options));
      }
    },
  );
});

interface Connects {
  connect(...args: unknown[]): number;
}

/** Counts how often Node asks for its handle, until it has it connect. */
class Asked extends net.Socket {
  count = 0;
  countAtConnect: number | undefined;

  get _handle(): unknown {
    this.count++;
    return Reflect.get(net.Socket.prototype, '_handle', this) as unknown;
  }

  set _handle(handle: unknown) {
    Reflect.set(net.Socket.prototype, '_handle', handle, this);
    if (handle === null || handle === undefined) return;
    const { connect } = handle as Connects;
    (handle as Connects).connect = (...args) => {
      this.countAtConnect ??= this.count;
      return Reflect.apply(connect, handle, args);
    };
  }
}
