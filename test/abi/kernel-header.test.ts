// The tables against the compiler's own answer, from whichever headers this machine has.
// slow: compiles C
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import * as abi from '../../src/abi/index.ts';
import * as eventFlags from '../../src/abi/event-flags.ts';
import * as fileFlags from '../../src/abi/file-flags.ts';
import * as socketFlags from '../../src/abi/socket-flags.ts';
import { ERRNO, STRUCTS, type Struct } from '../../src/abi/index.ts';
import { ask, compiler, preprocess, type Answers } from './compiler.ts';
import { parseHeader, type Header } from './header.ts';

const NEEDS = 'needs a C compiler and <linux/io_uring.h>';

/** Constants of a header that are not ours to have. */
const NOT_OURS: Readonly<Record<string, string>> = {
  IORING_OP_LAST: 'counts what that one header knows',
  IORING_REGISTER_LAST: 'counts what that one header knows',
  IORING_RESTRICTION_LAST: 'counts what that one header knows',
  __IO_URING_QUERY_MAX: 'counts what that one header knows',
  __ZCRX_CTRL_LAST: 'counts what that one header knows',
  __ZCRX_EVENT_TYPE_LAST: 'counts what that one header knows',
  IORING_URING_CMD_MASK: 'grows: in some headers without IORING_URING_CMD_MULTISHOT',
  IOSQE_FIXED_FILE_BIT: 'the number of a bit that we have',
  IOSQE_IO_DRAIN_BIT: 'the number of a bit that we have',
  IOSQE_IO_LINK_BIT: 'the number of a bit that we have',
  IOSQE_IO_HARDLINK_BIT: 'the number of a bit that we have',
  IOSQE_ASYNC_BIT: 'the number of a bit that we have',
  IOSQE_BUFFER_SELECT_BIT: 'the number of a bit that we have',
  IOSQE_CQE_SKIP_SUCCESS_BIT: 'the number of a bit that we have',
};

/** Structs of a header that are not ours to have. */
const STRUCTS_NOT_OURS: Readonly<Record<string, string>> = {
  io_uring_notification_slot: 'withdrawn before any release; left in the headers of 6.0 and 6.1',
  io_uring_notification_register: 'withdrawn before any release; left in the headers of 6.0 and 6.1',
};

/** Padding. It moves, shrinks and gets new names whenever the kernel makes a field of it. */
const PADDING: ReadonlySet<string> = new Set(
  (
    'pad pad2 __pad __pad1 __pad2 __pad3 __pad4 __empty_bufs ' +
    'resv resv1 resv2 resv3 __resv __resv1 __resv2 rsvd __reserved'
  ).split(' '),
);

const ours: ReadonlyMap<string, unknown> = new Map(Object.entries(abi));
const structs: ReadonlyMap<string, Struct> = new Map(Object.entries(STRUCTS).map(forThisMachine));

function forThisMachine([name, struct]: [string, Struct]): [string, Struct] {
  return [name, process.arch === 'arm64' ? (struct.arm64 ?? struct) : struct];
}

/** As the C program prints it. */
function printed(value: unknown): string {
  if (value === undefined) return 'none';
  assert.ok(typeof value === 'number' || typeof value === 'bigint');
  return String(BigInt.asUintN(64, BigInt(value)));
}

/** Lines that include those of `headers`, names with spaces between, which there are. */
function includes(headers: string): string {
  const lines = headers.split(' ').map((h) => `#if __has_include(<${h}.h>)\n#include <${h}.h>\n#endif`);
  return lines.join('\n');
}

const offsetOf = (struct: string, path: string): string => `offsetof(${cName(struct)}, ${path})`;
const sizeOf = (struct: string, path: string): string => `sizeof(((${cName(struct)} *)0)->${path})`;
const cName = (struct: string): string => (struct.endsWith('_t') ? struct : `struct ${struct}`);

describe('a header of io_uring', () => {
  for (const origin of ['linux', 'liburing']) {
    it(`<${origin}/io_uring.h>: every constant, struct and field`, (t) => compareHeader(t, origin));
  }
});

function compareHeader(t: TestContext, origin: string): void {
  const head = `#include <linux/time_types.h>\n#include <${origin}/io_uring.h>\n` +
    includes(['query', 'zcrx', 'bpf_filter'].map((part) => `${origin}/io_uring/${part}`).join(' '));
  const text = compiler && preprocess(head);
  if (!text) return t.skip(origin === 'linux' ? NEEDS : 'needs a C compiler and <liburing/io_uring.h>');
  const header = parseHeader(text, (path) => /\/(linux|liburing)\/io_uring(\.h|\/\w+\.h)$/.test(path));
  const constants = header.constants.filter((name) => !(name in NOT_OURS));
  const members = [...header.structs].filter(([name]) => !(name in STRUCTS_NOT_OURS));
  assert.deepEqual(overlooked(text, header), [], 'the header was not understood');

  const questions = new Map(constants.map((name) => [name, name]));
  const expected = new Map(constants.map((name) => [name, printed(ours.get(name))]));
  for (const [name, list] of members) {
    const struct = structs.get(name);
    questions.set(`sizeof ${name}`, `sizeof(${cName(name)})`);
    expected.set(`sizeof ${name}`, String(struct?.size ?? 'none'));
    for (const { path, flexible } of list) {
      if (PADDING.has(path)) continue;
      const field = struct?.fields[path.replaceAll('.', '_')];
      questions.set(`offset of ${name}.${path}`, offsetOf(name, path));
      expected.set(`offset of ${name}.${path}`, String(field?.offset ?? 'none'));
      questions.set(`size of ${name}.${path}`, flexible ? '0' : sizeOf(name, path));
      expected.set(`size of ${name}.${path}`, String(field?.size ?? 'none'));
    }
  }
  const { values, unknown } = ask(head, questions);
  assert.deepEqual(unknown, [], 'the compiler does not understand what was read from the header');
  assert.deepEqual(differences(expected, values), []);
  t.diagnostic(`${constants.length} constants, ${members.length} structs`);
}

