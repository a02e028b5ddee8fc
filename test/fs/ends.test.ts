// slow: workers
// What becomes of a file that is being read or written when the reactor is closed, the thread ends, the signal aborts,
// or the file changes: no descriptor is left open, and what node:fs/promises does is done here.
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  appendFileSync,
  closeSync,
  constants,
  open as openForNode,
  openSync,
  readdirSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as ours from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { outcomeOf } from './outcome.ts';

const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined;
const skip = process.env['IOURING_DISABLED'] === '1' ? 'this is the run without io_uring'
  : !isNode && 'files of this runtime are its own, or cannot be watched';

/** What is read of a file at once, first by the ring and then by Node. */
const HEAD = 65_536;
const CHUNK = 524_288;

/** The files of a folder that are open in this process. */
function openIn(folder: string): string[] {
  const targetOf = (fd: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // It was the one that looks.
      return '';
    }
  };
  return readdirSync('/proc/self/fd').map(targetOf).filter((path) => path.startsWith(folder));
}

/** Contents of which each part is another. */
function contents(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(at, at);
  return bytes;
}

describe('the reactor of iouring/fs is closed', { skip }, () => {
  const large = contents(HEAD + 2 * CHUNK);
  const calls: Record<string, (folder: string) => Promise<unknown>> = {
    'readFile of a small file': (folder) => ours.readFile(join(folder, 'small')),
    'readFile of one that does not fit into one read': (folder) => ours.readFile(join(folder, 'medium')),
    'readFile of a large one': (folder) => ours.readFile(join(folder, 'large')),
    'readFile of a large one as text': (folder) => ours.readFile(join(folder, 'large'), 'latin1'),
    'writeFile': (folder) => ours.writeFile(join(folder, 'written'), 'text', { flush: true }),
    'writeFile of pieces': (folder) => ours.writeFile(join(folder, 'written'), [large, 'text']),
    'truncate': (folder) => ours.truncate(join(folder, 'truncated'), 10),
    'open and close': async (folder) => (await ours.open(join(folder, 'small'))).close(),
    'open of a hot file': async (folder) => {
      await using _ = await ours.open(join(folder, 'small'), { direct: true });
    },
  };

  /** Make a call, and close the reactor when its `turn`th operation is over. How many were there? */
  async function closedAt(turn: number, call: () => Promise<unknown>): Promise<[count: number, outcome: string]> {
    await ours.stat('/');
    const io = defaultReactor();
    let count = 0;
    const closeInTurn = (): void => {
      if (++count === turn) void io.close();
    };
    subscribe('iouring:operation', closeInTurn);
    try {
      const [result] = await Promise.allSettled([call()]);
      await io.close();
      if (result.status === 'fulfilled') return [count, 'fulfilled'];
      return [count, (result.reason as NodeJS.ErrnoException).code ?? String(result.reason)];
    } finally {
      unsubscribe('iouring:operation', closeInTurn);
    }
  }

  for (const [name, call] of Object.entries(calls)) {
    it(`given ${name}, whichever of its operations that is behind, it settles and leaves no descriptor open`, async () => {
      using temporary = new Temporary();
      const { path } = temporary;
      temporary.file('small', contents(4096));
      temporary.file('medium', contents(HEAD + 4096));
      temporary.file('large', large);
      temporary.file('truncated', 'a long line of text');
      let turn = 1;
      for (let count = Infinity; turn <= count; turn++) {
        const [seen, outcome] = await closedAt(turn, () => call(path));
        assert.match(outcome, /^(fulfilled|ERR_IOURING_CLOSED)$/, `at operation ${turn}`);
        assert.deepEqual(openIn(path), [], `at operation ${turn}`);
        // Behind the last one that is told of, it is as without closing.
        if (seen < turn) count = seen;
      }
      assert.ok(turn > 2, `${turn - 2} operations`);
    });
  }

  it('while Node reads the rest of a large file, the contents come, and it is closed', async () => {
    using temporary = new Temporary();
    const path = temporary.file('large', large);
    await ours.stat(path);
    using requests = new Requests('FSREQCALLBACK', 1, () => void defaultReactor().close());
    assert.ok(large.equals(await ours.readFile(path)));
    assert.equal(requests.isOver, true);
    assert.deepEqual(openIn(temporary.path), []);
  });
});

