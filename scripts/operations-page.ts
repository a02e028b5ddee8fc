/** Writes docs/operations.md from the table of operations. */
import { writeFileSync } from 'node:fs';
import { OPERATIONS, REGISTRATIONS, type Lend, type Operation } from '../src/abi/index.ts';

const PAGE = new URL('../../docs/operations.md', import.meta.url);

/** The page, whole. */
export function page(): string {
  const operations = OPERATIONS.map(section).join('\n');
  return `# Operations

Made from the table in \`src/abi/operations.ts\` by \`npm run docs\`; do not edit.

A method returns false when the submission queue is full, and has queued nothing then. "Lent" is memory that the ring
keeps alive and in place until the last completion is reaped; "copied" is what the kernel has read when the submission
returns, and what the ring keeps a copy of until then. A negative \`res\` is \`-errno\`.

| | operation | method | like | since |
| --: | --- | --- | --- | --- |
${OPERATIONS.map(row).join('\n')}

${operations}
# Registrations

| | operation | method | since | what it does | liburing |
| --: | --- | --- | --- | --- | --- |
${REGISTRATIONS.map(registration).join('\n')}
`;
}

const row = ({ code, name, methods, like, since }: Operation): string =>
  `| ${code} | [${name}](#${name.toLowerCase()}) | ${coded(methods)} | ${like ?? ''} | ${since} |`;

function registration(
  { code, name, methods, since, variants, waitsFor, purpose, wrappers }: (typeof REGISTRATIONS)[number],
): string {
  const waits = Object.entries(waitsFor ?? {}).map(([what, until]) =>
    `; before ${until} not while ${
      what === 'tables' ? 'registered files or buffers are in use' : 'anything is in flight'
    }`
  );
  return `| ${code} | ${name} | ${coded(methods)} | ${since}${forms(variants)} | ${purpose}${waits.join('')} | ${
    coded(wrappers)
  } |`;
}

function section(operation: Operation): string {
  const { code, name, methods, options, like, since, variants, ignored, lends, result, helpers, purpose } = operation;
  const lines = [
    `## ${name}`,
    '',
    `${purpose[0].toUpperCase()}${purpose.slice(1)}.`,
    '',
    `- opcode: ${code}; since Linux ${since}${forms(variants)}`,
    `- method: ${coded(methods)}`,
    ...(ignored ? [`- refused on kernels that would do something else, without a word, before:${forms(ignored)}`] : []),
    ...(options ? [`- options: ${coded(options)}`] : []),
    ...(like ? [`- like ${like}`] : []),
    `- \`res\`: ${result}`,
    ...(lends.length === 0 ? ['- memory: none'] : lends.map((lend) => `- memory: ${memory(lend)}`)),
    `- liburing: ${helpers.length > 0 ? coded(helpers) : 'no helper'}`,
    '',
  ];
  return lines.join('\n');
}

/** The later forms of an operation, each with the kernel that brought it. */
function forms(variants: Operation['variants']): string {
  const all = Object.entries(variants ?? {}).map(([name, since]) => `${words(name)} ${since}`);
  return all.length > 0 ? ` (${all.join(', ')})` : '';
}

/** What becomes of the memory. */
function memory({ field, what, access, until, through, variant }: Lend): string {
  const does = { read: 'reads', write: 'writes', readwrite: 'reads and writes' };
  const lasts = {
    submit: 'copied',
    completion: 'lent until the last completion',
    notification: 'lent until the notification',
    returned: 'lent until completions have named all of its buffers, or they were removed',
  };
  const behind = through ? `; what it points to the kernel ${does[through.access]}: ${lasts[through.until]}` : '';
  const only = variant ? ` (${words(variant)})` : '';
  return `\`${field}\`: ${words(what)}${only}, which the kernel ${does[access]}: ${lasts[until]}${behind}`;
}

const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const coded = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

if (import.meta.url === `file://${process.argv[1]}`) writeFileSync(PAGE, page());
