// Only compiled: the module, its functions and its handles can stand where Node's stand, and the other way round.
import type * as node from 'node:fs/promises';
import type { BigIntStats, Stats } from 'node:fs';
import * as named from '../../src/fs/index.ts';
import type * as types from '../../src/fs/types.ts';
import ours, { open, readFiles, statMany, type FileHandle, type HotFileHandle } from '../../src/fs/index.ts';

/** Compiles only if the one can stand for the other. */
const stands = <T>(value: T): T => value;

type Module = typeof node;
stands<Omit<Module, 'default'>>(ours);
stands<Omit<Module, 'default'>>(named);
stands<Pick<Module, keyof typeof ours>>(ours);

// The types that are published are of what there is.
stands<typeof types>(named);

/** And the other way round, but for what `open` can do here besides. */
export const back = (module: Module): Omit<typeof ours, 'open'> => module;

export async function handles(nodes: node.FileHandle): Promise<void> {
  const handle: FileHandle = await ours.open('x');
  stands<node.FileHandle>(handle);
  stands<FileHandle>(nodes);
  const { bytesRead, buffer } = await handle.read(new Uint8Array(5), 0, 5, null);
  stands<number>(bytesRead);
  stands<Uint8Array>(buffer);
  stands<Stats>(await handle.stat());
  stands<BigIntStats>(await ours.stat('x', { bigint: true }));
  stands<string>(await ours.readFile(handle, 'utf8'));
  stands<Buffer>(await named.readFile('x'));
  // @ts-expect-error -- as of Node's: there is no such flag
  await ours.readFile('x', { flag: {} });
  const hot: HotFileHandle = await open('x', { direct: true, fixed: true });
  stands<node.FileHandle>(hot);
  stands<Uint8Array<ArrayBuffer>>(hot.allocate(hot.alignment));
  for await (const result of readFiles(['x'], { encoding: 'utf8' })) {
    if (result.error === undefined) stands<string>(result.data);
    else stands<undefined>(result.data);
  }
  for await (const { stats } of statMany(['x'])) stands<Stats | undefined>(stats);
}
