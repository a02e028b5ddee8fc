/** Scenarios: servers of node:http and node:https on the sockets of `iouring/net`, and on Node's own. */
import { onBun, onNet, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, type Scenario, type Target, WAITED } from './scenario.ts';
import { CPU, httpLoad, notesOnCores, P99, RATE } from './http-load.ts';
import { loadedByWrk, measureWithWrk } from './wrk.ts';

interface HttpCase extends Case {
  /** Of the body that a request asks for; a small one otherwise. */
  readonly answerBytes?: number;
  /** Of the body that a request brings. */
  readonly postBytes?: number;
  /** Its connections are new in each turn. */
  readonly isFresh?: boolean;
  /** Its clients never sleep. */
  readonly isAwake?: boolean;
}

const CONNECTIONS = 64;
const KIBIBYTE = 1024;
const SIZES = [4, 100];

/** What is aimed at in some cases. */
function aims(cases: RegExp, metrics: readonly { readonly key: string }[], least: number): Target[] {
  return metrics.map(({ key }) => ({ cases, against: 'node:http', metric: key, least }));
}

export async function http(context: Context): Promise<Scenario<HttpCase>> {
  const cases: HttpCase[] = [
    { group: 'http', name: 'GET' },
    ...SIZES.map((size) => ({ group: 'http', name: `GET of ${size} KiB`, answerBytes: size * KIBIBYTE })),
    ...SIZES.map((size) => ({ group: 'http', name: `POST of ${size} KiB`, postBytes: size * KIBIBYTE })),
    { group: 'http', name: 'GET over new connections', isFresh: true },
    { group: 'http', name: 'GET by clients that never sleep', isAwake: true },
  ];
  const targets = [
    ...aims(/GET/, [P99], 1),
    ...aims(/GET$|GET of/, [CPU, RATE], 1.3),
    ...aims(/new connections|never sleep/, [CPU, RATE], 1),
    ...aims(/POST/, [CPU, RATE], 1.2),
  ];
  const load = await httpLoad(context);
  return {
    ...serving(context, 'http', cases, targets),
    competitors: load.loaded(await serversOf(context, 'http')),
    async enter(competitor, test) {
      const { answerBytes, postBytes = 0, isFresh = false, isAwake = false } = test;
      const path = answerBytes === undefined ? '/' : `/${answerBytes}`;
      const request = { connections: CONNECTIONS, path, bodyBytes: answerBytes ?? 0, postBytes, isFresh, isAwake };
      return load.enter(await context.launcher.serve(competitor.command(test)), request);
    },
  };
}

export async function https(context: Context): Promise<Scenario<HttpCase>> {
  return {
    ...serving(context, 'https', [{ group: 'https', name: 'GET' }], aims(/GET/, [CPU, RATE], 1)),
    competitors: loadedByWrk(await serversOf(context, 'https')),
    async measure(competitor, test) {
      await using server = await context.launcher.serve(competitor.command(test));
      return await measureWithWrk(context, server, CONNECTIONS);
    },
  };
}

async function serversOf({ launcher }: Context, protocol: 'http' | 'https'): Promise<Competitor<HttpCase>[]> {
  const sockets = (module: string) => (): string[] => ['--protocol', protocol, '--sockets', module];
  const theirs = `node:${protocol}`;
  return [
    onNet(`${theirs} on createServer`, 'http-server', sockets('iouring/net')),
    onNode(theirs, 'http-server', sockets('its own')),
    await onBun(launcher, theirs, 'http-server', sockets('its own')),
  ];
}

/** What both have. */
function serving(context: Context, protocol: 'http' | 'https', cases: readonly HttpCase[], targets: readonly Target[]) {
  return {
    name: protocol,
    title: `${protocol.toUpperCase()} server of node:${protocol}, ${CONNECTIONS} connections`,
    metrics: [CPU, { ...RATE, inReadme: true }, { ...P99, inReadme: true }, WAITED],
    cases,
    targets,
    notes: notesOnCores(context),
    async [Symbol.asyncDispose]() {},
  };
}
