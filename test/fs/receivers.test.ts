// A method of a handle that is called on something else does what Node's does: it rejects, or throws, with Node's
// error.
import assert from 'node:assert/strict';
import * as node from 'node:fs/promises';
import { it } from 'node:test';
import { open } from '../../src/fs/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { outcomeOf } from './outcome.ts';

type Methods = Record<string, ((this: unknown, ...args: unknown[]) => unknown) | undefined>;

const RECEIVERS: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  'a number': () => 5.5,
  text: () => 'x',
  'an object': () => ({}),
  'an array': () => [],
  'a function': () => () => {},
  'an object with a number for a descriptor': () => ({ fd: 1 }),
};

it('given a receiver that is no handle, methods of handles answer as Node’s', async () => {
  using folder = new Temporary();
  const path = folder.file('x', 'contents');
  await using theirs = await node.open(path, 'r+');
  await using plain = await open(path, 'r+');
  await using fixed = await open(path, { flags: 'r+', fixed: true });
  const direct = await open(path, { flags: 'r+', direct: true }).catch(() => undefined);
  const prototype = Object.getPrototypeOf(theirs) as object;
  const names = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor' && name !== 'fd');
  assert.ok(names.length > 18);
  for (const name of names) {
    for (const [receiver, make] of Object.entries(RECEIVERS)) {
      const call = async (handle: object): Promise<string> => {
        const { text } = await outcomeOf(folder.path, () => (handle as Methods)[name]!.call(make(), Buffer.alloc(4)));
        return text;
      };
      const expected = await call(theirs);
      if (/^(read|write|stat|readFile)$/.test(name)) assert.match(expected, /^rejected/, `${name}, ${receiver}`);
      for (const handle of [plain, fixed, direct]) {
        if (handle !== undefined) assert.equal(await call(handle), expected, `${name}, ${receiver}`);
      }
    }
  }
  await direct?.close();
});

it('given a handle of another kind, methods of handles work on it', async () => {
  using folder = new Temporary();
  const path = folder.file('x', 'contents');
  await using theirs = await node.open(path, 'r+');
  await using plain = await open(path, 'r+');
  await using fixed = await open(path, { flags: 'r+', fixed: true });
  for (const receiver of [theirs, plain, fixed]) {
    for (const { read, write, stat, sync, readFile, writeFile, truncate } of [theirs, plain, fixed]) {
      const target = Buffer.alloc(8);
      const { bytesRead } = await (read as (...args: unknown[]) => Promise<{ bytesRead: number }>).call(
        receiver,
        target,
        0,
        8,
        0,
      );
      assert.equal(bytesRead, 8);
      assert.equal(target.toString(), 'contents');
      await (write as (...args: unknown[]) => Promise<unknown>).call(receiver, target, 0, 8, 0);
      assert.equal((await stat.call(receiver)).size, 8);
      await sync.call(receiver);
      await truncate.call(receiver, 8);
      await (readFile as () => Promise<unknown>).call(receiver);
      await writeFile.call(receiver, '');
    }
  }
});
