// Files that are not what most files are, and handles in all situations: as with node:fs/promises.
// slow: terminals, devices and mounts, in programs of their own
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once, type EventEmitter } from 'node:events';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import ours from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { moduleText, run } from '../run.ts';
import { outcomeOf } from './outcome.ts';
import { treeOf } from './tree.ts';

/** Is all of it done by Node? Then what only a ring can do is left out. */
const byNode = process.env['IOURING_DISABLED'] === '1' ? 'this is the run without io_uring' : false;

/** Descriptors that are open, apart from the one that looks. */
const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** The same call of both modules. */
async function same(root: string, call: (fs: typeof node) => Promise<unknown>): Promise<string> {
  const [expected, actual] = [await outcomeOf(root, () => call(node)), await outcomeOf(root, () => call(ours))];
  assert.equal(actual.text, expected.text);
  return actual.text;
}

describe('special files', () => {
  it('/proc and /sys: files of size 0 that hold something', async () => {
    for (
      const path of ['/proc/self/limits', '/proc/filesystems', '/sys/kernel/mm/transparent_hugepage/enabled',
        '/proc/self/cmdline']
    ) {
      assert.ok((await ours.readFile(path)).length > 0);
      await same('/', (fs) => fs.readFile(path, 'utf8'));
    }
    // More than is read at once.
    const maps = await ours.readFile('/proc/kallsyms', 'latin1');
    assert.equal(maps.length, readFileSync('/proc/kallsyms').length);
  });

  it('devices, directories, files that nobody can read or write', async () => {
    await same('/', (fs) => fs.readFile('/dev/null'));
    await same('/', (fs) => fs.writeFile('/dev/null', 'x'.repeat(100_000)));
    assert.match(await same('/', (fs) => fs.writeFile('/dev/full', 'x')), /ENOSPC/);
    assert.match(await same('/', (fs) => fs.readFile('/')), /EISDIR/);
    assert.match(await same('/', (fs) => fs.writeFile('/', 'x')), /EISDIR/);
    assert.match(await same('/', (fs) => fs.readFile('/proc/self/mem')), /EIO/);
    await using zero = await ours.open('/dev/zero');
    const { bytesRead, buffer } = await zero.read(Buffer.alloc(100, 1), 0, 100);
    assert.deepEqual([bytesRead, buffer], [100, Buffer.alloc(100)]);
  });

  it('pipes: what comes, until it ends', async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'pipe');
    execFileSync('mkfifo', [path]);
    const [read] = await Promise.all([ours.readFile(path, 'utf8'), ours.writeFile(
      path,
      (function* pieces() {
        yield 'first ';
        yield 'x'.repeat(200_000);
      })(),
    )]);
    assert.equal(read, `first ${'x'.repeat(200_000)}`);
    // A read that waits does not keep a write of the same handle.
    await using both = await ours.open(path, 'r+');
    const waiting = both.read(Buffer.alloc(10), 0, 10);
    await both.write('hello');
    assert.equal((await waiting).buffer.toString('utf8', 0, 5), 'hello');
  });

  it('terminals: what is typed comes line by line, while something is written', async (t) => {
    const talk = async (from: string): Promise<string> => {
      const program = `
        const { open } = await import('${from}');
        const terminal = await open('/dev/tty', 'r+');
        const typed = terminal.read(Buffer.alloc(100), 0, 100);
        await terminal.write('your name? ');
        const { bytesRead, buffer } = await typed;
        await terminal.writeFile('hello ' + buffer.toString('utf8', 0, bytesRead));
        const out = await open('/dev/stdout', 'w');
        console.log(String([(await out.stat()).isCharacterDevice(), (await terminal.stat()).isFile()]));
        await out.close();
        await terminal.close();
      `.replace(/\s+/g, ' ');
      const child = spawn('script', ['-qec', `${process.execPath} --input-type=module -e "${program}"`, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdout.setEncoding('utf8');
      let seen = '';
      for await (const chunk of child.stdout) {
        seen += chunk as string;
        // Only now: what is typed before anybody asks is echoed at any time.
        if (seen.endsWith('your name? ')) child.stdin.write('me\n');
      }
      child.stdin.end();
      return seen;
    };
    if (!(process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'script')))) {
      return t.skip('no script(1) to make a terminal');
    }
    const expected = await talk('node:fs/promises');
    assert.match(expected, /your name\? me\r\nhello me\r\ntrue,false/);
    assert.equal(await talk(new URL('../../src/fs/index.js', import.meta.url).href), expected);
  });

  it('an open or a read that waits is aborted in the kernel', { skip: byNode }, async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'pipe');
    execFileSync('mkfifo', [path]);
    const abort = new AbortController();
    const reading = ours.readFile(path, { signal: abort.signal });
    const reason = new Error('enough');
    setImmediate(() => abort.abort(reason));
    await assert.rejects(reading, {
      name: 'AbortError',
      code: 'ABORT_ERR',
      message: 'The operation was aborted',
      cause: reason,
    });
    const second = new AbortController();
    const writer = spawn('sh', ['-c', `exec 3>'${path}'; echo here >&3; read x`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    await using handle = await ours.open(path);
    assert.equal((await handle.read(Buffer.alloc(5), 0, 5)).buffer.toString(), 'here\n');
    const rest = handle.readFile({ signal: second.signal });
    setImmediate(() => second.abort());
    await assert.rejects(rest, { name: 'AbortError' });
    writer.stdin.end('x\n');
    await once(writer, 'close');
    assert.equal(defaultReactor().stats.inFlight, 0);
  });

  it('sparse files; files that grow and shrink while they are read', async () => {
    using folder = new Temporary();
    const path = folder.file('sparse');
    await ours.truncate(path, 3_000_000);
    assert.ok(statSync(path).blocks < 100);
    assert.ok((await ours.readFile(path)).equals(Buffer.alloc(3_000_000)));
    const stop = new AbortController();
    const changing = (async (): Promise<void> => {
      for (let i = 0; !stop.signal.aborted; i++) {
        await node.truncate(path, (i % 2) * 2_000_000 + 1000);
        await node.appendFile(path, 'x'.repeat(50_000));
      }
    })();
    for (let i = 0; i < 200; i++) {
      const contents = await ours.readFile(path);
      assert.ok(contents.length >= 1000 && contents.length <= 3_000_000, `${contents.length}`);
    }
    stop.abort();
    await changing;
  });

  it('given results that are transferred, later results are whole', async () => {
    using folder = new Temporary();
    for (const size of [1, 5000, 65_536, 65_537, 2_000_000]) {
      const path = folder.file(`${size}`, Buffer.alloc(size, 7));
      const contents = await ours.readFile(path);
      assert.equal(contents.buffer.byteLength, size);
      assert.equal(structuredClone(contents.buffer, { transfer: [contents.buffer] }).byteLength, size);
      await using handle = await ours.open(path, 'r+');
      const memory = new Uint8Array(size);
      const reading = handle.read(memory, 0, size, 0);
      await reading;
      assert.equal(memory[size - 1], 7);
      const writing = handle.write(memory, 0, size, 0);
      // Gone while it is written: what is written is what it was.
      structuredClone(memory.buffer, { transfer: [memory.buffer] });
      if (size < 500_000) assert.equal((await writing).bytesWritten, size);
      else await writing;
    }
  });

  it(
    'given memory that goes away during a read, it is not written to, and the read succeeds',
    { skip: byNode },
    async () => {
      using folder = new Temporary();
      await using handle = await ours.open(folder.file('x', 'x'.repeat(5000)));
      for (const view of [new Uint8Array(5000), new Uint16Array(2500), new DataView(new ArrayBuffer(5000))]) {
        const reading = handle.read(view, 0, 5000, 0);
        const taken = structuredClone(view.buffer, { transfer: [view.buffer] });
        assert.equal((await reading).bytesRead, 5000);
        assert.ok(new Uint8Array(taken).every((byte) => byte === 0));
        // What comes behind it in the file goes where it belongs.
        const [gone, other] = [new DataView(new ArrayBuffer(2000)), Buffer.alloc(3001)];
        const scattered = handle.readv([gone, other], 0);
        structuredClone(gone.buffer, { transfer: [gone.buffer] });
        assert.equal((await scattered).bytesRead, 5000);
        assert.equal(other.toString(), `${'x'.repeat(3000)}\0`);
      }
      // In their turn, behind others, they are written as they are then, and what is gone is nothing.
      await using out = await ours.open(join(folder.path, 'y'), 'w');
      const [gone, other] = [new DataView(new ArrayBuffer(5)), Buffer.from('world')];
      const writes = [out.write('hello '), out.writev([new Uint8Array(gone.buffer), other]), out.writev([gone, other])];
      structuredClone(gone.buffer, { transfer: [gone.buffer] });
      for (const { bytesWritten } of await Promise.all(writes)) assert.ok(bytesWritten > 0);
      await out.close();
      assert.equal(readFileSync(join(folder.path, 'y'), 'utf8'), 'hello worldworld');
    },
  );
});

