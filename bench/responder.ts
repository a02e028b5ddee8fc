/** Scenario: a tiny TCP responder to requests of HTTP; the server has one core, its clients another. */
import { inC, onBun, onIoUring, onNet, onNode } from './contenders.ts';
import { partOf } from './part.ts';
import { type Case, type Competitor, type Context, type Scenario, type Target, WAITED } from './scenario.ts';
import { CPU, httpLoad, notesOnCores, P99, RATE } from './http-load.ts';

interface ResponderCase extends Case {
  readonly connections: number;
}

const CONNECTIONS = [1, 16, 64, 256];

const ring = (): Competitor<ResponderCase> => onIoUring('iouring', 'responder-iouring', none);
const reactor = (): Competitor<ResponderCase> => onIoUring('Reactor', 'responder-reactor', none);

/** With the ring. */
export async function responder(context: Context): Promise<Scenario<ResponderCase>> {
  return respondingWith(context, [ring()], 'responder', 'Tiny HTTP responder over TCP', CONNECTIONS);
}

/** With the reactor's async iterators. */
export async function sockets(context: Context): Promise<Scenario<ResponderCase>> {
  const title = 'Small messages over TCP, with acceptMany, recvMany and send';
  return respondingWith(context, [reactor()], 'sockets', title, [1, 64, 256]);
}

/** With the lean sockets of iouring/net, and the others beside them. */
export async function lean(context: Context): Promise<Scenario<ResponderCase>> {
  const ours = [
    onNet<ResponderCase>('listen', 'responder-lean', none),
    onNet<ResponderCase>('createServer', 'responder-net', of('iouring/net')),
    reactor(),
    ring(),
  ];
  const targets = [
    { cases: /, (64|256) connections$/, against: 'Bun', metric: CPU.key, least: 1 },
    { cases: /, (64|256) connections$/, against: 'C,', metric: CPU.key, least: 0.85 },
  ];
  return {
    ...(await respondingWith(context, ours, 'lean', 'Tiny HTTP responder over TCP, with sockets', [1, 64, 256])),
    targets,
  };
}

/** With the classes of iouring/net, in the place of Node's. */
export async function classes(context: Context): Promise<Scenario<ResponderCase>> {
  const ours = onNet<ResponderCase>('createServer', 'responder-net', of('iouring/net'));
  const whole = await respondingWith(context, [ours], 'classes', 'Tiny HTTP responder over TCP, with createServer', [1,
    64, 256]);
  const better = [CPU, RATE].map(({ key }): Target => ({
    cases: /, (64|256) connections$/,
    against: 'node:net',
    metric: key,
    least: 1.3,
  }));
  return { ...partOf(whole, { competitors: /createServer$|^node:net$/ }), targets: better };
}

const none = (): string[] => [];
const of = (module: string) => (): string[] => ['--module', module];

async function respondingWith(
  context: Context,
  ours: readonly Competitor<ResponderCase>[],
  name: string,
  title: string,
  connectionCounts: readonly number[],
): Promise<Scenario<ResponderCase>> {
  const { launcher } = context;
  const load = await httpLoad(context);
  const competitors = load.loaded([
    ...ours,
    await inC(launcher, 'responder', none),
    onNode('node:net', 'responder-net', of('node:net')),
    await onBun(launcher, 'Bun.listen', 'responder-lean', none),
  ]);
  return {
    name,
    title,
    metrics: [CPU, RATE, name === 'lean' ? { ...P99, inReadme: true } : P99, WAITED],
    cases: connectionCounts.map((connections) => ({
      group: name,
      name: connections === 1 ? '1 connection' : `${connections} connections`,
      connections,
    })),
    competitors,
    notes: notesOnCores(context),
    enter: async (competitor, test) => load.enter(await launcher.serve(competitor.command(test)), test),
    async [Symbol.asyncDispose]() {},
  };
}
