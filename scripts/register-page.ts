/**
 * Writes the table of docs/register.md from the one in src/register/replacements.ts; with --check it only says whether it would
 * change anything.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { REPLACEMENTS } from '../src/register/replacements.ts';

const PAGE = 'docs/register.md';
const [START, END] = ['<!-- table:start -->\n', '<!-- table:end -->'];

function table(): string {
  const rows = REPLACEMENTS.map(({ part, name, isDefault, reason, needs }) => [`\`${part}\``, `\`${name}\``, isDefault ? 'yes' : 'no', reason, needs]);
  // Those of files differ in their names only.
  const names = new Map<string, string[]>();
  for (const [part, name, ...rest] of rows) {
    const key = JSON.stringify([part, ...rest]);
    names.set(key, [...(names.get(key) ?? []), name]);
  }
  const lines = [...names].map(([key, all]) => {
    const [part, ...rest] = JSON.parse(key) as string[];
    return [part, all.join(', '), ...rest];
  });
  const head = ['`IOURING`', 'replaced', 'on by default', 'why', 'needs'];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

const before = readFileSync(PAGE, 'utf8');
const [start, end] = [before.indexOf(START) + START.length, before.indexOf(END)];
const after = before.slice(0, start) + table() + before.slice(end);
if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, after);
} else if (after !== before) {
  process.stderr.write(`${PAGE} is not what the table says: npm run docs\n`);
  process.exitCode = 1;
}
