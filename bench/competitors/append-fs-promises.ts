/** Durable appends with node:fs/promises: a write, then datasync. */
import { open } from 'node:fs/promises';
import { appendAll, RECORD } from './append-files.ts';

await appendAll('promises', async (path) => {
  const file = await open(path, 'a');
  return async () => {
    await file.write(RECORD);
    await file.datasync();
  };
});
process.exit();
