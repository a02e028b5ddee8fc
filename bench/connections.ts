/** Scenario: short connections, accepted by a server, or made by a client. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, type LoopResult, measureLoop, type Scenario } from './scenario.ts';
import { type Load, loadedBy, loadInC, measureServed } from './served.ts';

interface ConnectionCase extends Case {
  /** The program whose numbers count. */
  readonly program: 'greeter' | 'short-connections';
}

const AT_ONCE = 64;

export async function connections(context: Context): Promise<Scenario<ConnectionCase>> {
  const { launcher } = context;
  const args = ({ program }: ConnectionCase): string[] => (program === 'greeter' ? [] : ['--at-once', `${AT_ONCE}`]);
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
  return {
    name: 'connections',
    title: `Short connections, ${AT_ONCE} at a time`,
    metrics: [
      { key: 'cpuMicroseconds', title: 'CPU µs per connection', better: 'lower', digits: 1 },
      { key: 'connectionsPerSecond', title: 'connections/s', better: 'higher', digits: 0, inReadme: true },
    ],
    cases: [
      { group: 'connections', name: 'accepted', program: 'greeter' },
      { group: 'connections', name: 'made', program: 'short-connections' },
    ],
    competitors: loadedBy(load, competitors),
    notes: [
      'Short connections: the server sends one byte and ends its side, then the client does; ' +
        'node:net is compared with `createServer` and `connect` of its kind, the others with the lean ones',
    ],
    async measure(competitor, test) {
      if (test.program === 'greeter') {
        return rates(await measureServed<LoopResult>(context, competitor.command(test), load));
      }
      await using server = await launcher.serve(greeter.command({ ...test, program: 'greeter' }), 'beside');
      const connecting: Competitor<ConnectionCase> = {
        ...competitor,
        command(test) {
          const command = competitor.command(test);
          return { ...command, args: [...command.args, '--port', `${server.port}`] };
        },
      };
      return rates(await measureLoop(context, connecting, test));
    },
    async [Symbol.asyncDispose]() {},
  };
}

function rates({ ops, seconds, cpuSeconds }: LoopResult): { cpuMicroseconds: number; connectionsPerSecond: number } {
  return { cpuMicroseconds: (cpuSeconds * 1e6) / ops, connectionsPerSecond: ops / seconds };
}
