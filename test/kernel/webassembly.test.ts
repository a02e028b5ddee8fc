// Memory of WebAssembly: it is told from all other, never lent, and grows afterwards as ever. And memory of our own that
// is made of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import threads from 'node:worker_threads';
import koffi from 'koffi';
import { allocateAligned, IoUring, type Lendable } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { isWebAssemblyMemory } from '../../src/ring/memory/webassembly-memory.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import { collect } from './collect.ts';
import { detached, detachedView, growable, resizable } from './wrong-values.ts';

/** Its types come with the browser's. */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number; maximum?: number; shared?: boolean }) => {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  };
};

const marked = (memory: ArrayBuffer): ArrayBuffer => {
  threads.markAsUntransferable(memory);
  return memory;
};

const PAGE = 65536;

describe('memory of WebAssembly', () => {
  it('is told from all other, whatever its size', () => {
    for (const initial of [0, 1, 3]) {
      for (const maximum of [undefined, 3, 100]) {
        const memory = new WebAssembly.Memory(maximum === undefined ? { initial } : { initial, maximum });
        assert.equal(isWebAssemblyMemory(memory.buffer, koffiNative()), true, `${initial} pages`);
        assert.equal(memory.grow(0), initial);
        assert.equal(isWebAssemblyMemory(memory.buffer, koffiNative()), true);
      }
    }
  });

  it('is not seen in other memory, which is left as it is', () => {
    const others: Record<string, ArrayBufferLike> = {
      empty: new ArrayBuffer(0),
      small: new ArrayBuffer(8),
      'a page': new ArrayBuffer(PAGE),
      'many pages': new ArrayBuffer(16 * PAGE),
      marked: marked(new ArrayBuffer(PAGE)),
      'marked and empty': marked(new ArrayBuffer(0)),
      shared: new SharedArrayBuffer(PAGE),
      'of a Buffer': Buffer.alloc(PAGE).buffer,
      'of the pool': Buffer.from('x').buffer,
      'not from the pool': Buffer.allocUnsafeSlow(2 * PAGE).buffer,
    };
    for (const [name, memory] of Object.entries(others)) {
      const { byteLength } = memory;
      for (let i = 0; i < 3; i++) assert.equal(isWebAssemblyMemory(memory, koffiNative()), false, name);
      assert.equal(memory.byteLength, byteLength, name);
      new Uint8Array(memory).fill(1);
    }
  });

  it('is refused before anything is queued or marked, and grows afterwards as if nothing had been', () => {
    using ring = new IoUring(8);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 10 });
    const { buffer } = memory;
    const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /WebAssembly/ };
    const lends: ((lent: Lendable) => unknown)[] = [
      (lent) => ring.prepRead(0, lent, 8, 1),
      (lent) => ring.prepWritev(1, [new Uint8Array(8), lent], 1),
      (lent) => ring.prepSendmsg(1, { iov: [lent] }, 1),
      (lent) => ring.prepProvideBuffers(lent, 8, 1, 1, 0, 1),
      (lent) => ring.registerBuffers([lent]),
    ];
    for (const lent of [buffer, new Uint8Array(buffer, 8), new DataView(buffer, 8, 8), Buffer.from(buffer, 64, 64)]) {
      for (const lend of lends) assert.throws(() => lend(lent), refused, String(lend));
    }
    assert.equal(ring.sqReady, 0);
    assert.equal(coreOf(ring).pins.size, 0);
    assert.equal(Object.hasOwn(buffer, 'transfer'), false);
    // A mark ends the process here, on Node 24 and 26.
    assert.equal(memory.grow(1), 1);
    assert.equal(memory.buffer.byteLength, 2 * PAGE);
    assert.throws(() => ring.prepRead(0, memory.buffer, 8, 1), refused);
    assert.equal(memory.grow(1), 2);
  });

  it('is lent where it is shared between threads: such never moves', () => {
    using ring = new IoUring(8);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    assert.equal(ring.prepWrite(1, memory.buffer, 0, 1), true);
  });
});

