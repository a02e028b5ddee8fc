#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cp } from './cp.ts';
import { doctor } from './doctor.ts';

const HELP = `Usage: iouring COMMAND [OPTION ...]

Commands:
  doctor          is io_uring usable here, and if not, why and what to do
    --json          the same for programs

  cp SRC ... DST  copy files and trees with many operations in flight: modes, owners, times, links, holes and
                  extended attributes are kept. Files get their name when they are complete. Where there is no
                  io_uring it goes through Node, which has no call for extended attributes.
    --json          a summary for programs
    --no-progress   say nothing but what went wrong

Options:
  -h, --help      show this text
  -v, --version   show the version of this package

Exit status: 0 all well; 1 the command's answer is no, or something failed; 2 wrong usage; 130, 143 interrupted.
`;

async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        json: { type: 'boolean' },
        'no-progress': { type: 'boolean' },
      },
    });
    if (values.version) return print(`${version()}\n`);
    if (values.help || positionals.length === 0) return print(HELP, values.help ? 0 : 2);
    const [command, ...rest] = positionals;
    const json = values.json === true;
    if (command === 'cp') return await cp(rest, { json, progress: values['no-progress'] !== true });
    if (command !== 'doctor') throw new TypeError(`Unknown command '${command}'`);
    if (rest.length > 0) throw new TypeError(`Unexpected argument '${rest[0]}'`);
    if (values['no-progress']) throw new TypeError(`'--no-progress' is for cp`);
    return doctor({ json }, (text) => void process.stdout.write(text));
  } catch (error) {
    if (error instanceof TypeError) {
      process.stderr.write(`iouring: ${error.message}\nTry 'iouring --help'.\n`);
      return 2;
    }
    // What to do is in the message.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    process.stderr.write(`iouring: ${(error as Error).message}\n`);
    return 1;
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

process.exitCode = await main(process.argv.slice(2));
