// V8 is fast with objects that share a hidden class, and slow with a dozen that have one each. Sockets that go through
// the ring share one, as Node's do, however they are made and whichever way they go; before version 13 V8 gives each
// object a hidden class of its own whose prototype was changed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { program, REGISTER } from './flagged.ts';

const SOCKETS = 8;

/** Have objects one that had the same one before their prototype was changed, whatever they get afterwards? */
const sharesHiddenClasses = Number.parseInt(process.versions.v8, 10) >= 13;

/** Prints how many sockets there are of each hidden class, on both sides of connections that are kept. */
const COUNT = `
  import { once } from 'node:events';
  import http from 'node:http';
  import net from 'node:net';
  const classes = (sockets) => {
    const firsts = [];
    for (const one of sockets) if (!firsts.some((first) => %HaveSameMap(one, first))) firsts.push(one);
    return firsts.length + (firsts.every((first) => %HasFastProperties(first)) ? '' : ' slow');
  };
  const clients = new Set();
  const servers = new Set();
  const work = (port, exchange) => Promise.all(Array.from({ length: ${SOCKETS} }, async () => {
    for (let i = 0; i < 5; i++) await exchange(port);
  }));`;

const PROGRAMS: Record<string, string> = {
  'connections of an agent': `
    const server = http.createServer((request, response) => { servers.add(request.socket); response.end('x'); });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const agent = new http.Agent({ keepAlive: true });
    await work(server.address().port, (port) => new Promise((done) => {
      http.get({ port, host: '127.0.0.1', agent }, (response) => {
        clients.add(response.socket);
        response.resume().on('end', done);
      });
    }));`,
  'connections of net.connect': `
    const server = net.createServer((socket) => {
      servers.add(socket);
      socket.on('data', (data) => socket.write(data));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address();
    await Promise.all(Array.from({ length: ${SOCKETS} }, async () => {
      const socket = net.connect(port, '127.0.0.1');
      clients.add(socket);
      await once(socket, 'connect');
      for (let i = 0; i < 5; i++) {
        socket.write('x');
        await once(socket, 'data');
      }
      // As drivers do that keep something with a socket.
      socket.own = socket.mine = 1;
    }));`,
};

describe('hidden classes of sockets', () => {
  for (const [what, text] of Object.entries(PROGRAMS)) {
    for (const IOURING_EAGER of ['', '1']) {
      const way = IOURING_EAGER === '1' ? 'on the ring from the first byte on' : 'Node’s so far';
      const skip = IOURING_EAGER === '1' && !sharesHiddenClasses && 'before V8 13 each client has one of its own then';
      it(`${what}, ${way}: one for all of a side, with fast properties`, { skip }, async () => {
        const flags = ['--allow-natives-syntax', '--import', REGISTER];
        const ending = 'console.log(clients.size, classes(clients), servers.size, classes(servers)); process.exit();';
        const { stdout, stderr } = await program(COUNT + text + ending, { IOURING: 'http,net', IOURING_EAGER }, flags);
        assert.equal(stdout, `${SOCKETS} 1 ${SOCKETS} 1\n`, stderr);
      });
    }
  }

  it('connections that go to the ring while they are at work, and back: one for all, with the properties of Node’s', async () => {
    const SRC = new URL('../../src/net/', import.meta.url).href;
    const text = `
      const { createServer } = await import('${SRC}../http/index.js');
      const { wayOf } = await import('${SRC}dropin/changing-ways.js');
      const { worth } = await import('${SRC}dropin/worth.js');
      const pays = (does) => {
        const least = does ? 0 : Number.POSITIVE_INFINITY;
        Object.assign(worth, { writes: 4, unwatched: 1, rest: 0, sustained: 0, pause: 0, patience: 1, pays: least, costs: least });
      };
      const server = createServer((request, response) => { servers.add(request.socket); response.end('x'); });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const agent = new http.Agent({ keepAlive: true, maxSockets: ${SOCKETS} });
      const exchange = () => new Promise((done) => {
        http.get({ port: server.address().port, host: '127.0.0.1', agent }, (response) => response.resume().on('end', done));
      });
      const properties = (socket) => Reflect.ownKeys(socket).map(String).join();
      let nodes = '';
      const other = http.createServer((request, response) => {
        nodes = properties(request.socket);
        response.end('x');
      });
      await once(other.listen(0, '127.0.0.1'), 'listening');
      const keeping = new http.Agent({ keepAlive: true });
      await work(other.address().port, (port) => new Promise((done) => {
        http.get({ port, host: '127.0.0.1', agent: keeping }, (response) => response.resume().on('end', done));
      }));
      const prototypes = new Set();
      for (const way of ['early', 'ring', 'early', 'ring']) {
        pays(way === 'ring');
        do await Promise.all(Array.from({ length: ${SOCKETS} }, exchange));
        while (![...servers].every((socket) => wayOf(socket) === way));
        for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: ${SOCKETS} }, exchange));
        // Each change of it would make a hidden class more.
        for (const socket of servers) prototypes.add(Object.getPrototypeOf(socket));
        const areNodes = [...servers].every((socket) => properties(socket) === nodes);
        console.log(way, servers.size, classes(servers), areNodes ? 'as Node has them' : properties([...servers][0]) + ' but ' + nodes);
      }
      console.log(prototypes.size, 'prototypes');
      process.exit();`;
    const { stdout, stderr } = await program(COUNT + text, { IOURING_EAGER: '' }, ['--allow-natives-syntax']);
    assert.equal(
      stdout,
      ['early', 'ring', 'early', 'ring'].map((way) => `${way} ${SOCKETS} 1 as Node has them\n`).join('') +
        '2 prototypes\n',
      stderr,
    );
  });
});