/** Does something when Node is asked for the `turn`th request of that type. */
class Requests implements Disposable {
  readonly #hook;
  isOver = false;

  constructor(type: 'FSREQCALLBACK' | 'FSREQPROMISE', turn: number, act: () => void) {
    let count = 0;
    this.#hook = createHook({
      init: (_id, made) => {
        if (made !== type || ++count !== turn) return;
        this.isOver = true;
        act();
      },
    }).enable();
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

/** Read a file by each module, and do something when its `chunk`th read by Node begins. */
async function bothAt(
  chunk: number,
  prepare: () => [path: string, signal: AbortSignal, act: () => void],
): Promise<void> {
  const texts: string[] = [];
  // Node's own opens the file and asks for its size before.
  for (const [fs, type, before] of [[node, 'FSREQPROMISE', 2], [ours, 'FSREQCALLBACK', 0]] as const) {
    const [path, signal, act] = prepare();
    await fs.stat(path);
    using requests = new Requests(type, before + chunk, act);
    texts.push((await outcomeOf(path, () => fs.readFile(path, { signal }))).text);
    assert.equal(requests.isOver, true);
    assert.deepEqual(openIn(path), []);
  }
  assert.equal(texts[1], texts[0]);
}

describe('a large file of which Node reads the rest', { skip }, () => {
  const CHUNKS = 3;
  const bytes = contents(HEAD + CHUNKS * CHUNK);
  /** From version 26 on Node makes other requests for a file than a read after the other: no test can come in between. */
  const beside = {
    skip: Number(process.versions.node.split('.')[0]) >= 26 &&
      'node:fs/promises of this version does not read a file in requests that can be counted',
  };

  for (let chunk = 1; chunk < CHUNKS; chunk++) {
    it(`given a signal that aborts in its ${chunk}. read, ends as with node:fs/promises`, beside, async () => {
      using temporary = new Temporary();
      const path = temporary.file('large', bytes);
      await bothAt(chunk, () => {
        const controller = new AbortController();
        return [path, controller.signal, () => controller.abort()];
      });
    });
  }

  it('given a signal that aborts in the last read of all, ends as with node:fs/promises', beside, async () => {
    using temporary = new Temporary();
    // As many reads for both: what Node reads in the last of them is smaller by the head.
    const path = temporary.file('large', bytes.subarray(0, HEAD + CHUNK));
    for (const [fs, type, before] of [[node, 'FSREQPROMISE', 4], [ours, 'FSREQCALLBACK', 1]] as const) {
      const controller = new AbortController();
      using _ = new Requests(type, before, () => controller.abort());
      assert.ok(bytes.subarray(0, HEAD + CHUNK).equals(await fs.readFile(path, { signal: controller.signal })));
      assert.equal(controller.signal.aborted, true);
    }
  });

  it('given a signal that has aborted, or aborts afterwards, ends as with node:fs/promises', async () => {
    using temporary = new Temporary();
    const path = temporary.file('large', bytes);
    const [expected, actual] = await Promise.all(
      [node, ours].map((fs) => outcomeOf(path, () => fs.readFile(path, { signal: AbortSignal.abort() }))),
    );
    assert.equal(actual.text, expected.text);
    const controller = new AbortController();
    const read = await ours.readFile(path, { signal: controller.signal });
    controller.abort();
    assert.ok(bytes.equals(read));
    assert.deepEqual(openIn(temporary.path), []);
  });

  // Both have read less than two chunks by then.
  const changes: Record<string, (path: string) => void> = {
    'becomes shorter': (path) => truncateSync(path, 2 * CHUNK + 1000),
    'ends where the read begins': (path) => truncateSync(path, CHUNK + HEAD),
    'becomes longer': (path) => appendFileSync(path, bytes),
    'becomes shorter, and longer again': (path) => {
      truncateSync(path, 2 * CHUNK);
      truncateSync(path, 10 * CHUNK);
    },
  };
  for (const [change, make] of Object.entries(changes)) {
    it(`given that it ${change} meanwhile, has the contents that node:fs/promises has`, beside, async () => {
      using temporary = new Temporary();
      await bothAt(2, () => {
        const path = temporary.file('large', bytes);
        return [path, new AbortController().signal, () => make(path)];
      });
    });
  }

  it('given that it is emptied before Node reads, ends where the ring has read to', async () => {
    using temporary = new Temporary();
    const path = temporary.file('large', bytes);
    await ours.stat(path);
    using _ = new Requests('FSREQCALLBACK', 1, () => truncateSync(path, 0));
    assert.ok(bytes.subarray(0, HEAD).equals(await ours.readFile(path)));
    assert.deepEqual(openIn(temporary.path), []);
  });
});

