/**
 * A package tried as a stranger gets it: installed in an empty project, and there every entry of package.json imported and required,
 * and used; and the command line, each command of it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const LIMIT_MS = 60_000;

/** What is done with each entry: code that has the module as `m`, and throws where it does not work. */
const TRIES = {
  iouring: `
    const ring = new m.IoUring(8);
    ring.prepNop(42);
    ring.submitAndWait(1);
    equal(ring.forEachCompletion((c) => equal(c.userData, 42)), 1);
    ring.close();
    const io = new m.Reactor();
    const fd = await io.open('/etc/hostname', 0);
    ok(await io.read(fd, Buffer.alloc(64), { offset: 0 }) > 0);
    await io.closeFd(fd);
    await io.close();`,
  'iouring/abi': `equal(m.errnoName(2), 'ENOENT'); ok(m.OPERATIONS.length > 50);`,
  'iouring/fs': `await m.writeFile('written', 'text'); equal(await m.readFile('written', 'utf8'), 'text');`,
  'iouring/net': `
    const server = m.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    equal(await text(m.connect(server.address().port, '127.0.0.1')), 'hello');
    server.close();`,
  'iouring/socket': `
    const server = await m.listen({ hostname: '127.0.0.1', port: 0, socket: { open: (socket) => socket.end('hello') } });
    let got = '';
    const { promise, resolve } = deferred();
    await m.connect({ hostname: '127.0.0.1', port: server.port, socket: { data: (_, bytes) => { got += Buffer.from(bytes); }, close: resolve } });
    await promise;
    equal(got, 'hello');
    await server.stop();`,
  'iouring/dgram': `
    const socket = m.createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.send('hello', socket.address().port, '127.0.0.1');
    equal(String((await once(socket, 'message'))[0]), 'hello');
    socket.close();`,
  'iouring/http': `
    const server = m.createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [response] = await once(m.get({ port: server.address().port, agent: false }), 'response');
    equal(await text(response), 'hello');
    server.close();`,
  'iouring/register': `equal(m.unregister(), true); equal(m.unregister(), false);`,
};

const program = (load, body) => `
  const { equal, ok } = ${load}('node:assert/strict');
  const { once } = ${load}('node:events');
  const { text } = ${load}('node:stream/consumers');
  const deferred = () => { let resolve; return { promise: new Promise((done) => { resolve = done; }), resolve }; };
  ${body}`;

/** Tries the package of a tarball in the empty folder `project`; throws where something of it does not work. What was installed. */
export async function tryPackage(tarball, project) {
  const command = (file, args, options = {}) =>
    promisify(execFile)(file, args, { cwd: project, timeout: LIMIT_MS, encoding: 'utf8', ...options });
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  await command('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball]);
  const installed = join(project, 'node_modules/iouring');
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));

  for (const path of Object.keys(manifest.exports).filter((name) => name !== './package.json')) {
    const name = `iouring${path.slice(1)}`;
    const body = TRIES[name];
    if (body === undefined) {
      throw new Error(`${name} is an entry that nothing tries: add it to scripts/try-package.mjs`);
    }
    writeFileSync(join(project, 'try.mjs'), program('await import', `const m = await import('${name}');\n${body}`));
    writeFileSync(
      join(project, 'try.cjs'),
      `(async () => {${program('require', `const m = require('${name}');\n${body}`)}})();`,
    );
    for (const file of ['try.mjs', 'try.cjs']) {
      await command(process.execPath, ['--no-warnings', file], { env: { ...process.env, IOURING: 'net' } });
      console.log(`  ${name}: ${file === 'try.mjs' ? 'import' : 'require'}`);
    }
  }

  const bin = join(project, 'node_modules/.bin/iouring');
  const { stdout: version } = await command(bin, ['--version']);
  if (version.trim() !== manifest.version) throw new Error(`iouring --version says ${version}`);
  await command(bin, ['doctor']);
  mkdirSync(join(project, 'folder'));
  writeFileSync(join(project, 'folder/page.txt'), 'a page');
  await command(bin, ['cp', '--no-progress', 'folder', 'copy']);
  if (readFileSync(join(project, 'copy/page.txt'), 'utf8') !== 'a page') {
    throw new Error('iouring cp copied something else');
  }
  writeFileSync(join(project, 'app.mjs'), `import net from 'node:net'; console.log(typeof net.createServer);`);
  if ((await command(bin, ['run', 'app.mjs'])).stdout.trim() !== 'function') throw new Error('iouring run did not run');
  await tryServe(bin, project);
  console.log('  the command line: doctor, cp, run, serve');
  return sizes(project);
}

async function tryServe(bin, project) {
  const server = spawn(bin, ['serve', 'folder', '--port', '0', '--no-log'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT_MS,
  });
  const exit = once(server, 'exit');
  try {
    const lines = createInterface({ input: server.stderr });
    const [line] = await Promise.race([once(lines, 'line'), exit.then(() => ['nothing'])]);
    const address = /http:\/\/[^\s/]+/.exec(line)?.[0];
    if (address === undefined) throw new Error(`iouring serve says ${line}`);
    const response = await fetch(`${address}/page.txt`, { headers: { connection: 'close' } });
    if ((await response.text()) !== 'a page') throw new Error('iouring serve served something else');
  } finally {
    server.kill();
    await exit;
  }
}

/** How many packages were installed, and how many bytes each has. */
function sizes(project) {
  const modules = join(project, 'node_modules');
  const names = readdirSync(modules).filter((name) => !name.startsWith('.'));
  const packages = names.flatMap((
    name,
  ) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((below) => join(name, below)) : name));
  return packages.map((name) => {
    const files = readdirSync(join(modules, name), { recursive: true }).map((file) =>
      statSync(join(modules, name, file))
    );
    return { name, bytes: files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0) };
  });
}
