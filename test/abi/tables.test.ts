// The tables agree with themselves, with the constants, and with Node.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import * as abi from '../../src/abi/index.ts';
import {
  CQE_FLAGS,
  ENTER_FLAGS,
  ERRNO,
  FEATURES,
  IORING_CQE_F_MORE,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_SQPOLL,
  IO_URING_SQE,
  OPERATIONS,
  REGISTRATIONS,
  SETUP_FLAGS,
  SQE_FLAGS,
  STRUCTS,
  errnoMessage,
  errnoName,
  flagNames,
  type Struct,
} from '../../src/abi/index.ts';

const exported: ReadonlyMap<string, unknown> = new Map(Object.entries(abi));
const RELEASE = /^[5-9]\.\d+$/;

/** The names that begin with `prefix`, by rising value. */
function names(prefix: RegExp): string[] {
  const found = [...exported].filter(([name, value]) => prefix.test(name) && typeof value === 'number');
  return found.sort((a, b) => Number(a[1]) - Number(b[1])).map(([name]) => name);
}

describe('OPERATIONS', () => {
  it('has a row for every IORING_OP_*, at the index of its code', () => {
    assert.deepEqual(OPERATIONS.map((row) => row.name), names(/^IORING_OP_/));
    OPERATIONS.forEach((row, i) => assert.equal(row.code, i));
    for (const { name, code } of OPERATIONS) assert.equal(exported.get(name), code);
  });

  it('every cell says something', () => {
    for (const row of OPERATIONS) {
      assert.match(row.since, RELEASE);
      for (const since of Object.values(row.variants ?? {})) assert.match(since, RELEASE);
      assert.ok(row.purpose && row.result, row.name);
      if (row.like !== undefined) assert.match(row.like, /^[a-z0-9_]+\(2\)$/);
      for (const helper of row.helpers) assert.match(helper, /^io_uring_prep_\w+$/);
    }
    const helpers = OPERATIONS.flatMap((row) => row.helpers);
    const twice = helpers.filter((helper, i) => helpers.indexOf(helper) !== i);
    // The only one that changes an entry which another one made.
    assert.deepEqual(twice, ['io_uring_prep_send_set_addr']);
  });

  it('lends fields of the SQE that are as wide as an address, in forms that it has', () => {
    const { fields } = STRUCTS.io_uring_sqe;
    for (const { name, lends, variants = {} } of OPERATIONS) {
      for (const { field, variant } of lends) {
        assert.equal(fields[field].size, 8, `${name}: ${field}`);
        if (variant !== undefined) assert.ok(variant in variants, `${name}: ${variant}`);
      }
      const places = lends.map(({ field, variant }) => `${IO_URING_SQE[field]} ${variant}`);
      assert.equal(new Set(places).size, places.length, `${name} lends a field twice`);
    }
  });

  it('zero-copy sends, and nothing else, lend until the notification', () => {
    const untilNotified = OPERATIONS.filter(({ lends }) =>
      lends.some(({ until, through }) => until === 'notification' || through?.until === 'notification')
    );
    assert.deepEqual(
      untilNotified.map((row) => row.name),
      ['IORING_OP_SEND_ZC', 'IORING_OP_SENDMSG_ZC'],
    );
  });

  it('what the kernel writes is never free at submission', () => {
    for (const { name, lends } of OPERATIONS) {
      for (const { access, until, through } of lends) {
        assert.ok(until !== 'submit' || access === 'read', name);
        assert.notEqual(through?.until, 'submit', name);
      }
    }
  });
});

describe('REGISTRATIONS', () => {
  it('has a row for every operation, at the index of its code', () => {
    REGISTRATIONS.forEach((row, i) => assert.equal(row.code, i));
    for (const { name, code, since, argument, purpose, wrappers } of REGISTRATIONS) {
      assert.equal(exported.get(name), code);
      assert.match(name, /^IORING_(UN)?REGISTER_/);
      assert.match(since, RELEASE);
      assert.ok(argument && purpose && wrappers.length > 0, name);
    }
    assert.equal(new Set(REGISTRATIONS.map((row) => row.name)).size, 38);
  });
});

