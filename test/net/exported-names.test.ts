// Every name of the module, and of its classes, in this version of Node: it is here, it can be told from Node's own
// only where it goes through the ring, and what does not is in the list that says why.
import assert from 'node:assert/strict';
import * as nodeDgram from 'node:dgram';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import * as dgram from '../../src/dgram/index.ts';
import * as named from '../../src/net/index.ts';
import ours from '../../src/net/index.ts';
import { PASSED_THROUGH, PASSED_THROUGH_OF_SERVERS, PASSED_THROUGH_OF_SOCKETS } from '../../src/net/passed-through.ts';
import * as lean from '../../src/socket/index.ts';
import { run } from '../run.ts';

const nodes = node as unknown as Record<string, unknown>;
const all = ours as unknown as Record<string, unknown>;
const names = Object.keys(node).filter((name) => name !== 'default');

describe('names of iouring/socket and iouring/dgram', () => {
  it('the first has listen and connect, and nothing else', () => {
    assert.deepEqual(Object.keys(lean).sort(), ['connect', 'listen']);
  });

  it('the second has exactly those of node:dgram, as an object and one by one', () => {
    const names = Object.keys(nodeDgram).filter((name) => name !== 'default').sort();
    assert.deepEqual(Object.keys(dgram.default).sort(), names);
    const present = Object.entries(dgram).filter(([name, value]) => name !== 'default' && value !== undefined);
    assert.deepEqual(present.map(([name]) => name).sort(), names);
    assert.equal(Object.getPrototypeOf(dgram.Socket), nodeDgram.Socket);
    assert.equal(dgram._createSocketHandle, (nodeDgram as unknown as Record<string, unknown>)['_createSocketHandle']);
  });

  it('what iouring/net had of them works, and says once that it has moved', async () => {
    const text = `
      import { connect, createServer, createSocket, listen } from ${
      JSON.stringify(new URL('../../src/net/index.js', import.meta.url).href)
    };
      process.on('warning', ({ name, code, message }) => console.log(name, code, message));
      for (let i = 0; i < 2; i++) {
        const listener = listen({ unix: '\\0iouring-test-' + process.pid + i, socket: { data: (socket, data) => void socket.end(data) } });
        await new Promise(async (close) => {
          await connect({ unix: listener.unix, socket: { open: (socket) => void socket.write('x'), data: (_, data) => console.log(String(data)), close } });
        });
        listener.stop();
        createSocket('udp4').close();
      }
      // What node:net takes is node:net's, whatever else is in it.
      const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        const socket = connect({ port, host: '127.0.0.1', socket: { open: () => console.log('never'), data() {} } });
        console.log(typeof socket.then, typeof socket.pipe);
        socket.resume().on('close', () => server.close());
      });
      try {
        connect({ socket: { error() {} } });
      } catch ({ code }) {
        console.log(code);
      }
    `;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', text]);
    assert.deepEqual(stdout.trim().split('\n').sort(), [
      'DeprecationWarning IOURING_DEP0001 listen of iouring/net is deprecated: import it from iouring/socket',
      'DeprecationWarning IOURING_DEP0002 connect with handlers of iouring/net is deprecated: import it from iouring/socket',
      'DeprecationWarning IOURING_DEP0003 createSocket of iouring/net is deprecated: import it from iouring/dgram',
      'ERR_MISSING_ARGS',
      'undefined function',
      'x',
      'x',
    ]);
  });
});

describe('names', () => {
  it('the object has exactly those of Node', () => {
    assert.deepEqual(Object.keys(ours).sort(), names.sort());
  });

  it('each can be imported by its name', () => {
    for (const name of names) assert.equal((named as Record<string, unknown>)[name], all[name], name);
    const beyond = Object.entries(named).filter(([name, value]) => value !== undefined && !names.includes(name));
    assert.deepEqual(beyond.map(([name]) => name).sort(), ['UdpSocket', 'createSocket', 'default', 'listen']);
  });

  it('each goes through the ring, or is Node’s and in the list', () => {
    for (const name of names) assert.equal(all[name] === nodes[name], name in PASSED_THROUGH, name);
  });

  it('functions have Node’s names and take as many arguments', () => {
    for (const name of names) {
      const [one, other] = [all[name], nodes[name]] as { name: string; length: number }[];
      if (typeof one === 'function') assert.deepEqual([one.name, one.length], [other.name, other.length], name);
    }
  });

  for (
    const [name, passed] of Object.entries({ Socket: PASSED_THROUGH_OF_SOCKETS, Server: PASSED_THROUGH_OF_SERVERS })
  ) {
    it(`what a ${name} has is ours, or Node’s and in the list`, () => {
      const own = (all[name] as { prototype: object }).prototype;
      const theirs = (nodes[name] as { prototype: object }).prototype;
      assert.equal(Object.getPrototypeOf(own), theirs);
      for (const member of Object.getOwnPropertyNames(theirs)) {
        if (member === 'constructor') continue;
        assert.equal(Object.hasOwn(own, member), !Object.hasOwn(passed, member), member);
        const [one, other] = [own, theirs].map((prototype) => Object.getOwnPropertyDescriptor(prototype, member));
        if (one === undefined) continue;
        assert.equal(one.enumerable, other!.enumerable, member);
        const looks = [one, other!].map(({ value }) =>
          typeof value === 'function' ? [value.name, value.length] : value
        );
        assert.deepEqual(looks[0], looks[1], member);
      }
      // Of a stream, and not of Node's class itself.
      for (const member of Object.getOwnPropertyNames(own)) assert.ok(member in theirs, member);
      const made = (Class: unknown): string[] => Object.keys(new (Class as new () => object)()).sort();
      assert.deepEqual(made(all[name]), made(nodes[name]));
    });
  }
});
