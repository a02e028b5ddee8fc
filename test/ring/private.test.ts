// What takes or tells an address is the package's own: nobody who has a ring, or what belongs to one, gets at it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as api from '../../src/index.ts';
import { IoUring } from '../../src/index.ts';
import { FakeKernel } from './fake-kernel.ts';

/** Own properties of an object and of all that it inherits from, with those of the constructors on the way. */
function reachable(object: object): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const seen = new Set<unknown>([Object.prototype, Function.prototype]);
  const visit = (holder: unknown, path: string): void => {
    if ((typeof holder !== 'object' && typeof holder !== 'function') || holder === null || seen.has(holder)) return;
    seen.add(holder);
    for (const key of Reflect.ownKeys(holder)) {
      const { value } = Object.getOwnPropertyDescriptor(holder, key)!;
      found.set(`${path}.${String(key)}`, value);
      if (key === 'constructor') visit(value, `${path}.constructor`);
    }
    visit(Object.getPrototypeOf(holder), path);
  };
  visit(object, '');
  return found;
}

const namesOf = (object: object): string[] => [...reachable(object).keys()].map((path) => path.split('.').at(-1)!);

/** The own properties of a ring: two numbers, and a getter that says why it cannot be cloned. */
const OWN = new Set(['setupFlags', 'features', 'thread']);

/** Methods of a ring whose names do not begin as those of a group do. */
const OTHERS = new Set([
  'forEachCompletion',
  'peek',
  'completions',
  'copyCompletions',
  'close',
  'closeRingFd',
  'cloneBuffers',
  'cqEventfdToggle',
  'enableRings',
  'probe',
  'resizeRings',
  'setWait',
  'toJSON',
]);

describe('a ring', () => {
  it('has no property of its own but numbers', () => {
    const ring = new IoUring(8, {}, new FakeKernel());
    for (const key of Reflect.ownKeys(ring)) assert.ok(OWN.has(String(key)), String(key));
  });

  it('gives neither its queues nor its pins, nor a way to queue an address', () => {
    const ring = new IoUring(8, {}, new FakeKernel());
    const names = namesOf(ring);
    const parts = ['core', 'submitter', 'reaper', 'pins', 'resources', 'sq', 'cq', 'memory', 'silent', 'chained'];
    for (const name of [...parts, 'queue', 'register', 'scratch', 'unprepare']) {
      assert.ok(!names.includes(name), `${name} can be reached`);
    }
  });

  it('has all its methods of one class, where they are not enumerable', () => {
    const above = Object.getPrototypeOf(IoUring.prototype) as object;
    assert.deepEqual(Reflect.ownKeys(above), ['constructor']);
    assert.equal(Object.getPrototypeOf(above), Object.prototype);
    assert.deepEqual(Object.keys(IoUring.prototype), []);
  });

  it('has methods only that its declarations have, wherever they are inherited from', () => {
    const ring = new IoUring(8, {}, new FakeKernel());
    for (const [path, value] of reachable(ring)) {
      const name = path.split('.').at(-1)!;
      const isStatic = path.includes('constructor') || path.includes('Symbol(');
      if (typeof value !== 'function' || isStatic) continue;
      if (!OTHERS.has(name)) assert.match(name, /^(prep[A-Z]|sqeSet[A-Z]|register[A-Z]|unregister[A-Z]|submit)/, path);
    }
  });

  it('hands nothing to a class that was put above its own', () => {
    const parent: unknown = Object.getPrototypeOf(IoUring);
    const given: unknown[] = [];
    function Spy(...args: unknown[]): void {
      given.push(...args);
    }
    Object.setPrototypeOf(IoUring, Spy);
    try {
      assert.throws(() => new IoUring(8, {}, new FakeKernel()), TypeError);
    } finally {
      Object.setPrototypeOf(IoUring, parent as object);
    }
    assert.deepEqual(given, []);
  });
});

it('classes of the package have no static functions that tell where their memory is', () => {
  for (const [name, value] of Object.entries(api)) {
    if (typeof value !== 'function' || !Function.prototype.toString.call(value).startsWith('class ')) continue;
    for (const key of Reflect.ownKeys(value)) {
      assert.doesNotMatch(String(key), /prepare|memoryOf|LENGTH_OFFSET/, `${name}.${String(key)}`);
    }
  }
});
