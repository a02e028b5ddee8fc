// Tests that Bun or Deno skip, and why. They ask for something that is Node's own, or that the runtime does not have: it is not the project
// that differs there. `npm run test:runtimes -- --skipped` runs these alone, to see whether they are still to be skipped.

interface Row {
  readonly why: Reason;
  readonly in: readonly ('bun' | 'deno')[];
  /** Under build/test, without the ending. */
  readonly file: string;
  /** Titles, the suites' before them; `*` at the end stands for anything. Without: all tests of the file. */
  readonly tests?: readonly string[];
}

const REASONS = {
} as const;

type Reason = keyof typeof REASONS;

const ROWS: readonly Row[] = [
];

const runtime = 'Bun' in globalThis ? 'bun' : 'deno';
/** scripts/runtimes.mjs says which file runs. */
const file = process.env['IOURING_TEST_FILE'];
const isOnlySkipped = process.env['IOURING_TEST_SKIPPED'] === 'only';
const patterns = ROWS.filter((row) => row.in.includes(runtime) && row.file === file)
  .flatMap(({ why, tests = ['*'] }) => tests.map((title) => ({ why, title, isUsed: false })));

/** Why a test is skipped; undefined if it is to run. */
export function reasonToSkip(title: string): string | undefined {
  const row = patterns.find((pattern) =>
    pattern.title.endsWith('*') ? title.startsWith(pattern.title.slice(0, -1)) : pattern.title === title
  );
  if (row === undefined) return isOnlySkipped ? 'only what is skipped otherwise' : undefined;
  row.isUsed = true;
  return isOnlySkipped ? undefined : REASONS[row.why];
}

/** Rows that no test answers to. */
export function unusedReasons(): string[] {
  return patterns.filter(({ isUsed }) => !isUsed).map(({ title }) => title);
}