describe('flags', () => {
  const groups = {
    IORING_SETUP_: SETUP_FLAGS,
    IORING_FEAT_: FEATURES,
    IORING_ENTER_: ENTER_FLAGS,
    IOSQE_: SQE_FLAGS,
  };
  for (const [prefix, group] of Object.entries(groups)) {
    it(`every ${prefix}* has a row, in order, with the value of its constant`, () => {
      assert.deepEqual(group.map((flag) => flag.name), names(new RegExp(`^${prefix}`)));
    });
  }

  it('a row has the value of its constant, a release and a meaning', () => {
    for (const flag of [SETUP_FLAGS, FEATURES, ENTER_FLAGS, SQE_FLAGS, CQE_FLAGS].flat()) {
      assert.equal(exported.get(flag.name), flag.value);
      assert.match(flag.since, RELEASE);
      assert.ok(flag.meaning, flag.name);
    }
  });

  const bits = [
    /^IORING_SETUP_/,
    /^IORING_FEAT_/,
    /^IORING_ENTER_/,
    /^IOSQE_/,
    /^IORING_CQE_F_/,
    /^IORING_SQ_/,
    /^IORING_(RECV|SEND|RECVSEND)_/,
    /^IORING_ACCEPT_/,
    /^IORING_POLL_/,
    /^IORING_ASYNC_CANCEL_/,
    /^IORING_(LINK_)?TIMEOUT_(?!CLOCK_MASK|UPDATE_MASK)/,
    /^IORING_MSG_RING_/,
    /^IORING_NOP_/,
    /^IOU_PBUF_RING_/,
    /^IORING_URING_CMD_(?!MASK)/,
    /^MSG_/,
    /^IO_URING_BPF_FILTER_(DENY_REST|SZ_STRICT)$/,
    /^RWF_/,
    /^FUTEX2_/,
    /^RENAME_/,
    /^FALLOC_FL_/,
    /^SPLICE_F_/,
    /^RESOLVE_/,
  ];
  for (const group of bits) {
    it(`${group.source}: single bits, each once`, () => {
      const values = names(group).map((name) => exported.get(name) as number);
      assert.ok(values.length > 0);
      for (const value of values) assert.ok(Number.isInteger(Math.log2(value)), String(value));
      assert.equal(new Set(values).size, values.length);
    });
  }

  it('masks have the bits they are made of', () => {
    assert.equal(abi.IORING_TIMEOUT_CLOCK_MASK, abi.IORING_TIMEOUT_BOOTTIME | abi.IORING_TIMEOUT_REALTIME);
    assert.equal(abi.IORING_TIMEOUT_UPDATE_MASK, abi.IORING_TIMEOUT_UPDATE | abi.IORING_LINK_TIMEOUT_UPDATE);
    assert.equal(abi.IORING_URING_CMD_MASK, abi.IORING_URING_CMD_FIXED | abi.IORING_URING_CMD_MULTISHOT);
    assert.equal(abi.IORING_ZCRX_AREA_MASK, BigInt.asUintN(64, -1n << BigInt(abi.IORING_ZCRX_AREA_SHIFT)));
  });
});

describe('flagNames()', () => {
  it('names bits in the order of the group', () => {
    const value = IORING_SETUP_CQSIZE | IORING_SETUP_SQPOLL;
    assert.deepEqual(flagNames(SETUP_FLAGS, value), ['IORING_SETUP_SQPOLL', 'IORING_SETUP_CQSIZE']);
  });

  it('has no names for zero', () => {
    assert.deepEqual(flagNames(SETUP_FLAGS, 0), []);
  });

  it('gives the bits it does not know as one number, at the end', () => {
    assert.deepEqual(flagNames(CQE_FLAGS, IORING_CQE_F_MORE | 0x30000), ['IORING_CQE_F_MORE', '0x30000']);
    assert.deepEqual(flagNames([], 0x80000000), ['0x80000000']);
    assert.deepEqual(flagNames([], -1), ['0xffffffff']);
  });
});

describe('errors', () => {
  it('every row has the value of its constant, in rising order', () => {
    const codes = ERRNO.map((row) => row.code);
    const all = Array.from({ length: 133 }, (_, i) => i + 1).filter((code) => code !== 41 && code !== 58);
    assert.deepEqual(codes, all);
    for (const { name, code } of ERRNO) assert.equal(exported.get(name), code);
  });

  it('names and words are those of Node', () => {
    for (const [code, [name, message]] of getSystemErrorMap()) {
      // Below are errors of libuv's own, which no kernel returns.
      if (code < -133) continue;
      assert.equal(errnoName(-code), name);
      assert.equal(errnoMessage(-code), message);
    }
  });

  it('what is not in the table is unknown', () => {
    for (const code of [0, 41, 58, 134, 999, -9]) {
      assert.equal(errnoName(code), `Unknown system error ${code}`);
      assert.equal(errnoMessage(code), `Unknown system error ${code}`);
    }
  });
});

describe('STRUCTS', () => {
  const named = Object.entries(STRUCTS as Record<string, Struct>);
  const all = named.flatMap(([name, struct]) => [[name, struct] as const].concat(arm64(name, struct)));

  function arm64(name: string, { arm64 }: Struct): (readonly [string, Struct])[] {
    return arm64 ? [[`${name} on arm64`, arm64]] : [];
  }

  it('fields lie within their struct', () => {
    for (const [name, { size, fields }] of all) {
      for (const [field, place] of Object.entries(fields)) {
        assert.ok(place.size >= 0 && place.offset + place.size <= size, `${name}.${field}`);
      }
    }
  });

  it('has every layout, with its size', () => {
    const written = [...exported]
      .filter(([name]) => exported.has(`${name}_SIZE`))
      .map(([name, offsets]) => JSON.stringify([exported.get(`${name}_SIZE`), offsets]));
    const listed = all.map(([, { size, fields }]) => {
      const offsets = Object.entries(fields).map(([name, { offset }]) => [name, offset]);
      return JSON.stringify([size, Object.fromEntries(offsets)]);
    });
    assert.deepEqual(listed.sort(), written.sort());
  });
});
