// The flag itself: how it gets into a program, what it replaces, what it leaves alone, and how it is taken back.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
// An agent takes its functions when it is loaded: see the table.
// oxlint-disable-next-line import/no-unassigned-import
import 'node:http';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { EINVAL } from '../../src/abi/errno.ts';
import type { Report } from '../../src/register/index.ts';
import { isDefault, misfitOf, REPLACEMENTS, wordFor } from '../../src/register/replacements.ts';
import { without } from '../asking.ts';
import { forbid, IO_URING_REGISTER, IO_URING_SETUP } from '../kernel/seccomp-filter.ts';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { EAGER, environment, major, program, REGISTER, requiresEsm } from './flagged.ts';

/** The entry for those who do not know of the other. */
const REQUIRED = resolve('dist/register/require.cjs');

/** A number that no system call has. */
const NO_SUCH_CALL = 9999;

const BOTH = { IOURING: 'net,http' };

/** A server that answers one request of its own process, and what both sockets are; for ES modules and CommonJS. */
const EXCHANGE = `
  const server = http.createServer((request, response) => response.end('answer'));
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    http.get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume().on('end', () => server.close());
    });
  });`;

/** What the process says at its end. */
async function reportOf(args: string[], env: Record<string, string>, cwd = '/'): Promise<Report[]> {
  const own = environment({ ...env, IOURING_REPORT: 'json' });
  const { status, stdout, stderr } = await run(process.execPath, args, { env: own, cwd });
  assert.equal(status, 0, stderr + stdout);
  return stderr.trim().split('\n').map((line) => JSON.parse(line) as Report);
}

function wentThroughRing({ sockets, operations }: Report): void {
  assert.ok(operations > 0);
  const counts = sockets.map(({ way, reason, sockets: n }) => `${n} ${reason}, ${way}`);
  // Node 20 has no message for those that an agent connects.
  assert.ok(counts.includes('1 accepted by node:http, ring'), counts.join('; '));
  assert.ok(
    counts.every((count) => count.endsWith('ring') || count.includes('for its first 16 writes')),
    counts.join('; '),
  );
}

/** The function that clients come through. */
const CONNECT = 'net.Socket.prototype.connect';

