// Misuse: each throws a clear error, queues nothing, and leaves the ring as it was.
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { allocateAligned, IoUring, type Lendable } from '../../src/index.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';

/** `misuse` throws `code`, and afterwards exactly one nop completes: nothing else was queued. */
function refused(
  ring: IoUring,
  misuse: () => unknown,
  name: 'TypeError' | 'RangeError' | 'Error',
  code: string,
  message = /./,
): void {
  assert.throws(misuse, { name, code, message });
  ring.prepNop(7);
  assert.equal(ring.submitAndWait(1, { timeoutMs: 5000 }), 1, 'nothing but the nop is queued');
  assert.deepEqual(reap(ring).map((c) => c.userData), [7]);
}

const any = <T>(value: unknown): T => value as T;

describe('userData', () => {
  const bad: [unknown, 'TypeError' | 'RangeError', string][] = [
    [-1, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [0.5, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [NaN, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [Infinity, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [2 ** 53, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [-1n, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [2n ** 64n, 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['1', 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [null, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [true, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [Symbol('x'), 'TypeError', 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [value, name, code] of bad) {
    it(`${String(value)} (${typeof value}): ${code}, of every prep method`, () => {
      using ring = new IoUring(8);
      ring.registerBufRing(1, 16, 1);
      const userData = any<number>(value);
      const buffer = new Uint8Array(8);
      const methods: (() => unknown)[] = [
        () => ring.prepNop(userData),
        () => ring.prepTimeout(1, userData),
        () => ring.prepCancel(1, userData),
        () => ring.prepCancel(userData, 1),
        () => ring.prepRead(0, buffer, 8, userData),
        () => ring.prepWrite(0, buffer, 8, userData),
        () => ring.prepSend(0, buffer, 8, userData),
        () => ring.prepFsync(0, userData),
        () => ring.prepClose(0, userData),
        () => ring.prepAccept(0, userData),
        () => ring.prepAcceptMultishot(0, userData),
        () => ring.prepRecvMultishot(0, 1, userData),
      ];
      for (const method of methods) refused(ring, method, name, code, /userData|target/);
    });
  }
});

describe('descriptors', () => {
  for (const value of [1.5, NaN, Infinity, '3', null, undefined, 3n, {}, [3]]) {
    it(`${String(value)} (${typeof value}) is a TypeError, of every prep method`, () => {
      using ring = new IoUring(8);
      ring.registerBufRing(1, 16, 1);
      const fd = any<number>(value);
      const buffer = new Uint8Array(8);
      const methods: (() => unknown)[] = [
        () => ring.prepRead(fd, buffer, 8, 1),
        () => ring.prepWrite(fd, buffer, 8, 1),
        () => ring.prepSend(fd, buffer, 8, 1),
        () => ring.prepFsync(fd, 1),
        () => ring.prepClose(fd, 1),
        () => ring.prepAccept(fd, 1),
        () => ring.prepAcceptMultishot(fd, 1),
        () => ring.prepRecvMultishot(fd, 1, 1),
      ];
      for (const method of methods) refused(ring, method, 'TypeError', 'ERR_INVALID_ARG_TYPE', /[fF]d/);
    });
  }
});

describe('buffers', () => {
  const buffers: [string, () => unknown, string, RegExp][] = [
    ['an array', () => [1, 2, 3, 4, 5, 6, 7, 8], 'ERR_INVALID_ARG_TYPE', /instance of Array/],
    ['a string', () => 'x'.repeat(8), 'ERR_INVALID_ARG_TYPE', /string/],
    ['nothing', () => undefined, 'ERR_INVALID_ARG_TYPE', /undefined/],
    ['a number', () => 8, 'ERR_INVALID_ARG_TYPE', /8/],
    ['an object that says it is one', () => ({ byteLength: 8, buffer: 1 }), 'ERR_INVALID_ARG_TYPE', /Object/],
    [
      'an object with the tag of one',
      () => ({ byteLength: 8, [Symbol.toStringTag]: 'ArrayBuffer' }),
      'ERR_INVALID_ARG_TYPE',
      /./,
    ],
    ['a resizable ArrayBuffer', () => resizable(8), 'ERR_INVALID_ARG_VALUE', /resizable/],
    ['a view of a resizable ArrayBuffer', () => new Uint8Array(resizable(8)), 'ERR_INVALID_ARG_VALUE', /resizable/],
    ['a growable SharedArrayBuffer', () => growable(8), 'ERR_INVALID_ARG_VALUE', /growable/],
    ['a view of a growable one', () => new DataView(growable(8)), 'ERR_INVALID_ARG_VALUE', /growable/],
    ['a detached ArrayBuffer', () => detached(), 'ERR_INVALID_ARG_VALUE', /detached/],
    ['a view of a detached one', () => detachedView(Uint8Array), 'ERR_INVALID_ARG_VALUE', /detached/],
    ['a DataView of a detached one', () => detachedView(DataView), 'ERR_INVALID_ARG_VALUE', /detached/],
  ];
  for (const [name, make, code, message] of buffers) {
    it(`${name}: a TypeError, ${code}`, () => {
      using ring = new IoUring(8);
      const buffer = any<Lendable>(make());
      refused(ring, () => ring.prepRead(0, buffer, 8, 1), 'TypeError', code, message);
      refused(ring, () => ring.prepWrite(0, buffer, 0, 1), 'TypeError', code, message);
      refused(ring, () => ring.prepSend(0, buffer, 8, 1), 'TypeError', code, message);
    });
  }

  for (const length of [9, -1, 0.5, NaN, Infinity, 2 ** 32, 2 ** 32 + 4]) {
    it(`len ${length} of 8 bytes: a RangeError, the first time and when the buffer is known`, () => {
      using ring = new IoUring(8);
      const buffer = new Uint8Array(8);
      const misuse = (): boolean => ring.prepRead(0, buffer, length, 1);
      refused(ring, misuse, 'RangeError', 'ERR_OUT_OF_RANGE', /8 bytes/);
      ring.prepWrite(-1, buffer, 8, 1);
      complete(ring);
      refused(ring, misuse, 'RangeError', 'ERR_OUT_OF_RANGE', /8 bytes/);
    });
  }

  it('buffers of 4 GiB: short pieces of them are lent, a len beyond 32 bits is refused', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync('/dev/zero', 'r'));
    const huge = new Uint8Array(2 ** 32);
    ring.prepRead(fd, huge.subarray(2 ** 32 - 16), 16, 1);
    assert.equal(complete(ring).res, 16);
    refused(ring, () => ring.prepRead(fd, huge, 2 ** 32, 1), 'RangeError', 'ERR_OUT_OF_RANGE', /2\^32-1/);
  });

  it('len that is no number: a TypeError', () => {
    using ring = new IoUring(8);
    const buffer = new Uint8Array(8);
    for (const length of ['8', undefined, null, 8n]) {
      const misuse = (): boolean => ring.prepRead(0, buffer, any<number>(length), 1);
      refused(ring, misuse, 'TypeError', 'ERR_INVALID_ARG_TYPE', /len/);
    }
  });

  it('a view whose byteLength lies does not reach past its memory', () => {
    using ring = new IoUring(8);
    const liar = new Uint8Array(8);
    Object.defineProperty(liar, 'byteLength', { value: 4096 });
    const misuse = (): boolean => ring.prepRead(0, liar, 4096, 1);
    refused(ring, misuse, 'RangeError', 'ERR_OUT_OF_RANGE');
    ring.prepWrite(-1, liar, 8, 1);
    complete(ring);
    refused(ring, misuse, 'RangeError', 'ERR_OUT_OF_RANGE');
  });

  it('an ArrayBuffer that lies about itself is seen through', () => {
    using ring = new IoUring(8);
    const long = new ArrayBuffer(8);
    Object.defineProperty(long, 'byteLength', { value: 4096 });
    refused(ring, () => ring.prepRead(0, long, 4096, 1), 'RangeError', 'ERR_OUT_OF_RANGE');
    const fixed = resizable(8);
    Object.defineProperty(fixed, 'resizable', { value: false });
    refused(ring, () => ring.prepRead(0, fixed, 8, 1), 'TypeError', 'ERR_INVALID_ARG_VALUE');
    const gone = detached();
    Object.defineProperties(gone, { byteLength: { value: 8 }, detached: { value: false }, 0: { value: 1 } });
    refused(ring, () => ring.prepRead(0, gone, 8, 1), 'TypeError', 'ERR_INVALID_ARG_VALUE');
  });

  it('of another realm serve like our own', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync('/dev/zero', 'r'));
    const foreign = runInNewContext('[new Uint8Array(8).fill(1), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]');
    for (const buffer of foreign as Lendable[]) {
      ring.prepRead(fd, buffer, 8, 1);
      assert.equal(complete(ring).res, 8);
    }
    assert.deepEqual([...(foreign as Uint8Array[])[0]], [0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('offsets', () => {
  const bad: [unknown, 'TypeError' | 'RangeError', string][] = [
    [-2, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [0.5, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [NaN, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [2 ** 53, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [-2n, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [2n ** 63n, 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['0', 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [value, name, code] of bad) {
    it(`${String(value)} (${typeof value}): ${code}`, () => {
      using ring = new IoUring(8);
      const misuse = (): boolean => ring.prepRead(0, new Uint8Array(8), 8, 1, any<number>(value));
      refused(ring, misuse, name, code, /offset/);
    });
  }
});

describe('times', () => {
  for (const [value, name, code] of [
    [-1, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [NaN, 'RangeError', 'ERR_OUT_OF_RANGE'],
    [2 ** 53, 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['1', 'TypeError', 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    it(`${value} (${typeof value}): ${code}, of a timer and of a wait`, () => {
      using ring = new IoUring(8);
      refused(ring, () => ring.prepTimeout(any<number>(value), 1), name, code, /timeoutMs/);
      const timeoutMs = any<number>(value);
      refused(ring, () => ring.submitAndWait(1, { timeoutMs }), name, code, /timeoutMs/);
    });
  }
  it('of how many completions to wait for: an integer from 0', () => {
    using ring = new IoUring(8);
    refused(ring, () => ring.submitAndWait(-1), 'RangeError', 'ERR_OUT_OF_RANGE', /waitNr/);
    refused(ring, () => ring.submitAndWait(1.5), 'RangeError', 'ERR_OUT_OF_RANGE', /waitNr/);
    refused(ring, () => ring.submitAndWait(any<number>('1')), 'TypeError', 'ERR_INVALID_ARG_TYPE', /waitNr/);
    refused(ring, () => ring.submitAndWait(any<number>(1n)), 'TypeError', 'ERR_INVALID_ARG_TYPE', /waitNr/);
    const count = -1;
    refused(ring, () => ring.prepTimeout(1, 1, { count }), 'RangeError', 'ERR_OUT_OF_RANGE', /count/);
  });
  it('a callback that is none is refused before anything is reaped', () => {
    using ring = new IoUring(8);
    ring.prepNop(1);
    ring.submitAndWait(1);
    assert.throws(() => ring.forEachCompletion(any(undefined)), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.deepEqual(reap(ring).map((c) => c.userData), [1]);
  });
});

describe('buffer rings', () => {
  const bad: [string, [unknown, unknown, unknown], 'TypeError' | 'RangeError', string][] = [
    ['entries no power of two', [3, 16, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['entries 0', [0, 16, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['entries above 32768', [65536, 16, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['entries a string', ['4', 16, 1], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['bufSize 0', [4, 0, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bufSize negative', [4, -1, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bufSize a fraction', [4, 1.5, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bufSize above all memory', [32768, 2 ** 31 - 1, 1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bgid negative', [4, 16, -1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bgid above 65535', [4, 16, 65536], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['bgid missing', [4, 16, undefined], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [what, args, name, code] of bad) {
    it(`${what}: ${code}`, () => {
      using ring = new IoUring(8);
      refused(ring, () => ring.registerBufRing(...any<[number, number, number]>(args)), name, code);
    });
  }

  it('bgid in use: EEXIST, and the group goes on', () => {
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16, 1);
    refused(ring, () => ring.registerBufRing(4, 16, 1), 'Error', 'EEXIST', /another bgid/);
    assert.equal(buffers.bytes(0, 16).length, 16);
  });

  it('a receive into a group that does not exist is refused', () => {
    using ring = new IoUring(8);
    refused(ring, () => ring.prepRecvMultishot(0, 9, 1), 'Error', 'ERR_INVALID_STATE', /group 9/);
    refused(ring, () => ring.prepRecvMultishot(0, -1, 1), 'RangeError', 'ERR_OUT_OF_RANGE');
    refused(ring, () => ring.prepRecvMultishot(0, any<number>('1'), 1), 'TypeError', 'ERR_INVALID_ARG_TYPE');
  });

  it('recycle: out of range, not handed out, given back twice', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16, 1);
    refused(ring, () => buffers.recycle(4), 'RangeError', 'ERR_OUT_OF_RANGE', /bid/);
    refused(ring, () => buffers.recycle(-1), 'RangeError', 'ERR_OUT_OF_RANGE', /bid/);
    refused(ring, () => buffers.recycle(0.5), 'RangeError', 'ERR_OUT_OF_RANGE', /bid/);
    refused(ring, () => buffers.recycle(any<number>('0')), 'TypeError', 'ERR_INVALID_ARG_TYPE', /bid/);
    refused(ring, () => buffers.recycle(0), 'Error', 'ERR_INVALID_STATE', /not handed out/);
    const [a, b] = files.socketPair();
    ring.prepRecvMultishot(a, 1, 1);
    ring.prepSend(b, Buffer.from('x'), 1, 2);
    ring.submitAndWait(2);
    const id = reap(ring).find((c) => c.userData === 1)!.bufferId()!;
    buffers.recycle(id);
    refused(ring, () => buffers.recycle(id), 'Error', 'ERR_INVALID_STATE', /not handed out/);
  });

  it('bytes: out of range', () => {
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16, 1);
    refused(ring, () => buffers.bytes(4, 1), 'RangeError', 'ERR_OUT_OF_RANGE');
    refused(ring, () => buffers.bytes(0, 17), 'RangeError', 'ERR_OUT_OF_RANGE');
    refused(ring, () => buffers.bytes(0, -1), 'RangeError', 'ERR_OUT_OF_RANGE');
    refused(ring, () => buffers.bytes(any<number>(undefined), 1), 'TypeError', 'ERR_INVALID_ARG_TYPE');
  });
});

describe('allocateAligned', () => {
  it('refuses what it cannot give', () => {
    const bad: [unknown, unknown, string][] = [
      [0, 4096, 'ERR_OUT_OF_RANGE'],
      [-1, 4096, 'ERR_OUT_OF_RANGE'],
      [2 ** 40, 4096, 'ERR_OUT_OF_RANGE'],
      [8, 3, 'ERR_INVALID_ARG_VALUE'],
      [8, 0, 'ERR_OUT_OF_RANGE'],
      ['8', 4096, 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [bytes, alignment, code] of bad) {
      assert.throws(() => allocateAligned(any(bytes), any(alignment)), { code });
    }
  });
});

function resizable(bytes: number): ArrayBuffer {
  return new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(bytes, { maxByteLength: 64 });
}

function growable(bytes: number): SharedArrayBuffer {
  const Growable = SharedArrayBuffer as unknown as new (n: number, o: object) => SharedArrayBuffer;
  return new Growable(bytes, { maxByteLength: 64 });
}

function detached(): ArrayBuffer {
  const memory = new ArrayBuffer(8);
  structuredClone(memory, { transfer: [memory] });
  return memory;
}

function detachedView(View: new (memory: ArrayBuffer) => ArrayBufferView): ArrayBufferView {
  const memory = new ArrayBuffer(8);
  const view = new View(memory);
  structuredClone(memory, { transfer: [memory] });
  return view;
}
