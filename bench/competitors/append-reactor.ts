/** Durable appends on a Reactor: `--how link`, one chain for each, or `--how await`, one operation after the other. */
import { constants } from 'node:fs';
import { Reactor } from 'iouring';
import { appendAll, RECORD } from './append-files.ts';
import { option } from './measurement.ts';

const { O_WRONLY, O_CREAT, O_APPEND } = constants;
const io = new Reactor();
const isLinked = option('--how') === 'link';

await appendAll('reactor', async (path) => {
  const fd = await io.open(path, O_WRONLY | O_CREAT | O_APPEND);
  const linked = async (): Promise<void> => {
    await io.chain([
      ['write', fd, RECORD],
      ['fsync', fd, { datasync: true }],
    ]);
  };
  const awaited = async (): Promise<void> => {
    await io.write(fd, RECORD);
    await io.fsync(fd, { datasync: true });
  };
  return isLinked ? linked : awaited;
});
await io.close();
