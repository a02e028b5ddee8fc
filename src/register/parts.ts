/**
 * The modules of Node that are put on the ring, whole or in parts: `net` is `net.server` and `net.client`, as the table
 * in `replacements.ts` has them.
 */
export const MODULES = ['net', 'http', 'dgram', 'fs'] as const;
type Module = (typeof MODULES)[number];

/** A word of the environment variable IOURING that stands for one row of the table. */
export type Part = 'dgram' | `${Exclude<Module, 'dgram'>}.${string}`;

/** The variable that chooses: `off`, or a list of {@link MODULES} and of parts of them, with commas between them. */
const VARIABLE = 'IOURING';

export function moduleOf(part: Part): Module {
  return part.split('.')[0] as Module;
}

/** The parts that a list names. */
export class Choice {
  readonly #words: ReadonlySet<string>;

  constructor(list: string) {
    this.#words = new Set(list.split(',').map((word) => word.trim()).filter((word) => word !== '' && word !== 'off'));
  }

  /** Does it name the part, or the module that it is of? */
  has(part: Part): boolean {
    return this.#words.has(part) || this.#words.has(moduleOf(part));
  }

  /** Words that mean nothing, where these are all the parts. */
  strangers(parts: readonly Part[]): string[] {
    const known = new Set<string>([...MODULES, ...parts]);
    return [...this.#words].filter((word) => !known.has(word));
  }
}

/** The choice that the environment makes out of these parts; undefined where it says nothing. */
export function chosenParts(parts: readonly Part[], env: NodeJS.ProcessEnv = process.env): Choice | undefined {
  const text = env[VARIABLE]?.trim() ?? '';
  if (text === '') return undefined;
  const choice = new Choice(text);
  const strangers = choice.strangers(parts);
  if (strangers.length > 0) {
    // The program starts all the same, with what was understood.
    const message =
      `The environment variable ${VARIABLE} names '${
        strangers.join("', '")
      }', which is ignored: it can be 'off', or a list of ` +
      `${MODULES.join(', ')} and of parts of them, such as http.server and fs.readFile`;
    process.emitWarning(message, { type: 'IOURingWarning', code: VARIABLE });
  }
  return choice;
}
