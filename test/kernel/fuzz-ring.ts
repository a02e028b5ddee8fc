/**
 * Plays at random with one ring: receives of every kind on buffer groups that come and go, classic, incremental and plain,
 * resizing, cloning, messages from another ring, chains, cancellations, garbage collection, closing with all in flight.
 *
 * Every channel carries one byte only, and every buffer stands between canaries: what comes in must be the channel's, and
 * lie where it was lent. A thread watches over it and ends the process when it stands still.
 *
 *     node build/test/kernel/fuzz-ring.js [--seconds 20] [--seed N]
 *
 * Prints the seed of each episode that fails; `--seed` plays that one first.
 */
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from '../../src/abi/flags.ts';
import { MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL } from '../../src/abi/socket-flags.ts';
import {
  allocateAligned,
  IoUring,
  Msghdr,
  type Completion,
  type IoUringOptions,
  type ProvidedBufRing,
} from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { randomOf } from '../reactor/random.ts';
import { collect } from './collect.ts';
import { Descriptors } from './libc.ts';
import { datagramPair } from './semantics/sockets.ts';

const GUARD = 64;
const CANARY = 0xa5;
/** What a buffer is full of before anything comes. */
const EMPTY = 0xee;
const CHANNELS = 6;
const GROUPS = [1, 2, 3];
const STEPS = 400;
/** How many errors of one kind an operation may meet is no matter; these are all that it may. */
const EXPECTED = new Set(
  ('EEXIST EINVAL EBUSY ENXIO ENOMEM EOVERFLOW ENOENT EBADF EBADR EAGAIN EALREADY ETIME' +
    ' ERR_INVALID_STATE ERR_OUT_OF_RANGE ERR_INVALID_ARG_VALUE ERR_IOURING_CLOSED ERR_IOURING_UNSUPPORTED').split(' '),
);

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
const seconds = Number(values.seconds ?? 20);

/** Kills the process when `beat` stands still: a loop without end lets nothing else run. */
const beat = new Int32Array(new SharedArrayBuffer(8));
new Worker(
  `const { workerData: beat } = require('node:worker_threads');
  let last = -1, still = 0;
  for (;;) {
    Atomics.wait(beat, 1, 0, 1000);
    still = Atomics.load(beat, 0) === last ? still + 1 : 0;
    last = Atomics.load(beat, 0);
    if (still < 20) continue;
    require('node:fs').writeSync(2, 'It stands still\\n');
    process.kill(process.pid, 'SIGKILL');
  }`,
  { eval: true, workerData: beat },
).unref();

