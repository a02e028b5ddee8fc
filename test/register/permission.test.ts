// Node's permission model: what Node refuses is refused to those who import iouring by name, and to a program with the
// flag.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { environment, major, REGISTER } from './flagged.ts';

const PERMISSION = major >= 23 ? '--permission' : '--experimental-permission';
const knowsNetwork = process.allowedNodeEnvironmentFlags.has('--allow-net');

const entry = (name: string): string => JSON.stringify(pathToFileURL(resolve(`dist/${name}/index.js`)).href);

/** What a program may try; each says how it ends. `net`, `http`, `dgram` and `fs` are Node's, or ours. */
const ATTEMPTS: Record<string, string> = {
  'to listen':
    `net.createServer().on('error', failed).listen(0, '127.0.0.1', function () { this.close(); done('listens'); })`,
  'to listen at a path':
    `net.createServer().on('error', failed).listen(FOLDER + '/socket', function () { this.close(); done('listens'); })`,
  'to connect':
    `net.connect(PORT, '127.0.0.1').on('error', failed).on('connect', function () { this.destroy(); done('connected'); })`,
  'to connect to a name':
    `net.connect(PORT, 'localhost').on('error', failed).on('connect', function () { this.destroy(); done('connected'); })`,
  'to connect a socket that is there':
    `new net.Socket().on('error', failed).connect(PORT, '127.0.0.1', function () { this.destroy(); done('connected'); })`,
  'to connect to a path': `net.connect(FOLDER + '/nobody').on('error', failed)`,
  'to serve HTTP':
    `http.createServer().on('error', failed).listen(0, '127.0.0.1', function () { this.close(); done('listens'); })`,
  'to request':
    `http.get({ host: '127.0.0.1', port: PORT, agent: false }).on('error', failed).on('response', (response) => response.resume().on('end', () => done('answered')))`,
  'to bind':
    `dgram.createSocket('udp4').on('error', failed).bind(0, '127.0.0.1', function () { this.close(); done('bound'); })`,
  'to send':
    `dgram.createSocket('udp4').on('error', failed).send('x', 9, '127.0.0.1', (error) => (error ? failed(error) : done('sent')))`,
  'to read a file that is not named': `fs.readFile('/etc/hostname').then(() => done('read'), failed)`,
  'to write a file that is not named': `fs.writeFile('/tmp/forbidden', 'x').then(() => done('written'), failed)`,
  'to read a file that is named': `fs.readFile(FOLDER + '/allowed', 'utf8').then(done, failed)`,
};

/** What a program that imports `modules` is told of each attempt. */
function program(modules: string, attempts: Record<string, string>): string {
  const each = Object.entries(attempts).map(([title, text]) => `[${JSON.stringify(title)}, (done, failed) => ${text}]`);
  return `
    ${modules}
    const [PORT, FOLDER] = [Number(process.env.PORT), process.env.FOLDER];
    for (const [title, attempt] of [${each.join(',\n')}]) {
      const end = await new Promise((done) => {
        const failed = ({ code, syscall, permission, resource }) => done([code, syscall, permission, resource].join(' '));
        // Some refusals are thrown when nobody can catch them.
        process.removeAllListeners('uncaughtException').once('uncaughtException', failed);
        try { attempt(done, failed); } catch (error) { failed(error); }
      });
      console.log(title + ': ' + end);
    }
    process.exit();`;
}

const OF_NODE = `
  import dgram from 'node:dgram';
  import fs from 'node:fs/promises';
  import http from 'node:http';
  import net from 'node:net';`;
const OURS = `
  import dgram from ${entry('dgram')};
  import fs from ${entry('fs')};
  import http from ${entry('http')};
  import net from ${entry('net')};`;

describe('under the permission model', { timeout: 60_000 }, () => {
  let folder: Temporary;
  let server: Server;
  before(async () => {
    folder = new Temporary();
    folder.file('allowed', 'allowed');
    server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'))
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.close();
    folder[Symbol.dispose]();
  });

  async function outcome(text: string, flags: string[]): Promise<string> {
    const file = folder.file('program.mjs', text);
    const root = realpathSync('.');
    const allowed = [root, folder.path].map((path) => `--allow-fs-read=${path}`);
    const own = {
      FOLDER: folder.path,
      PORT: `${(server.address() as AddressInfo).port}`,
      IOURING: 'net,http,dgram,fs',
      IOURING_REPORT: '1',
    };
    const args = [PERMISSION, ...allowed, `--allow-fs-write=${folder.path}`, '--allow-addons', '--no-warnings',
      ...flags, file];
    const { stdout, stderr } = await run(process.execPath, args, { env: environment(own) });
    assert.ok(stdout.length > 0, stderr);
    return stdout;
  }

  for (const flags of knowsNetwork ? [[], ['--allow-net']] : [[]]) {
    it(`with ${flags.join() || 'files only'}: the same is refused, in the same words`, async () => {
      const expected = await outcome(program(OF_NODE, ATTEMPTS), flags);
      assert.match(expected, /not named: ERR_ACCESS_DENIED/);
      assert.match(expected, /is named: allowed/);
      if (knowsNetwork) {
        assert.match(expected, flags.length > 0 ? /^to connect: connected$/m : /^to connect: ERR_ACCESS_DENIED/m);
      }
      assert.equal(await outcome(program(OURS, ATTEMPTS), flags), expected, 'imported by name');
      assert.equal(
        await outcome(program(OF_NODE, ATTEMPTS), ['--import', REGISTER, ...flags]),
        expected,
        'with the flag',
      );
    });
  }

  it('iouring/socket is refused as well, until the network is allowed, and when it is no more', {
    skip: knowsNetwork ? false : 'needs a Node with --allow-net',
  }, async () => {
    const modules = `import { connect, listen } from ${entry('socket')}; const socket = { data() {} };`;
    const attempts = {
      'to listen': `(listen({ port: 0, hostname: '127.0.0.1', socket }).stop(), done('listens'))`,
      'to connect':
        `connect({ port: PORT, hostname: '127.0.0.1', socket }).then((one) => { one.terminate(); done('connected'); }, failed)`,
    };
    assert.match(
      await outcome(program(modules, attempts), []),
      /^to listen: ERR_ACCESS_DENIED.*\nto connect: ERR_ACCESS_DENIED.*\n$/,
    );
    assert.equal(
      await outcome(program(modules, attempts), ['--allow-net']),
      'to listen: listens\nto connect: connected\n',
    );
    const drops = program(`${modules} process.permission.drop('net');`, attempts);
    assert.match(
      await outcome(drops, ['--allow-net']),
      /^to listen: ERR_ACCESS_DENIED.*\nto connect: ERR_ACCESS_DENIED.*\n$/,
    );
  });
});
