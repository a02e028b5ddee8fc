// 100,000 operations, aborted at every moment there is: each promise settles with a result or an AbortError, and once it has
// settled the kernel neither writes into its buffer nor reads from it. Every buffer is filled with a pattern then, and kept
// to the end: the pattern is still in each of them, and has not arrived anywhere.
import assert from 'node:assert/strict';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { POLLIN, POLLOUT } from '../../src/abi/index.ts';
import { Reactor, type Chunk, type ReactorOptions } from '../../src/index.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';
import { Random } from '../liburing/random.ts';

/** What a buffer holds before, what is sent, what is received, and what a buffer holds when it is over. */
const [FRESH, SENT, FED, OVER] = [0x11, 0x57, 0x72, 0xa5];
const FILE_BYTES = 1 << 20;
const PENDING_MAX = 3000;
const HANG_MS = 30_000;

const MOMENTS = ['before', 'sync', 'microtask', 'tick', 'immediate', 'timer', 'shared', 'settled', 'never'] as const;
type Moment = (typeof MOMENTS)[number];
/** Nobody stops it: it has to come to an end by itself. */
const goesOn = (moment: Moment): boolean => moment === 'settled' || moment === 'never';

interface Abortion {
  name: string;
  code: string;
  cause: unknown;
  result?: number;
}

/** One storm, over files and sockets of its own. */
class Storm {
  readonly #random: Random;
  readonly #io: Reactor;
  /** The other end of everything. */
  readonly #peer: Reactor;
  readonly #files: Descriptors;
  readonly #file: number;
  readonly #listener: { fd: number; port: number };
  /** Received from, and sent to by the peer. */
  readonly #inputs: { ours: number; theirs: number; isPipe: boolean; waiting: number; isFed: boolean }[] = [];
  /** Sent to; the peer reads. */
  readonly #outputs: { ours: number; isPipe: boolean }[] = [];
  readonly #silent: number;
  readonly #drains: Promise<void>[] = [];
  readonly #aborts: AbortController[] = [];
  #shared = new AbortController();
  #sharedBy = 0;
  #accepting = 0;
  /** Connections that were made and not accepted. */
  #offered = 0;
  readonly #pending = new Map<number, string>();
  readonly #settled: Promise<void>[] = [];
  readonly #buffers: { what: string; bytes: Uint8Array }[] = [];
  readonly outcomes = { done: 0, aborted: 0, late: 0 };

  constructor(seed: number, io: Reactor, peer: Reactor, files: Descriptors, folder: Temporary) {
    this.#random = new Random(seed);
    this.#io = io;
    this.#peer = peer;
    this.#files = files;
    this.#file = files.own(openSync(folder.file('data', Buffer.alloc(FILE_BYTES, SENT)), 'r+'));
    this.#listener = files.listener();
    for (let i = 0; i < 8; i++) {
      const [reader, writer] = files.pipe();
      this.#inputs.push({ ours: reader, theirs: writer, isPipe: true, waiting: 0, isFed: false });
      const [receiver, sender] = files.socketPair();
      this.#inputs.push({ ours: receiver, theirs: sender, isPipe: false, waiting: 0, isFed: false });
      const [sink, source] = files.pipe();
      this.#outputs.push({ ours: source, isPipe: true });
      this.#drains.push(this.#drain(peer.readMany(sink)));
      const [theirs, ours] = files.socketPair();
      this.#outputs.push({ ours, isPipe: false });
      this.#drains.push(this.#drain(peer.recvMany(theirs)));
    }
    [this.#silent] = files.pipe();
  }

  /** Whatever arrives was sent while the buffer was lent. */
  async #drain(chunks: AsyncIterable<Chunk>): Promise<void> {
    for await (const { bytes } of chunks) assert.ok(isAll(bytes, SENT), 'sent from a buffer that was given back');
  }

