// What a program, or something that it uses, puts into Object.prototype is no option of anybody's.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AF_INET6 } from '../../src/abi/socket-flags.ts';
import { isWebAssemblyMemory } from '../../src/ring/memory/webassembly-memory.ts';
import { Msghdr, rightsOf } from '../../src/ring/structs/msghdr.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { writeSocketAddress } from '../../src/ring/structs/socket-address.ts';
import { FakeKernel } from './fake-kernel.ts';

/** Names of options and of parts of descriptors. */
const NAMES = `
  incremental kernelMemory filled minLeft cqEntries singleIssuer deferTaskrun coopTaskrun submitAll
  noSqArray registerRingFd sqPoll sqe128 cqe32 sqeMixed cqeMixed ioPoll hybridIoPoll disabled attachWq
  clamp iov name control fd fixed opcode any userData all result fixedFile fixedBuffer taskWork addr
  addr3 len cmd pointers multishot srcOffset dstOffset count replace events data flags direct offset
  tags timeoutMs deadline minWaitMs noIowait rwFlags pi mode peer limit bundle pollFirst get set value
  writable enumerable configurable shared transfer length 22 1 0
`.trim().split(/\s+/);

/** Do something while each of them is in Object.prototype. */
function polluted<T>(value: unknown, act: () => T): T {
  const prototype = Object.prototype as unknown as Record<PropertyKey, unknown>;
  const own = { __proto__: null, value, configurable: true, enumerable: true, writable: true };
  for (const name of NAMES) Object.defineProperty(prototype, name, own);
  Object.defineProperty(prototype, Symbol.iterator, own);
  try {
    return act();
  } finally {
    for (const name of NAMES) delete prototype[name];
    delete prototype[Symbol.iterator];
  }
}

/**
 * Everything that the kernel is told by calls that leave their options away, or give a few: without addresses and keys.
 */
function told(): unknown[] {
  const kernel = new FakeKernel();
  kernel.registerAnswer = () => 0;
  const ring = new IoUring(32, { cqEntries: 64 }, kernel);
  const buffers = [ring.registerBufRing(4, 64, 1), ring.registerBufRing(4, 64, 2, { filled: false })];
  ring.registerBuffers([new Uint8Array(8)]);
  const memory = new Uint8Array(8);
  ring.prepNop(1);
  ring.prepRead(3, memory, 8, 2);
  ring.prepReadv(3, [memory], 3);
  ring.prepSend(3, memory, 8, 4);
  ring.prepRecvMultishot(3, 1, 5);
  ring.prepSendmsg(3, new Msghdr(), 6);
  ring.prepCancel(7, 7);
  ring.prepCancel({ fd: 3 }, 8);
  ring.prepCancelFd(3, 9);
  ring.prepUringCmd(3, 1, 10);
  ring.prepEpollCtl(3, 2, 4, null, 11);
  ring.prepAccept(3, 12);
  ring.prepOpen('/', 0, 13);
  ring.prepPollAdd(3, 1, 14);
  ring.prepTimeout(5, 15);
  ring.submit();
  ring.probe();
  ring.cloneBuffers(ring);
  const words = kernel.entriesSeen.map((entry) => [0, 1, 6, 7, 10].map((word) => entry.words[word]).join(' '));
  const { setupFlagsTried, registered } = kernel;
  const sizes = buffers.map((group) => [group.entries, group.bufSize].join(' '));
  ring.close();
  const address = new Uint8Array(128);
  const length = writeSocketAddress(address, 0, { address: '::1', port: 80 });
  const fds = rightsOf({ level: 1, type: 1, data: Uint8Array.of(7, 0, 0, 0, 9, 0, 0, 0) });
  const lendable = !isWebAssemblyMemory(new ArrayBuffer(65536), { addressOf: () => 0 });
  const seen = [...setupFlagsTried, ...registered.map(({ opcode }) => opcode), ...words, ...sizes, ring.cqEntries];
  return [...seen, length, address[0] === AF_INET6, address[23], ...(fds ?? []), lendable];
}

describe('Object.prototype', () => {
  const expected = told();
  const values: [string, unknown][] = [
    ['functions', () => 7],
    ['numbers', 7],
    ['true', true],
    ['objects', { fd: 1 }],
    ['texts', 'x'],
  ];
  for (const [what, value] of values) {
    it(`full of ${what}: the kernel is told the same as ever`, () => {
      assert.deepEqual(polluted(value, told), expected);
    });
  }
});
