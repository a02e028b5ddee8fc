/** A middle and a spread, for samples and for ratios. */

export interface Summary {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export type Better = 'lower' | 'higher';

/** Throws on no values. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) {
    throw new RangeError('Cannot summarize: there are no values');
  }
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, lowest: sorted[0], highest: sorted.at(-1)! };
}

/**
 * How many times as good `ours` is as `theirs`: above 1, ours is better. Compared round by round,
 * so that what slowed the machine for a while slowed both.
 */
export function ratios(
  ours: readonly number[],
  theirs: readonly number[],
  better: Better,
): Summary {
  const rounds = Math.min(ours.length, theirs.length);
  return summarize(
    Array.from(
      { length: rounds },
      (_, round) => better === 'higher' ? ours[round] / theirs[round] : theirs[round] / ours[round],
    ),
  );
}
