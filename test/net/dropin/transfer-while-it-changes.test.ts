// A caller that transfers the memory of what it has written, while the connection changes between Node and the ring: what
// was sent has been sent, what is with the kernel stays where it is, and what waits in the stream goes as with node:net.
import assert from 'node:assert/strict';
import * as node from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import { worth } from '../../../src/net/dropin/worth.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atNode, connected, KINDS, onRing, pays, turn, turns, type Kind, type Pair } from './changing.ts';

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

const LIMIT = { timeout: 20_000 };

/** Memory whose owner is somebody else then. */
const MOVES: Record<string, (memory: ArrayBuffer) => ArrayBuffer | undefined> = {
  structuredClone: (memory) => structuredClone(memory, { transfer: [memory] }),
  postMessage(memory) {
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(memory, [memory]);
    } finally {
      port1.close();
      port2.close();
    }
    return undefined;
  },
};
if ('transfer' in ArrayBuffer.prototype) {
  MOVES['transfer'] = (memory) => (memory as ArrayBuffer & { transfer(): ArrayBuffer }).transfer();
}

/** Transfer it, and write over it. False if that is refused, because it is lent. */
function moved(memory: ArrayBuffer, move: (memory: ArrayBuffer) => ArrayBuffer | undefined): boolean {
  try {
    const now = move(memory);
    if (now !== undefined) new Uint8Array(now).fill(0xee);
    // Node 20 makes a copy of what is not to be transferred.
    return memory.byteLength === 0;
  } catch (error) {
    assert.match(
      `${(error as Error).name} ${(error as NodeJS.ErrnoException).code}`,
      /DataCloneError|ERR_INVALID_STATE/,
    );
    return false;
  }
}

/** More than the kernel takes while nobody reads. */
const MUCH = 8 * 2 ** 20;

/** What a peer gets: which byte, and how many of it, one after the other. */
type Runs = [byte: number, count: number][];

function runsOf(bytes: Buffer): Runs {
  const runs: Runs = [];
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at];
    let end = at + 1;
    while (end < bytes.length && bytes[end] === byte) end++;
    runs.push([byte, end - at]);
    at = end;
  }
  return runs;
}

interface Told {
  readonly returned: boolean[];
  readonly called: (string | undefined)[];
}

/** It is written, and noted whether it counts as sent. */
function write(socket: node.Socket, told: Told, memory: ArrayBuffer, byte: number): ArrayBuffer {
  const bytes = new Uint8Array(memory).fill(byte);
  const i = told.called.push(undefined) - 1;
  told.returned.push(socket.write(bytes, (error) => (told.called[i] = error?.message ?? 'sent')));
  return memory;
}

/** Read until there is so much. */
async function take({ peer }: Pair, total: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for (let i = 0; bytes.length < total && i < 20_000; i++) {
    const piece = peer.read();
    if (piece.length > 0) bytes = Buffer.concat([bytes, piece]);
    await turn();
  }
  await turns(5);
  return Buffer.concat([bytes, peer.read()]);
}

interface Outcome extends Told {
  readonly runs: Runs;
}

/** Written, transferred at once, and written again by then, on whatever way the connection is. */
async function betweenWrites(
  pair: Pair,
  bytes: number,
  move: (memory: ArrayBuffer) => ArrayBuffer | undefined,
): Promise<Outcome> {
  const told: Told = { returned: [], called: [] };
  for (let byte = 1; byte <= 4; byte++) {
    assert.ok(moved(write(pair.socket, told, new ArrayBuffer(bytes), byte), move));
    // In the same tick, behind the tick in which the connection changes, and later.
    if (byte === 2) await new Promise<void>((resolve) => process.nextTick(resolve));
    else if (byte === 3) await turns(3);
  }
  const runs = runsOf(await take(pair, bytes * 4));
  return { ...told, runs };
}

/** Written when the kernel takes no more, and transferred while it waits in the stream: in pieces, and all together. */
async function whileItWaits(
  pair: Pair,
  bytes: number,
  move: (memory: ArrayBuffer) => ArrayBuffer | undefined,
): Promise<Outcome> {
  const { socket } = pair;
  const told: Told = { returned: [], called: [] };
  socket.cork();
  const first = write(socket, told, new ArrayBuffer(bytes), 1);
  const second = write(socket, told, new ArrayBuffer(bytes), 2);
  assert.ok(moved(first, move));
  socket.uncork();
  // Where that could be sent at once, it is somebody else's from here on.
  assert.ok(moved(second, move));
  await turns(3);
  write(socket, told, new ArrayBuffer(bytes), 3);
  const runs = runsOf(await take(pair, bytes * 2));
  return { ...told, runs };
}