describe('handles', () => {
  it('are taken for Node’s own by Node', async () => {
    using folder = new Temporary();
    const path = folder.file('x', 'line 1\nline 2\n');
    const nodes = await node.open(path);
    const handle = await ours.open(path);
    assert.ok(handle instanceof nodes.constructor);
    assert.equal(handle.constructor.name, 'FileHandle');
    await nodes.close();
    assert.equal(await node.readFile(handle, 'utf8'), 'line 1\nline 2\n');
    const stream = createReadStream('', { fd: handle, start: 7 });
    assert.equal(await text(stream), 'line 2\n');
    assert.equal(handle.fd, -1);
    const more = await ours.open(path);
    await ours.writeFile(path, 'new');
    assert.equal(await ours.readFile(more, 'utf8'), 'new');
    await more.close();
  });

  it('streams, lines and web streams', async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'x');
    const before = defaultReactor().stats.submitted;
    const out = (await ours.open(path, 'w')).createWriteStream({ highWaterMark: 1000 });
    for (let i = 0; i < 5000; i++) if (!out.write(`line ${i}\n`)) await once(out, 'drain');
    out.end();
    await once(out, 'close');
    const expected = Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join('');
    assert.equal(readFileSync(path, 'utf8'), expected);
    assert.equal(await text((await ours.open(path)).createReadStream({ highWaterMark: 777 })), expected);
    let lines = 0;
    for await (const line of (await ours.open(path)).readLines()) assert.equal(line, `line ${lines++}`);
    assert.equal(lines, 5000);
    const handle = await ours.open(path);
    assert.equal(await text(handle.readableWebStream({ type: 'bytes' }) as never), expected);
    await handle.close();
    if (byNode === false) assert.ok(defaultReactor().stats.submitted - before > 100);
  });

  // Node's own threads overtake each other.
  it('what is written one after the other without waiting comes in this order; what is read is read once', {
    skip: byNode,
  }, async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'x');
    for (const flag of ['w+', 'a+']) {
      await using handle = await ours.open(path, flag);
      await handle.truncate();
      const writes: Promise<unknown>[] = [];
      for (let i = 0; i < 300; i++) {
        const record = `${i} ${'x'.repeat((i * 37) % 5000)}\n`;
        if (i % 3 === 0) writes.push(handle.write(record));
        else if (i % 3 === 1) writes.push(handle.appendFile(record));
        else writes.push(handle.writev([Buffer.from(record)]));
      }
      await Promise.all(writes);
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
      assert.deepEqual(lines.map((line) => Number(line.split(' ')[0])), Array.from({ length: 300 }, (_, i) => i));
    }
    const whole = readFileSync(path);
    await using reader = await ours.open(path);
    const pieces = await Promise.all(
      Array.from({ length: Math.ceil(whole.length / 1000) + 1 }, () => reader.read(Buffer.alloc(1000), 0, 1000)),
    );
    assert.ok(Buffer.concat(pieces.map(({ bytesRead, buffer }) => buffer.subarray(0, bytesRead))).equals(whole));
  });

  it('take null in the place of an offset for what Node takes it for', async () => {
    using folder = new Temporary();
    for (const [i, args] of [[null, 3, 1], [undefined, 3, 1], [null, 3], [undefined, 3]].entries()) {
      const [theirs, mine] = [folder.file(`${i} theirs`, 'x'.repeat(9)), folder.file(`${i} mine`, 'x'.repeat(9))];
      for (const [fs, path] of [[node, theirs], [ours, mine]] as const) {
        await using handle = await fs.open(path, 'r+');
        await handle.write(Buffer.from('123456'), ...(args as []));
        const { buffer } = await handle.read(Buffer.alloc(5), ...(args as []));
        await handle.write(buffer);
      }
      assert.equal(readFileSync(mine, 'latin1'), readFileSync(theirs, 'latin1'), args.join());
    }
  });

  it('are closed when the last of what is under way is done, and leave nothing open', async () => {
    using folder = new Temporary();
    const path = folder.file('x', 'x'.repeat(10_000));
    await ours.readFile(path);
    const before = openFiles();
    for (let i = 0; i < 50; i++) {
      const handle = await ours.open(path, 'r+');
      let closed = 0;
      (handle as unknown as EventEmitter).on('close', () => closed++);
      const fd = handle.fd;
      assert.equal(readlinkSync(`/proc/self/fd/${fd}`), path);
      const reads = [handle.read(Buffer.alloc(10), 0, 10, 0), handle.read(Buffer.alloc(10)), handle.stat(),
        handle.readFile()];
      const [one, other] = [handle.close(), handle.close()];
      await Promise.all([...reads, one, other]);
      assert.deepEqual([handle.fd, closed], [-1, 1]);
      await handle.close();
      await assert.rejects(handle.read(), /file closed/);
    }
    await Promise.allSettled(
      Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? ours.readFile(`${path}/none`) : ours.readFile(path))),
    );
    await Promise.all(Array.from({ length: 1000 }, (_, i) => ours.writeFile(join(folder.path, `${i}`), `${i}`)));
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) => ours.copyFile(join(folder.path, `${i}`), join(folder.path, `copy ${i}`))),
    );
    await Promise.all(Array.from({ length: 1000 }, (_, i) => ours.appendFile(join(folder.path, `copy ${i}`), '!')));
    for (let i = 0; i < 1000; i++) assert.equal(readFileSync(join(folder.path, `copy ${i}`), 'utf8'), `${i}!`);
    assert.equal(openFiles(), before);
  });

  it('go to another thread', async () => {
    using folder = new Temporary();
    const handle = await ours.open(folder.file('x', 'hello'));
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(handle, [handle as never]);
    assert.equal(handle.fd, -1);
    const [there] = (await once(port2, 'message')) as [node.FileHandle];
    assert.equal(await there.readFile('utf8'), 'hello');
    await there.close();
    port1.close();
  });

  // Since Node 26 it tells the path, which it cannot be told.
  it('are warned about when they are collected without having been closed', async () => {
    const program = (from: string): string => `
      const { open } = await import(${JSON.stringify(from)});
      const warnings = new Promise((resolve) => {
        for (const event of ['warning', 'uncaughtException']) process.on(event, ({ name, message }) => resolve(name + ' ' + message.replace(/\\d+/, 'N').replace(/\\((\\/dev\\/null|<unknown path>)\\)/, '')));
      });
      await (async () => { await open('/dev/null'); })();
      const timer = setInterval(() => globalThis.gc(), 10);
      console.log(await warnings);
      process.exit();
    `;
    const told = async (from: string): Promise<string> => {
      const { stdout } = await run(process.execPath, moduleText(program(from), '--expose-gc'));
      return stdout;
    };
    const expected = await told('node:fs/promises');
    assert.match(expected, /clos/i);
    assert.equal(await told(new URL('../../src/fs/index.js', import.meta.url).href), expected);
  });
});

