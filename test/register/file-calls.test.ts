// When the files of a program with `iouring/register` go through the ring.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHANGING, FileCalls } from '../../src/register/file-calls.ts';
import { Temporary } from '../kernel/temporary.ts';
import { program, REGISTER } from './flagged.ts';

/** A program that makes calls at a clock of its own. */
class Program {
  now = 0;
  readonly calls = new FileCalls(() => this.now);
  /** The answer of the last call. */
  isOnRing = false;

  run(perSecond: number, ms: number): this {
    for (const end = this.now + ms; this.now < end; this.now += 1000 / perSecond) this.isOnRing = this.calls.count();
    return this;
  }
}

const { pays, costs, milliseconds } = CHANGING;

describe('calls of node:fs/promises', () => {
  it('given so many that it pays, for so long that it is worth to load it, go through the ring', () => {
    const busy = new Program().run(2 * pays, milliseconds / 2);
    assert.equal(busy.isOnRing, false);
    assert.ok(busy.calls.byNode > 0.9 * pays);
    assert.equal(busy.run(2 * pays, milliseconds).isOnRing, true);
    const { byNode } = busy.calls;
    busy.run(2 * pays, milliseconds);
    assert.equal(busy.calls.byNode, byNode);
  });

  it('given fewer, or a short burst now and then, are Node’s for ever', () => {
    assert.equal(new Program().run(0.9 * pays, 20 * milliseconds).isOnRing, false);
    const bursts = new Program();
    for (let i = 0; i < 20; i++) {
      assert.equal(bursts.run(50 * pays, milliseconds / 10).isOnRing, false);
      bursts.now += milliseconds;
    }
  });

  it('given many from a thread that stands still for most of the time, go through the ring', () => {
    // As in a container that may use a third of a processor.
    const throttled = new Program();
    for (let i = 0; i < (2 * milliseconds) / 100; i++) {
      throttled.run(10 * pays, 33);
      throttled.now += 67;
    }
    assert.equal(throttled.isOnRing, true);
  });

  it('given that they become few, are Node’s again, and the ring’s when it pays anew', () => {
    const busy = new Program().run(2 * pays, 2 * milliseconds);
    assert.equal(busy.run(1.5 * costs, 4 * milliseconds).isOnRing, true);
    assert.equal(busy.run(0.9 * costs, milliseconds).isOnRing, false);
    assert.equal(busy.run(2 * pays, 2 * milliseconds).isOnRing, true);
  });
});

describe('a program with IOURING=fs', () => {
  const body = `
    import fs from 'node:fs/promises';
    import { report } from 'iouring/register';
    const path = process.env.FOLDER + '/file';
    await fs.writeFile(path, 'contents');
    const end = Date.now() + Number(process.env.FOR_MS);
    // Until most went through the ring, however long it takes on a loaded machine until that pays.
    const isOnRing = () => report().files.read > report().fileCallsByNode;
    let rounds = 0;
    do await Promise.all(Array.from({ length: 16 }, () => fs.readFile(path)));
    while (Date.now() < end && (++rounds % 100 > 0 || !isOnRing()));
    process.stdout.write(JSON.stringify(report()));`;
  const reportOf = async (FOR_MS: string) => {
    using folder = new Temporary();
    const env = { IOURING: 'fs', IOURING_REPORT: '1', IOURING_EAGER: '', FOLDER: folder.path, FOR_MS };
    const { status, stdout, stderr } = await program(body, env);
    assert.equal(status, 0, stderr);
    const { files, fileCallsByNode, operations } = JSON.parse(stdout) as Record<string, unknown>;
    return { files, fileCallsByNode, operations, stderr };
  };

  it('given a few files, has them read by Node, loads nothing, and says why', async () => {
    const { files, fileCallsByNode, operations, stderr } = await reportOf('0');
    assert.deepEqual({ files, fileCallsByNode, operations }, { files: {}, fileCallsByNode: 17, operations: 0 });
    assert.match(stderr, /NOT used: it would not have paid/);
    assert.match(stderr, /^ {2}files, node +17 calls: the ring pays from 1000 a second on/m);
    assert.match(stderr, /^ {2}to see the ring +\S.*IOURING_EAGER=1/m);
  });

  it('given a runtime whose own calls are the faster ones, leaves them to it, and says so', async () => {
    const text = `Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '1.0.0' } })`;
    const inBun = ['--import', `data:text/javascript,${encodeURIComponent(text)}`, '--import', REGISTER];
    const asked = `
      import fs from 'node:fs/promises';
      import { report } from 'iouring/register';
      await fs.stat('/');
      process.stdout.write(JSON.stringify(report()));`;
    for (const IOURING_EAGER of ['', '1']) {
      const env = { IOURING: 'fs', IOURING_REPORT: '1', IOURING_EAGER };
      const { status, stdout, stderr } = await program(asked, env, inBun);
      assert.equal(status, 0, stderr);
      const { replaced, fileCallsByNode, advice } = JSON.parse(stdout) as Record<string, unknown>;
      assert.deepEqual({ replaced, fileCallsByNode, advice }, { replaced: [], fileCallsByNode: 0, advice: undefined });
      assert.match(stderr, /^iouring: the ring was NOT used$/m);
      assert.match(stderr, /of io_uring: none: the calls of this runtime are the faster ones$/m);
    }
  });

  it('given many for some seconds, has most of them go through the ring', async () => {
    const { files, fileCallsByNode } = await reportOf('60000');
    const { read } = files as { read: number };
    assert.ok(read > (fileCallsByNode as number), `${read} reads, and ${String(fileCallsByNode)} calls by Node`);
  });
});