async function closed({ socket, peer }: Pair): Promise<void> {
  const over = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  peer.close();
  await over;
}

/** A connection of ours that is about to go to the ring, or back to Node. */
const CHANGES = { 'goes to the ring': atNode, 'goes back to Node': onRing };
const AFTER = { 'goes to the ring': 'ring', 'goes back to Node': 'early' } as const;

async function same(
  kind: Kind,
  change: keyof typeof CHANGES,
  story: (pair: Pair) => Promise<Outcome>,
): Promise<void> {
  using folder = new Temporary();
  const native = await connected(kind, folder, {}, node);
  const expected = await story(native);
  await closed(native);
  const pair = await CHANGES[change](kind, folder);
  pair.socket.resume();
  assert.deepEqual(await story(pair), expected);
  pair.socket.write('x');
  await turns(3);
  assert.equal(wayOf(pair.socket), AFTER[change]);
  await closed(pair);
}

for (const kind of KINDS) {
  it(`a connection over ${kind} whose last write waits in libuv is Node’s until that is sent`, LIMIT, async () => {
    using folder = new Temporary();
    const pair = await atNode(kind, folder);
    pair.socket.resume();
    const told: Told = { returned: [], called: [] };
    write(pair.socket, told, new ArrayBuffer(MUCH), 1);
    write(pair.socket, told, new ArrayBuffer(100), 2);
    for (let i = 0; i < 3; i++) {
      await turns(3);
      assert.equal(wayOf(pair.socket), 'early');
      write(pair.socket, told, new ArrayBuffer(100), 3);
    }
    assert.deepEqual(runsOf(await take(pair, MUCH + 400)), [[1, MUCH], [2, 100], [3, 300]]);
    pair.socket.write('x');
    await turns(3);
    assert.equal(wayOf(pair.socket), 'ring');
    await closed(pair);
  });

  for (const change of Object.keys(CHANGES) as (keyof typeof CHANGES)[]) {
    describe(`a connection over ${kind} that ${change}`, () => {
      for (const [name, move] of Object.entries(MOVES)) {
        for (const bytes of [100, 20_000]) {
          it(
            `given ${bytes} bytes that are moved by ${name} when they are written, as with node:net`,
            LIMIT,
            async () => {
              await same(kind, change, (pair) => betweenWrites(pair, bytes, move));
            },
          );

          it(`given ${bytes} bytes that are moved by ${name} while they wait, as with node:net`, LIMIT, async () => {
            await same(kind, change, (pair) => whileItWaits(pair, bytes, move));
          });
        }

        it(`given more than the kernel takes, moved by ${name}, what was written arrives`, LIMIT, async () => {
          using folder = new Temporary();
          const pair = await CHANGES[change](kind, folder);
          pair.socket.resume();
          pays(true);
          for (let i = 0; wayOf(pair.socket) !== 'ring'; i++) {
            assert.ok(i < 100);
            pair.socket.write('x');
            await turn();
            pair.peer.drain();
          }
          pays(change === 'goes to the ring');
          const told: Told = { returned: [], called: [] };
          const memory = write(pair.socket, told, new ArrayBuffer(MUCH), 1);
          // It is lent.
          assert.equal(moved(memory, move), false);
          const next = write(pair.socket, told, new ArrayBuffer(100), 2);
          await turns(3);
          assert.deepEqual(told.called, [undefined, undefined]);
          const runs = runsOf(await take(pair, MUCH + 100));
          assert.deepEqual(runs, [[1, MUCH], [2, 100]]);
          assert.deepEqual(told.called, ['sent', 'sent']);
          moved(next, move);
          for (let i = 0; i < 3; i++) {
            pair.socket.write('x');
            await turns(2);
          }
          assert.equal(wayOf(pair.socket), AFTER[change]);
          await closed(pair);
        });
      }
    });
  }
}
