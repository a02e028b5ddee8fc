/** Who can compete on this machine: this package, C, Node, Node's own io_uring, and Bun. */
import { existsSync } from 'node:fs';
import { buildC, liburingVersion } from './competitors/build.ts';
import { type Command, findInPath, type Launcher } from './launcher.ts';
import { competitorProgram, inProject } from './project.ts';
import type { Case, Competitor } from './scenario.ts';

const PROBE_MS = 10_000;

type Arguments<C> = (test: C) => readonly string[];
/** One of several ways to do the same. The first has no name of its own. */
export interface Way<C extends Case> {
  readonly name?: string;
  readonly args: Arguments<C>;
}

type Options<C extends Case> = Partial<Pick<Competitor<C>, 'takesPart' | 'place'>> & {
  readonly env?: Readonly<Record<string, string>>;
};

/** A competitor in TypeScript that this Node runs. */
export function onNode<C extends Case>(
  name: string,
  program: string,
  args: Arguments<C>,
  { env, ...options }: Options<C> = {},
): Competitor<C> {
  const file = process.execPath;
  return {
    ...options,
    name,
    command: (test): Command => {
      const command = { file, args: [competitorProgram(program), ...args(test)] };
      return env === undefined ? command : { ...command, env };
    },
  };
}

/** A competitor on top of this package, of which it needs that `part` of dist. */
export function onIoUring<C extends Case>(
  name: string,
  program: string,
  args: Arguments<C>,
  part = 'index.js',
): Competitor<C> {
  return { ...onNode(name, program, args), isOurs: true, missing: notBuilt('dist', part) };
}

/** A competitor on top of `iouring/net`. */
export function onNet<C extends Case>(name: string, program: string, args: Arguments<C>): Competitor<C> {
  return onIoUring(`iouring/net, ${name}`, program, args, 'net/index.js');
}

/** Why a file of this package is not there; undefined if it is. */
export function notBuilt(...parts: string[]): string | undefined {
  return existsSync(inProject(...parts)) ? undefined : `no ${parts.join('/')}: npm run build && npm run build:test`;
}

/** A competitor in C. */
export async function inC<C extends Case>(
  launcher: Launcher,
  program: string,
  args: Arguments<C>,
): Promise<Competitor<C>> {
  const built = await buildC(launcher, program);
  const version = await liburingVersion(launcher);
  const name = version === undefined ? 'C, liburing' : `C, liburing ${version}`;
  if ('missing' in built) {
    return { name, missing: built.missing, command: noCommand };
  }
  return { name, command: (test) => ({ file: built.program, args: args(test) }) };
}

/**
 * Each of several ways on top of this package, and each of them in C. Those of this package are
 * compared with the first of them, those in C with the same way of this package.
 */
export async function inBoth<C extends Case>(
  launcher: Launcher,
  program: string,
  ways: readonly Way<C>[],
): Promise<readonly Competitor<C>[]> {
  const named = (contender: string, way: string | undefined): string =>
    way === undefined ? contender : `${contender}, ${way}`;
  const ours = ways.map(({ name, args }) => onIoUring(named('iouring', name), `${program}-iouring`, args));
  const theirs: Competitor<C>[] = [];
  for (const [index, { name, args }] of ways.entries()) {
    const competitor = await inC(launcher, program, args);
    theirs.push({
      ...competitor,
      name: named(competitor.name, name),
      against: ours[index].name,
    });
  }
  return [...ours, ...theirs];
}

/**
 * A competitor in TypeScript whose file calls go through Node's own use of io_uring: a kernel
 * thread polls its ring, and the two of them on one core would only wait for each other.
 */
export async function onNodeIoUring<C extends Case>(
  launcher: Launcher,
  name: string,
  program: string,
  args: Arguments<C>,
): Promise<Competitor<C>> {
  const env = { UV_USE_IO_URING: '1' };
  const probe = { file: process.execPath, args: [competitorProgram('uv-io-uring')], env };
  const { reads, submitted } = await launcher.runForJson<{ reads: number; submitted: number }>(
    probe,
    'beside',
    PROBE_MS,
  );
  const honoured = submitted >= reads;
  const missing = honoured
    ? undefined
    : `Node ${process.version} put ${submitted} of ${reads} reads into a ring`;
  return { ...onNode(name, program, args, { env, place: 'anywhere' }), missing };
}

/** The Bun of $BUN, of PATH or of node_modules, with its version. */
export async function findBun(
  launcher: Launcher,
): Promise<{ readonly file: string; readonly version: string } | undefined> {
  const local = inProject('node_modules', '.bin', 'bun');
  const file = process.env['BUN'] ?? findInPath('bun') ?? (existsSync(local) ? local : undefined);
  if (file === undefined) {
    return undefined;
  }
  const output = await launcher.run({ file, args: ['--version'] }, 'beside', PROBE_MS);
  return { file, version: output.trim() };
}

/** A competitor in TypeScript that Bun runs. */
export async function onBun<C extends Case>(
  launcher: Launcher,
  what: string,
  program: string,
  args: Arguments<C>,
): Promise<Competitor<C>> {
  const bun = await findBun(launcher);
  if (bun === undefined) {
    const missing = 'no bun in $BUN, in PATH or in node_modules/.bin: npm install -g bun';
    return { name: `Bun, ${what}`, missing, command: noCommand };
  }
  return {
    name: `Bun ${bun.version}, ${what}`,
    command: (test) => ({
      file: bun.file,
      args: ['run', competitorProgram(program), ...args(test)],
    }),
  };
}

/** A server from elsewhere: where it is and its name with its version, or why it is not there. */
export type Installed =
  | { readonly file: string; readonly name: string }
  | { readonly name: string; readonly missing: string };

/** Looks for a server, which has to say its version when it is called with `flag`, wherever it says that. */
export async function findServer(
  launcher: Launcher,
  name: string,
  flag: string,
  install: string,
): Promise<Installed> {
  // Where Debian has what only root is expected to start.
  const file = findInPath(name) ?? [`/usr/sbin/${name}`].find((path) => existsSync(path));
  if (file === undefined) {
    return { name, missing: `no ${name}: apt-get install ${install}` };
  }
  const args = ['-c', '"$0" "$1" 2>&1', file, flag];
  const output = await launcher.run({ file: 'sh', args }, 'beside', PROBE_MS);
  return { file, name: `${name} ${/\d+(\.\d+)+/.exec(output)?.[0] ?? ''}`.trim() };
}

export function noCommand(): never {
  throw new Error('Cannot start a competitor that is missing');
}
