import type { Command, Given } from '../command.ts';
import type { ServeOptions } from './serve.ts';

const OPTIONS = {
  host: { type: 'string' },
  port: { type: 'string' },
  unix: { type: 'string' },
  list: { type: 'boolean' },
  dotfiles: { type: 'boolean' },
  log: { type: 'string' },
  json: { type: 'boolean' },
  'no-log': { type: 'boolean' },
  'max-connections': { type: 'string' },
  'max-head': { type: 'string' },
  'head-timeout': { type: 'string' },
  'idle-timeout': { type: 'string' },
  'send-timeout': { type: 'string' },
} as const;

type Values = Given<typeof OPTIONS>;

export const serveCommand: Command<typeof OPTIONS> = {
  help:
    `  serve DIR       serve the files of a folder over HTTP/1.1, and nothing outside of it, until SIGINT or SIGTERM: then what
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
`,
  options: OPTIONS,
  async run(values, folders) {
    const options = serveOptions(values);
    // With all that speaks HTTP: the other commands need not wait for that.
    const { serve } = await import('./serve.ts');
    return await serve(folders, options);
  },
};

/** @throws {TypeError} wrong usage */
function serveOptions(values: Values): ServeOptions {
  if (values.unix !== undefined && (values.host !== undefined || values.port !== undefined)) {
    throw new TypeError(`'--unix' goes without '--host' and '--port'`);
  }
  if (values['no-log'] && (values.log !== undefined || values.json)) {
    throw new TypeError(`'--no-log' goes without '--log' and '--json'`);
  }
  const number = (name: keyof Values, fallback: number, most: number, least = 1): number => {
    const text = values[name] as string | undefined;
    if (text === undefined) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) {
      throw new TypeError(`'--${name}' takes a number from ${least} to ${most}, not '${text}'`);
    }
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
