// Connections closed in every way, many at a time: their peers count as many ends and resets as with node:net, and as
// many bytes.
import { going, ways } from '../from-the-first-byte.ts';
import assert from 'node:assert/strict';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import ours from '../../../src/net/index.ts';
import { closings, CLOSINGS_A_ROUND } from './closings.ts';

/** How many connections over each module; with IOURING_CLOSINGS=100000 it takes minutes. */
const CONNECTIONS = Number(process.env['IOURING_CLOSINGS'] ?? 2000);
const ROUNDS = Math.ceil(CONNECTIONS / 4 / CLOSINGS_A_ROUND);

describe('the ends of many connections', () => {
  for (const place of ['TCP', 'unix'] as const) {
    for (const side of ['server', 'client'] as const) {
      it(
        `${place}, ${side}: as many of each kind as with node:net`,
        { timeout: 60_000 + CONNECTIONS * 10 },
        async () => {
          const expected = await closings(node, side, place, ROUNDS);
          for (const way of ways) {
            assert.deepEqual(await going(way, () => closings(ours, side, place, ROUNDS)), expected, way);
          }
        },
      );
    }
  }
});
