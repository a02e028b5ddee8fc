/** How numbers are written, on the terminal and in the documentation. */
import type { Summary } from './statistics.ts';

const RATIO_DIGITS = 2;

/** A number with separators of thousands. */
export function formatNumber(value: number, digits: number): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString('en-US', options);
}

/** A median with its lowest and highest value. */
export function formatSummary({ median, lowest, highest }: Summary, digits: number): string {
  const spread = `${formatNumber(lowest, digits)}–${formatNumber(highest, digits)}`;
  return `${formatNumber(median, digits)} (${spread})`;
}

/** A ratio, as `0.87× (0.82–0.91)`. */
export function formatRatio({ median, ...spread }: Summary): string {
  const [middle, lowest, highest] = [median, spread.lowest, spread.highest].map((value) =>
    formatNumber(value, RATIO_DIGITS)
  );
  return `${middle}× (${lowest}–${highest})`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