describe('the table', () => {
  it('says of each row why, and what it needs; each fits this version of Node, and is put in place by its word', async () => {
    const needed = REPLACEMENTS.filter((row) => !row.isUnneeded?.());
    for (const row of needed) {
      assert.ok(row.reason.length > 10 && row.needs.length > 10, row.name);
      assert.equal(misfitOf(row), undefined, row.name);
    }
    const text = `import 'node:http'; const { report } = await import(${
      JSON.stringify(REGISTER)
    }); console.log(JSON.stringify(report().replaced));`;
    const { stdout } = await program(
      text,
      { IOURING: 'net, http, dgram, fs', IOURING_REPORT: '1', IOURING_EAGER: '' },
      [],
    );
    assert.deepEqual(JSON.parse(stdout), needed.map((row) => `${wordFor(row)}: ${row.name}`));
  });

  it('given a program that has not used node:http, does not load it; what an agent takes later is replaced all the same', async () => {
    const text = `
      import modules from 'node:module';
      const isLoaded = process.moduleLoadList.includes('NativeModule _http_agent');
      const require = modules.createRequire('/');
      const { Agent } = require('http');
      const { connect, createConnection } = require('net');
      console.log(isLoaded, connect === createConnection, typeof Agent.prototype.createConnection === 'function',
        Agent.prototype.createConnection === createConnection);`;
    const [ours, none] = await Promise.all([program(text, { IOURING: 'http,net' }), program(text, {}, [])]);
    assert.deepEqual(ours, none);
    assert.match(none.stdout, /^false true true /);
  });

  it('given a Node that looks otherwise, leaves it alone, and the report says so', async () => {
    const text = `
      import net from 'node:net';
      const listen = (net.Server.prototype._listen2 = function () {});
      const { report } = await import(${JSON.stringify(REGISTER)});
      console.log(net.Server.prototype._listen2 === listen, JSON.stringify(report().left.find(({ name }) => name.startsWith('http'))));`;
    const { stdout } = await program(text, { ...BOTH, IOURING_REPORT: '1' }, []);
    assert.match(stdout, /^true .*"reason":"_listen2 takes 0 arguments and not 6"/);
  });

  const handleless = `dgram.Socket = function () { this[Symbol('state symbol')] = { handle: {} }; };`;
  const inherited = `Object.setPrototypeOf(fs.promises, { stat: fs.promises.stat });`;
  const other = `Object.defineProperty(fs, 'promises', { value: { ...fs.promises } });`;

  for (
    const [what, change, key, expected] of [
      ['another createSocket', 'dgram.createSocket = () => {};', 'dgram.createSocket',
        'createSocket takes 0 arguments and not 2'],
      ['UDP sockets without a handle', handleless, 'dgram.createSocket',
        'a new UDP socket has no handle under a symbol'],
      ['no UDP sockets', 'delete dgram.Socket;', 'dgram.createSocket', 'a new UDP socket has no handle under a symbol'],
      ['another stat', 'fs.promises.stat = async () => {};', 'fs.promises.stat', 'stat takes 0 arguments and not 1'],
      ['no stat', 'delete fs.promises.stat;', 'fs.promises.stat', 'there is no such function'],
      ['fs.promises that inherit', inherited, 'fs.promises.stat', 'fs.promises is no ordinary object'],
      ['other fs.promises', other, 'fs.promises.stat', 'fs.promises and node:fs/promises are not the same'],
    ]
  ) {
    it(`given a Node that has ${what}, leaves it alone, and the report says so`, async () => {
      const text = `
        import dgram from 'node:dgram';
        import fs from 'node:fs';
        ${change}
        const before = ${key};
        const { report } = await import(${JSON.stringify(REGISTER)});
        const { left, replaced } = report();
        console.log(${key} === before, replaced.length, left.find(({ name }) => name.endsWith('${key}')).reason);`;
      const { stdout, stderr } = await program(text, { IOURING: 'dgram,fs.stat', IOURING_REPORT: '1' }, []);
      assert.equal(stdout, `true 1 ${expected}\n`, stderr);
    });
  }

  it('given UDP sockets that are on, none is left of having looked how they are made', async () => {
    const text = `
      const { report } = await import(${JSON.stringify(REGISTER)});
      console.log(report().replaced.join(), process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP')).length);`;
    const { stdout, stderr } = await program(text, { IOURING: 'dgram', IOURING_REPORT: '1' }, []);
    assert.equal(stdout, 'dgram: dgram.createSocket 0\n', stderr);
  });
});

