/** Scenarios: servers of node:http and node:https on the sockets of `iouring/net`, and on Node's own, under wrk. */
import { onBun, onNet, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, type Scenario, type Target, WAITED } from './scenario.ts';
import { CPU, loadedByWrk, measureWithWrk, notesOnCores, P99, RATE } from './wrk.ts';

interface HttpCase extends Case {
  /** Of the body that a request asks for; a small one otherwise. */
  readonly answerBytes?: number;
  /** Of the body that a request brings. */
  readonly postBytes?: number;
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
  ];
  const targets = [
    ...aims(/GET$/, [P99], 1),
    ...aims(/GET/, [CPU, RATE], 1.3),
    ...aims(/POST/, [CPU, RATE], 1.2),
  ];
  return serving(context, 'http', cases, targets);
}

export async function https(context: Context): Promise<Scenario<HttpCase>> {
  return serving(context, 'https', [{ group: 'https', name: 'GET' }], aims(/GET/, [CPU, RATE], 1));
}

async function serving(
  context: Context,
  protocol: 'http' | 'https',
  cases: readonly HttpCase[],
  targets: readonly Target[],
): Promise<Scenario<HttpCase>> {
  const { launcher } = context;
  const sockets = (module: string) => (): string[] => ['--protocol', protocol, '--sockets', module];
  const theirs = `node:${protocol}`;
  const competitors: Competitor<HttpCase>[] = [
    onNet(`${theirs} on createServer`, 'http-server', sockets('iouring/net')),
    onNode(theirs, 'http-server', sockets('its own')),
    await onBun(launcher, theirs, 'http-server', sockets('its own')),
  ];
  return {
    name: protocol,
    title: `${protocol.toUpperCase()} server of ${theirs}, ${CONNECTIONS} connections`,
    metrics: [CPU, { ...RATE, inReadme: true }, { ...P99, inReadme: true }, WAITED],
    cases,
    competitors: loadedByWrk(competitors),
    targets,
    notes: notesOnCores(context),
    async measure(competitor, test) {
      const { answerBytes, postBytes } = test;
      const path = answerBytes === undefined ? '/' : `/${answerBytes}`;
      await using server = await launcher.serve(competitor.command(test));
      return await measureWithWrk(context, server, {
        connections: CONNECTIONS,
        protocol,
        path,
        ...(answerBytes === undefined ? {} : { bodyBytes: answerBytes }),
        ...(postBytes === undefined ? {} : { postBytes }),
      });
    },
    async [Symbol.asyncDispose]() {},
  };
}
