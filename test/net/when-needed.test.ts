// The modules behind the ring, and koffi, are most of what there is to load and to keep: a program has them when its
// first socket goes through the ring.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RingWhenNeeded } from '../../src/net/transport/when-needed.ts';
import { run } from '../run.ts';

const SRC = new URL('../../src/', import.meta.url).href;

const { uvMetricsInfo } = performance.nodeTiming as unknown as { uvMetricsInfo?: object };
const withoutTurns = uvMetricsInfo === undefined && 'this version of Node does not count the turns of its event loop';
const { require_module: requiresModules } = process.features as { require_module?: boolean };
const withoutRequire = requiresModules !== true && 'this version of Node cannot load an ES module when it is needed';

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

  for (const how of ['exits', 'is terminated'] as const) {
    it(`in a worker that ${how} between the two: nothing is left of it, and the process goes on`, {
      skip: withoutRequire,
    }, async () => {
      const worker = `
        import { parentPort, workerData as src } from 'node:worker_threads';
        await import(src + 'net/index.js');
        const { ringSide } = await import(src + 'net/dropin/ring-when-needed.js');
        const before = [ringSide.isReady, ringSide.soFar !== undefined];
        // Behind the one in which the modules are loaded, and before the one in which the ring is made.
        setImmediate(() => {
          parentPort.postMessage([before, [ringSide.isReady, ringSide.soFar !== undefined]]);
          if (${how === 'exits'}) process.exit(7);
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        });`;
      const text = `
        import { readdirSync } from 'node:fs';
        import { once } from 'node:events';
        import { Worker } from 'node:worker_threads';
        const descriptors = () => readdirSync('/proc/self/fd').length;
        const run = async () => {
          const one = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: ${JSON.stringify(SRC)} });
          const ended = once(one, 'exit');
          const [told] = await once(one, 'message');
          if (${how !== 'exits'}) await one.terminate();
          return [told, (await ended)[0]];
        };
        // The first worker of a process leaves what all of them use.
        await run();
        const before = descriptors();
        const all = [];
        for (let i = 0; i < 3; i++) all.push(await run());
        console.log(JSON.stringify([all, descriptors() - before]));`;
      const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text]);
      assert.deepEqual([status, stderr], [0, '']);
      const once = [[[false, false], [false, true]], how === 'exits' ? 7 : 1];
      assert.deepEqual(JSON.parse(stdout), [[once, once, once], 0]);
    });
  }
});

/**
 * A socket of each kind exchanges messages while there are `free` descriptors left, and when there are enough again: on
 * which way it was by then, and whether all has come.
 * @param entry loads what is behind the ring when it is needed, or has done so
 */
async function ways(kind: 'net' | 'dgram', entry: 'index' | 'eager', free: number): Promise<[string, string, boolean]> {
  const text = `
    import { once } from 'node:events';
    import { closeSync, openSync } from 'node:fs';
    import * as node from 'node:${kind}';
    const { hrtime } = process;
    let ahead = 0; // seconds
    // Whoever waits for a while before the next attempt makes it at the next message.
    process.hrtime = () => {
      const [seconds, nanoseconds] = hrtime();
      return [seconds + ahead, nanoseconds];
    };
    const load = (name) => import(${JSON.stringify(SRC)} + name);
    const { default: ours } = await load('${kind}/${entry}.js');
    const { worth } = await load('net/${kind === 'net' ? 'dropin' : 'udp'}/worth.js');
    Object.assign(worth, { writes: 1, unwatched: 1, rest: 0, sustained: 0, messages: 1, patience: 1, milliseconds: 0, pause: 0, pays: 0, costs: 0,
      received: Infinity, sent: Infinity });
    let socket, way, write, close;
    if ('${kind}' === 'net') {
      const { wayOf } = await load('net/dropin/changing-ways.js');
      const server = node.createServer((peer) => peer.pipe(peer)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      socket = ours.connect(server.address().port, '127.0.0.1');
      await once(socket, 'connect');
      way = () => wayOf(socket);
      write = (letter) => socket.write(letter);
      close = () => (socket.destroy(), server.close());
    } else {
      const { lifeOf } = await load('net/udp/udp-socket.js');
      const peer = node.createSocket('udp4');
      socket = ours.createSocket('udp4');
      for (const one of [peer, socket]) await once(one.bind(0, '127.0.0.1'), 'listening');
      way = () => lifeOf(socket).way;
      write = (letter) => peer.send(letter, socket.address().port, '127.0.0.1');
      close = () => (socket.close(), peer.close());
    }
    let expected = '', text = '';
    const exchange = async (times) => {
      for (let i = 0; i < times; i++) {
        const letter = String.fromCharCode(97 + expected.length % 26);
        expected += letter;
        const came = once(socket, '${kind === 'net' ? 'data' : 'message'}');
        write(letter);
        text += String((await came)[0]);
        ahead += 2;
        await new Promise(setImmediate);
      }
    };
    const taken = [];
    try {
      for (;;) taken.push(openSync('/dev/null'));
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
    for (const fd of taken.splice(0, ${free})) closeSync(fd);
    await exchange(12);
    const before = way();
    for (const fd of taken) closeSync(fd);
    await exchange(12);
    console.log(JSON.stringify([before, way(), text === expected]));
    close();`;
  const args = ['-c', 'ulimit -n 128 && exec timeout 30 "$0" --input-type=module -e "$1"', process.execPath, text];
  const { status, stdout, stderr } = await run('sh', args);
  assert.deepEqual([status, stderr], [0, '']);
  return JSON.parse(stdout) as [string, string, boolean];
}

describe('a program without descriptors when a socket is to go through the ring', () => {
  for (const kind of ['net', 'dgram'] as const) {
    for (const entry of ['index', 'eager'] as const) {
      const loads = entry === 'index' ? 'loads what is behind the ring then' : 'has loaded what is behind the ring';
      const skip = withoutTurns || (entry === 'index' && withoutRequire);
      it(
        `iouring/${kind}, which ${loads}: it stays Node’s, nothing is lost, it goes there later`,
        { skip },
        async () => {
          // Each step of the way there needs another one: to load modules, koffi, a ring, and a copy of the socket's.
          for (const free of [0, 1, 2, 3]) {
            const [before, after, isWhole] = await ways(kind, entry, free);
            if (free === 0) assert.equal(before, 'early');
            assert.deepEqual([after, isWhole], ['ring', true], `${free} left`);
          }
        },
      );
    }
  }
});