describe('how it gets into a program', () => {
  let folder: Temporary;
  const files: Record<string, string> = {};
  before(() => {
    folder = new Temporary();
    // What `iouring/register` is found by.
    mkdirSync(join(folder.path, 'node_modules'));
    symlinkSync(resolve('.'), join(folder.path, 'node_modules/iouring'));
    files.esm = folder.file('app.mjs', `import http from 'node:http'; ${EXCHANGE}`);
    files.cjs = folder.file('app.cjs', `const http = require('http'); ${EXCHANGE}`);
    files.first = folder.file('first.mjs', `import 'iouring/register'; import http from 'http'; ${EXCHANGE}`);
    files.last = folder.file('last.mjs', `import http from 'http'; import 'iouring/register'; ${EXCHANGE}`);
    files.required = folder.file('first.cjs', `require('iouring/register'); const http = require('http'); ${EXCHANGE}`);
    files.worker = folder.file(
      'worker.mjs',
      `import { Worker } from 'node:worker_threads'; new Worker(new URL('app.mjs', import.meta.url));`,
    );
    files.parent = folder.file('parent.cjs', `require('child_process').fork(__dirname + '/app.cjs', { cwd: '/' });`);
  });
  after(() => folder[Symbol.dispose]());

  const single = async (name: string, flags: string[], env: Record<string, string> = {}): Promise<void> => {
    const [report] = await reportOf([...flags, files[name]], { ...BOTH, ...env }, folder.path);
    wentThroughRing(report);
  };

  it('--import, of an ES module', () => single('esm', ['--import', 'iouring/register']));
  it('--import, of CommonJS', () => single('cjs', ['--import', 'iouring/register']));
  it('as the first line', () => single('first', []));
  it('after node:http', () => single('last', []));
  it('--import, of the entry that loads everything at once', () => single('cjs', ['--import', EAGER]));
  it('NODE_OPTIONS with its address', () => single('cjs', [], { NODE_OPTIONS: `--import=${REGISTER}` }));

  for (
    const [title, name, flags] of [
      ['--require, of an ES module', 'esm', ['--require', 'iouring/register']],
      ['--require, of CommonJS', 'cjs', ['--require', 'iouring/register']],
      ['require() as the first line', 'required', []],
    ] as const
  ) {
    it(title, async (t) => {
      if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
      return single(name, ['--no-warnings', ...flags]);
    });
  }

  it('--require, with hooks of modules, whose thread cannot require ES modules in some versions', async (t) => {
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    const hooks = `data:text/javascript,${
      encodeURIComponent(`
        import { register } from 'node:module';
        register('data:text/javascript,export const resolve = (...args) => args[2](args[0], args[1]);');`)
    }`;
    return single('esm', ['--no-warnings', '--require', 'iouring/register', '--import', hooks]);
  });

  it('what a Node finds that cannot require ES modules says which can', async () => {
    const flags = requiresEsm ? ['--no-experimental-require-module'] : [];
    const { status, stderr } = await run(process.execPath, [...flags, REQUIRED]);
    assert.equal(status, 1);
    assert.match(stderr, /ERR_IOURING_UNSUPPORTED/);
    assert.match(stderr, /iouring\/register is an ES module.*--import.*20\.19, 22\.12/);
  });

  it('the same entry registers where they can be required, for resolvers that do not know module-sync', async (t) => {
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    return single('cjs', ['--no-warnings', '--require', REQUIRED]);
  });

  it('given a worker thread, it has it as well', async () => {
    const reports = await reportOf(['--import', 'iouring/register', files.worker], BOTH, folder.path);
    assert.deepEqual(reports.map(({ thread }) => thread).sort(), [0, 1]);
    wentThroughRing(reports.find(({ thread }) => thread === 1)!);
  });

  it('a child process has it that inherits NODE_OPTIONS, wherever it starts', async () => {
    const reports = await reportOf([files.parent], { ...BOTH, NODE_OPTIONS: `--import=${REGISTER}` });
    assert.equal(reports.length, 2);
    wentThroughRing(reports.find(({ program }) => program === files.cjs)!);
  });

  it('the kernel counts operations of the ring of the process', async () => {
    const text = `
      import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
      import http from 'node:http';
      ${EXCHANGE}
      const linkOf = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
      server.on('close', () => {
        const rings = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === 'anon_inode:[io_uring]');
        // Node's own event loop has small ones in some versions.
        const infos = rings.map((fd) => readFileSync('/proc/self/fdinfo/' + fd, 'utf8')).filter((info) => /CqMask:\\s*0x\\w{4,}/.test(info));
        console.log(infos.map((info) => /CqTail:\\s*(\\d+)/.exec(info)[1]).join());
      });`;
    const [ours, none] = await Promise.all([program(text, BOTH), program(text, { IOURING: 'off' })]);
    assert.match(ours.stdout, /^\d+\n$/);
    assert.ok(Number(ours.stdout) >= 2, ours.stdout);
    assert.equal(none.stdout, '\n');
  });
});

/** Which functions are Node's: those that say so in the order servers, clients, fs, dgram. */
const REPLACED = `
  import dgram from 'node:dgram';
  import fs from 'node:fs';
  import net from 'node:net';
  const functions = () => [net.Server.prototype._listen2, ${CONNECT}, fs.promises.readFile, dgram.createSocket];
  const before = functions();
  const { report, unregister } = await import(${JSON.stringify(REGISTER)});
  const replaced = () => functions().map((one, i) => Number(one !== before[i])).join('');`;

const STRANGE =
  "which is ignored: it can be 'off', or a list of net, http, dgram, fs and of parts of them, such as http.server and fs.readFile";

