import { readFileSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { defaultReactor } from '../../index.ts';
import { sized } from '../byte-size.ts';
import type { CopyCalls } from './copy-calls.ts';
import { CopyProgress } from './copy-progress.ts';
import { DIRECTORIES, TreeCopy } from './copy-tree.ts';
import { NodeCalls } from './node-calls.ts';
import { ringCalls, type RingCalls } from './ring-calls.ts';
import { BIGINT_IF_ANY } from '../call-options.ts';

/** How `iouring cp` is to be done. */
export interface CpOptions {
  json: boolean;
  progress: boolean;
}

/** Each file and each directory that is copied is open, and so is its copy; some are for the rest of the process. */
const FILES_AT_ONCE = 64;
const RESERVED_FDS = 44;

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Copy files and trees. The exit status: 0, or 1 if something could not be copied, or 128 and the number of the signal.
 * @throws {TypeError} wrong usage
 */
export async function cp(paths: readonly string[], { json, progress }: CpOptions): Promise<number> {
  if (paths.length < 2) {
    throw new TypeError(paths.length === 0 ? 'cp: what, and where to?' : `cp: where to copy '${paths[0]}'?`);
  }
  const sources = paths.slice(0, -1);
  const destination = paths[paths.length - 1];
  const isInto = statOf(destination)?.isDirectory() ?? false;
  if (sources.length > 1 && !isInto) {
    throw new TypeError(`cp: '${destination}' is no directory to put several things into`);
  }
  const { io, isRing } = calls();
  const copy = new TreeCopy(io, ...atOnce());
  const start = performance.now();
  let status = 0;
  const stops = Object.entries(SIGNALS).map(([signal, code]) => {
    const stop = (): void => {
      // The second one does not wait.
      if (copy.isStopping) process.exit(code);
      status = code;
      copy.stop();
    };
    process.on(signal, stop);
    return () => process.off(signal, stop);
  });
  const shown = progress && !json ? await CopyProgress.start(copy) : undefined;
  try {
    for (const source of sources) {
      // `source/.` is what is in it.
      const isNamed = isInto && !/(?:^|\/)\.\/*$/.test(source);
      const to = isNamed ? join(destination, basename(resolve(source))) : destination.replace(/(?<=.)\/+$/, '');
      const refusal = refusalOf(source, to);
      if (refusal !== undefined) copy.failures.push({ path: source, ...refusal });
      else await copy.copy(source.replace(/(?<=.)\/+$/, ''), to);
    }
  } finally {
    shown?.end();
    for (const off of stops) off();
    await io.close();
  }
  const seconds = (performance.now() - start) / 1000;
  const { files, directories, symlinks, bytes, failures } = copy;
  for (const { path, message } of failures) if (!json) process.stderr.write(`iouring cp: ${path}: ${message}\n`);
  if (json) {
    const summary = {
      files,
      directories,
      symlinks,
      bytes,
      seconds,
      ring: isRing,
      interrupted: status !== 0,
      errors: failures,
    };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } else if (progress) {
    const end = status === 0 ? '' : ', interrupted';
    process.stderr.write(
      `${files} files, ${directories} directories, ${symlinks} links, ${sized(bytes)} in ${
        seconds.toFixed(1)
      } s${end}\n`,
    );
  }
  return status === 0 && failures.length > 0 ? 1 : status;
}

/** The ring, as far as its kernel goes, or Node where there is none. That not everything can be kept then is told. */
function calls(): { io: CopyCalls; isRing: boolean } {
  let ring: RingCalls | undefined;
  try {
    if (process.env['IOURING_DISABLED'] !== '1') ring = ringCalls(defaultReactor());
  } catch {
    // `iouring doctor` says why.
  }
  if (ring !== undefined) {
    if (ring.lost !== undefined) process.stderr.write(`iouring cp: ${ring.lost}\n`);
    return { io: ring.io, isRing: true };
  }
  const kept = 'extended attributes and ACLs are not kept, and times to the microsecond';
  process.stderr.write(`iouring cp: there is no io_uring (iouring doctor says why): through Node; ${kept}\n`);
  return { io: new NodeCalls(), isRing: false };
}

/**
 * As many files and directories as descriptors allow. Not from `process.report`, which takes as long as a hundred
 * files.
 */
function atOnce(): [files: number, directories: number] {
  const limit = openFilesLimit();
  if (!Number.isFinite(limit)) return [FILES_AT_ONCE, DIRECTORIES];
  const pairs = Math.floor((limit - RESERVED_FDS) / 2);
  // A directory takes a third one while another is made in it.
  const directories = Math.max(1, Math.min(DIRECTORIES, Math.floor(pairs / 5)));
  return [Math.max(1, Math.min(FILES_AT_ONCE, pairs - Math.ceil(1.5 * directories))), directories];
}

/** NaN: there is none, or it is not known. */
function openFilesLimit(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  } catch {
    return NaN;
  }
}

/** The reason why `source` must not be copied to `to`: that is the source itself, or is in it. */
function refusalOf(source: string, to: string): { code: string; message: string } | undefined {
  const [from, there] = [statOf(source), statOf(to)];
  if (from !== undefined && there !== undefined && from.dev === there.dev && from.ino === there.ino) {
    return { code: 'EINVAL', message: `EINVAL: '${source}' and '${to}' are the same` };
  }
  if (from === undefined || !from.isDirectory()) {
    return there?.isDirectory() && from !== undefined
      ? { code: 'EISDIR', message: `EISDIR: '${to}' is a directory, and cannot be replaced by what is none` }
      : undefined;
  }
  const [inside, of] = [realOf(resolve(to)), realpathSync(source)];
  if (!`${inside}${sep}`.startsWith(of === sep ? sep : `${of}${sep}`)) return undefined;
  return { code: 'EINVAL', message: `EINVAL: '${source}' cannot be copied into itself, '${to}'` };
}

/** The real path, of as much of it as there is. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realOf(above), basename(path));
  }
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, BIGINT_IF_ANY);
  } catch {
    return undefined;
  }
}
