import type { Entry } from '../package.ts';

export const HELP =
  `  run [NODE OPTION ...] APP [ARGUMENT ...]  start a program with iouring/register: Node's own modules go through the ring, as far as
                  the environment variable IOURING chooses: a list of net, http, dgram and fs
    --report        print in the end, on stderr, what went through the ring; this option comes first
`;

/**
 * `iouring run`. Only the first words are looked at: arguments behind the program are the program's, and those before
 * it Node's.
 * @param entry how `iouring/register` comes into a program
 * @returns resolves to the exit status; undefined: the help text is asked for
 * @throws {TypeError} wrong usage
 */
export async function run(args: readonly string[], entry: Entry): Promise<number | undefined> {
  const report = args[0] === '--report';
  const rest = report ? args.slice(1) : args;
  if (rest[0] === '--help' || rest[0] === '-h') return undefined;
  if (rest.length === 0) throw new TypeError(`'run' needs a program`);
  const { runProgram } = await import('./run.ts');
  return await runProgram(rest, { report, entry });
}
