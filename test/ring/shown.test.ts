// Objects as console.log shows them: by name, with what a reader of a log wants to know, and without asking the kernel.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe } from 'node:test';
import { inspect } from 'node:util';
import { AF_INET, SOCK_DGRAM } from '../../src/abi/index.ts';
import {
  Completion,
  EpollEvents,
  IoUring,
  Msghdr,
  Reactor,
  Siginfo,
  SocketAddressBuffer,
  Statx,
} from '../../src/index.ts';
import { IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_BUFFER, IORING_CQE_F_MORE } from '../../src/abi/flags.ts';
import { FakeKernel } from './fake-kernel.ts';
import { it } from '../asking.ts';

function completion(low: number, high: number, res: number, flags = 0): Completion {
  const c = new Completion();
  Completion.set(c, low, high, res, flags);
  return c;
}

describe('a completion in console.log', () => {
  it('given bytes in a provided buffer, shows the flags by name and which buffer it is', () => {
    const flags = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | (3 << IORING_CQE_BUFFER_SHIFT);
    const text = inspect(completion(7, 0, 5, flags));
    const names = `[ 'IORING_CQE_F_BUFFER', 'IORING_CQE_F_MORE' ]`;
    assert.equal(text.replace(/\s+/g, ' '), `Completion { userData: 7, res: 5, flags: ${names}, bufferId: 3 }`);
  });

  it('given a refusal, names the error', () => {
    assert.equal(inspect(completion(1, 0, -2)), `Completion { userData: 1, res: -2, error: 'ENOENT', flags: [] }`);
  });

  it('given userData above 2^53-1, shows it exactly', () => {
    assert.match(inspect(completion(-1, -1, 0)), /userData: 18446744073709551615n/);
  });

  it('given a flag that has no name, shows its bit', () => {
    assert.match(inspect(completion(1, 0, 0, 0x4000)), /flags: \[ '0x4000' \]/);
  });

  it('given where there is no room for it, is its name alone', () => {
    assert.match(inspect({ a: { b: completion(1, 0, 0) } }, { depth: 1 }), /\[Completion\]/);
  });
});

describe('a ring in console.log', () => {
  it('shows its sizes, what is queued, and its flags by name, and makes no system call', () => {
    const kernel = new FakeKernel();
    const ring = new IoUring(8, {}, kernel);
    ring.prepNop(1);
    const calls = kernel.calls.length;
    const text = inspect(ring);
    assert.equal(kernel.calls.length, calls);
    assert.match(text, /^IoUring \{\s+fd: \d+,\s+closed: false,\s+sqEntries: 8,/);
    assert.match(text, /sqReady: 1,/);
    ring.close();
    assert.match(inspect(ring), /^IoUring \{\s+fd: -1,\s+closed: true,/);
  });

  it('given groups of buffers, each shows its size and whether it is closed', () => {
    using ring = new IoUring(8);
    const group = ring.registerBufRing(4, 64, 9);
    const shown = (closed: boolean): string =>
      `ProvidedBufRing { group: 9, entries: 4, bufSize: 64, incremental: false, closed: ${closed} }`;
    assert.equal(inspect(group, { breakLength: 200 }), shown(false));
    group[Symbol.dispose]();
    assert.equal(inspect(group, { breakLength: 200 }), shown(true));
  });
});

describe('a reactor in console.log', () => {
  it('shows whether it is closed, and what it has done', async () => {
    const io = new Reactor();
    await io.nop();
    assert.match(inspect(io), /^Reactor \{\s+closed: false,[\s\S]*submitted: 1,\s+completed: 1,/);
    await io.close();
    assert.match(inspect(io), /^Reactor \{\s+closed: true,/);
  });

  it('given a datagram, shows its sender and its bytes, and after its end that it is disposed of', async () => {
    await using io = new Reactor();
    const fd = await io.socket(AF_INET, SOCK_DGRAM);
    await io.bind(fd, { family: 'ipv4', address: '127.0.0.1', port: 0 });
    const { port } = io.getsockname(fd) as { port: number };
    const sender = createSocket('udp4').bind(0, '127.0.0.1');
    await once(sender, 'listening');
    sender.send('hello', port, '127.0.0.1');
    for await (const datagram of io.recvmsgMany(fd)) {
      assert.match(inspect(datagram), /^Datagram \{\s+address: \{[\s\S]*127\.0\.0\.1[\s\S]*bytes: .*104, 101, 108/);
      datagram[Symbol.dispose]();
      assert.equal(inspect(datagram), 'Datagram { disposed: true }');
      break;
    }
    sender.close();
    await io.closeFd(fd);
  });

  it('given a chunk, shows its bytes, and after its end that it is disposed of', async () => {
    await using io = new Reactor();
    const [reader, writer] = [await io.socket(AF_INET, SOCK_DGRAM), await io.socket(AF_INET, SOCK_DGRAM)];
    await io.bind(reader, { family: 'ipv4', address: '127.0.0.1', port: 0 });
    await io.connect(writer, io.getsockname(reader));
    await io.send(writer, 'hi');
    for await (const chunk of io.recvMany(reader)) {
      assert.match(inspect(chunk), /^Chunk \{ bytes: Uint8Array\(2\) \[ 104, 105 \] \}$/);
      chunk[Symbol.dispose]();
      assert.equal(inspect(chunk), 'Chunk { disposed: true }');
      break;
    }
    for (const fd of [reader, writer]) await io.closeFd(fd);
  });
});

describe('structures in console.log', () => {
  it('given a status, shows what stat(2) tells', async () => {
    await using io = new Reactor();
    assert.match(inspect(await io.stat('/')), /^Statx \{[\s\S]*size: \d+,[\s\S]*mtime: 20\d\d-/);
  });

  it('given others, each is shown by its name and its fields', () => {
    assert.equal(inspect(new EpollEvents(4)), 'EpollEvents { max: 4 }');
    assert.match(inspect(new Siginfo()), /^Siginfo \{ signo: 0, code: 0,/);
    assert.match(inspect(new SocketAddressBuffer()), /^SocketAddressBuffer \{ address: /);
    assert.match(inspect(new Msghdr({ iov: [new Uint8Array(8)] })), /^Msghdr \{[\s\S]*iov: \[ 8 \]/);
    assert.match(inspect(new Statx()), /^Statx \{/);
  });
});
