// For `node --import`: puts iouring/fs in the place of node:fs/promises, and callbacks over it in the place of those of node:fs. At
// the end it says how many operations went through the ring.
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import ours from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';

type Call = (...args: unknown[]) => unknown;
type Callback = (error: unknown, ...values: unknown[]) => void;
const require = createRequire(import.meta.url);
const originals = { ...fs } as unknown as Record<string, Call>;
const mine = ours as unknown as Record<string, Call>;
const handles = new Map<number, FileHandle & Record<string, Call>>();

/** A callback form of a promise: what the callback throws is thrown, and not a rejection. */
function calling(promise: Promise<unknown>, callback: Callback, values: (value: unknown) => unknown[]): void {
  promise.then(
    (value) => process.nextTick(callback, null, ...values(value)),
    (error: unknown) => process.nextTick(callback, error),
  );
}

const replaced: Record<string, Call> = {};
for (const name of Object.keys(ours)) {
  if (typeof originals[name] !== 'function' || name === 'open' || name === 'watch' || name === 'opendir' || name === 'glob') continue;
  replaced[name] = (...args) => {
    const callback = args.pop() as Callback;
    if (typeof callback !== 'function' || typeof args[0] === 'number') return originals[name](...args, callback);
    return calling(mine[name](...args) as Promise<unknown>, callback, (value) => (value === undefined ? [] : [value]));
  };
}
replaced['open'] = (...args) => {
  const callback = args.pop() as Callback;
  calling(mine['open'](...args) as Promise<unknown>, callback, (handle) => {
    const { fd } = handle as FileHandle;
    handles.set(fd, handle as FileHandle & Record<string, Call>);
    return [fd];
  });
};
const byDescriptor: Record<string, [method: string, values: (value: never, args: unknown[]) => unknown[]]> = {
  read: ['read', ({ bytesRead }: { bytesRead: number }, [buffer]) => [bytesRead, buffer]],
  write: ['write', ({ bytesWritten }: { bytesWritten: number }, [buffer]) => [bytesWritten, buffer]],
  readv: ['readv', ({ bytesRead }: { bytesRead: number }, [buffers]) => [bytesRead, buffers]],
  writev: ['writev', ({ bytesWritten }: { bytesWritten: number }, [buffers]) => [bytesWritten, buffers]],
  fstat: ['stat', (stats) => [stats]],
  ftruncate: ['truncate', () => []],
  fsync: ['sync', () => []],
  fdatasync: ['datasync', () => []],
  close: ['close', () => []],
};
for (const [name, [method, values]] of Object.entries(byDescriptor)) {
  replaced[name] = (fd, ...args) => {
    const handle = handles.get(fd as number);
    const callback = args.pop() as Callback;
    if (handle === undefined || typeof callback !== 'function') return originals[name](fd, ...args, callback);
    if (name === 'close') handles.delete(fd as number);
    return calling(handle[method](...args) as Promise<unknown>, callback, (value) => values(value as never, args));
  };
}
for (const [name, call] of Object.entries(replaced)) {
  // How util.promisify names what a callback is given.
  for (const symbol of Object.getOwnPropertySymbols(originals[name])) {
    Object.defineProperty(call, symbol, Object.getOwnPropertyDescriptor(originals[name], symbol)!);
  }
}
Object.assign(fs, replaced);
Object.assign(require('node:fs/promises') as object, ours);
syncBuiltinESMExports();
process.on('exit', () => process.stderr.write(`through the ring: ${defaultReactor().stats.completed}\n`));