describe('IOURING', () => {
  for (
    const [value, expected, warning] of [
      ['off', '0000', ''],
      ['http', '1100', ''],
      ['net', '1100', ''],
      ['http.server', '1000', ''],
      ['net.client', '0100', ''],
      ['fs,dgram', '0011', ''],
      ['fs.readFile', '0010', ''],
      ['fs.stat', '0000', ''],
      [' net , fs,', '1110', ''],
      ['http.server,nonsense', '1000', `The environment variable IOURING names 'nonsense', ${STRANGE}`],
      ['net.nonsense,fs.readFile', '0010', `The environment variable IOURING names 'net.nonsense', ${STRANGE}`],
    ]
  ) {
    it(`'${value}'`, async () => {
      const text =
        `process.on('warning', ({ name, message }) => console.log(name, message)); ${REPLACED} console.log(replaced());`;
      const { stdout } = await program(text, { IOURING: value }, ['--no-warnings']);
      assert.deepEqual(stdout.trim().split('\n'), [expected, ...(warning === '' ? [] : [`IOURingWarning ${warning}`])]);
    });
  }

  for (const value of [undefined, '']) {
    it(`${value === undefined ? 'not set' : `'${value}'`}: on is what the table says is on by default`, async () => {
      const text = `const { report } = await import(${
        JSON.stringify(REGISTER)
      }); console.log(JSON.stringify(report().replaced));`;
      const { stdout } = await program(text, {
        IOURING_REPORT: '1',
        IOURING_EAGER: '',
        ...(value === undefined ? {} : { IOURING: value }),
      });
      assert.deepEqual(JSON.parse(stdout), REPLACEMENTS.filter(isDefault).map((row) => `${wordFor(row)}: ${row.name}`));
    });
  }

  it('each function that is replaced can be called with new where Node’s can', async () => {
    const text = `
      import dgram from 'node:dgram';
      import fs from 'node:fs';
      import net from 'node:net';
      const canBeNew = (one) => { try { Reflect.construct(Object, [], one); return true; } catch { return false; } };
      console.log([net.Server.prototype._listen2, ${CONNECT}, fs.promises.readFile, dgram.createSocket].map(canBeNew).join());
      new dgram.createSocket('udp4').close(() => console.log('closed'));`;
    const [ours, none] = await Promise.all([program(text, { IOURING: 'net,dgram,fs' }), program(text, {}, [])]);
    assert.deepEqual(ours, none);
    assert.equal(none.stdout, 'true,true,false,true\nclosed\n');
  });

  // Two parts share functions of sockets.
  for (const part of ['http.server', 'http.client', 'net.server', 'net.client']) {
    it(`'${part}' puts sockets of that kind on the ring, and no others`, async () => {
      const text = `
        import { once } from 'node:events';
        import http from 'node:http';
        import net from 'node:net';
        const { report } = await import(${JSON.stringify(REGISTER)});
        const [answering, plain] = [http.createServer((request, response) => response.end('x')), net.createServer((socket) => socket.end('x'))];
        for (const server of [answering, plain]) await once(server.listen(0, '127.0.0.1'), 'listening');
        for (const options of [{ agent: false }, {}]) {
          await new Promise((done) => http.get({ host: '127.0.0.1', port: answering.address().port, ...options }, (response) => response.resume().on('end', done)));
        }
        await (await fetch('http://127.0.0.1:' + answering.address().port)).text();
        for (const connect of [net.connect, (...place) => new net.Socket().connect(...place)]) {
          for (const place of [[plain.address().port, '127.0.0.1'], [{ port: plain.address().port, host: '127.0.0.1' }]]) {
            await once(connect(...place).resume(), 'close');
          }
        }
        answering.close();
        answering.closeAllConnections();
        plain.close();
        // Connections that last are taken over after some writes: these are too short.
        const isOurs = ({ way, reason }) => way === 'ring' || reason.endsWith('for its first 16 writes');
        const kinds = new Set(report().sockets.filter(isOurs).map(({ reason }) => reason.split(': ')[0]));
        console.log([...kinds].join());`;
      const kinds = {
        'http.server': 'accepted by node:http',
        'http.client': 'connected by an agent',
        'net.server': 'accepted',
        'net.client': 'connected',
      };
      const { stdout, stderr } = await program(text, { IOURING: part, IOURING_REPORT: '1' }, []);
      assert.equal(stdout, `${kinds[part as keyof typeof kinds]}\n`, stderr);
    });
  }
});

it('a client of new net.Socket() goes through the ring', async () => {
  const text = `
    import { once } from 'node:events';
    import net from 'node:net';
    const { report } = await import(${JSON.stringify(REGISTER)});
    const server = net.createServer((socket) => socket.end('x'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = new net.Socket().connect(server.address().port, '127.0.0.1');
    await once(socket.resume(), 'close');
    server.close();
    console.log(report().operations > 0);`;
  const { stdout, stderr } = await program(text, { IOURING: 'net.client', IOURING_REPORT: '1' }, []);
  assert.equal(stdout, 'true\n', stderr);
});

