import { readFileSync, writeFileSync } from 'node:fs';
import type { Trial } from './comparison.ts';

/** Where the answers of liburing are kept, which record.ts writes. Tests and scripts run in the project's folder. */
const FILE = 'test/liburing/recorded.json';

/** A trial, and the 64 bytes that liburing made of it, as hexadecimal digits. */
export interface Recorded extends Trial {
  readonly entry: string;
}

/** Answers of liburing by the name of the row. */
export type Recording = Record<string, Recorded[]>;

export function readRecording(): Recording {
  return JSON.parse(readFileSync(FILE, 'utf8'), revive) as Recording;
}

export function writeRecording(recording: Recording): void {
  // One trial a line, so that a change of one is a change of one line.
  const rows = Object.entries(recording).map(([name, list]) => {
    const lines = list.map((recorded) => `    ${toJson(recorded)}`);
    return `  ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n  ]`;
  });
  writeFileSync(FILE, `{\n${rows.join(',\n')}\n}\n`);
}

/** JSON has no bigints: they are strings that end with n. */
export function toJson(what: unknown): string {
  return JSON.stringify(what, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

function revive(_: string, value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
}
