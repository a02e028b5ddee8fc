/** Scenario: a server whose connections say nothing. It has nothing to do, and does nothing. */
import { setTimeout as pause } from 'node:timers/promises';
import { inC, onBun, onNet, onNode } from './contenders.ts';
import { ProcessCpu } from './process-cpu.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';
import { loadedBy, loading, loadInC } from './served.ts';
import { WakeUps } from './wake-ups.ts';

interface SleepCase extends Case {
  readonly connections: number;
}

/** Ten seconds for each second that the others get. */
const LONGER = 10;
/** What the last connection has set off is over then. */
const SETTLED_MS = 1500;

export async function asleep(context: Context): Promise<Scenario<SleepCase>> {
  const { launcher } = context;
  const seconds = LONGER * context.seconds;
  const idlers = await loadInC(launcher, 'idlers');
  const none = (): string[] => [];
  const of = (module: string) => (): string[] => ['--module', module];
  const competitors: Competitor<SleepCase>[] = [
    onNet('listen', 'echo-lean', none),
    onNet('createServer', 'echo', of('iouring/net')),
    onNode('node:net', 'echo', of('node:net')),
    await onBun(launcher, 'Bun.listen', 'echo-lean', none),
    await inC(launcher, 'echo', none),
  ];
  return {
    name: 'asleep',
    title: `A server without anything to do for ${seconds} s`,
    metrics: [
      { key: 'wakeUps', title: 'wake-ups of its threads', better: 'lower', digits: 0, fact: true },
      { key: 'cpuMilliseconds', title: 'CPU ms', better: 'lower', digits: 2, fact: true },
    ],
    cases: [{ group: 'asleep', name: '1,000 connections', connections: 1000 }],
    competitors: loadedBy(idlers, competitors),
    notes: [
      'A server without anything to do: timers of Node and of V8 wake it as well; those that node:net has are theirs',
    ],
    async measure(competitor, test) {
      await using server = await launcher.serve(competitor.command(test));
      const load = loading(idlers, server, '--connections', `${test.connections}`);
      await using _clients = await launcher.start(load, 'beside', 'connect');
      await pause(SETTLED_MS);
      const wakeUps = new WakeUps(server.pid);
      const cpu = new ProcessCpu(server.pid);
      await pause(1000 * seconds);
      return { wakeUps: wakeUps.count(), cpuMilliseconds: 1000 * cpu.seconds() };
    },
    async [Symbol.asyncDispose]() {},
  };
}
