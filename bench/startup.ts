/** Scenario: short programs, with `iouring/register` on their command line and without. */
import { pathToFileURL } from 'node:url';
import { notBuilt } from './contenders.ts';
import { inProject } from './project.ts';
import type { Case, Context, Sample, Scenario } from './scenario.ts';

interface StartCase extends Case {
  /** Text of a program of CommonJS. */
  readonly program: string;
  /** The environment that it has with the flag. */
  readonly env: Readonly<Record<string, string>>;
}

/** A measurement is the median of so many processes: with three rounds or more there are nine. */
const PROCESSES = 3;
const TIMEOUT_MS = 60_000;
const KIBIBYTES_A_MEBIBYTE = 1024;

const NOTHING = '0';
const LISTENS = `const server = require('node:http').createServer().listen(0, '127.0.0.1', () => server.close());`;
const ANSWERS = `
  const http = require('node:http');
  const server = http.createServer((request, response) => response.end('answer')).listen(0, '127.0.0.1', () => {
    http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (response) => {
      response.resume().on('end', () => server.close());
    });
  });`;
const READS = `require('node:fs/promises').readFile('/proc/version').then(() => {});`;

const ALL = { IOURING: 'http,net,fs' };

const CASES: readonly StartCase[] = [
  { name: 'node -e 0, nothing chosen', program: NOTHING, env: {} },
  { name: 'node -e 0, IOURING=http,net,fs', program: NOTHING, env: ALL },
  { name: 'a server of node:http that listens', program: LISTENS, env: ALL },
  { name: 'and answers one request', program: ANSWERS, env: ALL },
  { name: 'and does so by the ring, IOURING_EAGER=1', program: ANSWERS, env: { ...ALL, IOURING_EAGER: '1' } },
  { name: 'a file that is read', program: READS, env: ALL },
].map((test) => ({ group: 'startup', ...test }));

/** What a process has used when it ends; it says so itself. */
const REPORT = `process.on('exit', () => require('node:fs').writeSync(1, JSON.stringify(process.resourceUsage())));`;

export function startup({ launcher }: Context): Promise<Scenario<StartCase>> {
  const entry = pathToFileURL(inProject('dist', 'register', 'index.js')).href;
  const argsOf = ({ program }: StartCase): string[] => ['-e', `${REPORT}\n${program}`];
  return Promise.resolve({
    name: 'startup',
    title: 'A program from its start to its end, with iouring/register and without',
    metrics: [
      { key: 'cpuMilliseconds', title: 'CPU ms', better: 'lower', digits: 1 },
      { key: 'mebibytes', title: 'MiB of memory, at most', better: 'lower', digits: 1, inReadme: true },
    ],
    cases: CASES,
    competitors: [
      {
        name: 'iouring/register',
        isOurs: true,
        missing: notBuilt('dist', 'register', 'index.js'),
        command: (test) => ({
          file: process.execPath,
          args: ['--import', entry, ...argsOf(test)],
          env: { ...test.env, NODE_NO_WARNINGS: '1' },
        }),
      },
      {
        name: 'Node alone',
        command: (test) => ({ file: process.execPath, args: argsOf(test), env: { NODE_NO_WARNINGS: '1' } }),
      },
    ],
    notes: [`A program from its start to its end: each number is the median of ${PROCESSES} processes in a round`],
    async measure(competitor, test) {
      const samples: Sample[] = [];
      while (samples.length < PROCESSES) {
        const usage = await launcher.runForJson<NodeJS.ResourceUsage>(competitor.command(test), 'measured', TIMEOUT_MS);
        samples.push({
          cpuMilliseconds: (usage.userCPUTime + usage.systemCPUTime) / 1000,
          mebibytes: usage.maxRSS / KIBIBYTES_A_MEBIBYTE,
        });
      }
      return { cpuMilliseconds: median(samples, 'cpuMilliseconds'), mebibytes: median(samples, 'mebibytes') };
    },
    async [Symbol.asyncDispose]() {},
  });
}

function median(samples: readonly Sample[], key: string): number {
  return samples.map((sample) => sample[key]).sort((a, b) => a - b)[samples.length >> 1];
}
