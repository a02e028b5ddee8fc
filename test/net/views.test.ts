// Views that lie about their length: what is sent is what they really have, and nothing of anybody else's.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import * as node from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { fromTheFirstByte } from './from-the-first-byte.ts';
import { connectLean } from '../../src/net/lean/connect.ts';
import ours from '../../src/net/index.ts';
import type { LeanSocket } from '../../src/net/lean/types.ts';
import { connectThroughNode } from '../../src/net/lean/node-lean.ts';
import { createSocket } from '../../src/dgram/index.ts';

fromTheFirstByte();

const HOST = '127.0.0.1';
/** Behind what was written as a lie. */
const MARK = 'Z';

/** What `bytes` says of its length, by a property of its own or by its class's. */
const LIARS: Record<string, (bytes: Buffer, length: number) => Buffer> = {
  'an own property': (bytes, value) => Object.defineProperties(bytes, { length: { value }, byteLength: { value } }),
  'a getter that changes its mind': (bytes, value) => {
    let calls = 0;
    return Object.defineProperty(bytes, 'length', { get: () => (calls++ % 2 === 0 ? value : 1) });
  },
  'a subclass': (bytes, value) => {
    class Liar extends Uint8Array {
      override get length(): number {
        return value;
      }
      override get byteOffset(): number {
        return 0;
      }
      override subarray(): Uint8Array<ArrayBuffer> {
        return new Uint8Array(300).fill(65);
      }
    }
    return new Liar(bytes) as unknown as Buffer;
  },
};

const LENGTHS = [300, 40_000, 2 ** 31, -5, Number.NaN];

/** A server of Node's; what it has received when the mark came. */
async function receiver(t: TestContext): Promise<{ port: number; received: Promise<string> }> {
  const server = node.createServer().listen(0, HOST);
  await once(server, 'listening');
  t.after(() => server.close());
  const received = (async () => {
    const [socket] = (await once(server, 'connection')) as [node.Socket];
    let text = '';
    socket.setEncoding('latin1').on('data', (data: string) => (text += data));
    while (!text.endsWith(MARK)) await once(socket, 'data');
    socket.destroy();
    return text;
  })();
  return { port: (server.address() as node.AddressInfo).port, received };
}

for (const [kind, lie] of Object.entries(LIARS)) {
  describe(`a view that lies by ${kind}`, () => {
    for (const size of [3, 20_000]) {
      const truth = (): Buffer => Buffer.from(new Uint8Array(size).fill(97));
      for (const [name, net] of Object.entries<typeof node>({ node, ours })) {
        it(`${size} bytes, written to a socket of ${name}: these arrive`, async (t) => {
          for (const length of LENGTHS) {
            for (const isCorked of [false, true]) {
              const { port, received } = await receiver(t);
              const socket = net.connect(port, HOST);
              socket.on('error', () => {});
              await once(socket, 'connect');
              if (isCorked) socket.cork();
              socket.write(lie(truth(), length));
              socket.write(MARK);
              if (isCorked) socket.uncork();
              assert.equal(await received, 'a'.repeat(size) + MARK, `${length}, ${isCorked}`);
              socket.destroy();
            }
          }
        });
      }
      for (const [name, connect] of Object.entries({ node: connectThroughNode, ours: connectLean })) {
        it(`${size} bytes, written to a lean socket of ${name}: these arrive`, async (t) => {
          for (const length of LENGTHS) {
            const { port, received } = await receiver(t);
            const socket: LeanSocket = await connect({ hostname: HOST, port, socket: {} });
            assert.equal(socket.write(lie(truth(), length)), size);
            assert.equal(socket.write(lie(truth(), length), 1, 2), 2);
            assert.throws(() => socket.write(lie(truth(), length), size + 1), { code: 'ERR_OUT_OF_RANGE' });
            socket.write(MARK);
            assert.equal(await received, `${'a'.repeat(size + 2)}${MARK}`, String(length));
            socket.terminate();
          }
        });
      }
      for (const [name, create] of Object.entries({ node: dgram.createSocket, ours: createSocket })) {
        it(`${size} bytes, sent with UDP of ${name}: these arrive`, async (t) => {
          const server = dgram.createSocket('udp4').bind(0, HOST);
          await once(server, 'listening');
          t.after(() => server.close());
          const socket = create('udp4').bind(0, HOST);
          await once(socket, 'listening');
          t.after(() => socket.close());
          for (const length of LENGTHS) {
            // Node reads what a view says of its place and its bytes; only of `length` it knows better.
            const liar = Object.defineProperty(truth(), 'length', { value: length });
            socket.send(
              kind === 'an own property' && name === 'node' ? liar : lie(truth(), length),
              server.address().port,
              HOST,
            );
            const [message] = (await once(server, 'message')) as [Buffer];
            assert.equal(message.toString('latin1'), 'a'.repeat(size), String(length));
          }
        });
      }
    }
  });
}

describe('memory that a lean handler was shown', () => {
  /** A peer that sends so much that it is received in bulk; its bytes say where they are. */
  const SIZE = 8 << 20;
  const sent = Buffer.alloc(SIZE, Uint8Array.from({ length: 251 }, (_, i) => i));

  const misdeeds: Record<string, (bytes: Buffer) => void> = {
    'is transferred': (bytes) => structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] }),
    'gets another length and methods': (bytes) => {
      Object.defineProperties(bytes, { length: { value: 2 ** 31 }, subarray: { value: () => bytes } });
    },
  };
  for (const [what, misdeed] of Object.entries(misdeeds)) {
    it(`${what}: what comes next is whole`, async (t) => {
      const server = node.createServer((socket) => socket.end(sent)).listen(0, HOST);
      await once(server, 'listening');
      t.after(() => server.close());
      const { promise: over, resolve } = withResolvers();
      let length = 0;
      let largest = 0;
      await connectLean({
        hostname: HOST,
        port: (server.address() as node.AddressInfo).port,
        socket: {
          data(_socket, bytes) {
            assert.ok(sent.subarray(length, length + bytes.length).equals(bytes), `at ${length}`);
            length += bytes.length;
            largest = Math.max(largest, bytes.length);
            // What is small lies in memory that cannot be transferred.
            if (bytes.length > 32_768) misdeed(bytes);
          },
          close: () => resolve(),
        },
      });
      await over;
      assert.equal(length, SIZE);
      assert.ok(largest > 32_768, `${largest} bytes at most`);
    });
  }
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
