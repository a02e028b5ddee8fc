// Bun loads this before a file of tests (`--preload`): the tests get `node:test` from node-test.ts.
import * as own from 'node:test';
import { wrap } from './node-test.ts';

/** A module that only Bun has. */
const BUN_TEST: string = 'bun:test';

interface BunTest {
  afterAll(listener: () => void): void;
  mock: { module(name: string, make: () => object): void };
}

const { afterAll, mock } = (await import(BUN_TEST)) as BunTest;
// A copy: what is put in its place shows in `own`, too.
const [wrapped, end] = wrap({ ...own });
mock.module('node:test', () => wrapped);
afterAll(end);
