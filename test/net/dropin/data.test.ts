// What goes in comes out: bytes in pieces of every size, slow readers and slow writers, over TCP and unix sockets,
// between sockets of ours and of Node's.
// slow: megabytes through each kind of socket
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import ours from '../../../src/net/index.ts';
import { randomOf } from '../../reactor/random.ts';

fromTheFirstByte();

type Random = (below: number) => number;

const MIB = 1024 * 1024;
const bytes = randomBytes(MIB);

/** Write `total` bytes in pieces of up to `most` bytes, as text now and then. Their hash. */
async function write(
  socket: node.Socket,
  total: number,
  most: number,
  random: Random,
  isSlow: boolean,
): Promise<string> {
  const hash = createHash('sha1');
  for (let left = total; left > 0;) {
    const length = Math.min(left, 1 + random(most));
    const start = random(bytes.length - length + 1);
    // The socket has it until it is written: it is not to be overwritten, which is why nothing here does.
    const piece = bytes.subarray(start, start + length);
    hash.update(piece);
    const isText = random(8) === 0;
    const mayGoOn = isText ? socket.write(piece.toString('latin1'), 'latin1') : socket.write(piece);
    left -= length;
    if (!mayGoOn) await once(socket, 'drain');
    if (isSlow && random(4) === 0) await immediate();
  }
  socket.end();
  return hash.digest('hex');
}

/** Read to the end. The hash of it. */
async function read(socket: node.Socket, random: Random, isSlow: boolean): Promise<string> {
  const hash = createHash('sha1');
  socket.on('data', (data: Buffer) => {
    hash.update(data);
    if (!isSlow || random(10) > 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  await once(socket, 'end');
  return hash.digest('hex');
}

const NETS = { ours: ours as typeof node, node };

describe('bytes', () => {
  let seed = 1;
  for (const [server, client] of [['ours', 'ours'], ['ours', 'node'], ['node', 'ours']] as const) {
    for (const [most, slow] of [[300, ''], [40_000, 'reader'], [200_000, ''], [MIB, 'writer']] as const) {
      const isUnix = seed % 2 === 0;
      const title = `${client} to ${server}, pieces of up to ${most} bytes${slow && `, a slow ${slow}`}${
        isUnix ? ', unix' : ''
      }`;
      const random = randomOf(seed++);
      it(title, { timeout: 60_000 }, async () => {
        const total = most < 1000 ? MIB : 16 * MIB;
        const listener = NETS[server].createServer({ allowHalfOpen: true });
        listener.listen(isUnix ? `\0iouring-test-${process.pid}-${seed}` : 0);
        await once(listener, 'listening');
        const address = listener.address();
        const accepted = once(listener, 'connection') as Promise<[node.Socket]>;
        const one = NETS[client].connect(
          typeof address === 'string' ? { path: address } : { port: address!.port, host: '127.0.0.1' },
        );
        one.allowHalfOpen = true;
        const [other] = await accepted;
        listener.close();
        const isOver = Promise.all([once(one, 'close'), once(other, 'close')]);
        const [there, back, arrived, arrivedBack] = await Promise.all([
          write(one, total, most, random, slow === 'writer'),
          write(other, total >> 2, most, random, slow === 'writer'),
          read(other, random, slow === 'reader'),
          read(one, random, slow === 'reader'),
        ]);
        assert.equal(arrived, there);
        assert.equal(arrivedBack, back);
        await isOver;
        assert.deepEqual([one.bytesWritten, other.bytesRead, other.bytesWritten, one.bytesRead], [total, total,
          total >> 2, total >> 2]);
      });
    }
  }

  it('many connections at once', { timeout: 60_000 }, async () => {
    const listener = ours.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as node.AddressInfo;
    const talk = async (random: Random): Promise<void> => {
      const socket = ours.connect(port, '127.0.0.1');
      const isOver = once(socket, 'close');
      const [sent, echoed] = await Promise.all([write(socket, 100_000, 20_000, random, false),
        read(socket, random, false)]);
      assert.equal(echoed, sent);
      await isOver;
    };
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => talk(randomOf(index + 1))));
    }
    listener.close();
    await once(listener, 'close');
  });

  it('given large data, its memory is read while it is sent, and at no other time', async () => {
    const listener = ours.createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const socket = ours.connect((listener.address() as node.AddressInfo).port, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(listener, 'connection'), once(socket, 'connect')])) as [
      [node.Socket],
      unknown,
    ];
    listener.close();
    const memory = Buffer.alloc(100_000, 1);
    const received: Buffer[] = [];
    peer.on('data', (data: Buffer) => received.push(data));
    for (let value = 1; value <= 20; value++) {
      memory.fill(value);
      await new Promise((resolve) => socket.write(memory, resolve));
    }
    socket.end();
    await once(peer, 'end');
    const all = Buffer.concat(received);
    assert.equal(all.length, 2_000_000);
    for (let value = 1; value <= 20; value++) {
      assert.ok(all.subarray((value - 1) * 100_000, value * 100_000).every((byte) => byte === value), String(value));
    }
  });
});

