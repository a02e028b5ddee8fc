/** Scenario: applications as they are, with `iouring/register` on their command line and without. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { notBuilt } from './contenders.ts';
import { CPU, httpLoad, type HttpLoad, notesOnCores, P99, RATE, turnsOf } from './http-load.ts';
import { type Command, findInPath } from './launcher.ts';
import { competitorProgram, inProject } from './project.ts';
import {
  type Case,
  type Competitor,
  type Contestant,
  type Context,
  measureLoop,
  type Sample,
  type Scenario,
  type Target,
  WAITED,
} from './scenario.ts';

interface ApplicationCase extends Case {
  /** A name of `applications.ts`. */
  readonly app?: string;
  /** A name of `driver.ts`. */
  readonly driver?: 'ioredis' | 'pg';
  readonly postBytes?: number;
  /** What of it goes through the ring. */
  readonly parts: string;
  /** Where the other side listens; a measurement chooses it. */
  readonly port?: number;
  /** The ratio that is aimed at. */
  readonly least: number;
}

const CONNECTIONS = 64;
const WEBSOCKETS = 16;
const IN_FLIGHT = 16;

const CASES: readonly ApplicationCase[] = [
  { group: 'register', name: 'node:http', app: 'http', parts: 'http', least: 1.3 },
  { group: 'register', name: 'fastify', app: 'fastify', parts: 'http', least: 1.25 },
  { group: 'register', name: 'hono', app: 'hono', parts: 'http', least: 1.25 },
  { group: 'register', name: 'koa', app: 'koa', parts: 'http', least: 1 },
  { group: 'register', name: 'express', app: 'express', parts: 'http', least: 1.1 },
  { group: 'register', name: 'POST of 4 KiB', app: 'http', postBytes: 4096, parts: 'http', least: 1.2 },
  { group: 'register', name: 'ws', app: 'ws', parts: 'http', least: 1.2 },
  { group: 'register', name: 'proxy', app: 'proxy', parts: 'http', least: 1.2 },
  { group: 'register', name: 'cluster of 2', app: 'cluster', parts: 'http', least: 1.2 },
];

const CLIENTS: readonly ApplicationCase[] = [
  { group: 'clients', name: 'ioredis', driver: 'ioredis', parts: 'net', least: 1 },
  { group: 'clients', name: 'pg', driver: 'pg', parts: 'net', least: 1 },
];

export async function register(context: Context): Promise<Scenario<ApplicationCase>> {
  const load = await httpLoad(context);
  const { competitors, ...comparison } = comparisonOf(CASES);
  return {
    ...comparison,
    competitors: load.loaded(competitors),
    name: 'register',
    title: 'Applications as they are, with iouring/register and without',
    metrics: [CPU, { ...RATE, inReadme: true }, { ...P99, inReadme: true }, WAITED],
    notes: notesOnCores(context),
    enter: (competitor, test) => enterServer(context, load, competitor, test),
  };
}

/** What is measured there is the client. */
export async function registerClients(context: Context): Promise<Scenario<ApplicationCase>> {
  const missing = missingPrograms();
  return {
    name: 'register-clients',
    title: `Drivers of databases with ${IN_FLIGHT} requests under way, with iouring/register and without`,
    metrics: [{ ...CPU, title: 'client CPU µs per request' }, { ...RATE, inReadme: true }],
    notes: [...notesOnCores(context), ...missing.values()],
    measure: (competitor, test) => measureDriver(context, competitor, test),
    ...comparisonOf(CLIENTS.filter(({ driver }) => !missing.has(driver!))),
  };
}

