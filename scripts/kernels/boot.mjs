import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { WORK } from './packages.mjs';

const EMULATED = '-accel tcg,thread=multi -smp 2 -m 3G -nographic -no-reboot -net none'.split(' ');

function commandFor({ arch, image, program, isOwn }, only) {
  if (isOwn) return [process.execPath, ['scripts/kernels/checks.mjs', ...(only === '' ? [] : [only])]];
  const disk = join(WORK, `initrd-${arch}.cpio`);
  // What the kernel does not know it hands on: to the programs inside, as their environment.
  const limit = process.env.LIMIT_MS === undefined ? [] : [`LIMIT_MS=${process.env.LIMIT_MS}`];
  const words = [...limit, 'loglevel=5', 'panic=1', 'mitigations=off', 'no_timer_check', 'rdinit=/init',
    `ONLY=${only}`];
  if (program !== undefined) {
    return [image, ['mem=3G', `uml_dir=${join(WORK, 'uml')}`, `initrd=${disk}`, 'con=null', 'con0=fd:0,fd:1',
      ...words]];
  }
  const [qemu, serial, cpu] = arch === 'amd64'
    ? ['qemu-system-x86_64', 'ttyS0', ['-cpu', 'max,la57=off']]
    : ['qemu-system-aarch64', 'ttyAMA0', ['-M', 'virt', '-cpu', 'neoverse-n1']];
  return [qemu, [...cpu, ...EMULATED, '-kernel', image, '-initrd', disk, '-append',
    [`console=${serial}`, ...words].join(' ')]];
}

/**
 * {@link bootOnce}, and again for what is left if the machine ends before its end. What it ended in is tried once more, and has failed then.
 */
export async function boot(machine, { only, seconds }) {
  const prefix = /^\w+:/.exec(only)?.[0].replace('fast', 'tests') ?? '';
  let total;
  let suspect;
  for (let asked = only;;) {
    const result = await bootOnce(machine, { only: asked, seconds });
    total = total === undefined ? result : together(total, result);
    const { left } = result;
    if (left.length === 0) return total;
    if (result.version === '?' || result.isLate) return { ...total, failed: [...total.failed, ...left] };
    if (left[0] === suspect) total.failed.push(left.shift());
    if (left.length === 0) return total;
    suspect = left[0];
    asked = `${prefix}${left.join(',')}`;
    console.log(`It ended in ${suspect}, and is booted again`);
  }
}

function together(one, other) {
  const sum = (of) => one[of] + other[of];
  const tests = Object.fromEntries(
    Object.entries(one.tests).map(([what, count]) => [what, count + other.tests[what]]),
  );
  const [refused, failed] = ['refused', 'failed'].map((of) => [...one[of], ...other[of]]);
  return { ...one, passed: sum('passed'), seconds: sum('seconds'), refused, failed, tests };
}

/**
 * Boot one kernel and read what the checks tell on its console. What it said as a whole is in build/kernels/NAME-ARCH.log. What is
 * not told of within the time is `left`.
 */
async function bootOnce(machine, { only, seconds }) {
  const [command, args] = commandFor(machine, only);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const log = createWriteStream(join(WORK, `${machine.name}-${machine.arch}.log`));
  child.stderr.pipe(log, { end: false });
  let isLate = false;
  // All at once. The processes inside of a user-mode Linux are of this machine too; without their kernel they would go on, hold the
  // pipes, and have their system calls carried out by this one.
  const end = () => process.kill(-Number(child.pid), 'SIGKILL');
  process.on('exit', end);
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, seconds * 1000);
  const start = performance.now();
  const names = [];
  const told = new Set();
  const result = {
    version: '?',
    passed: 0,
    refused: [],
    failed: [],
    tests: { pass: 0, skipped: 0, fail: 0 },
    seconds: 0,
  };
  for await (const line of createInterface(child.stdout)) {
    const text = stripVTControlCharacters(line).replaceAll('\r', '');
    log.write(`${text}\n`);
    const plan = /^# (\S+), .*: (.*)$/.exec(text);
    const [, state, name, why] = /^(ok|refused|not ok) ([^\s:]+):?\s?(.*)$/.exec(text) ?? [];
    if (plan) {
      result.version = plan[1];
      names.push(...plan[2].split(' '));
    } else if (state === undefined) {
      const [, what, count] = /^# +# (pass|skipped|fail) (\d+)$/.exec(text) ?? [];
      if (what !== undefined) result.tests[what] += Number(count);
      if (/BUG:|Oops|panic -|WARNING:|blocked for more than|stall on CPU|^#/.test(text)) console.log(text);
      continue;
    } else {
      told.add(name);
      if (state === 'ok') result.passed++;
      else if (state === 'refused') result.refused.push(`${name} (${why})`);
      else result.failed.push(name);
    }
    console.log(text);
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  clearTimeout(timer);
  process.off('exit', end);
  log.end();
  if (names.length === 0) result.failed.push('the boot');
  result.left = names.filter((name) => !told.has(name));
  result.isLate = isLate;
  result.seconds = Math.round((performance.now() - start) / 1000);
  return result;
}
