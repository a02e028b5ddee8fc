import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { IORING_OP_SEND_ZC } from '../../abi/index.ts';
import { diagnose, type Diagnosis } from '../../index.ts';
import type { Entry } from '../package.ts';

/** Signals that end, stop or tell a program something; what the kernel sends for a fault is the program's own. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const;

/** Those that a terminal sends to all processes in front of it. */
const OF_TERMINAL: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH']);

/**
 * Start a program with `iouring/register` in it, and in the Node processes and threads that it starts. Resolves to its
 * exit status, once it has ended; if a signal has ended it, this process ends by the same.
 * @param args what node is given: its options, the program, and its arguments
 * @param entry how `iouring/register` comes into it
 */
export async function runProgram(
  args: readonly string[],
  { report, entry }: { report: boolean; entry: Entry },
): Promise<number> {
  sayIfUnusable();
  const { NODE_OPTIONS: options = '', IOURING_REPORT: format } = process.env;
  const env = {
    ...process.env,
    NODE_OPTIONS: withEntry(options, entry),
    ...(report && { IOURING_REPORT: format === undefined || format === '' ? '1' : format }),
  };
  const child = spawn(process.execPath, args, { stdio: 'inherit', env });
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of SIGNALS) {
    // From a terminal the program has it already; a second one would mean something else to it.
    process.on(signal, () => hasTerminal && OF_TERMINAL.has(signal) || child.kill(signal));
  }
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...end) => resolve(end));
  });
  if (signal === null) return status!;
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  return 128 + constants.signals[signal];
}

/**
 * NODE_OPTIONS with the entry in it. Modules that the program's own --require names come first, and those of its
 * --import afterwards: Yarn's Plug'n'Play, by --require, is how ours find koffi.
 */
function withEntry(options: string, { option, place }: Entry): string {
  const word = `${option}=${quoted(place)}`;
  return (option === '--require' ? `${options} ${word}` : `${word} ${options}`).trim();
}

/** A word as NODE_OPTIONS has to have it: blanks part words but between double quotes, where a backslash escapes. */
function quoted(word: string): string {
  return /[ "\\]/.test(word) ? `"${word.replace(/["\\]/g, '\\$&')}"` : word;
}

/** Docker's default profile forbids io_uring: many meet it there first. */
function sayIfUnusable(): void {
  const { IOURING_DISABLED, IOURING } = process.env;
  const sentence = IOURING_DISABLED === '1'
    ? 'the program runs on Node’s own modules: the environment variable IOURING_DISABLED is set to 1'
    : whyNot(diagnose(), IOURING);
  if (sentence !== undefined) process.stderr.write(`iouring: ${sentence}\n`);
}

/**
 * The sentence for a machine on which something stays Node's that a program was to have on the ring.
 * @param chosen the environment variable IOURING
 */
export function whyNot({ usable, problem, operations, kernel }: Diagnosis, chosen = ''): string | undefined {
  if (!usable) return `the program runs on Node’s own modules: ${problem?.cause}; 'iouring doctor' says what to do`;
  // The kernel that got this one has all that sockets need.
  const hasSockets = operations.some(({ opcode, supported }) => opcode === IORING_OP_SEND_ZC && supported);
  if (hasSockets || !/\b(?:net|http|dgram)\b/.test(chosen)) return undefined;
  return `the program’s sockets are Node’s own: they need Linux 6.0, this is ${kernel}`;
}
