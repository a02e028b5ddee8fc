// Where there is no io_uring everything goes through Node, and one event says so.
// slow: the same tests in processes without a ring
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../run.ts';

const NET = new URL('../../src/net/index.js', import.meta.url).href;

describe('without io_uring', () => {
  it('one event says so, and all works', async () => {
    const text = `
      import { subscribe } from 'node:diagnostics_channel';
      subscribe('iouring:fallback', ({ module, error }) => console.log(module, error.code));
      const { default: net } = await import(${JSON.stringify(NET)});
      const server = net.createServer((socket) => {
        console.log(socket._handle.constructor.name === 'TCP', socket instanceof net.Socket);
        socket.end('hello');
      });
      server.listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.on('data', (data) => console.log(String(data), socket._handle.constructor.name === 'TCP'));
        socket.on('close', () => server.close());
      });
    `;
    const programOf = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text], {
        env: { ...process.env, IOURING_EAGER: '1', ...env },
      });
      assert.equal(status, 0, stderr);
      return stdout;
    };
    assert.equal(
      await programOf({ IOURING_DISABLED: '1' }),
      'iouring/net ERR_IOURING_DISABLED\ntrue true\nhello true\n',
    );
    assert.equal(await programOf({ IOURING_DISABLED: '0' }), 'false true\nhello false\n');
  });

  it('sockets of both kinds work where koffi cannot be loaded', async () => {
    const text = `
      import { mkdtempSync, rmSync } from 'node:fs';
      import module from 'node:module';
      const { _resolveFilename } = module;
      module._resolveFilename = function (name, ...rest) {
        if (name.includes('koffi')) throw new Error('there is none');
        return _resolveFilename.call(this, name, ...rest);
      };
      const { default: net } = await import(${JSON.stringify(NET)});
      const folder = mkdtempSync('/tmp/iouring-');
      for (const place of [{ port: 0, host: '127.0.0.1' }, { path: folder + '/socket' }]) {
        const server = net.createServer((socket) => socket.pipe(socket)).listen(place);
        await new Promise((resolve) => server.once('listening', resolve));
        const socket = net.connect(place.path ? place : server.address());
        socket.end('hello');
        for await (const data of socket) console.log(String(data));
        server.close();
      }
      rmSync(folder, { recursive: true });
    `;
    const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'hello\nhello\n');
  });

  it('the tests of this folder pass', { timeout: 120_000 }, async () => {
    const tests = ['dropin/socket', 'dropin/server', 'exported-names', 'dropin/protocols'].map((name) =>
      fileURLToPath(new URL(`./${name}.test.js`, import.meta.url))
    );
    const env: NodeJS.ProcessEnv = { ...process.env, IOURING_DISABLED: '1' };
    // This is a test itself, which a runner within would take itself for a part of.
    delete env['NODE_TEST_CONTEXT'];
    const { status, stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', ...tests], { env });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass [1-9]/m);
  });
});
