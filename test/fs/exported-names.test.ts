// Every name of the module, and of its handles, in this version of Node: it is here, it can be told from Node's own
// only where it goes through the ring, and what does not is in the list that says why.
import assert from 'node:assert/strict';
import * as node from 'node:fs/promises';
import { describe, it } from 'node:test';
import * as named from '../../src/fs/index.ts';
import ours from '../../src/fs/index.ts';
import { PASSED_THROUGH, PASSED_THROUGH_OF_HANDLES } from '../../src/fs/passed-through.ts';

const nodes = node as unknown as Record<string, unknown>;
const all = ours as unknown as Record<string, unknown>;
const names = Object.keys(node).filter((name) => name !== 'default');

describe('names', () => {
  it('the object has exactly those of Node', () => {
    assert.deepEqual(Object.keys(ours).sort(), names.sort());
  });

  it('each can be imported by its name', () => {
    for (const name of names) assert.equal((named as Record<string, unknown>)[name], all[name], name);
    const beyond = Object.entries(named).filter(([name, value]) => value !== undefined && !names.includes(name));
    assert.deepEqual(beyond.map(([name]) => name).sort(), ['default', 'readFiles', 'statMany']);
  });

  it('each goes through the ring, or is Node’s and in the list', () => {
    for (const name of names) assert.equal(all[name] === nodes[name], name in PASSED_THROUGH, name);
  });

  it('functions have Node’s names and take as many arguments', () => {
    for (const name of names) {
      const [one, other] = [all[name], nodes[name]] as { name: string; length: number }[];
      if (typeof one === 'function') assert.deepEqual([one.name, one.length], [other.name, other.length], name);
    }
  });

  it('the same of the methods of handles', async () => {
    await using theirs = await node.open('/dev/null');
    await using handle = await ours.open('/dev/null');
    const prototype = Object.getPrototypeOf(handle) as object;
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(theirs)).filter((name) =>
      name !== 'constructor' && name !== 'fd'
    );
    const isRing = process.env['IOURING_DISABLED'] !== '1';
    // Without a ring they are Node's own handles.
    if (!isRing) assert.equal(prototype, Object.getPrototypeOf(theirs));
    for (const method of isRing ? methods : []) {
      assert.equal(Object.hasOwn(prototype, method), !(method in PASSED_THROUGH_OF_HANDLES), method);
    }
    assert.deepEqual(Object.keys(handle).sort(), Object.keys(theirs).sort());
    assert.equal(String(handle), String(theirs));
  });
});