it('the channel net.client.socket tells of a client as it does without: as early, and of the same class', async () => {
  const text = `
    import { subscribe } from 'node:diagnostics_channel';
    import net from 'node:net';
    subscribe('net.client.socket', ({ socket }) => {
      console.log(socket.connecting, socket.timeout, socket.constructor === net.Socket);
    });
    const server = net.createServer((socket) => socket.end()).listen(0, '127.0.0.1', () => {
      const options = { port: server.address().port, host: '127.0.0.1', timeout: 5000 };
      net.connect(options).resume().on('close', () => server.close());
    });`;
  const [ours, none] = await Promise.all([program(text, { IOURING: 'net' }), program(text, {}, [])]);
  assert.deepEqual(ours, none);
  assert.match(none.stdout, /^false (undefined|5000) true\n$/);
});

describe('UDP sockets in the report', () => {
  const text = `
    import dgram from 'node:dgram';
    import { once } from 'node:events';
    for (const socket of [dgram.createSocket('udp4'), new dgram.Socket('udp4'), dgram.createSocket('udp4')]) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      socket.send('x', socket.address().port, '127.0.0.1');
      await once(socket, 'message');
      socket.close();
    }`;
  const other = '1 node UDP: not made by dgram.createSocket';

  for (
    const [what, env, expected] of [
      ['few messages', { IOURING_EAGER: '' }, [
        /^2 node UDP: (the ring did not pay: fewer than 20 received|this version of Node)/,
        other,
      ]],
      ['all on the ring', { IOURING_EAGER: '1' }, ['2 ring UDP', other]],
    ] as const
  ) {
    it(`given ${what}, counts them by their way`, async () => {
      const { stderr } = await program(text, { IOURING: 'dgram', IOURING_REPORT: 'json', ...env });
      const { sockets } = JSON.parse(stderr) as Report;
      const counts = sockets.map(({ way, reason, sockets: count }) => `${count} ${way} ${reason}`).sort().reverse();
      assert.equal(counts.length, expected.length, stderr);
      for (const [i, one] of expected.entries()) assert.match(counts[i], new RegExp(one));
    });
  }
});

