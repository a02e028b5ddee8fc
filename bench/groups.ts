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

/** The ends of the scale, and the size of what libuv reads at once. */
const SIZES = /, (1 KiB|64 KiB|1 MiB)$/;
const NOT_C = /^(?!C, )/;

export const GROUPS: Readonly<Record<string, readonly Measured[]>> = {
  /** What it costs to sleep, to wake and to settle. */
  engine: [
    { scenario: 'nop', part: { cases: /batch (1|32)$/, competitors: /^(iouring|C, .*)$/ } },
    { scenario: 'read', part: { cases: /^page cache, QD (1|64)$/, competitors: /^(iouring|C, .*)$/ } },
    { scenario: 'promises', part: { cases: /QD (16|64|256)$/, competitors: /^(Reactor|C, .*)$/ } },
    whole('pingpong'),
    { scenario: 'udp', part: { cases: /, 1 at a time$/ } },
    { scenario: 'lean', part: { cases: /, (64|256) connections$/, competitors: /listen$|^C, / } },
    { scenario: 'http', part: { cases: /GET$/, competitors: /createServer$|^node:/ } },
    whole('immediates'),
    whole('timers'),
    { scenario: 'asleep', part: { competitors: /^(iouring|node)/ } },
  ],
  /** Sockets over TCP, beside those that they replace. */
  net: [
    whole('pingpong'),
    { scenario: 'classes', part: { cases: /, (64|256) connections$/ } },
    { scenario: 'streams', part: { cases: SIZES, competitors: NOT_C } },
    { scenario: 'connections', part: { competitors: NOT_C } },
    whole('idle'),
  ],
  /** The same over unix sockets. */
  unix: [
    whole('pingpong-unix'),
    { scenario: 'streams-unix', part: { cases: SIZES, competitors: NOT_C } },
    { scenario: 'connections-unix', part: { competitors: NOT_C } },
  ],
  /** HTTP in its forms. */
  web: [whole('http'), whole('https'), whole('h2')],
};