  #buffer(what: string, bytes: number, fill: number): Uint8Array {
    const buffer = new Uint8Array(bytes).fill(fill);
    this.#buffers.push({ what, bytes: buffer });
    return buffer;
  }

  /** When it is to be aborted, if at all; and how. */
  #abort(moment: Moment): AbortSignal | undefined {
    if (moment === 'never') return undefined;
    if (moment === 'shared') {
      const { signal } = this.#shared;
      if (++this.#sharedBy === 40) {
        const abort = this.#shared;
        setImmediate(() => abort.abort('shared'));
        this.#shared = new AbortController();
        this.#sharedBy = 0;
      }
      return signal;
    }
    const abort = new AbortController();
    const now = (): void => abort.abort(moment);
    if (moment === 'before') now();
    else if (moment === 'sync') this.#aborts.push(abort);
    else if (moment === 'microtask') queueMicrotask(now);
    else if (moment === 'tick') process.nextTick(now);
    else if (moment === 'immediate') setImmediate(now);
    else if (moment === 'timer') setTimeout(now, this.#random.below(4));
    return abort.signal;
  }

  /** One operation. */
  one(id: number): void {
    const random = this.#random;
    const moment = random.of(MOMENTS);
    const signal = this.#abort(moment);
    const kind = random.below(20);
    const what = `${id}: kind ${kind}, ${moment}`;
    this.#pending.set(id, what);
    const options = { signal };
    const over = (promise: Promise<number>, onOver?: (result: number | undefined) => void): void => {
      this.#settled.push(this.#settle(id, what, promise, moment, signal, onOver));
    };
    if (kind < 5) {
      const bytes = this.#buffer(what, random.of([1, 64, 64, 64, 512, 4096]), FRESH);
      const offset = random.below(FILE_BYTES - bytes.length);
      over(this.#io.read(this.#file, bytes, { ...options, offset }), (n) => filled(what, bytes, n, SENT));
    } else if (kind < 8) {
      const bytes = this.#buffer(what, random.of([1, 64, 64, 64, 512, 4096]), SENT);
      const offset = random.below(FILE_BYTES - bytes.length);
      over(this.#io.write(this.#file, bytes, { ...options, offset }), () => void bytes.fill(OVER));
    } else if (kind < 13) {
      this.#receive(what, moment, options, over);
    } else if (kind < 16) {
      const { ours, isPipe } = random.of(this.#outputs);
      const bytes = this.#buffer(what, random.below(100) === 0 ? 300_000 : random.of([1, 64, 64, 512]), SENT);
      const all = isPipe ? this.#io.write(ours, bytes, options) : this.#io.send(ours, bytes, options);
      over(all, () => void bytes.fill(OVER));
    } else if (kind < 17) {
      over(this.#io.sleep(random.below(5), options).then(() => 0));
    } else if (kind < 18) {
      const [fd, mask] = goesOn(moment) ? [this.#outputs[1].ours, POLLOUT] : [this.#silent, POLLIN];
      // A pipe or socket that is full is polled until it is not.
      over(this.#io.poll(fd, mask, options));
    } else if (kind < 19) {
      this.#accept(moment, options, over);
    } else {
      const [one, two] = [this.#buffer(what, 64, FRESH), this.#buffer(what, 64, FRESH)];
      over(this.#io.readv(this.#file, [one, two], { ...options, offset: 5 }), (n) => {
        filled(what, one, n === undefined ? undefined : 64, SENT);
        filled(what, two, n === undefined ? undefined : 64, SENT);
      });
    }
    for (const abort of this.#aborts.splice(0)) abort.abort(moment);
  }

  #receive(
    what: string,
    moment: Moment,
    options: { signal: AbortSignal | undefined },
    over: (promise: Promise<number>, onOver: (result: number | undefined) => void) => void,
  ): void {
    const input = this.#random.of(this.#inputs);
    const bytes = this.#buffer(what, this.#random.of([1, 64, 64, 64, 512]), FRESH);
    const mustCome = goesOn(moment);
    if (mustCome) input.waiting++;
    const promise = input.isPipe ? this.#io.read(input.ours, bytes, options) : this.#io.recv(input.ours, bytes, options);
    over(promise, (n) => {
      if (mustCome) input.waiting--;
      filled(what, bytes, n, FED);
    });
  }

  #accept(
    moment: Moment,
    options: { signal: AbortSignal | undefined },
    over: (promise: Promise<number>, onOver: (result: number | undefined) => void) => void,
  ): void {
    const mustCome = goesOn(moment);
    if (mustCome) this.#accepting++;
    let isAccepted = false;
    const accepting = this.#io.accept(this.#listener.fd, options).then((fd) => {
      isAccepted = true;
      return fd;
    });
    over(accepting, (fd) => {
      if (mustCome) this.#accepting--;
      if (fd !== undefined) this.#offered--;
      // What an abortion was too late for is closed by the reactor.
      if (isAccepted) this.#files.close(this.#files.own(fd!));
    });
  }

  async #settle(
    id: number,
    what: string,
    promise: Promise<number>,
    moment: Moment,
    signal: AbortSignal | undefined,
    onOver: ((result: number | undefined) => void) | undefined,
  ): Promise<void> {
    let result: number | undefined;
    try {
      result = await promise;
      this.outcomes.done++;
    } catch (error) {
      const abortion = error as Abortion;
      assert.equal(abortion.name, 'AbortError', `${what}: ${String(error)}`);
      assert.equal(abortion.code, 'ABORT_ERR', what);
      assert.ok(signal?.aborted, `${what}: aborted by nobody`);
      assert.equal(abortion.cause, moment, what);
      this.outcomes.aborted++;
      ({ result } = abortion);
      if (result !== undefined) this.outcomes.late++;
    }
    onOver?.(result);
    this.#pending.delete(id);
  }

  /** Bytes for those that wait for some, connections for those that accept. */
  #feed(): void {
    for (const input of this.#inputs) {
      if (input.waiting === 0 || input.isFed) continue;
      input.isFed = true;
      const bytes = Buffer.alloc(input.waiting * 64, FED);
      const sent = input.isPipe ? this.#peer.write(input.theirs, bytes) : this.#peer.send(input.theirs, bytes);
      void sent.then(() => (input.isFed = false));
    }
    // Not more than the backlog takes.
    for (; this.#offered < Math.min(this.#accepting, 64); this.#offered++) {
      this.#files.close(this.#files.connect(this.#listener.port));
    }
  }

  async run(operations: number): Promise<void> {
    for (let id = 0; id < operations; ) {
      const many = this.#random.of([1, 10, 100, 1000]);
      for (let i = 0; i < many && id < operations && this.#pending.size < PENDING_MAX; i++) this.one(id++);
      await this.#breathe();
    }
    this.#shared.abort('shared');
    let isOver = false;
    const all = Promise.all(this.#settled).finally(() => (isOver = true));
    const start = performance.now();
    while (!isOver) {
      await this.#breathe();
      const message = `hangs: ${[...this.#pending.values()].slice(0, 20).join('; ')}; ${JSON.stringify(this.#io.stats)}`;
      assert.ok(performance.now() - start < HANG_MS, message);
    }
    await all;
  }

  async #breathe(): Promise<void> {
    this.#feed();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** No more is sent. Everything that was is looked at. */
  async end(): Promise<void> {
    for (const { ours } of this.#outputs) this.#files.close(ours);
    await Promise.all(this.#drains);
    for (const { what, bytes } of this.#buffers) assert.ok(isAll(bytes, OVER), `written late: ${what}`);
  }
}

const isAll = (bytes: Uint8Array, value: number): boolean => {
  for (const byte of bytes) if (byte !== value) return false;
  return true;
};

/** As many bytes arrived as were said to, and behind them there is none. From now on there are none any more. */
function filled(what: string, bytes: Uint8Array, n: number | undefined, value: number): void {
  assert.ok(isAll(bytes.subarray(0, n ?? 0), value), `other bytes than were sent: ${what}`);
  assert.ok(isAll(bytes.subarray(n ?? 0), FRESH), `more than was said: ${what}`);
  bytes.fill(OVER);
}

async function storm(operations: number, options: ReactorOptions): Promise<void> {
  const seed = Number(process.env.SEED ?? (Math.random() * 2 ** 31) | 0);
  const before = readdirSync('/proc/self/fd').length;
  try {
    using folder = new Temporary();
    using files = new Descriptors();
    const io = new Reactor(options);
    const peer = new Reactor();
    const all = new Storm(seed, io, peer, files, folder);
    await all.run(operations);
    const { done, aborted, late } = all.outcomes;
    assert.equal(done + aborted, operations);
    assert.ok(done > operations / 10 && aborted > operations / 4 && late > 0, JSON.stringify(all.outcomes));
    // Closes descriptors that came too late, if there are any left.
    await io.nop();
    const { inFlight, queued, submitted, completed } = io.stats;
    assert.deepEqual({ inFlight, queued, underWay: submitted - completed }, { inFlight: 0, queued: 0, underWay: 0 });
    await all.end();
    await io.close();
    await peer.close();
    assert.ok(isAll(readFileSync(`${folder.path}/data`), SENT), 'written from a buffer that was given back');
  } catch (error) {
    throw new Error(`SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
  // Those that were watched by the event loop are closed by it, in a turn of its own.
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(readdirSync('/proc/self/fd').length, before, `SEED=${seed}: descriptors are left`);
}

it('80,000 operations, aborted at every moment', { timeout: 120_000 }, () => storm(80_000, {}));

it('20,000 more through a ring that has room for few, and is watched', { timeout: 120_000 }, () =>
  storm(20_000, { entries: 8, cqEntries: 16, histograms: true }));