function comparisonOf(
  cases: readonly ApplicationCase[],
): Pick<Scenario<ApplicationCase>, 'cases' | 'competitors' | 'targets'> & AsyncDisposable {
  return {
    cases,
    competitors: [
      {
        name: 'iouring/register',
        missing: notBuilt('dist', 'register', 'index.js'),
        command: (test) => commandOf(test, true),
      },
      { name: 'Node alone', command: (test) => commandOf(test, false) },
    ],
    targets: cases.flatMap(({ name, least }): Target[] =>
      [CPU, RATE].map(({ key }) => ({ cases: new RegExp(`${name}$`), against: 'Node alone', metric: key, least }))
    ),
    async [Symbol.asyncDispose]() {},
  };
}

/** Which databases are not here, and what to say of it. */
function missingPrograms(): Map<string, string> {
  const programs = { ioredis: 'redis-server', pg: 'postgres' };
  const missing = Object.entries(programs).filter(([, program]) => findInPath(program) === undefined);
  return new Map(missing.map(([driver, program]) => [driver, `${driver} was left out: no ${program}`]));
}

function commandOf({ app, driver, parts, port }: ApplicationCase, isRegistered: boolean): Command {
  const upstream = port === undefined ? [] : ['--upstream', `${port}`];
  const args = driver === undefined
    ? [competitorProgram('applications'), '--app', app!, ...upstream]
    : [competitorProgram('driver'), '--driver', driver, '--port', `${port}`, '--in-flight', `${IN_FLIGHT}`];
  return { file: process.execPath, args, env: environmentOf(isRegistered ? parts : undefined) };
}

/** A program's environment, with these parts on the ring; undefined: with none, and not registered. */
export function environmentOf(parts: string | undefined): Record<string, string> {
  const entry = pathToFileURL(inProject('dist', 'register', 'index.js')).href;
  const env = parts === undefined ? {} : { NODE_OPTIONS: `--import=${entry}`, IOURING: parts };
  return { ...env, NODE_NO_WARNINGS: '1', NODE_ENV: 'production' };
}

async function enterServer(
  { launcher }: Context,
  load: HttpLoad,
  competitor: Competitor<ApplicationCase>,
  test: ApplicationCase,
): Promise<Contestant> {
  const { app, postBytes = 0 } = test;
  if (app === 'proxy') {
    const upstream = { file: process.execPath, args: [competitorProgram('applications'), '--app', 'http'] };
    const behind = await launcher.serve(upstream, 'beside');
    const proxy = await launcher.serve(competitor.command({ ...test, port: behind.port }));
    const contestant = await load.enter(proxy, { connections: CONNECTIONS });
    return {
      warmupSeconds: contestant.warmupSeconds,
      turn: (seconds, counts) => contestant.turn(seconds, counts),
      result: () => contestant.result(),
      async [Symbol.asyncDispose]() {
        await contestant[Symbol.asyncDispose]();
        await behind[Symbol.asyncDispose]();
      },
    };
  }
  const server = await launcher.serve(competitor.command(test));
  if (app === 'ws') {
    const args = [competitorProgram('websocket-load'), '--port', `${server.port}`, '--connections', `${WEBSOCKETS}`];
    return turnsOf(server, launcher.attend({ file: process.execPath, args }, 'beside'));
  }
  return load.enter(server, { connections: CONNECTIONS, postBytes, workers: childrenOf(server.pid) });
}

/** Processes that another has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

/** By what the tests have for it, which prints that no test was run: it is loaded only where it is needed. */
async function startDatabase(driver: 'ioredis' | 'pg'): Promise<AsyncDisposable & { readonly port: number }> {
  if (driver === 'ioredis') return (await import('../test/net/clients/redis.ts')).RedisServer.start();
  return (await import('../test/net/clients/postgres.ts')).PostgresServer.start();
}

async function measureDriver(
  context: Context,
  competitor: Competitor<ApplicationCase>,
  test: ApplicationCase,
): Promise<Sample> {
  await using database = await startDatabase(test.driver!);
  const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, { ...test, port: database.port });
  // What a client waits for is not measured one by one: the mean follows from the rate.
  return { cpuMicroseconds: (cpuSeconds * 1e6) / ops, requestsPerSecond: ops / seconds };
}
