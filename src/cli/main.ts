#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cp } from './cp.ts';
import { doctor } from './doctor.ts';
import type { ServeOptions } from './serve.ts';

const HELP = `Usage: iouring COMMAND [OPTION ...]

Commands:
  doctor          is io_uring usable here, and if not, why and what to do
    --json          the same for programs

  cp SRC ... DST  copy files and trees with many operations in flight: modes, owners, times, links, holes and
                  extended attributes are kept. Files get their name when they are complete. Where there is no
                  io_uring it goes through Node, which has no call for extended attributes and ACLs.
    --json          a summary for programs
    --no-progress   say nothing but what went wrong

  serve DIR       serve the files of a folder over HTTP/1.1, and nothing outside of it, until SIGINT or SIGTERM: then what
                  was asked for is still answered; a second signal does not wait
    --host ADDRESS    an IP address; default 127.0.0.1; '::' is all of this machine's
    --port NUMBER     default 8080; 0 has the kernel choose one
    --unix PATH       a unix socket instead
    --list            show what is in directories without index.html
    --dotfiles        serve files and directories whose names begin with a dot
    --log FILE        write the access log there instead of to stdout; anew after SIGHUP
    --json            write it as JSON instead of in the common log format
    --no-log          write none
    --max-connections NUMBER  answer more than that with 503; default 1024
    --max-head BYTES          refuse a larger request line and header with 431; default 16384
    --head-timeout SECONDS    within which a request has to be there; default 10
    --idle-timeout SECONDS    between two requests of a connection; default 15
    --send-timeout SECONDS    of no progress, after which a client is given up; default 30

  run [NODE OPTION ...] APP [ARGUMENT ...]  start a program with iouring/register: Node's own modules go through the ring, as far as
                  the environment variable IOURING chooses: a list of net, http, dgram and fs
    --report        print in the end, on stderr, what went through the ring; this option comes first

Options:
  -h, --help      show this text
  -v, --version   show the version of this package

Exit status: 0 all well; 1 the command's answer is no, or something failed; 2 wrong usage; 130, 143 interrupted.
`;

const GENERAL = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } as const;

const OPTIONS = {
  json: { type: 'boolean' },
  'no-progress': { type: 'boolean' },
  host: { type: 'string' },
  port: { type: 'string' },
  unix: { type: 'string' },
  list: { type: 'boolean' },
  dotfiles: { type: 'boolean' },
  log: { type: 'string' },
  'no-log': { type: 'boolean' },
  'max-connections': { type: 'string' },
  'max-head': { type: 'string' },
  'head-timeout': { type: 'string' },
  'idle-timeout': { type: 'string' },
  'send-timeout': { type: 'string' },
} as const;

type Option = keyof typeof OPTIONS;
type Values = { [name in Option]?: (typeof OPTIONS)[name]['type'] extends 'string' ? string : boolean };

/** Which options a command takes. */
const COMMANDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['doctor', ['json']],
  ['cp', ['json', 'no-progress']],
  ['serve', Object.keys(OPTIONS).filter((name) => name !== 'no-progress')],
]);

const forWhich = (option: string): string =>
  [...COMMANDS]
    .filter(([, options]) => options.includes(option))
    .map(([command]) => command)
    .join(' and ');

/** @throws {TypeError} wrong usage */
function serveOptions(values: Values): ServeOptions {
  if (values.unix !== undefined && (values.host !== undefined || values.port !== undefined)) {
    throw new TypeError(`'--unix' goes without '--host' and '--port'`);
  }
  if (values['no-log'] && (values.log !== undefined || values.json)) throw new TypeError(`'--no-log' goes without '--log' and '--json'`);
  const number = (name: Option, fallback: number, most: number, least = 1): number => {
    const text = values[name] as string | undefined;
    if (text === undefined) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) throw new TypeError(`'--${name}' takes a number from ${least} to ${most}, not '${text}'`);
    return value;
  };
  return {
    host: values.host ?? '127.0.0.1',
    port: number('port', 8080, 65_535, 0),
    unix: values.unix,
    list: values.list === true,
    dotfiles: values.dotfiles === true,
    log: values['no-log'] ? false : values.log,
    json: values.json === true,
    limits: {
      connections: number('max-connections', 1024, 1_000_000),
      head: number('max-head', 16_384, 1 << 20, 256),
      headMs: number('head-timeout', 10, 86_400) * 1000,
      idleMs: number('idle-timeout', 15, 86_400) * 1000,
      sendMs: number('send-timeout', 30, 86_400) * 1000,
    },
  };
}

const { require_module: requiresModules } = process.features as { require_module?: boolean };
/** Where `iouring/register` is, from dist/cli: what package.json says for this version of Node. */
const REGISTER = new URL(requiresModules ? '../register/index.js' : '../register/eager.js', import.meta.url).href;

/** Only the first words are looked at: arguments behind the program are the program's, and those before it Node's. */
async function run(args: readonly string[]): Promise<number> {
  const report = args[0] === '--report';
  const rest = report ? args.slice(1) : args;
  if (rest[0] === '--help' || rest[0] === '-h') return print(HELP);
  if (rest.length === 0) throw new TypeError(`'run' needs a program`);
  const { runProgram } = await import('./run.ts');
  return await runProgram(rest, { report, entry: REGISTER });
}

async function main(args: string[]): Promise<number> {
  try {
    if (args[0] === 'run') return await run(args.slice(1));
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { ...GENERAL, ...OPTIONS } });
    if (values.version) return print(`${version()}\n`);
    if (values.help || positionals.length === 0) return print(HELP, values.help ? 0 : 2);
    const [command, ...rest] = positionals;
    const known = COMMANDS.get(command);
    if (known === undefined) throw new TypeError(`Unknown command '${command}'`);
    for (const name of Object.keys(values)) {
      if (!known.includes(name)) throw new TypeError(`'--${name}' is for ${forWhich(name)}`);
    }
    const json = values.json === true;
    if (command === 'cp') return await cp(rest, { json, progress: values['no-progress'] !== true });
    if (command === 'serve') {
      // With all that speaks HTTP: the other commands need not wait for that.
      const { serve } = await import('./serve.ts');
      return await serve(rest, serveOptions(values));
    }
    if (rest.length > 0) throw new TypeError(`Unexpected argument '${rest[0]}'`);
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