describe('a ring', () => {
  it('takes memory that stays where it is, and refuses other, whichever was seen before', () => {
    using ring = new IoUring(64);
    const { buffer } = new WebAssembly.Memory({ initial: 1 });
    const all: [Lendable, boolean][] = [
      [new Uint8Array(8), true],
      [new ArrayBuffer(PAGE), true],
      [new DataView(new ArrayBuffer(8)), true],
      [Buffer.from('x'), true],
      [new Uint8Array(0), true],
      [new SharedArrayBuffer(8), true],
      [allocateAligned(100), true],
      [allocateAligned(PAGE), true],
      [allocateAligned(PAGE).buffer, true],
      [buffer, false],
      [new Uint8Array(buffer, 8, 8), false],
      [resizable(8), false],
      [new Uint8Array(resizable(8)), false],
      [growable(8), false],
      [detached(), false],
      [detachedView(Uint8Array), false],
      [detachedView(DataView), false],
    ];
    for (let i = 0; i < 2; i++) {
      for (const [lent, can] of all) {
        const prepare = (): boolean => ring.prepWrite(1, lent, 0, 1);
        if (can) assert.equal(prepare(), true);
        else assert.throws(prepare, { code: 'ERR_INVALID_ARG_VALUE' });
      }
    }
  });
});

/** The mapping that an address lies in, as the kernel tells it. */
function mappingOf(address: number): { start: number; end: number; name: string } {
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [, start, end, name] = /^(\w+)-(\w+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
    if (start && address >= Number.parseInt(start, 16) && address < Number.parseInt(end, 16)) {
      return { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), name };
    }
  }
  throw new Error('not mapped');
}

describe('allocateAligned', () => {
  it('takes nothing from the heap, however small: what a disk yet writes cannot hit what is allocated next', () => {
    for (const [bytes, alignment] of [[1, 1], [512, 512], [4096, 4096], [12_288, 4096], [16_384, 4096], [100, 65536]]) {
      const piece = allocateAligned(bytes, alignment);
      const address = Number(koffi.address(piece));
      assert.equal(address % alignment, 0);
      const { start, end, name } = mappingOf(address);
      assert.equal(name, '');
      // All of the mapping is memory like it: the pages of one allocation.
      assert.equal(start % 4096, 0);
      assert.ok(end - start <= 256 * 1024, `${end - start} bytes`);
      assert.equal(start, Number(koffi.address(new Uint8Array(piece.buffer))));
    }
  });

  it('gives every piece to one only, zeroed, and all of it', () => {
    const pieces = Array.from({ length: 500 }, (_, i) => allocateAligned(1 + ((i * 37) % 5000), 2 ** (i % 13)));
    for (const [i, piece] of pieces.entries()) {
      assert.equal(piece.length, 1 + ((i * 37) % 5000));
      assert.ok(piece.every((byte) => byte === 0), 'zeroed');
      piece.fill(1 + (i % 255));
    }
    collect();
    for (const [i, piece] of pieces.entries()) assert.ok(piece.every((byte) => byte === 1 + (i % 255)));
  });
});

describe('where address space is short', () => {
  const index = JSON.stringify(new URL('../../src/index.js', import.meta.url).href);

  /** Run a program under a limit; `refusals` counts the memories that its engine could not make. */
  async function limited(program: string): Promise<void> {
    const code = `
      const { Memory } = WebAssembly;
      let refusals = 0;
      WebAssembly.Memory = class {
        constructor(descriptor) {
          try {
            return new Memory(descriptor);
          } catch (error) {
            refusals++;
            throw error;
          }
        }
      };
      const assert = (await import('node:assert/strict')).default;
      const { allocateAligned, IoUring } = await import(${index});
      ${program}
    `;
    // Room for some memories, of 10 GiB each; in KiB.
    const limit = ['-c', 'ulimit -v 60000000; exec "$@"', 'sh', process.execPath];
    const { status, stderr } = await run('sh', [...limit, ...moduleText(code)]);
    assert.equal(status, 0, stderr);
  }

  it('allocateAligned gives ordinary memory, and the engine does not collect garbage for each piece', () =>
    limited(`
      const pieces = Array.from({ length: 200 }, () => allocateAligned(65536));
      assert.ok(pieces.every((piece) => piece.every((byte) => byte === 0) && piece.length === 65536));
      // Each took time in which hundreds of pieces are made.
      assert.ok(refusals > 0 && refusals < 20, refusals + ' refusals');
    `));

  it('a ring takes memory of whole pages all the same, and still refuses that of WebAssembly', () =>
    limited(`
      const others = [];
      try {
        for (;;) others.push(new WebAssembly.Memory({ initial: 1 }));
      } catch {}
      const ring = new IoUring(8);
      for (let i = 0; i < 3; i++) ring.prepRead(0, new ArrayBuffer(65536), 8, 1);
      assert.throws(() => ring.prepRead(0, others[0].buffer, 8, 1), { code: 'ERR_INVALID_ARG_VALUE' });
    `));
});
