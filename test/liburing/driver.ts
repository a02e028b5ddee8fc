// The C side: a program made of the helpers that the installed <liburing.h> has, all of them inline functions.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiler, preprocess } from '../abi/compiler.ts';

const HEAD = '#define _GNU_SOURCE\n#include <liburing.h>\n';

/** An inline function of the header that gets a submission entry. */
export interface Helper {
  readonly name: string;
  /** The declarations of its parameters, that of the entry included. */
  readonly parameters: readonly string[];
}

/** A call of a helper. Pointers are numbers too. */
export type Call = readonly [helper: string, ...args: (number | bigint)[]];

/** The installed header, preprocessed; undefined where there is no compiler or no header. */
export function installedHeader(): string | undefined {
  return compiler && preprocess(HEAD);
}

/** All that has the name of a prep helper, whatever it is. */
export function prepNames(preprocessed: string): string[] {
  return [...new Set(preprocessed.match(/\b_*io_uring_prep_\w+/g))];
}

/** The functions that get an entry, by name. What is only declared is in the library, which is not needed here. */
export function findHelpers(preprocessed: string): ReadonlyMap<string, Helper> {
  const text = preprocessed.replaceAll(/^#.*$/gm, '');
  const definitions = text.matchAll(/\bvoid\s+(\w*io_uring_\w+)\s*\(([^(){};]*)\)[\s\w]*\{/g);
  const found = new Map<string, Helper>();
  for (const [, name, list] of definitions) {
    const parameters = list.split(',').map((parameter) => parameter.trim().replaceAll(/\s+/g, ' '));
    if (parameters.some(isEntry)) found.set(name, { name, parameters });
  }
  return found;
}

/** Which liburing it is, as far as the header tells: it does since 2.4. */
export function installedVersion(): string {
  const text = preprocess(`${HEAD}#ifndef IO_URING_VERSION_MAJOR\n#define NO_VERSION\n#endif\n`) ?? '';
  const part = (name: string): string | undefined =>
    new RegExp(`^#define IO_URING_VERSION_${name} (\\d+)`, 'm').exec(text)?.[1];
  const [major, minor] = [part('MAJOR'), part('MINOR')];
  return major === undefined || minor === undefined ? 'before 2.4' : `${major}.${minor}`;
}

/**
 * For each of `entries`: the 64 bytes, as hexadecimal digits, of an entry of zeroes after these calls, in order.
 * @throws {Error} a helper is called with another number of arguments than it has
 */
export function ask(helpers: ReadonlyMap<string, Helper>, entries: readonly (readonly Call[])[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'iouring-liburing-'));
  try {
    const source = join(folder, 'driver.c');
    const program = join(folder, 'driver');
    writeFileSync(source, driver([...helpers.values()].filter(({ parameters }) => isEntry(parameters[0]))));
    const flags = ['-w', '-O1', '-fno-strict-aliasing', '-o', program, source];
    const built = spawnSync(String(compiler), flags, { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`the compiler refuses the helpers:\n${built.stderr}`);
    for (const [name, ...args] of entries.flat()) {
      const wanted = helpers.get(name)?.parameters;
      if (wanted && args.length === wanted.length - 1) continue;
      throw new Error(`${name} has the parameters ${wanted?.join(', ')}: we have ${args.length} after the entry`);
    }
    // In a file: Deno writes all of an `input` before it reads anything of what is answered.
    const input = join(folder, 'input');
    writeFileSync(input, entries.map((calls) => `${calls.map((call) => call.join(' ')).join(' ; ')}\n`).join(''));
    const args = ['-c', 'exec "$0" < "$1"', program, input];
    const { status, stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(`the driver failed: ${stderr}`);
    return stdout.trimEnd().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const isEntry = (parameter: string): boolean => parameter.startsWith('struct io_uring_sqe');

/** Reads lines of calls, `helper argument … ; helper argument …`, and prints what became of the entry. */
function driver(helpers: readonly Helper[]): string {
  const cases = helpers.map(({ name, parameters }) => {
    const kinds = parameters.slice(1).map((parameter) => (parameter.includes('*') ? 'POINTER' : 'NUMBER'));
    const args = kinds.map((kind, i) => `${kind}(${i})`);
    return `  if (!strcmp(name, "${name}")) { ${name}(${['sqe', ...args].join(', ')}); return; }`;
  });
  return `${HEAD}
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t arguments[16];
#define NUMBER(i) arguments[i]
#define POINTER(i) ((void *)(uintptr_t)arguments[i])

static void call(struct io_uring_sqe *sqe, const char *name) {
${cases.join('\n')}
  fprintf(stderr, "no helper %s\\n", name);
  exit(2);
}

int main(void) {
  static char line[1 << 16];
  while (fgets(line, sizeof(line), stdin)) {
    _Alignas(16) unsigned char entry[128] = { 0 };
    char *word = strtok(line, " \\n");
    while (word) {
      const char *name = word;
      int count = 0;
      while ((word = strtok(NULL, " \\n")) && *word != ';') arguments[count++] = strtoull(word, NULL, 10);
      call((struct io_uring_sqe *)entry, name);
      if (word) word = strtok(NULL, " \\n");
    }
    for (int i = 0; i < 64; i++) printf("%02x", entry[i]);
    printf("\\n");
  }
  return 0;
}
`;
}
