// The entries that our prep methods write against those of liburing's helpers, byte by byte.
// slow: compiles C
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ours, helpersOf, trials, type Trial } from './comparison.ts';
import { ask, findHelpers, installedHeader, prepNames, type Call } from './driver.ts';
import { readRecording, toJson } from './recorded.ts';
import { difference, type Row } from './row.ts';
import { ROWS } from './rows.ts';

const NEEDS = 'needs a C compiler and <liburing.h>';

/** Chosen anew by every run; to repeat one: IOURING_SEED. */
const seed = Number(process.env['IOURING_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const COUNT = 60;

/** Helpers that no row calls, and why. */
const WITHOUT_ROW: Readonly<Record<string, string>> = {
  io_uring_prep_rw: 'what the helpers are made of; prepSqe is the like of it',
  __io_uring_prep_poll_mask: 'swaps halves on big-endian machines; no entry is written',
  __io_uring_prep_uring_cmd: 'what two helpers are made of',
  io_uring_prep_madvise64: 'for lengths from 2^32 on, and no such buffer can be lent',
};

/** An entry of ours that is not what it should be, with all that is needed to repeat it. */
function explain(row: Row, { userData, args }: Trial, ours: string, theirs: string): string {
  return `${row.name}: ${difference(ours, theirs)}\n  for ${toJson({ userData, args })}`;
}

/** The first trial of a row whose entries differ; nothing if none does. */
function firstDifference(
  row: Row,
  list: readonly Trial[],
  theirs: (i: number, fields: string | undefined) => string,
): string[] {
  const side = new Ours(row);
  for (const [i, trial] of list.entries()) {
    const { ours, fields } = side.run(trial);
    const wanted = theirs(i, fields);
    if (ours !== wanted) return [explain(row, trial, ours, wanted)];
  }
  return [];
}

describe('SQE bytes', () => {
  const recording = readRecording();

  describe('as recorded from liburing', () => {
    for (const row of ROWS.filter(({ name }) => name in recording)) {
      it(row.name, () => {
        const list = recording[row.name];
        assert.ok(list.length >= 20);
        assert.deepEqual(firstDifference(row, list, (i) => list[i].entry), []);
      });
    }
  });

  describe('as the kernel wants them', () => {
    for (const row of ROWS.filter(({ fields }) => fields)) {
      it(row.name, () => {
        const list = trials(row, seed, COUNT);
        assert.deepEqual(firstDifference(row, list, (_, fields) => fields!), [], `IOURING_SEED=${seed}`);
      });
    }
  });

  it('as the installed liburing writes them', (t) => {
    const header = installedHeader();
    if (!header) return t.skip(NEEDS);
    const helpers = findHelpers(header);
    const lacking = new Set<string>();
    const asked: { row: Row; trial: Trial; ours: string; calls: readonly Call[] }[] = [];
    for (const row of ROWS) {
      const side = new Ours(row);
      for (const trial of row.theirs ? trials(row, seed, COUNT) : []) {
        const { ours, calls = [] } = side.run(trial);
        const missing = calls.filter(([name]) => !helpers.has(name)).map(([name]) => name);
        for (const name of missing) lacking.add(name);
        if (missing.length === 0) asked.push({ row, trial, ours, calls });
      }
    }
    const rows = new Set(asked.map(({ row }) => row.name)).size;
    t.diagnostic(`${rows} rows, ${asked.length} entries, IOURING_SEED=${seed}`);
    t.diagnostic(`not in this liburing: ${[...lacking].join(', ') || 'none'}`);
    const entries = ask(helpers, asked.map(({ calls }) => calls));
    assert.equal(entries.length, asked.length);
    const wrong = new Map<string, string>();
    for (const [i, { row, trial, ours }] of asked.entries()) {
      if (ours !== entries[i] && !wrong.has(row.name)) wrong.set(row.name, explain(row, trial, ours, entries[i]));
    }
    assert.deepEqual([...wrong.values()], [], `IOURING_SEED=${seed}`);
  });

  it('every row is checked on every machine', () => {
    const unchecked = ROWS.filter(({ name, fields }) => !fields && !(name in recording));
    assert.deepEqual(unchecked.map(({ name }) => name), []);
    assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
    assert.deepEqual(Object.keys(recording).filter((name) => !ROWS.some((row) => row.name === name)), []);
  });

  it('every helper that the installed liburing has is compared', (t) => {
    const header = installedHeader();
    if (!header) return t.skip(NEEDS);
    assert.deepEqual(withoutRow(header), []);
  });

  it('a helper that is new would be noticed', () => {
    const header = [
      'static inline void io_uring_prep_dance(struct io_uring_sqe *sqe, int fd,',
      '# 12 "/usr/include/liburing.h"',
      '  const void *partner) { sqe->fd = fd; }',
      'static inline void io_uring_cq_advance(struct io_uring *ring, unsigned nr) {}',
      'static inline void io_uring_prep_nop(struct io_uring_sqe *sqe) {}',
      '#define io_uring_prep_sing(sqe) io_uring_prep_nop(sqe)',
    ].join('\n');
    assert.deepEqual(withoutRow(header), ['io_uring_prep_dance', 'io_uring_prep_sing']);
    const helpers = [...findHelpers(header).values()];
    assert.deepEqual(helpers.map(({ name, parameters }) => [name, ...parameters]), [
      ['io_uring_prep_dance', 'struct io_uring_sqe *sqe', 'int fd', 'const void *partner'],
      ['io_uring_prep_nop', 'struct io_uring_sqe *sqe'],
    ]);
  });
});

/** The prep helpers of a header that no row calls and no reason excuses. */
function withoutRow(header: string): string[] {
  const called = new Set(ROWS.flatMap(helpersOf));
  return prepNames(header).filter((name) => !called.has(name) && !(name in WITHOUT_ROW));
}
