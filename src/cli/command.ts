/** An option of a command: a word behind `--`, with a value behind it or none. */
export interface Option {
  readonly type: 'string' | 'boolean';
}

/** The options that are given: text, or true. */
export type Given<Options extends Readonly<Record<string, Option>>> = {
  readonly [name in keyof Options]?: Options[name]['type'] extends 'string' ? string : boolean;
};

/**
 * A command of the command line: its part of the help text, the options that it takes, and what it does. Its file is
 * loaded for all of them, so it loads the large rest when it is the one.
 */
export interface Command<Options extends Readonly<Record<string, Option>> = Readonly<Record<string, Option>>> {
  readonly help: string;
  readonly options: Options;
  /**
   * Does it, and resolves to the exit status.
   * @throws {TypeError} wrong usage
   */
  run(given: Given<Options>, positionals: readonly string[]): number | Promise<number>;
}
