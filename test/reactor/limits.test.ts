// Limits of time, signals and cancellations that stop a transfer in the middle: how much was done is told, to the byte.
// slow: goes to the limits of descriptors and memory
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { describe } from 'node:test';
import { MSG_DONTWAIT, MSG_WAITALL } from '../../src/abi/index.ts';
import { LinkError, Msghdr, Reactor, TimeoutError } from '../../src/index.ts';
import type { Engine } from '../../src/reactor/engine.ts';
import { WaitMethods } from '../../src/reactor/methods-wait.ts';
import type { Operation } from '../../src/reactor/operation.ts';
import type { RegisteredMemory } from '../../src/reactor/registered-memory.ts';
import { it } from '../asking.ts';
import { Descriptors, shutdownWrite } from '../kernel/libc.ts';

const LIMIT_MS = 25;
/** After so long a limit was not kept. Other programs may have the processor meanwhile. */
const SOON_MS = 2000;
/** More than the buffers of any connection here take. */
const DATA = Buffer.alloc(32 * 2 ** 20, 'much ');

/** How a transfer that was stopped fails. */
type Stopped = Omit<TimeoutError, 'name' | 'code'> & { name: string; code: string };

/** Two ends of a connection. */
async function connection(io: Reactor, files: Descriptors, isTcp: boolean): Promise<[ours: number, theirs: number]> {
  if (!isTcp) return files.socketPair();
  const { fd, port } = files.listener();
  return [files.connect(port), files.own(await io.accept(fd))];
}

/** How a transfer failed, which it has to do soon. */
async function failureOf(transfer: Promise<unknown>): Promise<Stopped> {
  const begin = performance.now();
  const error = await transfer.then(
    (value) => assert.fail(`resolved with ${String(value)}`),
    (reason: unknown) => reason as Stopped,
  );
  const ms = performance.now() - begin;
  assert.ok(ms < SOON_MS, `took ${ms} ms: ${error.message}`);
  return error;
}

/** What arrives until the end. */
async function drain(io: Reactor, fd: number): Promise<number> {
  const buffer = new Uint8Array(2 ** 20);
  let total = 0;
  for (let n = -1; n !== 0; total += n) n = await io.recv(fd, buffer);
  return total;
}

/** Ways to send much. */
const WAYS = {
  send: (io: Reactor, fd: number, options: object) => io.send(fd, DATA, options),
  sendmsg: (io: Reactor, fd: number, options: object) =>
    io.sendmsg(fd, { iov: [DATA.subarray(0, 5e6), DATA.subarray(5e6)] }, options),
};

