#!/usr/bin/env node
import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { cpCommand } from './cp/command.ts';
import { doctorCommand } from './doctor/command.ts';
import { REGISTER, version } from './package.ts';
import { HELP as RUN_HELP, run } from './run/command.ts';
import { serveCommand } from './serve/command.ts';

/** All but `run`, whose arguments are those of another program. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['doctor', doctorCommand],
  ['cp', cpCommand],
  ['serve', serveCommand],
]);

const HELP = `Usage: iouring COMMAND [OPTION ...]

Commands:
${[...COMMANDS.values()].map(({ help }) => `${help}\n`).join('')}${RUN_HELP}
Options:
  -h, --help      show this text
  -v, --version   show the version of this package

Exit status: 0 all well; 1 the command's answer is no, or something failed; 2 wrong usage; 130, 143 interrupted.
`;

const GENERAL = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } as const;

/** Options may stand before the command: which one it is shows when all of them are known. */
const ALL_OPTIONS: Command['options'] = Object.assign({}, ...[...COMMANDS.values()].map(({ options }) => options));

const commandsWith = (option: string): string =>
  [...COMMANDS]
    .filter(([, { options }]) => Object.hasOwn(options, option))
    .map(([name]) => name)
    .join(' and ');

async function main(args: string[]): Promise<number> {
  try {
    if (args[0] === 'run') return (await run(args.slice(1), REGISTER)) ?? print(HELP);
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ...ALL_OPTIONS, ...GENERAL },
    });
    if (values.version) return print(`${version()}\n`);
    if (values.help || positionals.length === 0) return print(HELP, values.help ? 0 : 2);
    const [name, ...rest] = positionals;
    const command = COMMANDS.get(name);
    if (command === undefined) throw new TypeError(`Unknown command '${name}'`);
    for (const option of Object.keys(values)) {
      if (!Object.hasOwn(command.options, option)) throw new TypeError(`'--${option}' is for ${commandsWith(option)}`);
    }
    return await command.run(values, rest);
  } catch (error) {
    if (error instanceof TypeError) {
      process.stderr.write(`iouring: ${error.message}\nTry 'iouring --help'.\n`);
      return 2;
    }
    // The remedy is in the message.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    process.stderr.write(`iouring: ${(error as Error).message}\n`);
    return 1;
  }
}

function print(text: string, status = 0): number {
  (status === 0 ? process.stdout : process.stderr).write(text);
  return status;
}

process.exitCode = await main(process.argv.slice(2));
