// Every name of the module, and of its classes, in this version of Node: it is here, it can be told from Node's own only where it
// goes through the ring, and what does not is in the list that says why.
import assert from 'node:assert/strict';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import * as named from '../../src/net/index.ts';
import ours from '../../src/net/index.ts';
import { PASSED_THROUGH, PASSED_THROUGH_OF_SERVERS, PASSED_THROUGH_OF_SOCKETS } from '../../src/net/passed-through.ts';

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
    assert.deepEqual(beyond.map(([name]) => name).sort(), ['UdpSocket', 'createSocket', 'default', 'listen']);
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

  for (const [name, passed] of Object.entries({ Socket: PASSED_THROUGH_OF_SOCKETS, Server: PASSED_THROUGH_OF_SERVERS })) {
    it(`what a ${name} has is ours, or Node’s and in the list`, () => {
      const own = (all[name] as { prototype: object }).prototype;
      const theirs = (nodes[name] as { prototype: object }).prototype;
      assert.equal(Object.getPrototypeOf(own), theirs);
      for (const member of Object.getOwnPropertyNames(theirs)) {
        if (member === 'constructor') continue;
        assert.equal(Object.hasOwn(own, member), !Object.hasOwn(passed, member), member);
        const [one, other] = [own, theirs].map((prototype) => Object.getOwnPropertyDescriptor(prototype, member));
        if (one === undefined) continue;
        assert.equal(typeof one.value, typeof other!.value, member);
      }
      // Of a stream, and not of Node's class itself.
      for (const member of Object.getOwnPropertyNames(own)) assert.ok(member in theirs, member);
      const made = (Class: unknown): string[] => Object.keys(new (Class as new () => object)()).sort();
      assert.deepEqual(made(all[name]), made(nodes[name]));
    });
  }
});