describe('a time limit', () => {
  for (const [name, way] of Object.entries(WAYS)) {
    for (
      const [kind, isTcp, zeroCopy] of [['unix', false, false], ['TCP', true, false], ['TCP', true, true]] as const
    ) {
      const what = `${name}${zeroCopy ? ' with zeroCopy' : ''} over ${kind}`;

      it(`of ${what}, whose peer reads nothing: the error tells what has gone out, and no more goes`, async () => {
        using files = new Descriptors();
        await using io = new Reactor();
        const [ours, theirs] = await connection(io, files, isTcp);
        const error = await failureOf(way(io, ours, { zeroCopy, timeoutMs: LIMIT_MS }));
        assert.deepEqual([error.name, error.code, error.syscall], ['TimeoutError', 'ETIMEDOUT', name]);
        assert.ok(error.result! > 0 && error.result! < DATA.length, `${error.result}`);
        // What the peer has not taken, the kernel still reads from our memory.
        assert.equal(error.released instanceof Promise, zeroCopy);
        shutdownWrite(ours);
        assert.equal(await drain(io, theirs), error.result);
        await error.released;
        assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
      });

      it(`of ${what}, whose peer reads on and on: the error tells what has gone out, and no more goes`, async () => {
        using files = new Descriptors();
        await using io = new Reactor();
        const [ours, theirs] = await connection(io, files, isTcp);
        let received = 0;
        const reading = (async () => {
          const buffer = new Uint8Array(16_384);
          for (let n = -1; n !== 0; received += n) {
            n = await io.recv(theirs, buffer);
            await io.sleep(1);
          }
        })();
        const error = await failureOf(way(io, ours, { zeroCopy, timeoutMs: LIMIT_MS }));
        assert.equal(error.name, 'TimeoutError');
        shutdownWrite(ours);
        await reading;
        // On a machine that is busy the time may be over before anything has gone out.
        assert.equal(received, error.result ?? 0);
        await error.released;
      });
    }
  }

  it('of a send with zeroCopy that is with the peer’s kernel, and not with the peer: all of it is told as sent', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = await connection(io, files, true);
    // Fill the connection, so that what comes behind cannot leave our memory.
    const filling = await failureOf(io.send(ours, DATA, { timeoutMs: LIMIT_MS }));
    const one = await io.recv(theirs, new Uint8Array(3 * 2 ** 20));
    const data = Buffer.alloc(20_000, 'x');
    const error = await io.send(ours, data, { zeroCopy: true, timeoutMs: LIMIT_MS, flags: MSG_WAITALL }).catch((
      reason: unknown,
    ) => reason);
    const sent = error instanceof TimeoutError ? error.result! : (error as number);
    shutdownWrite(ours);
    assert.equal(one + (await drain(io, theirs)), filling.result! + sent);
    if (error instanceof TimeoutError) await error.released;
    assert.deepEqual([io.stats.inFlight, io.stats.queued], [0, 0]);
  });

  it('of recv and recvmsg with MSG_WAITALL, when only a part has come: the error tells how much is in the buffer', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const flags = MSG_WAITALL;
    const buffer = Buffer.alloc(8);
    const ways = {
      recv: () => io.recv(ours, buffer, { flags, timeoutMs: LIMIT_MS }),
      recvmsg: () =>
        io.recvmsg(ours, new Msghdr({ iov: [buffer.subarray(0, 2), buffer.subarray(2)] }), {
          flags,
          timeoutMs: LIMIT_MS,
        }),
    };
    for (const [name, way] of Object.entries(ways)) {
      writeSync(theirs, 'part');
      const error = await failureOf(way());
      assert.deepEqual([error.name, error.syscall, error.result], ['TimeoutError', name, 4]);
      assert.equal(buffer.toString('latin1', 0, 4), 'part');
      const nothing = await failureOf(way());
      assert.deepEqual([nothing.name, 'result' in nothing], ['TimeoutError', false]);
      const whole = way();
      writeSync(theirs, 'complete');
      assert.equal(await whole, 8);
    }
    // The end of the stream is an answer, and so is what there is without MSG_WAITALL.
    writeSync(theirs, 'last');
    assert.equal(await io.recv(ours, buffer, { timeoutMs: LIMIT_MS }), 4);
    writeSync(theirs, 'last');
    shutdownWrite(theirs);
    assert.equal(await ways.recv(), 4);
  });

  it('that is over while the operation waits for room in the ring: nothing is begun', async () => {
    using files = new Descriptors();
    await using io = new Reactor({ entries: 2, cqEntries: 16 });
    const [ours, theirs] = files.socketPair();
    const [reader, writer] = files.pipe();
    writeSync(writer, 'as many as are read');
    const reads = Array.from({ length: 12 }, () => io.read(reader, new Uint8Array(1)));
    assert.ok(io.stats.queued > 0);
    const sending = failureOf(io.send(ours, DATA, { timeoutMs: 2 }));
    // The reads make room in the very turn that begins behind this.
    for (const begin = performance.now(); performance.now() < begin + 4;);
    const error = await sending;
    assert.deepEqual([error.name, 'result' in error], ['TimeoutError', false]);
    await Promise.all(reads);
    await assert.rejects(io.recv(theirs, new Uint8Array(1), { flags: MSG_DONTWAIT }), { code: 'EAGAIN' });
  });

  it('of 0: what can be done at once is done, and told', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    assert.equal(await io.send(ours, 'at once', { timeoutMs: 0 }), 7);
    const { result } = await failureOf(io.send(ours, DATA, { timeoutMs: 0 }));
    shutdownWrite(ours);
    assert.equal(await drain(io, theirs), 7 + (result ?? NaN));
  });

  it('of a step of a chain: the step fails, and tells what it did', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const steps = [['nop'], ['send', ours, DATA, { timeoutMs: LIMIT_MS }], ['nop']] as const;
    const error = (await failureOf(io.chain(steps))) as Error;
    assert.ok(error instanceof LinkError);
    assert.equal(error.step, 1);
    const cause = error.cause as TimeoutError;
    shutdownWrite(ours);
    assert.deepEqual([cause.name, cause.result], ['TimeoutError', await drain(io, theirs)]);
  });
});

describe('a send of much', () => {
  it('that is aborted in the middle: the error tells what has gone out', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const abort = new AbortController();
    const sending = failureOf(io.send(ours, DATA, { signal: abort.signal }));
    await io.nop();
    abort.abort();
    const error = await sending;
    shutdownWrite(ours);
    assert.deepEqual([error.name, error.result], ['AbortError', await drain(io, theirs)]);
  });

  it('whose descriptor is cancelled in the middle: it fails, and no more goes out', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const sending = failureOf(io.send(ours, DATA));
    await io.nop();
    assert.equal(await io.cancel(ours), 1);
    assert.equal((await sending).code, 'ECANCELED');
    const sent = await io.recv(theirs, new Uint8Array(2 ** 20));
    shutdownWrite(ours);
    assert.ok(sent + (await drain(io, theirs)) < DATA.length);
  });

  it('that the kernel ends in the middle, again and again: the rest is sent, and what was sent counts', async () => {
    const sent: string[] = [];
    const io = new Scripted([4, 3, 3], sent);
    assert.equal(await io.send(7, '0123456789'), 10);
    assert.deepEqual(sent, ['0123456789', '456789', '789']);
  });

  it('that the kernel ends in the middle, and whose time is over then: the error tells all that has gone out', async () => {
    const sent: string[] = [];
    const io = new Scripted([4, 3, -125], sent);
    const error = await failureOf(io.send(7, '0123456789', { timeoutMs: 60_000 }));
    assert.deepEqual([error.name, error.result, sent.length], ['TimeoutError', 7, 3]);
  });
});

/**
 * The methods over an engine that answers by script, as kernels before 5.19 do, which send once: -ECANCELED is the time
 * limit.
 */
class Scripted extends WaitMethods {
  constructor(answers: number[], sent: string[]) {
    const ring = {
      prepSend: (_fd: number, memory: Uint8Array, length: number) =>
        sent.push(Buffer.from(memory).toString('latin1', 0, length)),
      sqeSetFlags: () => {},
      prepLinkTimeout: () => true,
    };
    const submit = (operation: Operation): void => {
      operation.prepare(ring as never);
      const res = answers.shift()!;
      if (operation.owed > 1) operation.expired(res < 0 ? -62 : -125);
      operation.arrived({ res, hasMore: () => false } as never);
      queueMicrotask(() => operation.over());
    };
    const engine = { observer: undefined, submit, proceed: submit };
    super(engine as unknown as Engine, {} as RegisteredMemory);
  }
}
