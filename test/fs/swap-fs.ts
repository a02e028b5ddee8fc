// Loaded before a program (`node --import ./build/test/fs/swap-fs.js program.js`), it puts ours where the program and
// all that it imports look for Node's: in `fs.promises`, `node:fs/promises`, and under the callback functions of `fs`
// that have the same names. With SWAP_FS_REPORT=<file> it writes there which operations went through the ring, and
// how often.
import { subscribe } from 'node:diagnostics_channel';
import fs, { writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import ours from '../../src/fs/index.ts';
import type { OperationMessage } from '../../src/index.ts';
import { descriptorOf } from './descriptor-of.ts';

type Method = (...args: unknown[]) => Promise<unknown>;
type WithCallback = (...args: unknown[]) => unknown;
type Callback = (error: unknown, ...results: unknown[]) => void;

const callbacks = fs as unknown as Record<string, WithCallback>;
const promises = fs.promises as unknown as Record<string, Method>;
const served = ours as unknown as Record<string, Method>;

/** Whose descriptors `fs.open` gave. They are kept: a handle that is collected closes its descriptor. */
const handles = new Map<number, FileHandle>();

/** What a callback function does with a descriptor, and the method of a handle that does it. */
const OF_DESCRIPTORS: Readonly<Record<string, keyof FileHandle>> = {
  read: 'read',
  readv: 'readv',
  write: 'write',
  writev: 'writev',
  fstat: 'stat',
  ftruncate: 'truncate',
  fsync: 'sync',
  fdatasync: 'datasync',
  fchmod: 'chmod',
  fchown: 'chown',
  futimes: 'utimes',
  readFile: 'readFile',
  writeFile: 'writeFile',
  appendFile: 'appendFile',
  close: 'close',
};

/** What a promise is of has several parts: a callback gets them one by one. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  read: ['bytesRead', 'buffer'],
  readv: ['bytesRead', 'buffers'],
  write: ['bytesWritten', 'buffer'],
  writev: ['bytesWritten', 'buffers'],
};

/** What is to be done, by ours; undefined: by Node. Wrong arguments reject it, where Node throws at once. */
function workOf(name: string, args: unknown[]): Promise<unknown> | undefined {
  const [first, ...rest] = args;
  if (typeof first !== 'number') return name in served ? served[name](...args) : undefined;
  const handle = handles.get(first);
  const method = OF_DESCRIPTORS[name];
  if (handle === undefined || method === undefined) return undefined;
  // Now, not when it is closed: the kernel may have given its number to the next one by then.
  if (name === 'close') handles.delete(first);
  return (handle[method] as Method).apply(handle, rest);
}

function resultsOf(name: string, value: unknown): unknown[] {
  if (name === 'open') {
    const handle = value as FileHandle;
    // It gives the number to functions that are ours as well, so that it is shared with nobody: it is to be read and
    // written through the ring where it stands.
    const fd = descriptorOf(handle);
    handles.set(fd, handle);
    return [fd];
  }
  if (name in PARTS) return PARTS[name].map((part) => (value as Record<string, unknown>)[part]);
  return value === undefined ? [] : [value];
}

function swapCallback(name: string): void {
  const byNode = callbacks[name];
  const swapped = (...args: unknown[]): unknown => {
    const callback = args.at(-1) as Callback;
    // Node says what is wrong with one that has none.
    const work = typeof callback === 'function' ? workOf(name, args.slice(0, -1)) : undefined;
    if (work === undefined) return byNode.apply(fs, args);
    // What a callback throws is thrown at the process, and is no rejection.
    return void work.then(
      (value) => process.nextTick(callback, null, ...resultsOf(name, value)),
      (error: unknown) => process.nextTick(callback, error),
    );
  };
  // Its name and length, and what util.promisify() looks at.
  callbacks[name] = Object.defineProperties(swapped, Object.getOwnPropertyDescriptors(byNode));
}

/** One of ours that is closed by a function that does not wait: its handle must not close the same number again. */
function swapCloseSync(): void {
  const byNode = fs.closeSync;
  const closed: FileHandle[] = [];
  fs.closeSync = (fd) => {
    const handle = handles.get(fd);
    if (handle !== undefined) closed.push(handle);
    handles.delete(fd);
    byNode(fd);
  };
}

function swap(): void {
  for (const name of Object.keys(promises)) {
    if (served[name] === promises[name]) continue;
    promises[name] = served[name];
    if (name in callbacks) swapCallback(name);
  }
  for (const name of Object.keys(OF_DESCRIPTORS)) if (!(name in served)) swapCallback(name);
  swapCloseSync();
  syncBuiltinESMExports();
}

function report(path: string): void {
  const counts: Record<string, number> = {};
  subscribe('iouring:operation', (message) => {
    const { name } = message as OperationMessage;
    counts[name] = (counts[name] ?? 0) + 1;
  });
  process.on('exit', () => writeFileSync(path, JSON.stringify(counts)));
}

const { SWAP_FS_REPORT } = process.env;
if (SWAP_FS_REPORT !== undefined) report(SWAP_FS_REPORT);
swap();
