// What a call came to, as text in which two calls on twin folders can be compared: what has to differ (the folder,
// inode numbers, times) is left out.
import { createHash } from 'node:crypto';
import { Dirent, Stats } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';

/** Call it, and say what came of that. `root` is the folder it worked in. */
export async function outcomeOf(root: string, call: () => unknown): Promise<{ text: string; value?: unknown }> {
  let promise: unknown;
  try {
    promise = call();
  } catch (error) {
    return { text: `threw ${describeError(root, error)}` };
  }
  try {
    const value = await promise;
    return { text: describe(root, value), value };
  } catch (error) {
    return { text: `rejected ${describeError(root, error)}` };
  }
}

function describeError(root: string, error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  // An AbortError may say what had been done already; Bun's errors tell descriptors, which have other numbers.
  const fields = Object.fromEntries(Object.entries(error).filter(([key]) => key !== 'result' && key !== 'fd'));
  const { name, message, cause } = error;
  const kind = Object.prototype.toString.call(error);
  return withoutRoot(
    root,
    `${kind} ${inspect({ name, message, ...fields, cause: cause instanceof Error ? cause.name : cause })}`,
  );
}

export function describe(root: string, value: unknown): string {
  if (value instanceof Uint8Array) {
    const kind = value.constructor.name;
    // A path, as realpath gives it, has the folder in it.
    const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
    const bytes = Buffer.from(text.replaceAll(Buffer.from(root).toString('latin1'), 'ROOT'), 'latin1');
    return `${kind} ${bytes.length} ${createHash('sha1').update(bytes).digest('hex')}`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name} ${
      describe(root, Buffer.from(value.buffer, value.byteOffset, value.byteLength).subarray())
    }`;
  }
  if (typeof value === 'string') {
    return withoutRoot(root, value.length > 300 ? describe(root, Buffer.from(value)) : inspect(value));
  }
  if (value instanceof Dirent) return `${value.name} ${kinds(value)}`;
  if (Array.isArray(value)) return `[${value.map((one) => describe(root, one)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return inspect(value);
  if (value instanceof Stats || 'mtimeNs' in value) return describeStats(value as Stats);
  const { constructor } = value as { constructor?: { name: string } };
  if (constructor?.name === 'FileHandle') return 'FileHandle';
  const entries = Object.entries(value).map(([key, one]) => `${key}: ${describe(root, one)}`);
  return `${Object.getPrototypeOf(value) === null ? 'null' : constructor?.name} {${entries.join(', ')}}`;
}

function describeStats(stats: Stats): string {
  const { mode, nlink, uid, gid, size, dev, rdev, blksize, birthtimeMs, mtimeMs, atimeMs, ctimeMs } = stats;
  const shown = { mode, nlink, uid, gid, size: stats.isDirectory() ? 0 : size, dev, rdev, blksize };
  const times = [birthtimeMs, mtimeMs, atimeMs, ctimeMs, stats.mtime, stats.birthtime].map((time) => typeof time);
  const kind = `${stats.constructor.name} ${stats instanceof Stats} ${Object.keys(stats).join()} ${times.join()} ${
    stats.mtime instanceof Date
  }`;
  return `${kind} ${inspect(shown)} ${kinds(stats)}`;
}

function kinds(one: Stats | Dirent): string {
  const { isFile, isDirectory, isSymbolicLink, isFIFO, isSocket, isCharacterDevice, isBlockDevice } = one;
  const all = { isFile, isDirectory, isSymbolicLink, isFIFO, isSocket, isCharacterDevice, isBlockDevice };
  return Object.entries(all)
    .filter(([, is]) => is.call(one))
    .map(([name]) => name)
    .join();
}

function withoutRoot(root: string, text: string): string {
  return text.replaceAll(root, 'ROOT').replaceAll(dirname(root), 'ABOVE');
}