/** A buffer between canaries. */
class Guarded {
  readonly #all: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(length: number, alignment = 0) {
    this.#all = alignment > 0 ? allocateAligned(length + 2 * GUARD, alignment) : new Uint8Array(length + 2 * GUARD);
    this.#all.fill(CANARY);
    this.bytes = this.#all.subarray(GUARD, GUARD + length).fill(EMPTY);
  }

  check(): void {
    const end = this.#all.length - GUARD;
    for (let i = 0; i < GUARD; i++) {
      assert.equal(this.#all[i], CANARY, 'the canary before a buffer');
      assert.equal(this.#all[end + i], CANARY, 'the canary behind a buffer');
    }
  }
}

interface Operation {
  channel: number;
  /** The memory that was lent by itself. */
  own?: Uint8Array;
  /** Where its buffers come from, and how many of them were had under this id so far. */
  group?: number;
  generation?: number;
  how?: string;
  /** Is it behind one that keeps silent? If that fails, nothing is said of this one. */
  isMute?: boolean;
}

interface Group {
  buffers: ProvidedBufRing;
  /** What it was registered with. */
  how: object;
  /** Completions whose buffers were not given back. */
  held: Completion[];
}

class Episode {
  readonly #random: (n: number) => number;
  readonly #files = new Descriptors();
  readonly #ends: [reader: number, writer: number][] = [];
  readonly #other: IoUring;
  readonly #ring: IoUring;
  readonly #operations = new Map<number, Operation>();
  readonly #groups = new Map<number, Group>();
  readonly #generations = new Map<number, number>();
  readonly #classic = new Map<number, Uint8Array>();
  #watched: Guarded[] = [];
  #userData = 0;
  #registered: Guarded | undefined;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    for (let i = 0; i < CHANNELS; i++) {
      this.#ends.push(i % 3 === 2 ? datagramPair(this.#files) : this.#files.socketPair());
    }
    const options: IoUringOptions[] = [
      {},
      {},
      { deferTaskrun: false },
      { cqEntries: 64 },
      { cqe32: true },
      { sqe128: true },
      { cqeMixed: true },
      { registerRingFd: false },
    ];
    this.#ring = new IoUring(8 << this.#random(4), this.#pick(options));
    this.#other = new IoUring(16);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)];
  }

  play(): void {
    try {
      for (let step = 0; step < STEPS; step++) {
        Atomics.add(beat, 0, 1);
        this.#act();
      }
      this.#end();
    } finally {
      this.#ring.close();
      this.#other.close();
      this.#files[Symbol.dispose]();
    }
  }

  #act(): void {
    const action = this.#random(100);
    try {
      if (action < 10) this.#receive();
      else if (action < 22) this.#receiveInGroup();
      else if (action < 42) this.#send();
      else if (action < 50) this.#register();
      else if (action < 55) this.#dispose();
      else if (action < 60) this.#provide();
      else if (action < 63) this.#remove();
      else if (action < 66) this.#cancel();
      else if (action < 72) this.#message();
      else if (action < 74) this.#resize();
      else if (action < 77) this.#clone();
      else if (action < 80) this.#chain();
      else if (action < 82) this.#sweep();
      else this.#reap();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !EXPECTED.has(code)) throw error;
    }
  }

  /** Room for one more entry. */
  #makeRoom(): void {
    if (this.#ring.sqSpaceLeft < 4) this.#ring.submit();
  }

  #guarded(length: number): Guarded {
    const guarded = new Guarded(length, this.#pick([0, 0, 1, 64, 4096]));
    // Of the others nobody knows but the ring.
    if (this.#random(2) === 0) this.#watched.push(guarded);
    return guarded;
  }

  #receive(): void {
    this.#makeRoom();
    const channel = this.#random(CHANNELS);
    const own = this.#guarded(1 + this.#random(200)).bytes;
    const userData = ++this.#userData;
    const [fd] = this.#ends[channel];
    const ring = this.#ring;
    const kind = this.#random(5);
    let isQueued: boolean;
    if (kind === 0) isQueued = ring.prepRead(fd, own, own.length, userData);
    else if (kind === 1) isQueued = ring.prepRecv(fd, own, own.length, userData, channel % 3 === 2 ? 0 : MSG_WAITALL);
    else if (kind === 2) isQueued = ring.prepRecvmsg(fd, new Msghdr({ iov: [own] }), userData);
    else if (kind === 3) isQueued = ring.prepReadv(fd, [own], userData);
    else isQueued = ring.prepRecv(fd, own, own.length, userData);
    if (isQueued) this.#operations.set(userData, { channel, own });
  }

  #receiveInGroup(): void {
    this.#makeRoom();
    const group = this.#pick(GROUPS);
    const channel = this.#random(CHANNELS);
    const userData = ++this.#userData;
    const [fd] = this.#ends[channel];
    const ring = this.#ring;
    const flags = this.#pick([0, 0, 0, MSG_TRUNC]);
    const len = this.#pick([0, 0, 20]);
    const kind = this.#random(4);
    // In the end of a stream datagrams are cut; only there does the flag mean a length.
    const cut = channel % 3 === 2 ? flags : 0;
    let isQueued: boolean;
    if (kind === 0) isQueued = ring.prepRecvMultishot(fd, group, userData, { flags: cut, len });
    else if (kind === 1) isQueued = ring.prepRecvMultishot(fd, group, userData, { bundle: true });
    else {
      const waits = kind === 2 && channel % 3 !== 2;
      isQueued = ring.prepRecv(fd, null, waits ? 4096 : 50, userData, waits ? MSG_WAITALL : cut);
      if (isQueued) this.#select(group);
    }
    if (!isQueued) return;
    this.#operations.set(userData, {
      channel,
      group,
      generation: this.#generations.get(group) ?? 0,
      how: `kind ${kind}, ${cut}`,
    });
  }

  /** An entry that cannot have its group is queued all the same, and fails: nothing may come of that. */
  #select(group: number): void {
    try {
      this.#ring.sqeSetBufGroup(group);
    } catch (error) {
      this.#operations.set(this.#userData, { channel: -1 });
      throw error;
    }
  }

  /** Send something into a channel, without waiting. */
  #send(): void {
    const channel = this.#random(CHANNELS);
    const [, fd] = this.#ends[channel];
    const data = new Uint8Array(1 + this.#random(150)).fill(channel + 1);
    for (let i = this.#random(3); i >= 0; i--) {
      this.#other.prepSend(fd, data, data.length, 1, MSG_DONTWAIT);
      this.#other.submitAndWait(1, { timeoutMs: 1000 });
      this.#other.forEachCompletion(() => {});
    }
  }

  #register(): void {
    const id = this.#pick(GROUPS);
    const bufSize = this.#pick([1, 16, 100, 4096]);
    const incremental = this.#random(3) === 0;
    const kernelMemory = this.#random(4) === 0;
    // Beside the memory of the group.
    for (let i = 0; i < 2; i++) this.#watched.push(new Guarded(8, 1));
    const entries = 2 << this.#random(4);
    const buffers = this.#ring.registerBufRing(entries, bufSize, id, { incremental, kernelMemory });
    this.#watched.push(new Guarded(8, 1));
    assert.equal(this.#isAwaited(id), false, `group ${id} was had while a receive of the group before was in flight`);
    this.#groups.set(id, { buffers, how: { entries, bufSize, incremental, kernelMemory }, held: [] });
    this.#generations.set(id, (this.#generations.get(id) ?? 0) + 1);
  }

  /** Is a receive in flight that was armed on this id, when something else had it? */
  #isAwaited(id: number): boolean {
    return [...this.#operations.values()].some(({ group }) => group === id);
  }

  #dispose(): void {
    const id = this.#pick(GROUPS);
    this.#groups.get(id)?.buffers[Symbol.dispose]();
    this.#groups.delete(id);
    this.#generations.set(id, (this.#generations.get(id) ?? 0) + 1);
  }

  #provide(): void {
    this.#makeRoom();
    const id = this.#pick(GROUPS);
    const count = 1 + this.#random(4);
    const memory = this.#guarded(count * 64).bytes;
    if (this.#ring.prepProvideBuffers(memory, 64, count, id, this.#random(60_000), 0)) this.#classic.set(id, memory);
  }

  #remove(): void {
    this.#makeRoom();
    this.#ring.prepRemoveBuffers(1 + this.#random(5), this.#pick(GROUPS), 0);
  }

  #cancel(): void {
    this.#makeRoom();
    const all = [...this.#operations.keys()];
    if (all.length === 0 || this.#random(3) === 0) {
      this.#ring.prepCancelFd(this.#ends[this.#random(CHANNELS)][0], 0, { all: true });
    } else this.#ring.prepCancel(this.#pick(all), 0);
  }

  /** A message that looks like whatever there is. */
  #message(): void {
    const random = (): bigint => BigInt(this.#random(2 ** 32));
    const data = 2n ** 63n | (random() << 32n) | (this.#random(2) === 0 ? random() : BigInt(this.#random(64)));
    const cqeFlags = this.#pick([0, 1, 2, (this.#random(65536) << 16) >>> 0 | 1]);
    const { fd } = this.#ring;
    if (fd < 0) return;
    this.#other.prepMsgRing(fd, this.#random(2 ** 31), data, 1, this.#random(2) === 0 ? { cqeFlags } : undefined);
    this.#other.submitAndWait(1, { timeoutMs: 1000 });
    this.#other.forEachCompletion(() => {});
  }

  #resize(): void {
    const entries = 8 << this.#random(5);
    this.#ring.resizeRings(entries, { cqEntries: entries << this.#random(3) });
  }

  #clone(): void {
    if (this.#registered !== undefined && this.#random(2) === 0) {
      this.#registered = undefined;
      this.#ring.unregisterBuffers();
      return;
    }
    const guarded = new Guarded(256, 64);
    this.#other.registerBuffers([guarded.bytes]);
    try {
      this.#ring.cloneBuffers(this.#other, { replace: this.#random(2) === 0 });
      this.#watched.push(this.#registered = guarded);
    } finally {
      this.#other.unregisterBuffers();
    }
    this.#makeRoom();
    const userData = ++this.#userData;
    const channel = this.#random(CHANNELS);
    const own = guarded.bytes;
    if (this.#ring.prepRead(this.#ends[channel][0], own, 100, userData, null, { fixed: 0 })) {
      this.#operations.set(userData, { channel, own });
    }
  }

  /** Two receives one after the other; the first may keep silent. */
  #chain(): void {
    if (this.#ring.sqSpaceLeft < 8) this.#ring.submit();
    const link = this.#pick([IOSQE_IO_LINK, IOSQE_IO_HARDLINK]);
    const channel = this.#random(CHANNELS);
    const [fd] = this.#ends[channel];
    const silent = this.#random(2) === 0;
    const first = silent ? 0 : ++this.#userData;
    const own = this.#guarded(10).bytes;
    if (!this.#ring.prepRead(fd, own, 10, first)) return;
    this.#ring.sqeSetFlags(link | (silent ? IOSQE_CQE_SKIP_SUCCESS : 0));
    if (!silent) this.#operations.set(first, { channel, own });
    const second = ++this.#userData;
    const next = this.#guarded(10).bytes;
    if (this.#ring.prepRead(fd, next, 10, second)) this.#operations.set(second, { channel, own: next, isMute: silent });
  }

  /** Collect garbage, sow what is free, and look at all canaries. */
  #sweep(): void {
    collect();
    const fields = Array.from({ length: 40 }, (_, i) => new Uint8Array(32 << (i % 8)).fill(CANARY));
    this.#ring.submitAndWait(0, { timeoutMs: 0 });
    for (const field of fields) assert.ok(field.every((byte) => byte === CANARY), 'somebody wrote into foreign memory');
    for (const guarded of this.#watched) guarded.check();
    if (this.#watched.length > 200) this.#watched = this.#watched.slice(-100);
  }

  #reap(): void {
    if (this.#random(3) > 0) this.#ring.submitAndWait(this.#random(2), { timeoutMs: this.#random(2) });
    else this.#ring.submit();
    const max = this.#random(3) === 0 ? 1 + this.#random(5) : undefined;
    if (this.#random(5) === 0) this.#ring.peek();
    if (this.#random(8) === 0) { for (const c of this.#ring.copyCompletions(max)) this.#complete(c); }
    else this.#ring.forEachCompletion((c) => this.#complete(c), max);
  }

  #complete(c: Completion): void {
    // A stranger's message: nothing of ours.
    if (c.userData64 >= 2n ** 63n) return;
    const { userData } = c;
    if (userData === 0) return;
    const operation = this.#operations.get(userData);
    assert.ok(operation, `a completion of operation ${userData}, which is over`);
    if (!c.hasMore()) this.#operations.delete(userData);
    const { channel, own, group, generation } = operation;
    if (own !== undefined) {
      assert.ok(c.res <= own.length);
      for (let i = 0; i < c.res; i++) assert.equal(own[i], channel + 1, 'what was received');
      return;
    }
    const bid = c.bufferId();
    if (bid === undefined || group === undefined) return;
    const current = this.#groups.get(group);
    if (current === undefined || generation !== this.#generations.get(group)) return;
    let bytes = 0;
    for (const view of current.buffers.bytes(c)) {
      bytes += view.length;
      for (const byte of view) {
        assert.equal(byte, channel + 1, `received in buffer ${bid} of group ${group}: ${this.#tell(c, operation)}`);
      }
    }
    assert.ok(bytes <= Math.max(0, c.res));
    current.held.push(c.copy());
    if (this.#random(4) === 0) return;
    for (const held of current.held.splice(0)) current.buffers.recycle(held);
  }

  #tell(c: Completion, operation: Operation): string {
    const { group } = operation;
    return JSON.stringify({ ...c.toJSON(), offset: c.bufferOffset(), ...operation, ...this.#groups.get(group!)?.how });
  }

  /** End it with all in flight, or wait for all; afterwards nothing may come any more. */
  #end(): void {
    const ring = this.#ring;
    if (this.#random(2) === 0) {
      const owed = (): [number, Operation][] =>
        [...this.#operations].filter(([, operation]) => operation.isMute !== true);
      for (let i = 0; owed().length > 0; i++) {
        assert.ok(i < 1000, `operations ${JSON.stringify(owed())} never end`);
        Atomics.add(beat, 0, 1);
        if (ring.sqSpaceLeft === 0) ring.submit();
        ring.prepCancel({ any: true }, 0, { all: true });
        ring.submitAndWait(1, { timeoutMs: 5 });
        ring.forEachCompletion((c) => {
          try {
            this.#complete(c);
          } catch (error) {
            if (!EXPECTED.has(String((error as NodeJS.ErrnoException).code))) throw error;
          }
        });
      }
    }
    ring.close();
    assert.equal(coreOf(ring).pins.held().length, 0, 'something is held after the close');
    const before = this.#watched.map(({ bytes }) => Buffer.from(bytes).toString('latin1'));
    for (let i = 0; i < 20; i++) this.#send();
    for (const [i, guarded] of this.#watched.entries()) {
      guarded.check();
      assert.equal(Buffer.from(guarded.bytes).toString('latin1'), before[i], 'it came after the close');
    }
  }
}

const first = Number(values.seed ?? (Date.now() ^ process.pid) >>> 0);
process.stdout.write(`seed ${first}\n`);
const end = performance.now() + seconds * 1000;
let episodes = 0;
for (let seed = first; performance.now() < end || episodes === 0; seed = (seed + 1) >>> 0) {
  try {
    new Episode(seed).play();
  } catch (error) {
    writeSync(2, `seed ${seed}: ${(error as Error).stack}\n`);
    process.exit(1);
  }
  episodes++;
  // Finalizers come in a turn of their own.
  if (episodes % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(`${episodes} episodes\n`);
