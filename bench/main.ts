/** The benchmark's command line: runs scenarios, shows their tables, writes the results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Against, buildAgainst, changesForTheWorse, withTwins } from './against.ts';
import { append } from './append.ts';
import { asleep } from './asleep.ts';
import { bundle } from './bundle.ts';
import { compare } from './compare.ts';
import { connections, connectionsUnix } from './connections.ts';
import { copies } from './copies.ts';
import { delay } from './delay.ts';
import { direct } from './direct.ts';
import { files } from './files.ts';
import { fixed } from './fixed.ts';
import { GROUPS, type Measured } from './groups.ts';
import { h2 } from './h2.ts';
import { http, https } from './http.ts';
import { idle } from './idle.ts';
import { immediates } from './immediates.ts';
import { incremental } from './incremental.ts';
import { Launcher } from './launcher.ts';
import { describeMachine, showMachine } from './machine.ts';
import { memory } from './memory.ts';
import { nop } from './nop.ts';
import { paired } from './pairs.ts';
import { type Part, partOf } from './part.ts';
import { pingpong, pingpongUnix } from './pingpong.ts';
import { Progress } from './progress.ts';
import { inProject } from './project.ts';
import { promises } from './promises.ts';
import { randomRead } from './random-read.ts';
import { registerFiles } from './register-files.ts';
import { register, registerClients } from './register.ts';
import { resp } from './resp.ts';
import { classes, lean, responder, sockets } from './responder.ts';
import type { Results, ScenarioResult } from './results.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { startup } from './startup.ts';
import { staticFiles } from './static.ts';
import { streams, streamsUnix } from './streams.ts';
import { showScenario } from './tables.ts';
import { withTargets } from './targets.ts';
import { timers } from './timers.ts';
import { udp } from './udp.ts';
import { zeroCopy } from './zero-copy.ts';

const USAGE = `Usage: npm run bench -- [options]

  --scenario A,B  only these scenarios, or groups of them (see --list); all scenarios otherwise,
                  and with --against nop, read, promises, files, lean, http
  --cases RE      of their cases only those that match, as tables show them: “udp, 1 at a time”
  --competitors RE  of their competitors only those that match
  --rounds N      measurements of each competitor in each case (5)
  --seconds S     length of a measurement (1)
  --quick         one round of 0.2 seconds: does everything work?
  --nice=N        niceness of competitors and loads; -20 (root only) where others use the machine
  --against REF   this package as it is now against what it was at another commit, and no other competitor
  --json FILE     where to write the results (bench/out/latest.json)
  --save          write them to bench/results/latest.json too, for docs/performance.md
  --list          the scenarios, and the groups
`;

const SCENARIOS = {
  nop: comparing(nop),
  read: comparing(randomRead),
  responder: comparing(responder),
  promises: comparing(promises),
  sockets: comparing(sockets),
  append: comparing(append),
  delay: comparing(delay),
  idle: comparing(idle),
  fixed: comparing(fixed),
  bundle: comparing(bundle),
  incremental: comparing(incremental),
  'zero-copy': comparing(zeroCopy),
  direct: comparing(direct),
  files: comparing(files),
  copies: comparing(copies),
  lean: comparing(lean),
  classes: comparing(classes),
  http: comparing(http),
  https: comparing(https),
  h2: comparing(h2),
  register: comparing(register),
  'register-clients': comparing(registerClients),
  'register-files': comparing(registerFiles),
  startup: comparing(startup),
  resp: comparing(resp),
  streams: comparing(streams),
  'streams-unix': comparing(streamsUnix),
  pingpong: comparing(pingpong),
  'pingpong-unix': comparing(pingpongUnix),
  static: comparing(staticFiles),
  connections: comparing(connections),
  'connections-unix': comparing(connectionsUnix),
  udp: comparing(udp),
  immediates: comparing(immediates),
  timers: comparing(timers),
  asleep: comparing(asleep),
  memory,
};

type Run = (
  context: Context,
  signal: AbortSignal,
  progress: Progress,
  parts: readonly Part[],
  against?: Against,
) => Promise<ScenarioResult>;

function comparing<C extends Case>(open: (context: Context) => Promise<Scenario<C>>): Run {
  return async (context, signal, progress, parts, against) => {
    await using whole = await open(context);
    const part = partOf(whole, ...parts);
    const scenario = against === undefined ? part : withTwins(part, against);
    return withTargets(paired(await compare(scenario, context, signal, progress), scenario), scenario);
  };
}

/** What a change is compared in unless it says what it concerns. */
const CHANGED_BY_MOST = 'nop,read,promises,files,lean,http';

