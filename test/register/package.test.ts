// slow: runs tests of fastify's own three times
// The tests of a package, which knows nothing of us, run with the flag as they do without.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { it } from 'node:test';
import type { Report } from '../../src/register/index.ts';
import { run } from '../run.ts';
import { environment, REGISTER } from './flagged.ts';

/**
 * Those about sockets: ends, timeouts, pipelines, upgrades, resets, bodies. They are a part of the package. Not those of
 * `close`, which hang now and then on a busy machine without the flag as well.
 */
const FILES = ['body-limit', 'client-timeout', 'close-pipelining', 'connection-timeout', 'header-overflow',
  'keep-alive-timeout', 'listen.1', 'max-requests-per-socket', 'reply-early-hints', 'reply-trailers', 'request-error',
  'request-timeout', 'stream.1', 'upgrade'].map((name) => resolve(`node_modules/fastify/test/${name}.test.js`));

interface Outcome {
  status: number;
  /** Each test and what became of it. */
  results: string[];
  counts: string[];
}

async function outcome(own: Record<string, string>): Promise<Outcome> {
  const args = ['--test', '--test-reporter=tap', ...FILES];
  const { status, stdout } = await run(process.execPath, args, { env: environment(own) });
  const lines = stdout.split('\n').map((line) => line.trim());
  return {
    status,
    results: lines.filter((line) => /^(not )?ok \d/.test(line)),
    counts: lines.filter((line) => /^# (tests|pass|fail|cancelled|skipped) /.test(line)),
  };
}

it('node --test of fastify’s own tests: the same results with the flag, on the ring, and while that does not pay', {
  // On a loaded machine the three of them may take minutes.
  timeout: 1_200_000,
}, async () => {
  const flag = { IOURING: 'http,net', IOURING_REPORT: 'json', NODE_OPTIONS: `--import=${REGISTER}` };
  const plain = await outcome({ IOURING_EAGER: '' });
  assert.equal(plain.status, 0, plain.results.filter((line) => line.startsWith('not')).join('\n'));
  assert.ok(plain.results.length > 50);
  const eager = await outcome(flag);
  const byDefault = await outcome({ ...flag, IOURING_EAGER: '' });
  for (const { status, results, counts } of [eager, byDefault]) {
    assert.deepEqual(
      [status, counts],
      [plain.status, plain.counts],
      results.filter((line) => line.startsWith('not')).join(),
    );
    // Files run side by side, and end in any order.
    const sorted = (lines: string[]): string[] => lines.map((line) => line.replace(/^(\D+)\d+/, '$1')).sort();
    assert.deepEqual(sorted(results), sorted(plain.results));
  }
  // The runner drops what a file says on stderr.
  const { stderr } = await run(process.execPath, [resolve('node_modules/fastify/test/stream.1.test.js')], {
    env: environment(flag),
  });
  const { sockets } = JSON.parse(stderr.trim().split('\n').at(-1)!) as Report;
  assert.ok(sockets.some(({ way, sockets: n }) => way === 'ring' && n > 0), stderr);
});
