import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { it } from 'node:test';
import { AvailableReactor, type FallbackMessage } from '../../src/reactor/available-reactor.ts';

it('a module that goes through Node for several reasons says so once, with the first of them', () => {
  const told: FallbackMessage[] = [];
  subscribe('iouring:fallback', (message) => told.push(message as FallbackMessage));
  const available = new AvailableReactor('iouring/net', []);
  const [first, second] = [new Error('no descriptors'), new Error('too old')];
  for (const error of [first, second]) available.tell(error);
  assert.deepEqual(told, [{ module: 'iouring/net', error: first }]);
});
