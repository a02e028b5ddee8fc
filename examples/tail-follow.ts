/**
 * tail -f: `node tail-follow.js FILE` prints what is appended to a file, from its end on, until it is interrupted. A file
 * that is truncated is read from its beginning, one that is replaced by another (log rotation) is followed to that one.
 */
import { constants } from 'node:fs';
import { Reactor } from 'iouring';
import { AT_EMPTY_PATH, AT_FDCWD } from 'iouring/abi';

const path = process.argv[2];
if (path === undefined) throw new Error('Usage: tail-follow FILE');

const io = new Reactor();
const stop = new AbortController();
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
const { signal } = stop;

/** How often the file is looked at, in milliseconds. */
const INTERVAL = 50;
const buffer = io.allocate(1 << 16);

const open = (): Promise<number> => io.open(path, constants.O_RDONLY | 0x80000);
const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

let fd = await open();
let position = (await io.statx(fd, '', AT_EMPTY_PATH)).size;
console.error(`following ${path} from byte ${position}`);

/** Print everything from where we are to the end. */
async function printRest(): Promise<void> {
  for (;;) {
    const bytes = await io.read(fd, buffer, { offset: position });
    if (bytes === 0) return;
    position += bytes;
    process.stdout.write(buffer.slice(0, bytes));
  }
}

try {
  for (;;) {
    await printRest();
    const [ours, theirs] = await Promise.all([
      io.statx(fd, '', AT_EMPTY_PATH),
      io.statx(AT_FDCWD, path).catch((error: unknown) => (isMissing(error) ? undefined : Promise.reject(error))),
    ]);
    if (ours.size < position) {
      console.error('truncated');
      position = 0;
    } else if (theirs !== undefined && theirs.ino !== ours.ino) {
      // What was appended before it was replaced.
      await printRest();
      console.error('replaced');
      await io.closeFd(fd);
      fd = await open();
      position = 0;
    } else {
      await io.sleep(INTERVAL, { signal });
    }
  }
} catch (error) {
  if (!signal.aborted) throw error;
  await printRest();
}
await io.closeFd(fd);
await io.close();