describe('unregister()', () => {
  it('gives everything back, of ES modules too; once', async () => {
    const text = `${REPLACED}
      import { readFile } from 'node:fs/promises';
      import { createSocket } from 'node:dgram';
      console.log(replaced(), readFile === before[2], createSocket === before[3]);
      console.log(unregister(), replaced(), readFile === before[2], createSocket === before[3], unregister());`;
    const { stdout, stderr } = await program(text, { IOURING: 'net,http,fs,dgram' }, []);
    assert.equal(stdout, '1111 false false\ntrue 0000 true true false\n', stderr);
  });

  /** Every function of the process, of Node's modules and of the prototypes of sockets; the names of those that are others. */
  const COMPARING = `
    import { once } from 'node:events';
    import { createRequire } from 'node:module';
    import net from 'node:net';
    const require = createRequire('/');
    const modules = ['net', 'http', 'https', 'tls', 'dgram', 'fs', 'fs/promises', 'events', 'stream', 'timers', 'async_hooks',
      'diagnostics_channel', 'worker_threads', 'child_process', 'cluster'];
    const owners = Object.fromEntries(modules.map((name) => [name, require(name)]));
    for (const name of ['net.Socket', 'net.Server', 'http.Server', 'http.Agent', 'dgram.Socket', 'stream.Duplex']) {
      const [module, key] = name.split('.');
      owners[name] = require(module)[key].prototype;
    }
    Object.assign(owners, { process, globalThis });
    const all = () => new Map(Object.entries(owners).flatMap(([name, owner]) => Reflect.ownKeys(owner).flatMap((key) => {
      const { get, value = get } = Object.getOwnPropertyDescriptor(owner, key);
      return typeof value === 'function' ? [[name + ' ' + String(key), value]] : [];
    })));
    // Node loads some of its modules and classes when they are first asked for, and has other functions there then.
    process.noDeprecation = true;
    for (const name of ['fs', 'globalThis']) for (const key of Object.getOwnPropertyNames(owners[name])) owners[name][key];
    const atFirst = all();
    const differences = () => {
      const now = all();
      return [...new Set([...atFirst.keys(), ...now.keys()])].filter((name) => atFirst.get(name) !== now.get(name));
    };
    const ofProcess = () => differences().filter((name) => /^process [a-z_]+$/i.test(name)).sort().join();
    const tcp = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const { unregister } = await import(${JSON.stringify(REGISTER)});
    const server = net.createServer((socket) => socket.resume());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const connected = async () => {
      const socket = net.connect(server.address().port, '127.0.0.1').resume();
      await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
      socket.write('x');
      return socket;
    };`;

  it('leaves no function that is not Node’s, while sockets are on the ring, and when others come', async () => {
    const text = `${COMPARING}
      const sockets = [await connected()];
      console.log(differences().includes('net.Socket connect'), ofProcess(), tcp());
      console.log(unregister(), '[' + differences().join() + ']');
      sockets.push(await connected());
      sockets[0].write('x');
      await new Promise(setImmediate);
      console.log('[' + differences().join() + ']', tcp());
      for (const socket of sockets) socket.destroy();
      server.close();`;
    const { stdout, stderr } = await program(text, { IOURING: 'net,http,fs,dgram' }, []);
    const methods = 'process _getActiveHandles,process getActiveResourcesInfo';
    assert.equal(stdout, `true ${methods} 2\ntrue []\n[] 2\n`, stderr);
  });

  it('methods of the process are Node’s before a socket goes through the ring', async () => {
    const text = `${COMPARING}
      const socket = await connected();
      console.log('[' + ofProcess() + ']', tcp());
      socket.destroy();
      server.close();`;
    const { stdout, stderr } = await program(text, { IOURING: 'net', IOURING_EAGER: '' }, []);
    assert.equal(stdout, '[] 2\n', stderr);
  });

  it('given methods of the process that a program has put over ours, leaves those, and they do as Node’s do', async () => {
    const text = `${COMPARING}
      const socket = await connected();
      const ours = process.getActiveResourcesInfo;
      const theirs = (process.getActiveResourcesInfo = () => ours());
      console.log(tcp(), unregister(), process.getActiveResourcesInfo === theirs, tcp());
      socket.destroy();
      server.close();`;
    const { stdout, stderr } = await program(text, { IOURING: 'net' }, []);
    assert.equal(stdout, '2 true true 0\n', stderr);
  });

  it('given a function that a program has put over it, that calls Node’s afterwards', async () => {
    const text = `
      import http from 'node:http';
      import net from 'node:net';
      const { report, unregister } = await import(${JSON.stringify(REGISTER)});
      const { _listen2 } = net.Server.prototype;
      net.Server.prototype._listen2 = function (...args) { return _listen2.apply(this, args); };
      unregister();
      ${EXCHANGE}
      server.on('close', () => console.log(report().operations, JSON.stringify(report().sockets.map(({ way }) => way))));`;
    const { stdout } = await program(text, { ...BOTH, IOURING_REPORT: '1' }, []);
    assert.match(stdout, /^0 \["node"(,"node")?\]\n$/);
  });
});

