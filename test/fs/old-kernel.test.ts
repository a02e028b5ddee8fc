// On a kernel that has io_uring, and not all of its operations: what it lacks is Node's, and is not asked of it.
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import fs from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';
import { age, refused } from '../kernel/aged-kernel.ts';
import { Temporary } from '../kernel/temporary.ts';
import { LINUX_5_10 } from '../ring/ages.ts';

const told: unknown[] = [];
subscribe('iouring:fallback', (message) => told.push(message));
age(LINUX_5_10);

describe('iouring/fs on Linux 5.10', () => {
  afterEach(() => {
    assert.deepEqual(refused, [], 'the kernel was asked for what it does not have');
    assert.deepEqual(told, [], 'open files go through the ring');
  });

  it('directories are made, also those above them, and removed', async () => {
    using folder = new Temporary();
    const place = join(folder.path, 'a');
    await fs.mkdir(place);
    assert.equal(await fs.mkdir(join(place, 'b/c'), { recursive: true }), join(place, 'b'));
    await fs.rmdir(join(place, 'b/c'));
    assert.deepEqual(readdirSync(join(place, 'b')), []);
    await fs.rm(place, { recursive: true });
    assert.equal(existsSync(place), false);
  });

  it('files are written, renamed, linked, cut and removed', async () => {
    using folder = new Temporary();
    const [file, other, link, hard] = ['file', 'other', 'link', 'hard'].map((name) => join(folder.path, name));
    await fs.writeFile(file, 'contents');
    await fs.rename(file, other);
    await fs.symlink('other', link);
    await fs.link(other, hard);
    assert.equal(readlinkSync(link), 'other');
    assert.equal(statSync(hard).ino, statSync(other).ino);
    await fs.truncate(other, 3);
    const handle = await fs.open(hard, 'r+');
    await handle.truncate(2);
    await handle.close();
    assert.equal(await fs.readFile(link, 'utf8'), 'co');
    await fs.unlink(link);
    assert.deepEqual(readdirSync(folder.path).sort(), ['hard', 'other']);
  });

  it('files and trees are copied', async () => {
    using folder = new Temporary();
    const [from, to] = ['from', 'to'].map((name) => join(folder.path, name));
    await fs.mkdir(join(from, 'in'), { recursive: true });
    await fs.writeFile(join(from, 'in/small'), 'small');
    await fs.writeFile(join(from, 'in/large'), Buffer.alloc(300_000, 'large'));
    await fs.symlink('in/small', join(from, 'link'));
    await fs.cp(from, to, { recursive: true, verbatimSymlinks: true });
    assert.equal(readFileSync(join(to, 'link'), 'utf8'), 'small');
    assert.deepEqual(readFileSync(join(to, 'in/large')), readFileSync(join(from, 'in/large')));
    // What a copy that fails leaves behind could not be taken away again.
    const { submitted } = defaultReactor().stats;
    await fs.copyFile(join(from, 'in/small'), join(to, 'copy'));
    assert.equal(defaultReactor().stats.submitted, submitted, 'Node copies it');
    assert.equal(readFileSync(join(to, 'copy'), 'utf8'), 'small');
  });
});