/** So many requests are at work in Node's threads at once. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

describe('a worker is terminated', { skip }, () => {
  /** End a worker when the operations of its call have gone so far. */
  async function endedAt(
    name: 'readFile' | 'writeFile',
    path: string,
    operations: readonly string[],
    prepare: () => void = () => {},
  ): Promise<void> {
    const worker = new Worker(new URL('./ended-worker.js', import.meta.url), { workerData: { name, path } });
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: string) => {
        if (message === 'ready') {
          prepare();
          worker.postMessage('begin');
        } else {
          seen.push(message);
        }
        if (operations.every((operation, i) => seen[i] === operation)) resolve();
      });
    });
    await worker.terminate();
  }

  for (const name of ['close', 'readFile'] as const) {
    it(`between the entry of a close of ${name === 'close' ? 'a handle' : name} and its submission`, async () => {
      using temporary = new Temporary();
      const paths = ['a', 'b', 'c'].map((file) => temporary.file(file, contents(4096)));
      const worker = new Worker(new URL('./busy-worker.js', import.meta.url), { workerData: { name, paths } });
      await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      assert.notDeepEqual(openIn(temporary.path), []);
      await worker.terminate();
      assert.deepEqual(openIn(temporary.path), []);
    });
  }

  it('while Node reads the rest of a large file, and the file is closed', async () => {
    using temporary = new Temporary();
    const path = temporary.file('large', contents(HEAD + CHUNK));
    // Node's threads do not come to it: all of them wait for a pipe that nobody writes to.
    const pipe = join(temporary.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const opening: Promise<number>[] = [];
    const occupy = (): void => {
      for (let i = 0; i < THREADS; i++) {
        opening.push(
          new Promise((resolve, reject) => {
            openForNode(pipe, 'r', (error, fd) => (error ? reject(error) : resolve(fd)));
          }),
        );
      }
    };
    await endedAt('readFile', path, ['open', 'read', 'fstat'], occupy);
    assert.deepEqual(openIn(path), []);
    closeSync(openSync(pipe, constants.O_RDWR));
    for (const fd of await Promise.all(opening)) closeSync(fd);
  });

  for (const [name, operations] of [['readFile', ['open', 'read']], ['writeFile', ['open', 'write']]] as const) {
    it(`while ${name} of a pipe waits for the other end, and the pipe is closed`, async () => {
      using temporary = new Temporary();
      const path = join(temporary.path, 'pipe');
      execFileSync('mkfifo', [path]);
      const other = openSync(path, constants.O_RDWR);
      try {
        writeFileSync(other, 'text');
        await endedAt(name, path, operations);
        assert.deepEqual(openIn(temporary.path), [path]);
      } finally {
        closeSync(other);
      }
    });
  }
});