describe('where there is no io_uring', () => {
  const OBSERVED = `
    import { subscribe } from 'node:diagnostics_channel';
    subscribe('iouring:fallback', ({ module, error }) => console.log(module, error.code));`;

  it('as the environment says: nothing is replaced, one message, and one line under NODE_DEBUG', async () => {
    const text = `${OBSERVED} ${REPLACED} console.log(replaced());`;
    const env = { ...BOTH, IOURING_DISABLED: '1' };
    const quiet = await program(text, env, []);
    assert.deepEqual([quiet.stdout, quiet.stderr], ['iouring/register ERR_IOURING_DISABLED\n0000\n', '']);
    const { stderr } = await program(text, { ...env, NODE_DEBUG: 'iouring' }, []);
    assert.match(
      stderr,
      /^IOURING \d+: io_uring is not used: the environment variable IOURING_DISABLED is set to 1[^\n]*\n$/,
    );
  });

  it('as a filter says: nothing is replaced, one message, and one line under NODE_DEBUG', async () => {
    const text = `
      import koffi from 'koffi';
      ${OBSERVED}
      ${forbid(IO_URING_SETUP, 1)}
      process.env.UV_USE_IO_URING = '0';
      import { spawnSync } from 'node:child_process';
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', process.env.TEXT], { encoding: 'utf8' });
      process.stdout.write(stdout);
      process.stderr.write(stderr);
      process.exitCode = status;`;
    const TEXT = `${OBSERVED} ${REPLACED} console.log(replaced(), report()?.operations);`;
    const env = { IOURING: 'net,http,dgram,fs', TEXT };
    const quiet = await program(text, env, []);
    assert.deepEqual([quiet.stdout, quiet.stderr], ['iouring/register EPERM\n0000 undefined\n', '']);
    const { stderr } = await program(text, { ...env, NODE_DEBUG: 'iouring', IOURING_REPORT: '' }, []);
    assert.match(
      stderr,
      /^IOURING \d+: EPERM: [^\n]*io_uring_setup: a seccomp filter forbids it[^\n]*: all modules are Node’s\n$/,
    );
  });

  it('given a filter that does not forbid it, the same is replaced as without a filter', async () => {
    const text = `
      import koffi from 'koffi';
      ${forbid(NO_SUCH_CALL, 1)}
      ${REPLACED}
      console.log(replaced());`;
    const { stdout, stderr } = await program(text, { IOURING: 'net,http,dgram,fs' }, []);
    assert.equal(stdout, '1111\n', stderr);
  });

  /** Where the kernel is said to be another one. */
  const claiming = (version: string): string => `
    import { syncBuiltinESMExports } from 'node:module';
    import os from 'node:os';
    os.release = () => '${version}';
    syncBuiltinESMExports();`;

  for (const version of ['5.15.0-91-generic', '5.14.0-503.el9.x86_64', '4.18.0', '2.6.78', '6.0.0', 'unheard of']) {
    it(`given a kernel that calls itself ${version} and knows all that is needed, all is replaced`, async (t) => {
      const reason = without('6.1', 'IORING_OP_SENDMSG_ZC');
      if (reason !== false) return t.skip(reason);
      const text = `${claiming(version)} ${OBSERVED} ${REPLACED} console.log(replaced());`;
      const { stdout, stderr } = await program(text, { IOURING: 'net,http,dgram,fs', NODE_DEBUG: 'iouring' }, []);
      assert.equal(stdout, '1111\n', stderr);
    });
  }

  it('given one that calls itself old, and says when it is asked that it does not know what is needed, nothing is replaced', async () => {
    const text = `
      import koffi from 'koffi';
      ${claiming('5.5.0')}
      ${OBSERVED}
      ${forbid(IO_URING_REGISTER, EINVAL)}
      ${REPLACED}
      console.log(replaced());`;
    const { stdout, stderr } = await program(text, { IOURING: 'net,http,dgram,fs', NODE_DEBUG: 'iouring' }, []);
    assert.equal(stdout, 'iouring/register ERR_IOURING_UNSUPPORTED\n0000\n', stderr);
    assert.match(
      stderr,
      /^IOURING \d+: io_uring is not used: \w+ need Linux \d\.\d, this is 5\.5\.0: all modules are Node’s\n/,
    );
  });

  it('as the kernel says when a socket first wants a ring: it goes on through Node, which has its functions back', async () => {
    const text = `
      import { once } from 'node:events';
      import http from 'node:http';
      import koffi from 'koffi';
      ${OBSERVED}
      ${REPLACED}
      ${forbid(IO_URING_SETUP, 1)}
      console.log(replaced());
      ${EXCHANGE}
      await once(server, 'close');
      console.log(replaced(), report().operations);`;
    const { status, stdout } = await program(text, { ...BOTH, IOURING_REPORT: '1' }, []);
    assert.deepEqual([status, stdout], [0, '1100\niouring/net EPERM\n0000 0\n']);
  });

  it('nor may it be used under the permission model, unless that allows the network', async () => {
    const flags = [major === 20 ? '--experimental-permission' : '--permission', '--allow-fs-read=*', '--no-warnings'];
    const { stdout, stderr } = await program(`${REPLACED} console.log(replaced());`, { IOURING: 'net,http,fs' }, flags);
    assert.equal(stdout, '0000\n', stderr);
  });
});