describe('the reactor under it', () => {
  it(
    'may be drained: what has begun is finished; or closed: it fails, and nothing stays open. The next call has a new one',
    { skip: byNode },
    async () => {
      using folder = new Temporary();
      const paths = Array.from({ length: 100 }, (_, i) => folder.file(`${i}`, `contents ${i}`));
      await ours.readFile(paths[0]);
      const before = openFiles();
      const drained = Promise.all(paths.map((path) => ours.readFile(path, 'utf8')));
      await Promise.resolve();
      await defaultReactor().close({ drain: true });
      assert.equal((await drained)[99], 'contents 99');
      const closed = Promise.allSettled(paths.map((path) => ours.readFile(path, 'utf8')));
      await Promise.resolve();
      await defaultReactor().close();
      for (const { status } of await closed) assert.match(status, /fulfilled|rejected/);
      assert.equal(await ours.readFile(paths[5], 'utf8'), 'contents 5');
      assert.ok(openFiles() <= before, `${openFiles()} open, ${before} before`);
    },
  );
});

describe('trees', () => {
  it('mkdir, cp and rm of a tree, as Node does it', async () => {
    using folder = new Temporary();
    const source = join(folder.path, 'source');
    for (let i = 0; i < 300; i++) {
      const directory = join(source, `${i % 7}`, `${i % 3}`, 'deep');
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, `${i}`), 'x'.repeat((i * 1001) % 90_000), { mode: i % 2 === 0 ? 0o600 : 0o755 });
    }
    execFileSync('ln', ['-s', '../0', join(source, '1/link')]);
    const [expected, actual] = [join(folder.path, 'expected'), join(folder.path, 'actual')];
    await node.cp(source, expected, { recursive: true });
    await ours.cp(source, actual, { recursive: true });
    execFileSync('diff', ['-r', '--no-dereference', expected, actual]);
    const modes = (path: string): string =>
      execFileSync('find', ['.', '-printf', '%P %m %y %l\\n'], { cwd: path }).toString().split('\n').sort().join('\n');
    assert.equal(modes(actual), modes(expected));
    const fifo = join(source, '3/pipe');
    execFileSync('mkfifo', [fifo]);
    for (const fs of [node, ours]) {
      const to = join(folder.path, 'with fifo');
      await assert.rejects(fs.cp(source, to, { recursive: true }), { code: 'ERR_FS_CP_FIFO_PIPE' });
      await fs.rm(to, { recursive: true });
      assert.ok(!existsSync(to));
    }
    await ours.rm(source, { recursive: true });
    assert.ok(!existsSync(source));
  });

  it('cp of relative links: to directories, with a slash at the end, to what is not there', async () => {
    const targets = ['inner', 'inner/', 'inner//', 'inner/.', './inner/', 'inner/..', '.', '..', '../', 'file/', 'none',
      'none/', 'none/..', 'link 0/deep/', '/etc/', '//none//'];
    const trees = await Promise.all([node, ours].map(async (fs) => {
      using folder = new Temporary();
      const source = join(folder.path, 'source');
      mkdirSync(join(source, 'inner/deep'), { recursive: true });
      writeFileSync(join(source, 'file'), 'x');
      for (const directory of [source, join(source, 'inner')]) {
        targets.forEach((target, i) => symlinkSync(target, join(directory, `link ${i}`)));
      }
      await fs.cp(source, join(folder.path, 'target'), { recursive: true });
      return treeOf(folder.path);
    }));
    assert.deepEqual(trees[1], trees[0]);
  });

  it('cp of names and targets that are not UTF-8', async () => {
    const outcomes = await Promise.all([node, ours].map(async (fs) => {
      using folder = new Temporary();
      const source = join(folder.path, 'source');
      const target = join(folder.path, 'target');
      const [named, linked] = [join(source, 'named'), join(source, 'linked')];
      for (const directory of [source, named, linked]) mkdirSync(directory);
      const wrong = Buffer.from([0xff, 0xfe]);
      writeFileSync(Buffer.concat([Buffer.from(`${named}/`), wrong]), 'x');
      symlinkSync(wrong, join(linked, 'link'));
      const codes = [];
      for (const from of [named, linked]) {
        codes.push(await fs.cp(from, target, { recursive: true }).catch(({ code }) => code as string));
        if (existsSync(target)) codes.push(execFileSync('ls', ['-lAb', '--time-style=+', target]).toString());
        await fs.rm(target, { recursive: true, force: true });
      }
      return codes.map((text) => text?.replaceAll(folder.path, ''));
    }));
    assert.deepEqual(outcomes[1], outcomes[0]);
  });

  it('cp of and to paths that lead through a link and up again', async () => {
    const paths = [['link/..', 'target'], ['link/../inner', 'target'], ['link/deep', 'target'], ['inner',
      'up/../target'], ['inner/deep', 'link/../target'], ['inner', 'target/.'], ['./inner/../inner/.', 'target'], [
      'inner/deep',
      '../at the side',
    ]];
    for (const [from, to] of paths) {
      const outcomes = [];
      for (const fs of [node, ours]) {
        using folder = new Temporary();
        const root = join(folder.path, 'root');
        mkdirSync(join(root, 'source/inner/deep'), { recursive: true });
        for (const place of ['source/inner/file', 'source/inner/deep/file']) writeFileSync(join(root, place), place);
        symlinkSync('source/inner', join(root, 'link'));
        symlinkSync('source', join(root, 'up'));
        symlinkSync('source/inner', join(root, 'inner'));
        const home = process.cwd();
        process.chdir(root);
        try {
          const { text: told } = await outcomeOf(root, () => fs.cp(from, to, { recursive: true }));
          outcomes.push([told, ...treeOf(folder.path)]);
        } finally {
          process.chdir(home);
        }
      }
      assert.deepEqual(outcomes[1], outcomes[0], `${from} to ${to}`);
    }
  });

  it('given a pipe that nobody writes to, later reads are not kept out', { skip: byNode }, async () => {
    using folder = new Temporary();
    const pipes = Array.from({ length: 300 }, (_, i) => join(folder.path, `pipe ${i}`));
    execFileSync('mkfifo', pipes);
    const abort = new AbortController();
    const waiting = Promise.allSettled(pipes.map((path) => ours.readFile(path, { signal: abort.signal })));
    assert.equal(await ours.readFile(folder.file('x', 'here'), 'utf8'), 'here');
    abort.abort();
    for (const { status } of await waiting) assert.equal(status, 'rejected');
  });
});
