import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The machine's C compiler, if there is one. */
export const compiler = [process.env['CC'], 'cc', 'gcc', 'clang'].find(
  (command) => command && spawnSync(command, ['--version']).status === 0,
);

// Messages are parsed below, so no translations of them.
const env = { ...process.env, LC_ALL: 'C' };

/** The source with everything included and all `#define` lines kept; undefined if a header is missing. */
export function preprocess(source: string): string | undefined {
  const flags = ['-E', '-dD', '-x', 'c', '-'];
  const options = { input: source, encoding: 'utf8', env, maxBuffer: 1 << 28 } as const;
  const { status, stdout } = spawnSync(String(compiler), flags, options);
  return status === 0 ? stdout : undefined;
}

export interface Answers {
  /** The values that the program printed, by the key that each line begins with. */
  readonly values: ReadonlyMap<string, string>;
  /** The keys of questions that the headers do not know the words of. */
  readonly unknown: readonly string[];
}

/**
 * Ask the compiler what C expressions are: integers, or strings for keys that begin with `text `. Each has a
 * line of its own, so that an error tells which of them the headers do not know.
 */
export function ask(head: string, questions: ReadonlyMap<string, string>): Answers {
  const folder = mkdtempSync(join(tmpdir(), 'iouring-abi-'));
  try {
    const source = join(folder, 'questions.c');
    const program = join(folder, 'questions');
    const unknown = new Set<string>();
    const keys = [...questions.keys()];
    const standard = ['stddef', 'stdio', 'string'].map((name) => `#include <${name}.h>\n`).join('');
    const prologue = `${head}\n${standard}int main(void) {\n`;
    const first = prologue.split('\n').length;
    for (;;) {
      const lines = keys.map((key) => (unknown.has(key) ? '' : print(key, String(questions.get(key)))));
      writeFileSync(source, `${prologue}${lines.join('\n')}\nreturn 0; }\n`);
      const flags = ['-w', '-o', program, source];
      const { status, stderr } = spawnSync(String(compiler), flags, { encoding: 'utf8', env });
      if (status === 0) break;
      const errors = [...stderr.matchAll(/questions\.c:(\d+):(?:\d+:)? error/g)];
      const culprits = errors.map((error) => Number(error[1]) - first).filter((i) => i in keys);
      if (culprits.length === 0) throw new Error(`the compiler refuses the questions:\n${stderr}`);
      for (const i of culprits) unknown.add(keys[i]);
    }
    const { stdout } = spawnSync(program, { encoding: 'utf8', env, maxBuffer: 1 << 26 });
    const answers = stdout.trimEnd().split('\n').map((line) => line.split('\t') as [string, string]);
    return { values: new Map(answers), unknown: [...unknown] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function print(key: string, expression: string): string {
  if (key.startsWith('text ')) return `printf("${key}\\t%s\\n", ${expression});`;
  return `printf("${key}\\t%llu\\n", (unsigned long long)(${expression}));`;
}
