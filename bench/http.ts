/** Scenario: servers of node:http on the sockets of `iouring/net`, and on Node's own, under wrk. */
import { onBun, onNet, onNode } from './contenders.ts';
import { inProject } from './project.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';
import { CPU, loadedByWrk, measureWithWrk, notesOnCores, P99, RATE } from './wrk.ts';

interface HttpCase extends Case {
  readonly script?: string;
}

const CONNECTIONS = 64;

export async function http(context: Context): Promise<Scenario<HttpCase>> {
  const { launcher } = context;
  const sockets = (module: string) => (): string[] => ['--sockets', module];
  const competitors: Competitor<HttpCase>[] = [
    onNet('node:http on createServer', 'http-server', sockets('iouring/net')),
    onNode('node:http', 'http-server', sockets('its own')),
    await onBun(launcher, 'node:http', 'http-server', sockets('its own')),
  ];
  return {
    name: 'http',
    title: `HTTP server of node:http, ${CONNECTIONS} connections`,
    metrics: [CPU, { ...RATE, inReadme: true }, { ...P99, inReadme: true }],
    cases: [
      { group: 'http', name: 'GET' },
      { group: 'http', name: 'POST of 4 KiB', script: inProject('bench', 'competitors', 'post.lua') },
    ],
    competitors: loadedByWrk(competitors),
    notes: notesOnCores(context),
    async measure(competitor, test) {
      await using server = await launcher.serve(competitor.command(test));
      return await measureWithWrk(context, server, { ...test, connections: CONNECTIONS });
    },
    async [Symbol.asyncDispose]() {},
  };
}
