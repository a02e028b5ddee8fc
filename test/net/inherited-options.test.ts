// What a program has put on Object.prototype is no option of ours.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from '../run.ts';

const SOCKET = new URL('../../src/socket/index.js', import.meta.url).href;
const DGRAM = new URL('../../src/dgram/index.js', import.meta.url).href;

/** Names of options of ours and of Node's, where they are not the user's to set. */
const POLLUTION = `
  const own = (options) => Object.assign(Object.create(null), options);
  const { prototype } = Object;
  prototype.path = '/nowhere';
  prototype.scopeid = 1;
  prototype.flowlabel = 1;
  prototype.timeoutMs = 1;
  prototype.name = '/nowhere';
  prototype.control = 7;
  prototype.triggerAsyncId = 'x';
  prototype.minLeft = () => 7;
  prototype.signal = 'x';
`;

async function program(text: string): Promise<string> {
  const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text]);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('options on Object.prototype', () => {
  it('do nothing to lean sockets and listeners', async () => {
    const output = await program(`
      const { listen, connect } = await import('${SOCKET}');
      const talk = async (own) => {
        const listener = listen(own({ hostname: '127.0.0.1', socket: own({ data: (socket, data) => void socket.write(data) }) }));
        let bytes = 0;
        const { promise, resolve } = withResolvers();
        const data = (socket, data) => ((bytes += data.length) === 300_000 ? resolve() : undefined);
        const socket = await connect(own({ hostname: '127.0.0.1', port: listener.port, localAddress: '127.0.0.1', socket: own({ data }) }));
        // In several pieces.
        socket.write(Buffer.alloc(300_000));
        await promise;
        socket.terminate();
        listener.stop(true);
        console.log(bytes);
      };
      function withResolvers() {
        let resolve;
        const promise = new Promise((done) => (resolve = done));
        return { promise, resolve };
      }
      await talk((options) => options);
      ${POLLUTION}
      await talk(own);
      process.exit();`);
    assert.equal(output, '300000\n300000\n');
  });

  it('do nothing to UDP sockets', async () => {
    const output = await program(`
      const { createSocket } = await import('${DGRAM}');
      const { once } = await import('node:events');
      const talk = async () => {
        const one = createSocket('udp4').bind(0, '127.0.0.1');
        await new Promise((resolve) => one.once('listening', resolve));
        const came = new Promise((resolve) => one.once('message', resolve));
        one.send('hello', one.address().port, '127.0.0.1', (error) => console.log('sent', error));
        console.log(String(await came));
        one.close();
      };
      await talk();
      ${POLLUTION}
      await talk();
      process.exit();`);
    assert.equal(output.split('\n').sort().join(), ',hello,hello,sent null,sent null');
  });
});