describe('what is left alone', () => {
  it('given classes and their instances, they look as Node’s', async () => {
    const text = `
      import { once } from 'node:events';
      import http from 'node:http';
      import { createRequire } from 'node:module';
      import net, { Socket } from 'node:net';
      import { inspect } from 'node:util';
      class Early extends net.Socket {}
      const { Socket: taken } = createRequire(import.meta.url)('net');
      if (process.env.IOURING) await import(${JSON.stringify(REGISTER)});
      class Late extends net.Socket {}
      const server = http.createServer((request, response) => response.end());
      const accepted = once(server, 'connection');
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address();
      const all = [net.connect(port, '127.0.0.1'), new Early().connect(port, '127.0.0.1'), new Late().connect(port, '127.0.0.1')];
      await Promise.all(all.map((socket) => once(socket, 'connect')));
      console.log(taken === net.Socket, Socket === net.Socket, server instanceof http.Server, server.constructor === http.Server);
      for (const socket of [...all, (await accepted)[0]]) {
        console.log(socket instanceof net.Socket, socket.constructor.name, inspect(socket, { depth: 0 }).split(/[ {]/)[0]);
        console.log(Object.prototype.toString.call(socket), Object.keys(socket).join());
      }
      console.log(net.Socket.prototype.connect.name, net.Server.prototype._listen2.name, net.Socket.prototype.connect.length);
      for (const socket of all) socket.destroy();
      server.close();`;
    const [expected, actual] = await Promise.all([program(text, {}, []), program(text, BOTH, [])]);
    assert.equal(actual.stdout, expected.stdout);
    assert.ok(expected.stdout.includes('Early'), expected.stderr);
  });

  it('given UDP sockets, they look as Node’s, on the ring as well', async () => {
    const text = `
      import dgram, { Socket } from 'node:dgram';
      import { once } from 'node:events';
      import { inspect } from 'node:util';
      const { Socket: Early } = dgram;
      if (process.env.IOURING) await import(${JSON.stringify(REGISTER)});
      const socket = dgram.createSocket({ type: 'udp4' });
      const show = () => {
        console.log(socket.constructor === dgram.Socket, socket.constructor === Socket, dgram.Socket === Early, socket instanceof Early);
        console.log(socket.constructor.name, inspect(socket, { depth: 4 }).replace(/\\d+/g, 'n'), Object.keys(socket).join());
        const names = [];
        for (const name in socket) names.push(name);
        for (const name of names.sort()) {
          if (typeof socket[name] === 'function') console.log(name, socket[name].name, socket[name].length);
        }
      };
      show();
      await once(socket.bind(0, '127.0.0.1'), 'listening');
      socket.send('x', socket.address().port, '127.0.0.1');
      await once(socket, 'message');
      show();
      socket.close();`;
    const [expected, actual] = await Promise.all([program(text, {}, []), program(text, { IOURING: 'dgram' }, [])]);
    assert.equal(actual.stdout, expected.stdout, actual.stderr);
    assert.match(expected.stdout, /^true true true true\nSocket <ref \*n> Socket \{/, expected.stderr);
  });

  it('a socket that reads into the memory of its user, servers of TLS and HTTP/2', async () => {
    const text = `
      import { once } from 'node:events';
      import http2 from 'node:http2';
      import net from 'node:net';
      import tls from 'node:tls';
      const { report } = await import(${JSON.stringify(REGISTER)});
      const secure = tls.createServer().on('tlsClientError', () => {});
      const second = http2.createServer();
      for (const server of [secure, second]) {
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const onread = { buffer: Buffer.alloc(100), callback: () => true };
        const socket = net.connect({ port: server.address().port, host: '127.0.0.1', onread });
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.end('nonsense');
        await once(socket.resume(), 'close');
        server.close();
      }
      console.log(report().operations);`;
    const { stdout, stderr } = await program(text, { ...BOTH, IOURING_REPORT: '1' }, []);
    assert.equal(stdout, '0\n', stderr);
  });
});

describe('a package that is there twice', () => {
  it('the second registration says so, and does nothing', async () => {
    using folder = new Temporary();
    const copy = join(folder.path, 'node_modules/iouring');
    cpSync(resolve('dist'), join(copy, 'dist'), { recursive: true });
    cpSync(resolve('package.json'), join(copy, 'package.json'));
    symlinkSync(resolve('node_modules/koffi'), join(folder.path, 'node_modules/koffi'));
    const second = pathToFileURL(join(copy, 'dist/register', basename(REGISTER))).href;
    const text = `${REPLACED}
      const between = functions();
      const other = await import(${JSON.stringify(second)});
      console.log(functions().every((one, i) => one === between[i]), other.unregister(), other.report(), replaced());`;
    const { stdout, stderr } = await program(text, { ...BOTH, NODE_DEBUG: 'iouring' }, []);
    assert.equal(stdout, 'true false undefined 1100\n');
    assert.ok(stderr.includes(`${second} does nothing: ${REGISTER} has registered in this thread`), stderr);
  });
});