function isScenario(name: string): name is keyof typeof SCENARIOS {
  return name in SCENARIOS;
}

/** The scenarios that are meant by their names, or by those of groups. */
function measured(names: readonly string[]): readonly Measured[] {
  return names.flatMap((name) => {
    if (isScenario(name)) {
      return { scenario: name, part: {} };
    }
    if (!(name in GROUPS)) {
      const known = [...Object.keys(SCENARIOS), ...Object.keys(GROUPS)];
      throw new Error(`Cannot run ${name}: scenarios and groups are ${known.join(', ')}`);
    }
    return GROUPS[name];
  });
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      cases: { type: 'string' },
      competitors: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      nice: { type: 'string' },
      against: { type: 'string' },
      json: { type: 'string', default: inProject('bench', 'out', 'latest.json') },
      save: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const all = values.against === undefined ? Object.keys(SCENARIOS).join(',') : CHANGED_BY_MOST;
  const wanted = measured((values.scenario ?? all).split(','));
  if (values.save && values.against !== undefined) {
    throw new Error('Cannot save: with --against there are no competitors for the tables');
  }
  const part = { cases: pattern(values.cases), competitors: pattern(values.competitors) };
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 0.2 : 1));
  if (!Number.isInteger(rounds) || rounds < 1 || !(seconds > 0)) {
    throw new Error('Cannot measure: --rounds must be 1 or more and --seconds above 0');
  }
  const niceness = values.nice === undefined ? undefined : Number(values.nice);
  if (niceness !== undefined && !(Number.isInteger(niceness) && Math.abs(niceness) <= 20)) {
    throw new Error('Cannot measure: --nice must be -20 to 19');
  }
  return { ...values, wanted, part, rounds, seconds, niceness };
}

function pattern(source: string | undefined): RegExp | undefined {
  return source === undefined ? undefined : new RegExp(source);
}

function showList(): string {
  const groups = Object.entries(GROUPS).map(
    ([name, members]) => `${name}: ${members.map(({ scenario }) => scenario).join(', ')}`,
  );
  return [...Object.keys(SCENARIOS), '', 'Groups, of scenarios or parts of them:', ...groups].join('\n');
}

function writeResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

async function main(signal: AbortSignal): Promise<boolean> {
  const { wanted, part, rounds, seconds, niceness, json, save, list, help, against: ref } = readOptions();
  if (help || list) {
    console.log(help ? USAGE : showList());
    return true;
  }
  const launcher = new Launcher(signal, niceness);
  const machine = await describeMachine(launcher);
  console.log(showMachine(machine));
  const context = { launcher, rounds, seconds };
  const scenarios: ScenarioResult[] = [];
  await using against = ref === undefined ? undefined : await buildAgainst(launcher, ref);
  const worse: string[] = [];
  for (const { scenario, part: member } of wanted) {
    const result = await SCENARIOS[scenario as keyof typeof SCENARIOS](
      context,
      signal,
      new Progress(),
      [member, part],
      against,
    );
    console.log(showScenario(result));
    scenarios.push(result);
    if (against !== undefined && result.kind === 'comparison') {
      worse.push(...changesForTheWorse(result, rounds));
    }
  }
  const options = process.argv.slice(2).map(quoted).join(' ');
  const command = `npm run bench${options === '' ? '' : ` -- ${options}`}`;
  const date = new Date().toISOString();
  const results = { date, command, machine, settings: { rounds, seconds }, scenarios };
  writeResults(json, results);
  if (save) {
    writeResults(inProject('bench', 'results', 'latest.json'), results);
  }
  if (against !== undefined) {
    console.log(`\n${worse.length === 0 ? `Nothing is worse than ${against.label}` : worse.join('\n')}`);
  }
  return worse.length === 0 && scenarios.every(({ failed }) => failed.length === 0);
}

/** A word of a command, as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

const interrupted = new AbortController();
for (const [name, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  // Not `once`: npm passes on a Ctrl-C that the terminal has sent here already.
  process.on(name, () => {
    process.exitCode = code;
    interrupted.abort();
  });
}

try {
  if (!(await main(interrupted.signal))) {
    process.exitCode = 1;
  }
} catch (error) {
  if (!interrupted.signal.aborted) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
