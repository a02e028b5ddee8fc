#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { doctor } from './doctor.ts';

const HELP = `Usage: iouring COMMAND [OPTION ...]

Commands:
  doctor          is io_uring usable here, and if not, why and what to do
    --json        the same for programs

Options:
  -h, --help      show this text
  -v, --version   show the version of this package

Exit status: 0 all well; 1 the command's answer is no; 2 wrong usage.
`;

function main(args: string[]): number {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        json: { type: 'boolean' },
      },
    });
    if (values.version) return print(`${version()}\n`);
    if (values.help || positionals.length === 0) return print(HELP, values.help ? 0 : 2);
    const [command, ...rest] = positionals;
    if (command !== 'doctor') throw new TypeError(`Unknown command '${command}'`);
    if (rest.length > 0) throw new TypeError(`Unexpected argument '${rest[0]}'`);
    return doctor({ json: values.json === true }, (text) => void process.stdout.write(text));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`iouring: ${error.message}\nTry 'iouring --help'.\n`);
    return 2;
  }
}

function print(text: string, status = 0): number {
  (status === 0 ? process.stdout : process.stderr).write(text);
  return status;
}

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

process.exitCode = main(process.argv.slice(2));
