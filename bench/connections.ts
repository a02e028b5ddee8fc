/** Scenario: short connections, accepted by a server, or made by a client. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import {
  type Competitor,
  type Context,
  type LoopResult,
  measureLoop,
  type Sample,
  type Scenario,
  type Target,
} from './scenario.ts';
import { type Load, loadedBy, loadInC, measureServed } from './served.ts';
import { placeOf, SocketPaths, type Transport, type TransportCase } from './socket-paths.ts';

interface ConnectionCase extends TransportCase {
  /** The program whose numbers count. */
  readonly program: 'greeter' | 'short-connections';
}

const AT_ONCE = 64;

const RATE = 'connectionsPerSecond';
const CPU = 'cpuMicroseconds';
const TARGETS: readonly Target[] = ['node:net', 'Bun'].flatMap((against) =>
  [RATE, CPU].map((metric) => ({ cases: /^/, against, metric, least: 1 }))
);

export async function connections(context: Context): Promise<Scenario<ConnectionCase>> {
  return over('tcp', context);
}

export async function connectionsUnix(context: Context): Promise<Scenario<ConnectionCase>> {
  return over('unix', context);
}

async function over(transport: Transport, context: Context): Promise<Scenario<ConnectionCase>> {
  const { launcher } = context;
  const args = (test: ConnectionCase): string[] =>
    test.program === 'greeter' ? placeOf(test) : ['--at-once', `${AT_ONCE}`];
  const of = (module: string) => (test: ConnectionCase): string[] => [...args(test), '--module', module];
  const load: Load = await loadInC(launcher, 'short-connections', ['--at-once', `${AT_ONCE}`]);
  const greeter = await inC<ConnectionCase>(launcher, 'greeter', args);

  /** The competitor that has a program for each side, `-lean` or not. */
  function onBoth(
    contender: (program: string) => Competitor<ConnectionCase>,
    suffix: '' | '-lean',
    against?: string,
  ): Competitor<ConnectionCase> {
    const competitor = contender(`greeter${suffix}`);
    const command = (test: ConnectionCase) => contender(`${test.program}${suffix}`).command(test);
    return against === undefined ? { ...competitor, command } : { ...competitor, command, against };
  }

  const lean = onBoth((program) => onNet('listen and connect', program, args), '-lean');
  const classes = onBoth((program) => onNet('createServer and connect', program, of('iouring/net')), '');
  const programs = ['greeter-lean', 'short-connections-lean'];
  const bun = new Map<string, Competitor<ConnectionCase>>();
  for (const program of programs) {
    bun.set(program, await onBun(launcher, 'Bun.listen and Bun.connect', program, args));
  }
  const connector = await inC<ConnectionCase>(launcher, 'short-connections', args);
  const competitors: Competitor<ConnectionCase>[] = [
    lean,
    classes,
    onBoth((program) => onNode('node:net', program, of('node:net')), '', classes.name),
    onBoth((program) => bun.get(program)!, '-lean'),
    onBoth((program) => (program === 'greeter' ? greeter : connector), ''),
  ];
  const paths = new SocketPaths(transport);
  const name = paths.named('connections');
  return {
    name,
    title: `Short connections, ${AT_ONCE} at a time${paths.title}`,
    metrics: [
      { key: CPU, title: 'CPU µs per connection', better: 'lower', digits: 1 },
      { key: RATE, title: 'connections/s', better: 'higher', digits: 0, inReadme: true },
    ],
    cases: [
      { group: name, name: 'accepted', program: 'greeter' },
      { group: name, name: 'made', program: 'short-connections' },
    ],
    competitors: loadedBy(load, competitors),
    targets: TARGETS,
    notes: [
      'Short connections: the server sends one byte and ends its side, then the client does; ' +
      'node:net is compared with `createServer` and `connect` of its kind, the others with the lean ones',
    ],
    async measure(competitor, test) {
      if (test.program === 'greeter') {
        return rates(await measureServed<LoopResult>(context, competitor.command(paths.placed(test)), load));
      }
      const greeting: ConnectionCase = { ...paths.placed(test), program: 'greeter' };
      await using server = await launcher.serve(greeter.command(greeting), 'beside');
      const connecting: Competitor<ConnectionCase> = {
        ...competitor,
        command(test) {
          const command = competitor.command(test);
          return { ...command, args: [...command.args, ...server.address] };
        },
      };
      return rates(await measureLoop(context, connecting, test));
    },
    async [Symbol.asyncDispose]() {
      paths[Symbol.dispose]();
    },
  };
}

function rates({ ops, seconds, cpuSeconds }: LoopResult): Sample {
  return { [CPU]: (cpuSeconds * 1e6) / ops, [RATE]: ops / seconds };
}
