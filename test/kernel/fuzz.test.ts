// The fuzzer of the ring, in a process of its own, for a while. Longer: IOURING_FUZZ_SECONDS, or fuzz-ring.js by itself.
// slow: thousands of random operations
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { it } from '../asking.ts';
import { run } from '../run.ts';

const SECONDS = process.env['IOURING_FUZZ_SECONDS'] ?? '20';

it('a ring that is played with at random: what comes is what was sent, where it was lent, and everything ends', async (t) => {
  const program = fileURLToPath(new URL('fuzz-ring.js', import.meta.url));
  const { status, stdout, stderr } = await run(process.execPath, [program, '--seconds', SECONDS]);
  assert.equal(status, 0, `${stdout}${stderr}`);
  t.diagnostic(stdout.replaceAll('\n', ' '));
  assert.match(stdout, /^seed \d+\n\d+ episodes\n$/);
});