/** As the library of WebAssembly has it, which the types of Node leave out. */
interface GrowingMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (limits: { initial: number; maximum: number }) => GrowingMemory };
};

describe('memory that cannot be lent, or is given away', () => {
  it('given memory of WebAssembly, copies it, and the memory can grow meanwhile', async (t) => {
    const native = koffiNative();
    const { keepInPlace } = native;
    const kept: ArrayBuffer[] = [];
    native.keepInPlace = (memory) => {
      kept.push(memory);
      keepInPlace(memory);
    };
    t.after(() => (native.keepInPlace = keepInPlace));
    const server = ours.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = ours.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [node.Socket],
      unknown,
    ];
    server.close();
    // More than the kernel has room for.
    const PAGES = 1024;
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 2 * PAGES });
    const { buffer } = memory;
    const written = new Uint8Array(buffer).fill(7);
    client.write(written);
    assert.ok(client.writableLength > 0);
    memory.grow(1);
    new Uint8Array(memory.buffer).fill(8);
    // Ordinary memory of whole pages is lent as before.
    const ordinary = new ArrayBuffer(PAGES * 65_536);
    client.end(new Uint8Array(ordinary).fill(9));
    const counts: Record<number, number> = { 7: 0, 9: 0 };
    for await (const data of peer as AsyncIterable<Buffer>) {
      const [first] = data;
      const other = data.findIndex((byte) => byte !== first);
      counts[first] += other < 0 ? data.length : other;
      if (other >= 0) counts[data[other]] += data.length - other;
    }
    assert.deepEqual(counts, { 7: PAGES * 65_536, 9: PAGES * 65_536 });
    assert.ok(!kept.includes(buffer) && kept.includes(ordinary));
  });

  const kinds: Record<string, () => ArrayBufferLike> = {
    resizable: () =>
      new (ArrayBuffer as new (length: number, options: object) => ArrayBuffer)(50_000, { maxByteLength: 100_000 }),
    shared: () => new SharedArrayBuffer(50_000),
    'transferred in the same tick': () => new ArrayBuffer(50_000),
  };
  for (const [name, net] of Object.entries({ node, ours })) {
    for (const [kind, make] of Object.entries(kinds)) {
      it(`${kind}: it arrives as it was written, ${name}`, async () => {
        const server = net.createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const client = net.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
        const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
          [node.Socket],
          unknown,
        ];
        const memory = make();
        client.write(new Uint8Array(memory).fill(7));
        if (kind.startsWith('transferred')) {
          try {
            structuredClone(memory, { transfer: [memory as ArrayBuffer] });
          } catch (error) {
            // What is lent stays where it is: newer versions say so.
            assert.equal((error as Error).name, 'DataCloneError');
          }
        }
        client.end();
        const received: Buffer[] = [];
        for await (const data of peer) received.push(data as Buffer);
        assert.ok(Buffer.concat(received).equals(Buffer.alloc(50_000, 7)));
        server.close();
      });
    }
  }
});

/** How many pieces a reader gets that pauses at each of them, of what was written at once. */
async function piecesOf(net: typeof node, total: number): Promise<number> {
  const server = net.createServer((socket) => socket.end(Buffer.alloc(total))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
  let count = 0;
  let came = 0;
  client.on('data', (data: Buffer) => {
    count++;
    came += data.length;
    client.pause();
    // Not before what has come meanwhile was seen.
    setTimeout(() => client.resume(), 2);
  });
  await once(client, 'end');
  assert.equal(came, total);
  server.close();
  return count;
}

it('given a reader that pauses at each piece, it has as few of them as with node:net', async () => {
  const [expected, actual] = [await piecesOf(node, 2 * MIB), await piecesOf(ours, 2 * MIB)];
  assert.ok(actual <= 2 * expected, `${actual} pieces, ${expected} with node:net`);
});
