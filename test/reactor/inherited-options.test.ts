// What a program has put into Object.prototype is no option of an operation that was given none.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { it, without } from '../asking.ts';
import { Temporary } from '../kernel/temporary.ts';
import { moduleText, run } from '../run.ts';

/** Without those forms of operations the program waits for what is never sent. */
const lacksForms = without('6.0', 'sleep in a chain, recvMany, recvmsgMany');

const url = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);

/** The names of all that a reactor's operations, and the ring's beneath them, may be given. */
const NAMES = [
  'absolute',
  'address',
  'alignment',
  'all',
  'before',
  'bundle',
  'clock',
  'cloexec',
  'control',
  'controllen',
  'count',
  'cqe32',
  'cqeFlags',
  'datasync',
  'deadline',
  'dest',
  'direct',
  'discard',
  'dontwait',
  'drain',
  'etimeSuccess',
  'failed',
  'fixed',
  'fixedBuffer',
  'fixedFile',
  'fixedIn',
  'flags',
  'histograms',
  'into',
  'iov',
  'isExclusive',
  'length',
  'lend',
  'len',
  'level',
  'limit',
  'mask',
  'minWaitMs',
  'mode',
  'multishot',
  'noIowait',
  'offset',
  'outcome',
  'path',
  'pi',
  'pollFirst',
  'registeredFile',
  'reportUsage',
  'result',
  'rwFlags',
  'signal',
  'skipCqe',
  'subject',
  'success',
  'syscall',
  'taskWork',
  'timeoutMs',
  'to',
  'whole',
  'zeroCopy',
];

/** Every kind of operation, with no options, or with some. What came of each is printed. */
const program = (folder: string, isPolluted: boolean): string => `
  import { writeSync } from 'node:fs';
  import { Msghdr, Reactor } from ${url('../../src/index.js')};
  import { Descriptors } from ${url('../kernel/libc.js')};
  const files = new Descriptors();
  const { fd: listener, port } = files.listener();
  const client = files.connect(port);
  const other = files.connect(port);
  const [ours, theirs] = files.socketPair();
  const path = ${JSON.stringify(folder)};
  const lines = [];
  const memory = Buffer.alloc(8);
  const text = (bytes) => memory.toString('latin1', 0, bytes);
  const note = async (name, promise) => {
    let answer;
    try { answer = await promise(); } catch (error) { answer = [error.code, error.syscall, error.message]; }
    lines.push(name + ' ' + JSON.stringify(answer));
    return answer;
  };
  // How a ring is set up is the business of other tests.
  const io = new Reactor();
  await io.nop();
  if (${isPolluted}) {
    for (const name of ${
  JSON.stringify(NAMES)
}) Object.defineProperty(Object.prototype, name, { __proto__: null, value: Symbol('of ' + name), configurable: true, writable: true });
  }
  try {
    const fd = await io.open(path + '/file', 0o102, { __proto__: null, mode: 0o600 });
    await note('write', () => io.write(fd, 'contents'));
    await note('read', () => io.read(fd, memory, { __proto__: null, offset: 0 }).then(text));
    await note('writev', () => io.writev(fd, [Buffer.from('ab'), Buffer.from('cd')]));
    await note('readv', () => io.readv(fd, [memory]));
    await note('fsync', () => io.fsync(fd));
    await note('fsync of data', () => io.fsync(fd, { __proto__: null, datasync: true }));
    await note('statx', () => io.statx(-100, path + '/file').then(({ size, mode }) => [size, mode]));
    await note('nowhere', () => io.open(path + '/nowhere/at/all', 0));
    await note('openat', async () => io.closeFd(await io.openat(-100, path + '/file', 0)));
    await note('openat2', async () => io.closeFd(await io.openat2(-100, path + '/file', { __proto__: null, flags: 0 })));
    await note('mkdir', () => io.mkdir(path + '/folder'));
    await note('rename', () => io.rename(path + '/folder', path + '/other'));
    await note('renameat', () => io.renameat(-100, path + '/other', -100, path + '/third'));
    await note('pipe', async () => {
      const [reader, writer] = await io.pipe();
      const [second, last] = await io.pipe();
      await io.write(writer, 'piped');
      const counts = [await io.tee(reader, last, 2), await io.splice(reader, null, last, null, 5)];
      for (const one of [reader, writer, second, last]) await io.closeFd(one);
      return counts;
    });
    await note('nop', () => io.nop());
    await note('sleep', () => io.sleep(0.1));
    await note('link', () => io.chain([['sleep', 0.1], ['nop'], ['send', ours, 'in a chain']]));
    await note('recv', () => io.recv(theirs, memory));
    await note('recv', () => io.recv(theirs, memory));
    const taken = await note('accept', async () => { await io.closeFd(await io.accept(listener)); return true; });
    await note('acceptMany', async () => { for await (const one of io.acceptMany(listener)) { await io.closeFd(one); return true; } });
    await note('send', () => io.send(ours, 'sent'));
    await note('sendto', () => io.sendto(client, 'x', { __proto__: null, family: 'ipv4', address: '127.0.0.1', port }).then(() => true, () => true));
    await note('recvMany', async () => { for await (const chunk of io.recvMany(theirs)) return chunk.bytes.length; });
    await note('sendmsg', () => io.sendmsg(ours, { __proto__: null, iov: [Buffer.from('message')], name: undefined, control: undefined }));
    await note('recvmsgMany', async () => { for await (const one of io.recvmsgMany(theirs)) return [one.bytes.length, one.flags]; });
    await note('poll', () => io.poll(ours, 4));
    await note('pollMany', async () => { for await (const events of io.pollMany(ours, 4)) return events; });
    await note('recvmsg', async () => {
      await io.send(ours, 'x');
      return io.recvmsg(theirs, new Msghdr({ __proto__: null, iov: [memory], name: undefined, control: undefined }));
    });
    await note('time limit', () => io.recv(theirs, memory, { __proto__: null, timeoutMs: 2 }));
    await note('abort', () => io.recv(theirs, memory, { __proto__: null, signal: AbortSignal.abort() }));
    await note('message', () => io.message(io.ringFd, 1));
    await note('close', () => io.closeFd(fd));
  } finally {
    await io.close();
    if (${isPolluted}) for (const name of ${JSON.stringify(NAMES)}) delete Object.prototype[name];
  }
  writeSync(1, lines.join('\\n') + '\\n');
  process.exit(0);
`;

async function outputOf(isPolluted: boolean): Promise<string[]> {
  using folder = new Temporary();
  const text = program(folder.path, isPolluted);
  const { status, stdout, stderr } = await run(process.execPath, moduleText(text));
  assert.equal(status, 0, stderr);
  return stdout.replaceAll(folder.path, '').trim().split('\n');
}

describe('given a program that has put the name of every option into Object.prototype', () => {
  it('operations answer as they do in any other', { skip: lacksForms }, async () => {
    const [clean, polluted] = await Promise.all([outputOf(false), outputOf(true)]);
    assert.deepEqual(polluted, clean);
    assert.ok(clean.length > 30, clean.join('\n'));
    for (const line of clean) if (!/^(nowhere|time limit|abort)/.test(line)) assert.doesNotMatch(line, /E[A-Z]{4,}/);
  });
});
