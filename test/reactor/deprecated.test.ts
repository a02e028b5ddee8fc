// Forms of version 0.1 that have a name of their own now: they work as before, and each says once what to call.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { moduleText, run } from '../run.ts';

const INDEX = new URL('../../src/index.js', import.meta.url).href;
const SOCKET = new URL('../../src/socket/index.js', import.meta.url).href;

/** The codes of the warnings that a program causes. */
async function warningsOf(text: string): Promise<string[]> {
  const code = `
    import { openSync } from 'node:fs';
    import { Reactor } from '${INDEX}';
    import { listen } from '${SOCKET}';
    const codes = [];
    process.on('warning', ({ name, code }) => codes.push(name + ' ' + code));
    const reactor = new Reactor();
    ${text}
    await reactor.close();
    await new Promise((resolve) => setImmediate(resolve));
    console.log(JSON.stringify(codes));`;
  const { status, stdout, stderr } = await run(process.execPath, moduleText(code, '--no-warnings'));
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as string[];
}

describe('a deprecated form', () => {
  it('given steps to link twice, runs them and warns once', async () => {
    const text = `for (let i = 0; i < 2; i++) console.assert((await reactor.link([['nop'], ['nop']])).length === 2);`;
    assert.deepEqual(await warningsOf(text), ['DeprecationWarning IOURING_DEP0004']);
  });

  it('given descriptors to close, closes them and warns once', async () => {
    const text = `for (let i = 0; i < 2; i++) await reactor.close(openSync('/dev/null'));`;
    assert.deepEqual(await warningsOf(text), ['DeprecationWarning IOURING_DEP0005']);
  });

  it('given seconds for a timeout of a lean socket, sets it and warns once', async () => {
    const text = `
      const { connect } = await import('${SOCKET}');
      const listener = listen({ hostname: '127.0.0.1', socket: { data() {} } });
      const socket = await connect({ hostname: '127.0.0.1', port: listener.port, socket: { data() {} } });
      socket.timeout(1);
      socket.timeout(2);
      socket.terminate();
      listener.stop(true);`;
    assert.deepEqual(await warningsOf(text), ['DeprecationWarning IOURING_DEP0006']);
  });

  it('given chain, closeFd, setTimeout, a path for link and no descriptor for close, there is no warning', async () => {
    const text = `
      const { connect } = await import('${SOCKET}');
      const listener = listen({ hostname: '127.0.0.1', socket: { data() {} } });
      const socket = await connect({ hostname: '127.0.0.1', port: listener.port, socket: { data() {} } });
      socket.setTimeout(1000);
      socket.terminate();
      listener.stop(true);
      await reactor.chain([['nop'], ['closeFd', openSync('/dev/null')]]);
      await reactor.closeFd(openSync('/dev/null'));
      await reactor.link('/none', '/none').catch(() => {});`;
    assert.deepEqual(await warningsOf(text), []);
  });
});
