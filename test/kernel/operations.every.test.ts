// Every operation of io_uring on the real kernel, and the proof that none was left out.
import assert from 'node:assert/strict';
import { EBADF, EINVAL, EOPNOTSUPP, errnoName } from '../../src/abi/errno.ts';
import {
  IORING_OP_FSYNC,
  IORING_OP_NOP,
  IORING_OP_POLL_ADD,
  IORING_OP_SETXATTR,
  IORING_OP_TIMEOUT,
  OPERATIONS,
} from '../../src/abi/operations.ts';
import { IoUring } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { it, without } from '../asking.ts';
import { Descriptors } from './libc.ts';
import { completions } from './operations/completions.ts';
import { openRing, recorder, Recorder } from './operations/recorder.ts';

const MODULES = [
  'control',
  'timers',
  'polls',
  'cancel',
  'buffers',
  'wait',
  'command',
  'modifiers',
  'shapes',
  'no-room',
  'file',
  'path',
  'net',
];

for (const name of MODULES) {
  const module = new URL(`./operations/${name}.js`, import.meta.url);
  await import(module.href);
}

/**
 * Operations that need what no machine without the hardware has. They must have been tried all the same, and the
 * kernel's refusal seen.
 */
const HARDWARE = new Map([['IORING_OP_RECV_ZC', 'a queue of a network card that receives without copying']]);

/**
 * Operations of kernels to come: until then they must have been tried, and answered as what does not exist. Before Linux
 * 5.19 there are no entries of 128 bytes to try them with.
 */
const YOUNG = new Map([
  ['IORING_OP_NOP128', 'Linux 6.19'],
  ['IORING_OP_URING_CMD128', 'Linux 6.19'],
]);

it('the recorder: counts what the kernel took and answered, not what was prepared', () => {
  using files = new Descriptors();
  const [reader] = files.pipe();
  const witness = new Recorder(koffiNative());
  const ring = new IoUring(8, {}, witness);
  const told = (opcode: number): unknown => {
    const { taken, answers, succeeded } = witness.operation(opcode);
    return { taken, answers: [...answers], succeeded };
  };
  ring.prepNop(1);
  assert.deepEqual(told(IORING_OP_NOP), { taken: 0, answers: [], succeeded: false }, 'prepared');
  ring.prepFsync(-1, 2);
  ring.prepPollAdd(reader, 1, 3);
  completions(ring, 2);
  assert.deepEqual(told(IORING_OP_NOP), { taken: 1, answers: [[0, 1]], succeeded: true });
  assert.deepEqual(told(IORING_OP_FSYNC), { taken: 1, answers: [[-EBADF, 1]], succeeded: false }, 'refused');
  assert.deepEqual(told(IORING_OP_POLL_ADD), { taken: 1, answers: [], succeeded: false }, 'in flight');
  ring.prepTimeout(0, 4);
  ring.prepNop(4);
  completions(ring, 2);
  const ambiguous = { taken: 1, answers: [], succeeded: false };
  assert.deepEqual(told(IORING_OP_TIMEOUT), ambiguous, 'two of one userData: who knows whose it is');
  ring.close();
  assert.equal(witness.operation(IORING_OP_POLL_ADD).succeeded, false, 'cancelled by the end of its ring');
});

it('every operation that this kernel has was run on it, and succeeded', () => {
  using ring = openRing(1);
  const support = ring.probe();
  const wrong: string[] = [];
  const { answers: toAttributes, succeeded: hasAttributes } = recorder.operation(IORING_OP_SETXATTR);
  const lacksAttributes = !hasAttributes && toAttributes.has(-EOPNOTSUPP);
  for (const { code, name } of OPERATIONS) {
    const { taken, answers, succeeded } = recorder.operation(code);
    const seen = [...answers].map(([res, times]) => `${res < 0 ? errnoName(-res) : res} (${times})`).join(', ');
    const needs = HARDWARE.get(name) ?? YOUNG.get(name);
    const isTried = YOUNG.has(name) && without('5.19', 'IORING_SETUP_SQE128') === false;
    if (!support[code].supported && !isTried) continue;
    // The file system has none.
    if (lacksAttributes && name.endsWith('XATTR')) continue;
    if (taken === 0) wrong.push(`${name}: no test has it run on the kernel`);
    else if (!support[code].supported) {
      if (!answers.has(-EINVAL)) wrong.push(`${name}: needs ${needs}, and was answered ${seen}`);
    } else if (HARDWARE.has(name)) {
      const refused = [...answers.keys()].some((res) => res < 0);
      if (!refused) wrong.push(`${name}: needs ${needs}, and was not even refused`);
    } else if (!succeeded) wrong.push(`${name}: was taken ${taken} times and never succeeded: ${seen}`);
  }
  assert.deepEqual(wrong, []);
});
