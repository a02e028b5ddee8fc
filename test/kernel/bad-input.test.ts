// Misuse: each throws a clear error, queues nothing, and leaves the ring as it was.
import assert from 'node:assert/strict';
import { openSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { totalmem } from 'node:os';
import { runInNewContext } from 'node:vm';
import { EFAULT, EINVAL, EISCONN } from '../../src/abi/errno.ts';
import { IOSQE_ASYNC, IOSQE_BUFFER_SELECT, IOSQE_IO_LINK } from '../../src/abi/index.ts';
import { allocateAligned, IoUring, type Lendable } from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { it, without } from '../asking.ts';
import { call, callsOf, GROUP, METHODS, openForAll, publicMethods, valuesOf } from './every-method.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';
import {
  detached,
  detachedView,
  growable,
  ofWebAssembly,
  inWords,
  nameOf,
  RANGE,
  resizable,
  STATE,
  VALUE,
  wrongFor,
} from './wrong-values.ts';

/** These want a region of waits, without which they say that it is missing. */
const OF_WAIT_REGION = new Set(['setWait', 'submitAndWaitReg']);

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

/** What a ring holds on to for operations that were queued. */
const pinsOf = (ring: IoUring): { size: number } => coreOf(ring).pins;

function errorOf(misuse: () => unknown): NodeJS.ErrnoException | undefined {
  try {
    misuse();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  return undefined;
}

describe('every public method', () => {
  it('is in the table, and takes what stands there', () => {
    assert.deepEqual(METHODS.map(({ name }) => name).sort(), publicMethods());
    for (const method of METHODS) {
      for (const [what, values] of callsOf(method)) {
        if (!method.prepares) continue;
        using ring = openForAll();
        assert.equal(call(ring, method.name, values()), true, what);
        assert.equal(ring.sqReady, 1, what);
      }
    }
  });

  for (const { name, prepares, arguments: args } of METHODS) {
    if (args().length === 0) continue;
    const skip = OF_WAIT_REGION.has(name) && without('6.13', 'registerWaitRegion');
    it(`${name}: whatever is wrong is refused by name, and nothing is queued`, { skip }, () => {
      using ring = openForAll(64);
      // For those that modify what was prepared.
      ring.prepNop(1);
      let queued = ring.sqReady;
      let held = pinsOf(ring).size;
      const unseen: string[] = [];
      for (const [i, argument] of args().entries()) {
        for (const [wrong, code, part = argument.name] of wrongFor(argument)) {
          const values = valuesOf(args()).with(i, wrong);
          const what = `${argument.name} = ${inWords(wrong)}`;
          const error = errorOf(() => call(ring, name, values));
          const expected = `${nameOf(code)} ${code}`;
          if (error === undefined) unseen.push(`${what}: no error instead of ${expected}`);
          else if (`${error.name} ${error.code}` !== expected) {
            unseen.push(`${what}: ${error.name} ${error.code} (${error.message}) instead of ${expected}`);
          } else if (!error.message.includes(part.replace(/\[.*/, ''))) unseen.push(`${what}: ${error.message}`);
          if (ring.sqReady !== queued || pinsOf(ring).size !== held) {
            unseen.push(`${what}: ${ring.sqReady - queued} were queued, ${pinsOf(ring).size - held} pins are held`);
            queued = ring.sqReady;
            held = pinsOf(ring).size;
          }
        }
      }
      assert.deepEqual(unseen, []);
      if (prepares) assert.equal(call(ring, name, valuesOf(args())), true, 'all is well afterwards');
    });

    it(`${name}: options that are no object are none, or refused with a code`, () => {
      for (const [i, argument] of args().entries()) {
        if (argument.kind !== 'object' || !argument.optional) continue;
        for (const wrong of [null, 5, 'x', true, Symbol('x')]) {
          using ring = openForAll();
          ring.prepNop(1);
          const error = errorOf(() => call(ring, name, valuesOf(args()).with(i, wrong)));
          if (error && !/^E[A-Z]/.test(String(error.code))) {
            assert.fail(`${argument.name} = ${inWords(wrong)}: ${error.name}: ${error.message}`);
          }
        }
      }
    });
  }

  for (const { name, prepares, arguments: args, others } of METHODS) {
    if (!prepares) continue;
    it(`${name}: false when the queue is full; nothing is queued, and there is nothing to modify`, () => {
      for (const [what, values] of callsOf({ name, prepares, arguments: args, others })) {
        using ring = openForAll(2);
        while (ring.prepNop(1));
        const full = ring.sqReady;
        const held = pinsOf(ring).size;
        for (let i = 0; i < 3; i++) {
          assert.equal(call(ring, name, values()), false, what);
          assert.equal(ring.sqReady, full, what);
          assert.equal(pinsOf(ring).size, held, `${what}: holds something that it did not queue`);
        }
        const refusal = { name: 'Error', code: STATE, message: /full/ };
        for (const modify of MODIFIERS) assert.throws(() => modify(ring), refusal);
      }
    });
  }
});

/** All that modify the entry just prepared. */
const MODIFIERS: ((ring: IoUring) => void)[] = [
  (ring) => ring.sqeSetFlags(IOSQE_IO_LINK),
  (ring) => ring.sqeSetBufGroup(GROUP),
  (ring) => ring.sqeSetPersonality(1),
  (ring) => ring.sqeSetIoprio(1),
];

describe('modifiers', () => {
  it('of nothing: before the first entry, after a submit, after a refused one', () => {
    using ring = new IoUring(2);
    ring.registerBufRing(1, 16, GROUP);
    const refuse = (): void => {
      for (const modify of MODIFIERS) assert.throws(() => modify(ring), { name: 'Error', code: STATE });
    };
    refuse();
    ring.prepNop(1);
    for (const modify of MODIFIERS) if (modify !== MODIFIERS[1]) modify(ring);
    ring.prepNop(2);
    ring.prepNop(3);
    refuse();
    ring.submit();
    refuse();
    ring.prepNop(4);
    assert.throws(() => ring.prepNop(-1), { code: RANGE });
    ring.sqeSetFlags(0);
    ring.submit();
    refuse();
  });

  it('flags that are none of the caller’s: ERR_INVALID_ARG_VALUE, and the entry stays as it is', () => {
    using ring = new IoUring(2);
    for (const flags of [IOSQE_BUFFER_SELECT, 0x80, 0xff, IOSQE_BUFFER_SELECT | IOSQE_ASYNC]) {
      ring.prepNop(7);
      assert.throws(() => ring.sqeSetFlags(flags), { name: 'TypeError', code: VALUE, message: /flags/ });
      assert.equal(complete(ring).userData, 7);
    }
  });

  it('a group that does not exist: ERR_INVALID_STATE, and the entry stays as it is', () => {
    using ring = new IoUring(2);
    ring.prepNop(7);
    assert.throws(() => ring.sqeSetBufGroup(5), { code: STATE, message: /group 5/ });
    const { res, flags } = complete(ring);
    assert.deepEqual([res, flags], [0, 0]);
  });

  it('a transfer without a buffer, and without a group to take one from: EFAULT', () => {
    using files = new Descriptors();
    using ring = new IoUring(4);
    const [reader, writer] = files.pipe();
    const [a, b] = files.socketPair();
    writeSync(writer, 'data');
    writeSync(b, 'data');
    for (
      const prepare of [
        () => ring.prepRead(reader, null, 8, 1),
        () => ring.prepWrite(writer, null, 8, 1),
        () => ring.prepRecv(a, null, 8, 1),
        () => ring.prepSend(a, null, 8, 1),
        () => ring.prepSendto(a, null, 8, { path: '' }, 1),
      ]
    ) {
      assert.equal(prepare(), true);
      assert.ok([-EFAULT, -EISCONN, -EINVAL].includes(complete(ring).res), String(prepare));
    }
  });
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
    ['memory of WebAssembly', () => ofWebAssembly(), 'ERR_INVALID_ARG_VALUE', /WebAssembly.*copy it/],
    ['a view of memory of WebAssembly', () => Buffer.from(ofWebAssembly(), 64, 8), 'ERR_INVALID_ARG_VALUE',
      /WebAssembly/],
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

  const isSmall = totalmem() < 6 * 2 ** 30 && 'needs 6 GiB of memory';
  it('buffers of 4 GiB: short pieces of them are lent, a len beyond 32 bits is refused', { skip: isSmall }, () => {
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
    const code = '[new Uint8Array(8).fill(1), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]';
    const foreign = runInNewContext(code) as Lendable[];
    for (const buffer of foreign) {
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
  for (
    const [value, name, code] of [
      [-1, 'RangeError', 'ERR_OUT_OF_RANGE'],
      [NaN, 'RangeError', 'ERR_OUT_OF_RANGE'],
      [2 ** 53, 'RangeError', 'ERR_OUT_OF_RANGE'],
      ['1', 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ] as const
  ) {
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
