/** Writes the table of docs/register.md from the one in src/register/replacements.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { isDefault, REPLACEMENTS } from '../src/register/replacements.ts';

const PAGE = 'docs/register.md';
const [START, END] = ['<!-- table:start -->\n', '<!-- table:end -->'];

function table(): string {
  const rows = REPLACEMENTS.map((row): string[] => {
    const { parts, name, reason, needs } = row;
    return [parts.map((part) => `\`${part}\``).join(', '), `\`${name}\``, isDefault(row) ? 'yes' : 'no', reason, needs];
  });
  // Those of files differ in their names only, and are called as their parts are.
  const names = new Map<string, [parts: Set<string>, names: Set<string>]>();
  for (const [part, name, ...rest] of rows) {
    const key = JSON.stringify(rest);
    if (!names.has(key)) names.set(key, [new Set(), new Set()]);
    const [parts, all] = names.get(key)!;
    parts.add(part);
    all.add(name);
  }
  const lines = [...names].map(([key, [parts, all]]) => {
    const functions = parts.size > 1 ? 'functions of `fs.promises` with these names' : [...all].join(', ');
    return [[...parts].join(', '), functions, ...(JSON.parse(key) as string[])];
  });
  const head = ['`IOURING`', 'replaced', 'on by default', 'why', 'needs'];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** The page with the table as it is now. */
export function page(): string {
  const before = readFileSync(PAGE, 'utf8');
  const [start, end] = [before.indexOf(START) + START.length, before.indexOf(END)];
  return before.slice(0, start) + table() + before.slice(end);
}

if (import.meta.url === `file://${process.argv[1]}`) writeFileSync(PAGE, page());
