// Descriptors that the reactor makes are closed in programs that this process starts, unless that is not wanted.
import assert from 'node:assert/strict';
import { closeSync, constants, readFileSync } from 'node:fs';
import { describe } from 'node:test';
import koffi from 'koffi';
import {
  AF_INET,
  AF_UNIX,
  AT_FDCWD,
  MSG_CMSG_CLOEXEC,
  O_CLOEXEC,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from '../../src/abi/index.ts';
import { Msghdr, Reactor, rights, rightsOf, type DescriptorOptions } from '../../src/index.ts';

import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';

const { O_RDONLY, O_NONBLOCK } = constants;

/** Every method that makes descriptors, without a word about who inherits them. */
const MAKERS: Record<string, (io: Reactor, options?: DescriptorOptions) => Promise<number[]>> = {
  open: async (io, options) => [await io.open('/dev/null', O_RDONLY, options)],
  openat: async (io, options) => [await io.openat(AT_FDCWD, '/dev/null', O_RDONLY, options)],
  openat2: async (io, options) => [await io.openat2(AT_FDCWD, '/dev/null', { flags: O_RDONLY | O_NONBLOCK }, options)],
  pipe: (io, options) => io.pipe({ flags: O_NONBLOCK, ...options }),
  socket: async (io, options) => [await io.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, options)],
  recvmsg: async (io, options) => {
    using files = new Descriptors();
    const [ours, theirs] = files.socketPair();
    const msg = new Msghdr({ iov: [new Uint8Array(8)], control: 64 });
    // One that comes alone first: the room that is left is not what is asked for.
    await io.send(theirs, 'x');
    await io.recvmsg(ours, msg, options);
    await io.sendmsg(theirs, { iov: [Buffer.from('x')], control: [rights([0])] });
    await io.recvmsg(ours, msg, options);
    return rightsOf(msg.control[0])!;
  },
  recvmsgMany: async (io, options) => {
    using files = new Descriptors();
    const [ours, theirs] = files.socketPair();
    await io.sendmsg(theirs, { iov: [Buffer.from('x')], control: [rights([0])] });
    for await (const datagram of io.recvmsgMany(ours, { controllen: 64, ...options })) {
      return rightsOf(datagram.control[0])!;
    }
    return [];
  },
};

/** Does a program that is started now have these descriptors? */
function inherited(fds: number[]): boolean[] {
  const spawn = koffi.load(null).func(
    'int posix_spawn(_Out_ int *pid, str path, void *actions, void *attributes, const char **argv, const char **envp)',
  ) as (...args: unknown[]) => number;
  const waitpid = koffi.load(null).func('int waitpid(int pid, _Out_ int *status, int options)') as (
    ...args: unknown[]
  ) => number;
  return fds.map((fd) => {
    // Node closes all but those that it is told of: it is no such program.
    const [pid, status] = [[-1], [-1]];
    assert.equal(spawn(pid, '/bin/sh', null, null, ['sh', '-c', `test -e /proc/self/fd/${fd}`, null], [null]), 0);
    assert.equal(waitpid(pid[0], status, 0), pid[0]);
    return status[0] === 0;
  });
}

describe('descriptors', () => {
  for (const [name, make] of Object.entries(MAKERS)) {
    it(`that ${name} makes are closed in a program that is started; with cloexec: false they are not`, async () => {
      await using io = new Reactor();
      for (
        const [options, isInherited] of [[undefined, false], [{}, false], [{ cloexec: true }, false], [{
          cloexec: false,
        }, true]] as const
      ) {
        const fds = await make(io, options);
        assert.ok(fds.length > 0);
        try {
          assert.deepEqual(inherited(fds), fds.map(() => isInherited), JSON.stringify(options));
        } finally {
          fds.forEach((fd) => closeSync(fd));
        }
      }
      await assert.rejects(make(io, { cloexec: 1 as never }), {
        code: 'ERR_INVALID_ARG_TYPE',
        message: /options\.cloexec/,
      });
    });
  }

  it('whose flags say it are closed in a program that is started, with cloexec: false too', async () => {
    await using io = new Reactor();
    using files = new Descriptors();
    const options = { cloexec: false };
    const made = [
      await io.open('/dev/null', O_RDONLY | O_CLOEXEC, options),
      await io.openat2(AT_FDCWD, '/dev/null', { flags: O_CLOEXEC }, options),
      ...(await io.pipe({ flags: O_CLOEXEC, ...options })),
      await io.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, options),
    ];
    const [ours, theirs] = files.socketPair();
    await io.sendmsg(theirs, { iov: [Buffer.from('x')], control: [rights([0])] });
    const msg = new Msghdr({ iov: [new Uint8Array(8)], control: 64 });
    await io.recvmsg(ours, msg, { flags: MSG_CMSG_CLOEXEC, ...options });
    made.push(...rightsOf(msg.control[0])!);
    assert.deepEqual(inherited(made), made.map(() => false));
    made.forEach((fd) => closeSync(fd));
  });

  it('keep the other flags that they were asked for with, and wrong flags are refused as before', async () => {
    await using io = new Reactor();
    const [reader, writer] = await io.pipe({ flags: O_NONBLOCK });
    const flagsOf = (fd: number): number =>
      Number.parseInt(/^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1], 8);
    assert.equal(flagsOf(reader) & O_NONBLOCK, O_NONBLOCK);
    await Promise.all([io.closeFd(reader), io.closeFd(writer)]);
    await assert.rejects(io.open('/dev/null', 'r' as never), { code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(io.open('/dev/null', -1), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(io.open('/dev/null', 2 ** 32), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(io.open('/dev/null', 0.5), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(io.openat2(AT_FDCWD, '/dev/null', null as never), { code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(io.openat2(AT_FDCWD, '/dev/null', { flags: 2 ** 40 }), { code: 'EINVAL' });
    await assert.rejects(io.socket(AF_INET, '1' as never), { code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(io.pipe({ flags: 'x' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});
