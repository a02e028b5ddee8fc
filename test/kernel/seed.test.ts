// The cases that the Rust original proves of itself, on the real kernel, written afresh.
import assert from 'node:assert/strict';
import { openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { IoUring } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';
import { Temporary } from './temporary.ts';

const ENOENT = 2;
const ETIME = 62;
const ECANCELED = 125;

describe('the seed surface', () => {
  it('nop round trip', () => {
    using ring = new IoUring(8);
    assert.equal(ring.prepNop(0x1234), true);
    assert.equal(ring.submitAndWait(1), 1);
    const [c, ...more] = reap(ring);
    assert.deepEqual(more, []);
    assert.equal(c.userData, 0x1234);
    assert.equal(c.userData64, 0x1234n);
    assert.equal(c.res, 0);
    assert.equal(c.flags, 0);
    assert.equal(c.bufferId(), undefined);
    assert.equal(c.hasMore(), false);
    assert.equal(c.sockNonempty(), false);
  });

  it('reads a file', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', 'hello io_uring'), 'r'));
    const buffer = new Uint8Array(64);
    assert.equal(ring.prepRead(fd, buffer, buffer.length, 0xabcd), true);
    const c = complete(ring);
    assert.equal(c.userData, 0xabcd);
    assert.equal(c.res, 14);
    assert.equal(Buffer.from(buffer).toString('utf8', 0, 14), 'hello io_uring');
  });

  it('a timeout fires after its time, and not before', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(5, 0x71);
    const start = process.hrtime.bigint();
    ring.submitAndWait(1);
    assert.ok(process.hrtime.bigint() - start >= 5_000_000n);
    assert.deepEqual(reap(ring).map(({ userData, res }) => [userData, res]), [[0x71, -ETIME]]);
  });

  it('a timeout bounds a wait beside a read that stays pending', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader] = files.pipe();
    ring.prepRead(reader, new Uint8Array(8), 8, 0x72);
    ring.prepTimeout(5, 0x73);
    ring.submitAndWait(1);
    assert.deepEqual(reap(ring).map((c) => c.userData), [0x73]);
  });

  it('cancel of an unknown operation reports ENOENT', () => {
    using ring = new IoUring(8);
    ring.prepCancel(0xdead, 0xca10);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res], [0xca10, -ENOENT]);
  });

  it('cancel in flight: a timeout', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(60_000, 0x71);
    assert.equal(ring.submitAndWait(0), 1);
    ring.prepCancel(0x71, 0xca11);
    ring.submitAndWait(2);
    const results = new Map(reap(ring).map((c) => [c.userData, c.res]));
    assert.deepEqual(results, new Map([[0xca11, 0], [0x71, -ECANCELED]]));
  });

  it('cancel in flight: a read that lent its buffer, found by the caller’s userData', {
    skip: without('5.19', 'reads of pipes that wait without a worker'),
  }, () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader] = files.pipe();
    ring.prepRead(reader, new Uint8Array(8), 8, 2n ** 64n - 1n);
    ring.submit();
    ring.prepCancel(2n ** 64n - 1n, 5);
    ring.submitAndWait(2);
    const results = new Map(reap(ring).map((c) => [c.userData64, c.res]));
    assert.deepEqual(results, new Map([[5n, 0], [2n ** 64n - 1n, -ECANCELED]]));
  });

  it('a full submission queue says so, and a batch comes back complete', () => {
    using ring = new IoUring(8);
    for (let i = 0; i < 8; i++) assert.equal(ring.prepNop(i), true);
    assert.equal(ring.prepNop(99), false);
    assert.equal(ring.submitAndWait(8), 8);
    assert.deepEqual(reap(ring).map((c) => c.userData).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('accepts a connection: non-blocking and close-on-exec', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const { fd, port } = files.listener();
    files.connect(port);
    ring.prepAccept(fd, 0xacce);
    const c = complete(ring);
    assert.equal(c.userData, 0xacce);
    assert.ok(c.res >= 0);
    files.own(c.res);
    const flags = Number(/flags:\s+0(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${c.res}`, 'utf8'))![1]);
    const octal = Number.parseInt(String(flags), 8);
    assert.ok(octal & 0o4000, 'O_NONBLOCK');
    assert.ok(octal & 0o2000000, 'O_CLOEXEC');
  });

  it('echo: accept, read, write', () => {
    using files = new Descriptors();
    using ring = new IoUring(16);
    const { fd, port } = files.listener();
    const client = files.connect(port);
    ring.prepAccept(fd, 1);
    const connection = files.own(complete(ring).res);
    writeSync(client, 'ping');
    const buffer = new Uint8Array(64);
    ring.prepRead(connection, buffer, buffer.length, 2);
    assert.equal(complete(ring).res, 4);
    ring.prepWrite(connection, buffer, 4, 3);
    assert.equal(complete(ring).res, 4);
    const answer = Buffer.alloc(4);
    readSync(client, answer);
    assert.equal(answer.toString(), 'ping');
  });

  it('multishot receive with provided buffers: one submission, a completion per arrival', () => {
    using files = new Descriptors();
    using ring = new IoUring(16);
    const { fd, port } = files.listener();
    const client = files.connect(port);
    ring.prepAccept(fd, 1);
    const connection = files.own(complete(ring).res);
    const buffers = ring.registerBufRing(4, 64, 7);
    assert.equal(buffers.group, 7);
    assert.equal(ring.prepRecvMultishot(connection, buffers.group, 2), true);
    for (const text of ['ping', 'pong', 'once more']) {
      writeSync(client, text);
      const c = complete(ring);
      assert.equal(c.userData, 2);
      assert.equal(c.res, text.length);
      assert.equal(c.hasMore(), true);
      const id = c.bufferId();
      assert.notEqual(id, undefined);
      assert.equal(Buffer.from(buffers.bytes(id!, c.res)).toString(), text);
      buffers.recycle(id!);
    }
    files.close(client);
    const last = complete(ring);
    assert.deepEqual([last.userData, last.res, last.hasMore()], [2, 0, false]);
    assert.equal(last.bufferId(), undefined);
  });

  it('batched positional reads: one wait for the batch, each at its own place', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const records = Array.from({ length: 6 }, (_, i) => Buffer.alloc(32 + i, 'a'.charCodeAt(0) + i));
    const fd = files.own(openSync(folder.file('records', Buffer.concat(records)), 'r'));
    const buffers = records.map((record) => new Uint8Array(record.length));
    let offset = 0;
    for (const [i, buffer] of buffers.entries()) {
      assert.equal(ring.prepRead(fd, buffer, buffer.length, i, offset), true);
      offset += buffer.length;
    }
    assert.equal(ring.submitAndWait(6), 6);
    for (const c of reap(ring)) assert.equal(c.res, records[c.userData].length);
    assert.deepEqual(buffers.map((buffer) => Buffer.from(buffer)), records);
  });

  it('a batch larger than the submission queue goes in pieces, each intact', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(4);
    const contents = Buffer.concat(Array.from({ length: 10 }, (_, i) => Buffer.alloc(16, i)));
    const fd = files.own(openSync(folder.file('data', contents), 'r'));
    const buffers = Array.from({ length: 10 }, () => Buffer.alloc(16));
    let submits = 0;
    let done = 0;
    for (let next = 0; done < buffers.length;) {
      while (next < 10 && ring.prepRead(fd, buffers[next], 16, next, 16 * next)) next++;
      ring.submitAndWait(1);
      submits++;
      done += ring.forEachCompletion((c) => assert.equal(c.res, 16));
    }
    assert.ok(submits >= 3);
    assert.deepEqual(Buffer.concat(buffers), contents);
  });
});
