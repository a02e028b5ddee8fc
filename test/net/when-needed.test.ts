// The modules behind the ring, and koffi, are most of what there is to load and to keep: a program has them when its
// first socket goes through the ring.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RingWhenNeeded } from '../../src/net/transport/when-needed.ts';
import { run } from '../run.ts';

/** Is koffi there before the first socket, and after a socket of each kind has been used? */
async function koffi(name: string, env: NodeJS.ProcessEnv): Promise<[before: boolean, after: boolean]> {
  const text = `
    import { once } from 'node:events';
    import { readFileSync } from 'node:fs';
    import * as entry from 'iouring/${name}';
    const isKoffiLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes('koffi');
    const before = isKoffiLoaded();
    if ('createSocket' in entry && '${name}' === 'dgram') {
      const sockets = [entry.createSocket('udp4'), entry.createSocket('udp4')];
      for (const socket of sockets) await once(socket.bind(0, '127.0.0.1'), 'listening');
      sockets[0].send('datagram', sockets[1].address().port, '127.0.0.1');
      await once(sockets[1], 'message');
      for (const socket of sockets) socket.close();
    } else if ('request' in entry) {
      const server = entry.createServer((_, response) => response.end('answer'));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const [response] = await once(entry.get({ port: server.address().port, host: '127.0.0.1' }), 'response');
      for await (const chunk of response) chunk.toString();
      server.close();
      server.closeAllConnections();
    } else {
      const server = entry.createServer((socket) => socket.pipe(socket));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const socket = entry.connect(server.address().port, '127.0.0.1');
      socket.end('echoed');
      for await (const chunk of socket) chunk.toString();
      server.close();
    }
    console.log(JSON.stringify([before, isKoffiLoaded()]));`;
  const args = ['--input-type=module', '-e', text];
  const { status, stdout, stderr } = await run(process.execPath, args, { env: { ...process.env, ...env } });
  assert.deepEqual([status, stderr], [0, '']);
  return JSON.parse(stdout) as [boolean, boolean];
}

describe('a program that imports', () => {
  for (const name of ['net', 'http', 'dgram']) {
    it(`iouring/${name}, and has few messages, does not load what is behind the ring`, async () => {
      assert.deepEqual(await koffi(name, { IOURING_EAGER: '' }), [false, false]);
    });

    it(`iouring/${name}, given a socket that goes through the ring, has it loaded by that`, async () => {
      assert.deepEqual(await koffi(name, { IOURING_EAGER: '1' }), [false, true]);
    });
  }
});

describe('getting ready for the first socket', () => {
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

  type Loaded = { ringForSockets(): void };

  function prepared(load: (calls: string[]) => Loaded | undefined): { calls: string[]; side: RingWhenNeeded<Loaded> } {
    const calls: string[] = [];
    const side = new RingWhenNeeded<Loaded>();
    side.loadBy(() => (calls.push('load'), load(calls)));
    return { calls, side };
  }

  it('loads the modules in one turn of the loop, and makes the ring in another', async () => {
    const { calls, side } = prepared((all) => ({ ringForSockets: () => void all.push('ring') }));
    const seen: [isReady: boolean, calls: string][] = [];
    for (let i = 0; i < 4; i++) {
      seen.push([side.isReady, calls.join()]);
      await turn();
    }
    assert.deepEqual(seen, [[false, ''], [false, 'load'], [true, 'load,ring'], [true, 'load,ring']]);
  });

  it('given modules that cannot be loaded, leaves the next attempt to who needs them', async () => {
    const { calls, side } = prepared(() => undefined);
    while (!side.isReady) await turn();
    assert.deepEqual([calls.join(), side.get(), calls.join()], ['load', undefined, 'load,load']);
  });
});
