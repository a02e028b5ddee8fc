/** Node with `iouring/register` on its command line, as it is published, or without. */
import { fork, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from '../run.ts';

export const [major, minor] = process.versions.node.split('.').map(Number);
/** Can this version require ES modules? */
export const requiresEsm = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
/** The entry for bundlers and for versions that cannot. */
export const EAGER = pathToFileURL(resolve('dist/register/eager.js')).href;
/** The entry that this version takes. */
export const REGISTER = requiresEsm ? pathToFileURL(resolve('dist/register/index.js')).href : EAGER;

/**
 * The environment of a child: what this process has of it is not inherited. Sockets go through the ring from their
 * first byte on: with the few messages of a test none would.
 */
export function environment(own: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { IOURING: _, IOURING_REPORT: _1, NODE_OPTIONS: _2, NODE_TEST_CONTEXT: _3, ...rest } = process.env;
  // Outside of node_modules some versions warn of an ES module that is required.
  return { ...rest, NODE_NO_WARNINGS: '1', IOURING_EAGER: '1', ...own };
}

/** Run a program's text, as an ES module. */
export function program(
  text: string,
  env: Record<string, string>,
  flags = ['--import', REGISTER],
): ReturnType<typeof run> {
  return run(process.execPath, [...flags, '--input-type=module', '-e', text], { env: environment(env) });
}

/**
 * Start an application of `apps/`, without the flag, or with it; `'eager'`: each socket is on the ring from its first
 * byte on; `'default'`: as a user has it.
 */
export function start(name: string, mode: 'plain' | 'eager' | 'default'): ChildProcess {
  const flagged = { IOURING: 'http,net', IOURING_REPORT: 'json', IOURING_EAGER: mode === 'eager' ? '1' : '' };
  const env = environment(mode === 'plain' ? {} : flagged);
  const execArgv = mode === 'plain' ? [] : ['--import', REGISTER];
  return fork(new URL(`./apps/${name}.js`, import.meta.url), {
    env,
    execArgv,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}