/** Words that are spelt like io_uring's constants and that the parser did not take for one; no functions. */
function overlooked(text: string, header: Header): string[] {
  const words = text.matchAll(/\b(?:IORING|IOSQE|IOU|IO_URING|IO_WQ|SOCKET_URING_OP)_[A-Z0-9_]+\b(?!\()/g);
  const known = new Set(header.constants);
  assert.ok(known.has('IORING_OP_NOP') && header.structs.has('io_uring_sqe'));
  return [...new Set([...words].map(([word]) => word))].filter((word) => !known.has(word));
}

/** 'name: ours, theirs' of all that is not the same. */
function differences(expected: ReadonlyMap<string, string>, values: Answers['values']): string[] {
  return [...values]
    .filter(([key, value]) => expected.has(key) && expected.get(key) !== value)
    .map(([key, value]) => `${key}: we have ${expected.get(key)}, the header ${value}`);
}

/** Everything beside io_uring that we have numbers of. */
const SYSTEM = [
  '#define _GNU_SOURCE',
  includes(
    'errno fcntl poll signal stdio string time unistd netinet/in netinet/tcp sys/epoll sys/mman ' +
      'sys/socket sys/stat sys/syscall sys/uio sys/un sys/wait sys/xattr linux/blkdev linux/falloc ' +
      'linux/filter linux/fs linux/futex linux/openat2 linux/time_types',
  ),
].join('\n');

describe('the system headers', () => {
  it('constants of files, sockets, events, mappings and system calls', (t) => {
    if (!compiler) return t.skip('needs a C compiler');
    const groups = { ...eventFlags, ...fileFlags, ...socketFlags };
    const more = Object.keys(abi).filter((name) => /^(PROT|MAP|BLOCK)_/.test(name));
    const names = [...Object.keys(groups), ...more];
    const questions = new Map(names.map((name) => [name, name]));
    for (const call of ['setup', 'enter', 'register']) {
      questions.set(`SYS_IO_URING_${call.toUpperCase()}`, `SYS_io_uring_${call}`);
    }
    const expected = new Map([...questions.keys()].map((name) => [name, in32Bits(ours.get(name))]));
    const { values, unknown } = ask(SYSTEM, new Map([...questions].map(([k, c]) => [k, `(unsigned)(${c})`])));
    assert.deepEqual(differences(expected, values), []);
    report(t, unknown, questions.size);
  });

  it('layouts of the structs that are not in the header of io_uring', (t) => {
    if (!compiler) return t.skip('needs a C compiler');
    const names = [...structs.keys()].filter((name) => !/^(io_|zcrx_)/.test(name));
    const questions = new Map<string, string>();
    const expected = new Map<string, string>();
    const compare = (key: string, question: string, value: number): void => {
      questions.set(key, question);
      expected.set(key, String(value));
    };
    for (const name of names) {
      const { size, fields } = structs.get(name) as Struct;
      compare(`sizeof ${name}`, `sizeof(${cName(name)})`, size);
      for (const [path, field] of Object.entries(fields)) {
        compare(`offset of ${name}.${path}`, offsetOf(name, path), field.offset);
        compare(`size of ${name}.${path}`, sizeOf(name, path), field.size);
      }
    }
    const { values, unknown } = ask(SYSTEM, questions);
    assert.deepEqual(differences(expected, values), []);
    report(t, unknown, questions.size);
  });

  it('every error number has its name, and no other', (t) => {
    const text = compiler && preprocess('#include <errno.h>');
    if (!text) return t.skip('needs a C compiler');
    const names = [...text.matchAll(/^#define (E[A-Z0-9]+) [\dE]/gm)].map((match) => match[1]);
    assert.ok(names.length >= 131, 'the header was not understood');
    const { values } = ask('#include <errno.h>', new Map(names.map((name) => [name, name])));
    const expected = new Map(names.map((name) => [name, printed(ours.get(name))]));
    assert.deepEqual(differences(expected, values), []);
  });

  it('errors that Node has no words for are worded as glibc does', (t) => {
    const text = compiler && preprocess('#include <errno.h>');
    if (!text?.includes('#define __GLIBC__')) return t.skip('needs a C compiler and glibc');
    const rows = ERRNO.filter((row) => !getSystemErrorMap().has(-row.code));
    const { values } = ask('', new Map(rows.map((row) => [`text ${row.code}`, `strerror(${row.code})`])));
    for (const { code, message } of rows) {
      assert.equal(message.toLowerCase(), values.get(`text ${code}`)?.toLowerCase());
    }
  });
});

/** Several of these are enumerators or macros of type int in C: compared by their 32 bits. */
function in32Bits(value: unknown): string {
  assert.ok(typeof value === 'number');
  return String(value >>> 0);
}

/** Older headers lack the newest names; that most of them are unknown would be a fault of this test. */
function report(t: TestContext, unknown: readonly string[], asked: number): void {
  assert.ok(unknown.length < asked / 10, `too much is unknown to the compiler: ${unknown.join(', ')}`);
  if (unknown.length > 0) t.diagnostic(`not in this machine's headers: ${unknown.join(', ')}`);
}
