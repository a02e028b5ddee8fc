// What async_hooks tell a program is the same with the flag as without, as long as its sockets are Node's: which
// resources are made, by which others, and when they are at work. And AsyncLocalStorage is where it was when a
// connection goes through the ring after a while.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { environment, REGISTER } from './flagged.ts';

/** Writes what the hooks are told to stdout, and to stderr whether the flag is there. */
const RECORD = `
  import { createHook } from 'node:async_hooks';
  import dgram from 'node:dgram';
  import http from 'node:http';
  import net from 'node:net';
  const types = new Map();
  const lines = [];
  const nameOf = (id) => types.get(id) ?? (id <= 1 ? String(id) : 'one from before');
  const hook = createHook({
    init(id, type, trigger) { types.set(id, type); lines.push('init ' + type + ' by ' + nameOf(trigger)); },
    before(id) { lines.push('before ' + nameOf(id)); },
    after(id) { lines.push('after ' + nameOf(id)); },
    destroy(id) { if (types.has(id)) lines.push('destroy ' + nameOf(id)); },
  });
  process.once('exit', () => {
    console.log(lines.join('\\n'));
    console.error(net.Server.prototype._listen2.toString().includes('haveNodesSockets') ? 'flagged' : 'plain');
  });`;

const PROGRAMS: Record<string, string> = {
  'node:http, with and without a kept connection, by address and by name': `
    hook.enable();
    const server = http.createServer((request, response) => request.resume().on('end', () => response.end('x')));
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const agent = new http.Agent({ keepAlive: true });
      const get = (options, done) =>
        http.get({ port, host: '127.0.0.1', ...options }, (response) => response.resume().on('end', () => setImmediate(done)));
      get({ agent: false }, () => get({ agent }, () => get({ agent }, () => get({ host: 'localhost', agent, family: 4 }, () => {
        agent.destroy();
        server.close();
      }))));
    });`,
  'node:http, with bodies, a response in pieces and an upgrade': `
    hook.enable();
    const server = http.createServer((request, response) => {
      request.resume().on('end', () => { response.write('a'); setImmediate(() => response.end('b')); });
    }).on('upgrade', (request, socket) => { socket.end('HTTP/1.1 101 Yes\\r\\nUpgrade: x\\r\\nConnection: upgrade\\r\\n\\r\\n'); });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const post = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false }, (response) => response.resume().on('end', () => {
        http.get({ port, host: '127.0.0.1', agent: false, headers: { connection: 'upgrade', upgrade: 'x' } }).on('upgrade', (_, socket) => {
          socket.resume().on('close', () => server.close());
        });
      }));
      post.write('a'.repeat(5000));
      post.end('b');
    });`,
  'node:net, over TCP, with an address of its own, and refused': `
    hook.enable();
    const server = net.createServer((socket) => socket.on('data', (data) => socket.write(data)).on('end', () => socket.end()));
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const client = net.connect({ port, host: '127.0.0.1' }, () => client.write('x'));
      client.on('data', () => client.end()).on('close', () => {
        net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.1' }).on('connect', function () { this.end('x'); }).resume().on('close', () => {
          server.close(() => net.connect(port, '127.0.0.1').on('error', () => {}).on('close', () => {}));
        });
      });
    });`,
  'node:net, over a unix socket': `
    hook.enable();
    const path = new URL('socket' + process.pid, import.meta.url).pathname;
    const server = net.createServer((socket) => socket.end('x')).listen(path, () => {
      net.connect(path).resume().on('close', () => server.close());
    });`,
  'node:dgram': `
    hook.enable();
    const [a, b] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
    a.on('message', (message, { port }) => a.send(message, port, '127.0.0.1'));
    b.on('message', () => { a.close(); b.close(); });
    a.bind(0, '127.0.0.1', () => b.send('x', a.address().port, '127.0.0.1', () => {}));`,
};

/** Promises are destroyed when V8 collects them; and the clock of node:http has a timer that runs each second. */
const AT_ANY_TIME = /^destroy PROMISE$|^(?:before|after|destroy) Timeout$/;

/**
 * All that are made, each as often as it is; and the kinds of what was at work and was destroyed, and of timers: that
 * clock makes another one where a second begins meanwhile. Which of the two ends
 * of a connection hears first of the other is nobody's promise, nor whether data and its end come together.
 */
function shown(text: string): string[] {
  const lines = text.trim().split('\n').filter((line) => !AT_ANY_TIME.test(line));
  const isMade = (line: string): boolean => /^init (?!Timeout )/.test(line);
  return [...lines.filter(isMade), ...new Set(lines.filter((line) => !isMade(line)))].sort();
}

describe('async_hooks', () => {
  for (const [title, text] of Object.entries(PROGRAMS)) {
    it(`${title}: the same resources, made by the same ones`, async () => {
      using folder = new Temporary();
      const file = folder.file('program.mjs', RECORD + text);
      const nothing = folder.file('nothing.mjs', '');
      const tell = (entry: string): ReturnType<typeof run> =>
        run(process.execPath, ['--import', entry, file], {
          env: environment({ IOURING: 'http,net,dgram', IOURING_EAGER: '' }),
        });
      const [plain, flagged] = await Promise.all([tell(nothing), tell(REGISTER)]);
      assert.deepEqual([plain.stderr, flagged.stderr], ['plain\n', 'flagged\n']);
      const [expected, actual] = [shown(plain.stdout), shown(flagged.stdout)];
      assert.ok(expected.length > 10, plain.stdout);
      assert.deepEqual(actual, expected);
    });
  }
});
