/**
 * What is measured together: scenarios, or parts of them, that answer one question. With `--rounds 3 --seconds 1` each takes less
 * than ten minutes.
 */
import type { Part } from './part.ts';

export interface Measured {
  readonly scenario: string;
  readonly part: Part;
}

function whole(scenario: string): Measured {
  return { scenario, part: {} };
}

export const GROUPS: Readonly<Record<string, readonly Measured[]>> = {
  /** What it costs to sleep, to wake and to settle. */
  engine: [
    { scenario: 'nop', part: { cases: /batch (1|32)$/, competitors: /^(iouring|C, .*)$/ } },
    { scenario: 'read', part: { cases: /^page cache, QD (1|64)$/, competitors: /^(iouring|C, .*)$/ } },
    { scenario: 'promises', part: { cases: /QD (16|64|256)$/, competitors: /^(Reactor|C, .*)$/ } },
    whole('pingpong'),
    { scenario: 'udp', part: { cases: /, 1 at a time$/ } },
    { scenario: 'lean', part: { cases: /(64|256) connections$/, competitors: /listen$|^C, / } },
    { scenario: 'http', part: { cases: /GET$/, competitors: /createServer$|^node:/ } },
  ],
};
