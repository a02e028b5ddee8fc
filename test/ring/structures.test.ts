// The structs that operations take and the kernel fills in: written, read, and misused, without a kernel.
import assert from 'node:assert/strict';
import { statSync, type BigIntStats } from 'node:fs';
import { SocketAddress as NodeAddress, type AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  CLD_KILLED,
  CMSGHDR,
  EPOLLET,
  IOVEC_SIZE,
  IO_URING_RECVMSG_OUT,
  IO_URING_RECVMSG_OUT_SIZE,
  MSGHDR,
  MSGHDR_SIZE,
  MSG_CTRUNC,
  MSG_EOR,
  MSG_TRUNC,
  POLLIN,
  SCM_RIGHTS,
  SIGINFO,
  SIGINFO_SIZE,
  SOL_SOCKET,
  STATX_BASIC_STATS,
  STATX_STRUCT,
  STATX_STRUCT_SIZE,
} from '../../src/abi/index.ts';
import {
  EPOLL_EVENT_SIZE,
  EpollEvents,
  memoryOfEpollEvents,
  writeEpollEvent,
} from '../../src/ring/structs/epoll-events.ts';
import type { Lendable } from '../../src/ring/memory/lent-memory.ts';
import {
  Msghdr,
  prepareMsghdr,
  rights,
  rightsOf,
  writeIovec,
  type ControlMessage,
  type MsghdrInit,
} from '../../src/ring/structs/msghdr.ts';
import { memoryOfSiginfo, Siginfo } from '../../src/ring/structs/siginfo.ts';
import {
  LENGTH_OFFSET,
  prepareSocketAddressBuffer,
  readSocketAddress,
  SOCKADDR_MAX,
  SocketAddressBuffer,
  writeSocketAddress,
  type SocketAddress,
  type SocketAddressLike,
} from '../../src/ring/structs/socket-address.ts';
import { memoryOfStatx, Statx } from '../../src/ring/structs/statx.ts';

const any = <T>(value: unknown): T => value as T;
const below = (n: number): number => Math.floor(Math.random() * n);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

type Refusal = [value: unknown, code: string, message?: RegExp];

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';

function refused(misuse: () => unknown, code: string, message = /./): void {
  assert.throws(misuse, { name: code === RANGE ? 'RangeError' : 'TypeError', code, message });
}

/** Something that is no object of `type`, however it looks. */
function forgeries(type: { prototype: object }, real: object): unknown[] {
  const disguised = Object.create(type.prototype) as object;
  return [undefined, null, 1, 'x', {}, disguised, new Proxy(real, {}), new Uint8Array(256), Symbol('x')];
}

/** The bytes that an address becomes; nothing around it may change. */
function written(address: SocketAddressLike): Uint8Array {
  const target = new Uint8Array(SOCKADDR_MAX + 16).fill(0xee);
  const length = writeSocketAddress(target, 8, address);
  for (const [i, byte] of target.entries()) {
    if (i < 8 || i >= 8 + length) assert.equal(byte, 0xee, `byte ${i - 8} of ${length}`);
  }
  return target.slice(8, 8 + length);
}

const roundTrip = (address: SocketAddressLike): SocketAddress => readSocketAddress(written(address));

describe('IPv4 addresses', () => {
  it('given an address and a port, are a struct sockaddr_in', () => {
    const bytes = written({ family: 'IPv4', address: '192.168.1.254', port: 0x1f90 });
    assert.deepEqual([...bytes], [AF_INET, 0, 0x1f, 0x90, 192, 168, 1, 254, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('come back as they were', () => {
    for (let i = 0; i < 1000; i++) {
      const text = `${below(256)}.${below(256)}.${below(256)}.${below(256)}`;
      const address: SocketAddress = { family: 'IPv4', address: text, port: below(65536) };
      assert.deepEqual(roundTrip(address), address);
    }
  });
});

describe('IPv6 addresses', () => {
  it('are a struct sockaddr_in6: all but the scope in network byte order', () => {
    const bytes = written({ address: 'fe80::1:2', port: 0x1f90, flowlabel: 0xabcde, scopeid: 0x01020304 });
    const address = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];
    assert.deepEqual([...bytes], [AF_INET6, 0, 0x1f, 0x90, 0, 0xa, 0xbc, 0xde, ...address, 4, 3, 2, 1]);
  });

  it('all of it comes back, of the flow information the label', () => {
    const address = { family: 'IPv6', address: '2001:db8::1', port: 65535, flowlabel: 0xfffff, scopeid: 0xffffffff };
    assert.deepEqual(roundTrip(address), address);
    const bytes = written({ address: '::1', port: 1 });
    bytes.fill(0xff, 4, 8);
    const read: SocketAddress = { family: 'IPv6', address: '::1', port: 1, flowlabel: 0xfffff, scopeid: 0 };
    assert.deepEqual(readSocketAddress(bytes), read);
  });

  const canonical: Record<string, string> = {
    '::': '::',
    '0:0:0:0:0:0:0:0': '::',
    '::1': '::1',
    '1::': '1::',
    '2001:DB8::A': '2001:db8::a',
    '2001:0db8:0000:0000:0001:0000:0000:0001': '2001:db8::1:0:0:1',
    '1:0:0:2:0:0:0:3': '1:0:0:2::3',
    '1:0:2:3:4:5:6:7': '1:0:2:3:4:5:6:7',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
    '0:0:1:0:0:1:0:0': '::1:0:0:1:0:0',
    '::ffff:1.2.3.4': '::ffff:1.2.3.4',
    '::FFFF:102:304': '::ffff:1.2.3.4',
    '::1.2.3.4': '::1.2.3.4',
    '::2': '::2',
    '::1:0': '::0.1.0.0',
    '::fffe:1.2.3.4': '::fffe:102:304',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    '1:2:3:4:5:6:255.254.253.252': '1:2:3:4:5:6:fffe:fdfc',
  };
  for (const [text, expected] of Object.entries(canonical)) {
    it(`${text} is ${expected}, here and in Node`, () => {
      assert.equal((roundTrip({ address: text, port: 0 }) as { address: string }).address, expected);
      assert.equal(new NodeAddress({ address: text, family: 'ipv6' }).address, expected);
    });
  }

  it('given 5000 at random in any spelling, are the text that Node has', () => {
    for (let i = 0; i < 5000; i++) {
      const groups = randomGroups();
      const text = spelled(groups);
      const read = roundTrip({ address: text, port: 443 }) as { address: string };
      assert.equal(read.address, new NodeAddress({ address: text, family: 'ipv6' }).address, text);
      const bytes = written({ address: text, port: 443 });
      assert.deepEqual(groups, groups.map((_, i) => viewOf(bytes).getUint16(8 + 2 * i)), text);
      // A URL never has dots.
      if (read.address.includes('.')) continue;
      assert.equal(`[${read.address}]`, new URL(`http://[${text}]/`).hostname);
    }
  });

  function randomGroups(): number[] {
    const zeros = Math.random();
    const groups = Array.from({ length: 8 }, () => (Math.random() < zeros ? 0 : below(2 ** (1 + below(16)))));
    if (Math.random() < 0.1) groups.fill(0, 0, 6);
    if (Math.random() < 0.1) groups.fill(0, 0, 5)[5] = 0xffff;
    return groups;
  }

  /** One of the many ways to write an address. */
  function spelled(groups: readonly number[]): string {
    const words = groups.map((group) => {
      const text = group.toString(16).padStart(1 + below(4), '0');
      return Math.random() < 0.5 ? text.toUpperCase() : text;
    });
    if (Math.random() < 0.3) {
      const [a, b] = groups.slice(6);
      words.splice(6, 2, `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`);
    }
    const runs = [...groups.slice(0, 6).keys()].filter((i) => groups[i] === 0);
    if (runs.length === 0 || Math.random() < 0.3) return words.join(':');
    const start = runs[below(runs.length)];
    let end = start + 1;
    while (end < 6 && groups[end] === 0 && Math.random() < 0.8) end++;
    return `${words.slice(0, start).join(':')}::${words.slice(end).join(':')}`;
  }
});

describe('unix addresses', () => {
  it('a path ends with a NUL, which counts', () => {
    assert.deepEqual([...written({ path: '/a' })], [AF_UNIX, 0, 0x2f, 0x61, 0]);
    assert.deepEqual(written({ path: bytesOf('/a') }), written({ family: 'unix', path: '/a' }));
    assert.deepEqual(roundTrip({ path: '/run/sökkel' }), { family: 'unix', path: '/run/sökkel' });
  });

  it('an abstract name has every byte, and no more', () => {
    assert.deepEqual([...written({ path: '\0a\0' })], [AF_UNIX, 0, 0, 0x61, 0]);
    for (const path of ['\0', '\0a', '\0a\0\0b\0', `\0${'x'.repeat(107)}`]) {
      assert.deepEqual(roundTrip({ path }), { family: 'unix', path });
    }
  });

  it('given an unnamed socket, are the family alone', () => {
    assert.deepEqual([...written({ path: '' })], [AF_UNIX, 0]);
    assert.deepEqual(roundTrip({ path: '' }), { family: 'unix', path: '' });
  });

  it('107 bytes of path or 108 of name are taken, and one more is refused', () => {
    assert.equal(written({ path: `/${'x'.repeat(106)}` }).length, 110);
    assert.equal(written({ path: `\0${'x'.repeat(107)}` }).length, 110);
    const long = [`/${'x'.repeat(107)}`, `\0${'x'.repeat(108)}`, `/${'ö'.repeat(54)}`, '/'.repeat(1e6)];
    for (const path of long) {
      refused(() => written({ path }), RANGE, /"address\.path\.length"/);
      refused(() => written({ path: bytesOf(path) }), RANGE, /"address\.path\.length"/);
    }
  });

  it('a path with more behind its NUL ends there', () => {
    const bytes = new Uint8Array([AF_UNIX, 0, 0x2f, 0x61, 0, 0x62, 0, 0]);
    assert.deepEqual(readSocketAddress(bytes), { family: 'unix', path: '/a' });
    assert.deepEqual(readSocketAddress(bytes.subarray(0, 4)), { family: 'unix', path: '/a' });
  });

  it('one that is not UTF-8 stays as it is', () => {
    for (const name of [[0x2f, 0xff], [0, 0xc3], [0, 0xed, 0xa0, 0x80]]) {
      const bytes = new Uint8Array([AF_UNIX, 0, ...name]);
      assert.deepEqual(readSocketAddress(bytes), { family: 'unknown', bytes });
    }
    const marked = '\0\ufeffa';
    assert.deepEqual(roundTrip({ path: marked }), { family: 'unix', path: marked });
  });
});

describe('socket addresses', () => {
  it('of another family, or cut short, are given as they are, and taken so', () => {
    const others = [[0, 0], [16, 0, 1, 2, 3], [AF_INET, 0, 1, 2], [AF_INET6, 0, ...new Uint8Array(22)], [2, 1, 0, 0]];
    for (const other of others) {
      const bytes = Uint8Array.from(other);
      assert.deepEqual(readSocketAddress(bytes), { family: 'unknown', bytes });
      assert.deepEqual(written({ family: 'unknown', bytes }), bytes);
      assert.deepEqual(written(bytes), bytes);
      assert.deepEqual(written(Buffer.from(bytes)), bytes);
    }
    assert.equal(written(new Uint8Array(128)).length, 128);
    for (const short of [new Uint8Array(0), new Uint8Array(1)]) {
      assert.deepEqual(readSocketAddress(short), { family: 'unknown', bytes: short });
    }
  });

  it('what is decoded is a copy', () => {
    const bytes = new Uint8Array([99, 0, 1]);
    const read = readSocketAddress(bytes) as { bytes: Uint8Array };
    bytes.fill(7);
    assert.deepEqual([...read.bytes], [99, 0, 1]);
  });

  it('given a SocketAddress of node:net, are taken as it says', () => {
    const info: AddressInfo = { address: '::1', family: 'IPv6', port: 80 };
    assert.deepEqual(roundTrip(info), { family: 'IPv6', address: '::1', port: 80, flowlabel: 0, scopeid: 0 });
    const node = new NodeAddress({ address: '10.1.2.3', port: 80 });
    assert.deepEqual(roundTrip(node), { family: 'IPv4', address: '10.1.2.3', port: 80 });
    const six = new NodeAddress({ address: 'ff02::1', family: 'ipv6', port: 80, flowlabel: 7 });
    assert.deepEqual(roundTrip(six), { family: 'IPv6', address: 'ff02::1', port: 80, flowlabel: 7, scopeid: 0 });
  });

  const refusals: Refusal[] = [
    [undefined, TYPE, /"address" argument/],
    [null, TYPE],
    ['127.0.0.1', TYPE],
    [80, TYPE],
    [{}, TYPE, /port or with path/],
    [{ port: 80 }, TYPE],
    [new ArrayBuffer(16), TYPE],
    [new Uint16Array(8), TYPE],
    [{ address: 1, port: 80 }, TYPE, /"address\.address"/],
    [{ address: '127.0.0.1' }, TYPE, /"address\.port"/],
    [{ address: '127.0.0.1', port: '80' }, TYPE],
    [{ address: '127.0.0.1', port: null }, TYPE],
    [{ address: '127.0.0.1', port: 65536 }, RANGE, /"address\.port"/],
    [{ address: '127.0.0.1', port: -1 }, RANGE],
    [{ address: '127.0.0.1', port: 0.5 }, RANGE],
    [{ address: '127.0.0.1', port: NaN }, RANGE],
    [{ address: '127.0.0.1', port: 80, family: 4 }, TYPE, /"address\.family"/],
    [{ address: '127.0.0.1', port: 80, family: 'IPv6' }, VALUE, /of family IPv4/],
    [{ address: '127.0.0.1', port: 80, family: 'unix' }, VALUE],
    [{ address: '127.0.0.1', port: 80, family: 'inet' }, VALUE],
    [{ address: '127.0.0.1', port: 80, flowlabel: 1 }, VALUE, /"address\.flowlabel"/],
    [{ address: '127.0.0.1', port: 80, scopeid: 1 }, VALUE, /"address\.scopeid"/],
    [{ address: '::1', port: 80, family: 'IPv4' }, VALUE, /of family IPv6/],
    [{ address: '::1', port: 80, flowlabel: 2 ** 20 }, RANGE],
    [{ address: '::1', port: 80, flowlabel: '1' }, TYPE],
    [{ address: '::1', port: 80, scopeid: 2 ** 32 }, RANGE],
    [{ address: '::1', port: 80, scopeid: 'lo' }, TYPE],
    [{ address: 'fe80::1%eth0', port: 80 }, VALUE, /scopeid/],
    [{ address: 'fe80::1%2', port: 80 }, VALUE, /scopeid/],
    ...['localhost', '', ' ', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.4 ', '[::1]', ':', ':::', '1::2::3'].map(
      (address): Refusal => [{ address, port: 80 }, VALUE, /IPv4 or IPv6 address/],
    ),
    ...['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', 'g::', '::1.2.3', '::1.2.3.4:1', '1.2.3.4::'].map(
      (address): Refusal => [{ address, port: 80 }, VALUE, /IPv4 or IPv6 address/],
    ),
    [{ path: 1 }, TYPE, /"address\.path"/],
    [{ path: null }, TYPE],
    [{ path: '/a\0b' }, VALUE, /null bytes/],
    [{ path: '/a\0' }, VALUE],
    [{ path: new Uint8Array([0x2f, 0]) }, VALUE],
    [{ path: '/a', family: 'IPv4' }, VALUE, /family unix/],
    [{ path: '/a', address: '::1', port: 80 }, VALUE, /one of them/],
    [{ family: 'unknown' }, TYPE, /"address\.bytes"/],
    [{ family: 'unknown', bytes: new Uint8Array(1) }, RANGE, /"address\.bytes\.length"/],
    [new Uint8Array(0), RANGE, /"address\.length"/],
    [new Uint8Array(129), RANGE],
  ];
  it('misuse is refused, and nothing is written', () => {
    for (const [value, code, message] of refusals) {
      const target = new Uint8Array(160).fill(0xee);
      refused(() => writeSocketAddress(target, 16, any(value)), code, message);
      assert.ok(target.every((byte) => byte === 0xee));
    }
    refused(() => writeSocketAddress(new Uint8Array(128), 0, any({}), 'options.to'), TYPE, /"options\.to"/);
    for (const value of [undefined, null, {}, [1, 2], 'x', new DataView(new ArrayBuffer(16))]) {
      refused(() => readSocketAddress(any(value)), TYPE, /"bytes"/);
    }
  });

  it('bytes that were transferred are refused; of another realm they are taken; their true length counts', () => {
    const gone = new Uint8Array(16);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    refused(() => written(gone), VALUE, /detached/);
    refused(() => written({ path: gone }), VALUE, /"address\.path".*detached/);
    const foreign = runInNewContext('new Uint8Array([99, 0, 1])') as Uint8Array;
    assert.deepEqual([...written(foreign)], [99, 0, 1]);
    const liar = Object.defineProperty(new Uint8Array([99, 0, 1]), 'length', { value: 100 });
    assert.deepEqual([...written(liar)], [99, 0, 1]);
    const long = Object.defineProperty(new Uint8Array(200), 'length', { value: 16 });
    refused(() => written(long), RANGE);
  });

  it('given random bytes, decodes a family and only what is among them', () => {
    for (let i = 0; i < 20_000; i++) {
      const bytes = hostile(below(140));
      if (bytes.length > 1 && i % 4 !== 0) {
        bytes[0] = [AF_UNIX, AF_INET, AF_INET6][i % 3];
        bytes[1] = 0;
      }
      const read = readSocketAddress(bytes);
      if (read.family === 'unknown') assert.deepEqual(read.bytes, Uint8Array.from(bytes));
      // What is outside would not have been UTF-8.
      else if (read.family === 'unix') assert.ok(bytes.length < 2 || read.path.length <= bytes.length - 2);
      else if (bytes.length <= SOCKADDR_MAX) assert.deepEqual(roundTrip(read), read);
    }
  });
});

/** Random bytes below 128, in the middle of others that are not. */
function hostile(length: number): Uint8Array {
  const around = new Uint8Array(length + 64).fill(0xee);
  const bytes = around.subarray(32, 32 + length);
  const zeros = Math.random();
  for (let i = 0; i < length; i++) bytes[i] = Math.random() < zeros ? 0 : below(128);
  return bytes;
}

describe('SocketAddressBuffer', () => {
  function fill(buffer: SocketAddressBuffer, bytes: Uint8Array, length = bytes.length): void {
    const memory = prepareSocketAddressBuffer(buffer);
    memory.set(bytes);
    viewOf(memory).setUint32(LENGTH_OFFSET, length, true);
  }

  it('has no address before the kernel wrote one, nor after a failure', () => {
    const buffer = new SocketAddressBuffer();
    assert.equal(buffer.address, undefined);
    assert.equal(buffer.truncated, false);
    const memory = prepareSocketAddressBuffer(buffer);
    assert.equal(memory.buffer.byteLength, 136);
    assert.equal(viewOf(memory).getUint32(128, true), 128);
    assert.equal(buffer.address, undefined);
    fill(buffer, written({ address: '::1', port: 1 }));
    assert.notEqual(buffer.address, undefined);
    prepareSocketAddressBuffer(buffer);
    assert.equal(buffer.address, undefined);
  });

  it('decodes what the kernel wrote, as long as that is', () => {
    const buffer = new SocketAddressBuffer();
    fill(buffer, written({ address: '1.2.3.4', port: 80 }));
    assert.deepEqual(buffer.address, { family: 'IPv4', address: '1.2.3.4', port: 80 });
    fill(buffer, written({ path: '' }));
    assert.deepEqual(buffer.address, { family: 'unix', path: '' });
    fill(buffer, written({ path: '\0abc' }));
    assert.deepEqual(buffer.address, { family: 'unix', path: '\0abc' });
    assert.equal(buffer.truncated, false);
    // A path of 108 bytes: the kernel counts a NUL behind it.
    const longest = new Uint8Array(111).fill(0x78);
    longest.set([AF_UNIX, 0]);
    longest[110] = 0;
    fill(buffer, longest);
    assert.deepEqual(buffer.address, { family: 'unix', path: 'x'.repeat(108) });
  });

  it('a length beyond the room is cut', () => {
    const buffer = new SocketAddressBuffer();
    for (const length of [129, 0x8000_0000, 0xffff_ffff]) {
      fill(buffer, new Uint8Array(128).fill(9), length);
      assert.equal(buffer.truncated, true);
      assert.deepEqual(buffer.address, { family: 'unknown', bytes: new Uint8Array(128).fill(9) });
    }
    fill(buffer, new Uint8Array([2, 0]), 0);
    assert.equal(buffer.address, undefined);
    fill(buffer, new Uint8Array([2, 0]), 1);
    assert.deepEqual(buffer.address, { family: 'unknown', bytes: new Uint8Array([2]) });
  });

  it('cannot be forged', () => {
    for (const other of forgeries(SocketAddressBuffer, new SocketAddressBuffer())) {
      refused(() => prepareSocketAddressBuffer(any(other)), TYPE, /"address".* a SocketAddressBuffer\./);
    }
  });
});

interface Prepared {
  memory: Uint8Array;
  view: DataView;
  /** The memory's own address, and the buffers whose addresses were asked for. */
  own: number;
  asked: [Lendable, string][];
}

/** A stand-in for the address of the buffer that is asked for as the `n`th. */
const addressOf = (n: number): number => 0x5500_0000_0000 + 0x1_8000_0000 * n;

function prepared(msg: Msghdr): Prepared {
  const own = 0x7f12_9abc_def0;
  const asked: [Lendable, string][] = [];
  const locate = (buffer: Lendable, name: string): number => addressOf(asked.push([buffer, name]));
  const memory = prepareMsghdr(msg, locate, () => own);
  return { memory, view: viewOf(memory), own, asked };
}

const pointer = (view: DataView, offset: number): number => Number(view.getBigUint64(offset, true));

describe('Msghdr', () => {
  it('given nothing, has no pointers and no lengths', () => {
    for (const msg of [new Msghdr(), new Msghdr({}), new Msghdr({ iov: [], control: [], name: 0 })]) {
      const { memory } = prepared(msg);
      assert.deepEqual([...memory], Array.from({ length: MSGHDR_SIZE }, () => 0));
      assert.equal(msg.name, undefined);
      assert.deepEqual(msg.control, []);
      assert.deepEqual(msg.iov, []);
    }
  });

  it('a struct msghdr, the iovecs, the name, the control messages, in one piece', () => {
    const whole = new Uint8Array(100);
    const part = new Uint16Array(whole.buffer, 10, 20);
    const shared = new SharedArrayBuffer(7);
    const iov = [whole, part, whole.buffer, shared, new DataView(whole.buffer, 1, 2), new Uint8Array(0)];
    const control = [
      { level: 1, type: 2, data: new Uint8Array([1, 2, 3]) },
      { level: 41, type: 0x7fffffff, data: new Uint8Array(0) },
      { level: 0, type: 8, data: new Uint8Array(8).fill(9) },
    ];
    const name: SocketAddress = { family: 'IPv6', address: '::1', port: 9, flowlabel: 0, scopeid: 0 };
    const msg = new Msghdr({ iov, name, control });
    const { view, own, asked, memory } = prepared(msg);
    assert.deepEqual(asked.map(([, name]) => name), iov.map((_, i) => `msg.iov[${i}]`));
    asked.forEach(([buffer], i) => assert.equal(buffer, iov[i]));
    assert.equal(pointer(view, MSGHDR.msg_iov), own + MSGHDR_SIZE);
    assert.equal(pointer(view, MSGHDR.msg_iovlen), 6);
    iov.forEach((buffer, i) => {
      assert.equal(pointer(view, MSGHDR_SIZE + i * IOVEC_SIZE), addressOf(i + 1));
      assert.equal(pointer(view, MSGHDR_SIZE + i * IOVEC_SIZE + 8), buffer.byteLength);
    });
    const nameAt = pointer(view, MSGHDR.msg_name) - own;
    assert.equal(nameAt, MSGHDR_SIZE + 6 * IOVEC_SIZE);
    assert.equal(view.getUint32(MSGHDR.msg_namelen, true), 28);
    assert.deepEqual(memory.slice(nameAt, nameAt + 28), written(name));
    const controlAt = pointer(view, MSGHDR.msg_control) - own;
    assert.equal(controlAt % 8, 0);
    assert.equal(pointer(view, MSGHDR.msg_controllen), 24 + 16 + 24);
    assert.equal(memory.length, controlAt + 64);
    assert.equal(view.getBigUint64(controlAt + CMSGHDR.cmsg_len, true), 19n);
    assert.deepEqual(msg.control, control);
    assert.deepEqual(msg.name, name);
    assert.equal(msg.flags, 0);
    assert.equal(msg.nameLength, 28);
    assert.equal(msg.controlLength, 64);
  });

  it('keeps the list it was made of, whatever becomes of the caller’s', () => {
    const first = new Uint8Array(4);
    const iov: Lendable[] = [first];
    const msg = new Msghdr({ iov });
    iov[0] = new Uint8Array(1000);
    assert.deepEqual(prepared(msg).asked.map(([buffer]) => buffer), [first]);
    assert.throws(() => any<Lendable[]>(msg.iov).push(first), TypeError);
    assert.throws(() => Object.assign(msg, { iov: [] }), TypeError);
  });

  it('tells the kernel a buffer’s true length, whatever the buffer says', () => {
    const lies = { byteLength: { value: 1 << 20 }, length: { value: 1 << 20 }, byteOffset: { value: 0 } };
    const four = new ArrayBuffer(4);
    const buffers = [new Uint8Array(4), new DataView(four), four, new SharedArrayBuffer(4)];
    const iov = buffers.map((buffer) => Object.defineProperties(buffer, lies));
    const { view } = prepared(new Msghdr({ iov }));
    iov.forEach((_, i) => assert.equal(pointer(view, MSGHDR_SIZE + i * IOVEC_SIZE + 8), 4));
  });

  it('what locate throws comes through', () => {
    const fault = new Error('no');
    const msg = new Msghdr({ iov: [new Uint8Array(1)] });
    const fail = (): never => {
      throw fault;
    };
    assert.throws(() => prepareMsghdr(msg, fail, () => 8), fault);
    assert.throws(() => prepareMsghdr(msg, () => 8, fail), fault);
  });

  it('room: nothing before a receive, what came after it, the same room the next time', () => {
    const msg = new Msghdr({ iov: [new Uint8Array(8)], name: 128, control: 64 });
    assert.equal(msg.name, undefined);
    assert.deepEqual(msg.control, []);
    for (let round = 0; round < 2; round++) {
      const { view, own, memory } = prepared(msg);
      assert.equal(msg.nameLength, 128);
      assert.equal(msg.controlLength, 64);
      assert.equal(msg.flags, 0);
      const bytes = written({ address: '1.2.3.4', port: 5 });
      memory.set(bytes, pointer(view, MSGHDR.msg_name) - own);
      view.setUint32(MSGHDR.msg_namelen, bytes.length, true);
      const at = pointer(view, MSGHDR.msg_control) - own;
      view.setBigUint64(at, 20n, true);
      view.setInt32(at + CMSGHDR.cmsg_level, SOL_SOCKET, true);
      view.setInt32(at + CMSGHDR.cmsg_type, SCM_RIGHTS, true);
      view.setInt32(at + 16, 77, true);
      view.setBigUint64(MSGHDR.msg_controllen, 24n, true);
      view.setUint32(MSGHDR.msg_flags, MSG_EOR, true);
      assert.deepEqual(msg.name, { family: 'IPv4', address: '1.2.3.4', port: 5 });
      assert.deepEqual(msg.control.map(rightsOf), [[77]]);
      assert.equal(msg.flags, MSG_EOR);
      assert.equal(msg.nameLength, 16);
      assert.equal(msg.controlLength, 24);
      view.setUint32(MSGHDR.msg_namelen, 0, true);
      assert.equal(msg.name, undefined);
    }
  });

  it('a name longer than its room is cut, and is no address then', () => {
    const msg = new Msghdr({ name: 8 });
    const { view, own, memory } = prepared(msg);
    memory.set(written({ address: '1.2.3.4', port: 5 }).subarray(0, 8), pointer(view, MSGHDR.msg_name) - own);
    view.setUint32(MSGHDR.msg_namelen, 16, true);
    assert.deepEqual(msg.name, { family: 'unknown', bytes: new Uint8Array([2, 0, 0, 5, 1, 2, 3, 4]) });
    assert.equal(msg.nameLength, 16);
  });

  it('control messages given as bytes', () => {
    const given = new Msghdr({ control: [rights([3, 4])] });
    const { view, own, memory } = prepared(given);
    const bytes = memory.slice(pointer(view, MSGHDR.msg_control) - own);
    const msg = new Msghdr({ control: bytes });
    assert.deepEqual(msg.control, given.control);
    assert.deepEqual(prepared(msg).memory, memory);
  });

  it('given random lengths from the kernel, throws nothing and shows nothing from outside', () => {
    for (let i = 0; i < 5000; i++) {
      const nameRoom = below(129);
      const controlRoom = below(100);
      const msg = new Msghdr({ name: nameRoom, control: controlRoom });
      const { view, memory } = prepared(msg);
      memory.set(hostile(memory.length - MSGHDR_SIZE), MSGHDR_SIZE);
      const lengths = [0, 1, 15, 16, 17, 0x7fff_ffff, 0xffff_ffff, nameRoom, controlRoom];
      view.setUint32(MSGHDR.msg_namelen, lengths[below(9)], true);
      view.setBigUint64(MSGHDR.msg_controllen, BigInt(lengths[below(9)]) * (i % 5 === 0 ? 2n ** 31n : 1n), true);
      assert.ok(msg.nameLength >= 0 && msg.controlLength >= 0);
      const { name } = msg;
      if (name?.family === 'unknown') assert.ok(name.bytes.length <= nameRoom);
      checkControl(msg.control, controlRoom);
    }
  });

  const refusals: Refusal[] = [
    [null, TYPE, /"init" argument/],
    [1, TYPE],
    ['x', TYPE],
    [{ iov: new Uint8Array(1) }, TYPE, /"init\.iov"/],
    [{ iov: null }, TYPE],
    [{ iov: ['x'] }, TYPE, /"init\.iov\[0\]"/],
    [{ iov: [new Uint8Array(1), null] }, TYPE, /"init\.iov\[1\]"/],
    [{ iov: [new Proxy(new Uint8Array(1), {})] }, TYPE],
    [{ iov: [Object.create(Uint8Array.prototype)] }, TYPE],
    [{ iov: Array.from({ length: 1025 }, () => new Uint8Array(1)) }, RANGE, /"init\.iov\.length"/],
    [{ name: 129 }, RANGE, /"init\.name"/],
    [{ name: -1 }, RANGE],
    [{ name: 1.5 }, RANGE],
    [{ name: 'localhost' }, TYPE, /"init\.name"/],
    [{ name: null }, TYPE],
    [{ name: { address: 'x', port: 1 } }, VALUE, /"init\.name\.address"/],
    [{ control: -1 }, RANGE, /"init\.control"/],
    [{ control: 2 ** 20 + 1 }, RANGE],
    [{ control: new Uint8Array(2 ** 20 + 1) }, RANGE, /"init\.control\.length"/],
    [{ control: 'x' }, TYPE, /"init\.control"/],
    [{ control: null }, TYPE],
    [{ control: [null] }, TYPE, /"init\.control\[0\]"/],
    [{ control: [{ level: 1, type: 1 }] }, TYPE, /"init\.control\[0\]\.data"/],
    [{ control: [{ level: '1', type: 1, data: new Uint8Array(1) }] }, TYPE, /"init\.control\[0\]\.level"/],
    [{ control: [{ level: 1, type: -1, data: new Uint8Array(1) }] }, RANGE, /"init\.control\[0\]\.type"/],
    [{ control: [{ level: 2 ** 31, type: 1, data: new Uint8Array(1) }] }, RANGE],
    [{ control: [{ level: 1, type: 1, data: new Uint8Array(2 ** 20) }] }, VALUE, /more than/],
  ];
  it('misuse is refused', () => {
    for (const [value, code, message] of refusals) refused(() => new Msghdr(any<MsghdrInit>(value)), code, message);
    assert.equal(new Msghdr({ iov: Array.from({ length: 1024 }, () => new Uint8Array(1)) }).iov.length, 1024);
    assert.equal(new Msghdr({ control: 2 ** 20 }).controlLength, 2 ** 20);
  });

  it('cannot be forged', () => {
    const nowhere = (): number => 0;
    for (const other of forgeries(Msghdr, new Msghdr())) {
      refused(() => prepareMsghdr(any(other), nowhere, nowhere), TYPE, /"msg" argument must be a Msghdr/);
    }
  });
});

function checkControl(control: readonly ControlMessage[], room: number): void {
  let used = 0;
  for (const { data } of control) {
    used += 16 + data.length;
    assert.ok(data.every((byte) => byte < 0x80), 'from outside');
  }
  assert.ok(used <= room);
}

describe('Msghdr.parse', () => {
  interface Fields {
    namelen: number;
    controllen: number;
    payloadlen: number;
    flags: number;
  }

  /** The message that the kernel leaves in a buffer, which does not begin where the memory does. */
  function arrival(fields: Fields, ...areas: [bytes: Uint8Array, room: number][]): Uint8Array {
    const size = areas.reduce((sum, [, room]) => sum + room, IO_URING_RECVMSG_OUT_SIZE);
    const bytes = new Uint8Array(size + 6).fill(0xee).subarray(3, 3 + size);
    const view = viewOf(bytes);
    for (const [name, value] of Object.entries(fields)) {
      view.setUint32(IO_URING_RECVMSG_OUT[name as keyof Fields], value as number, true);
    }
    let at = IO_URING_RECVMSG_OUT_SIZE;
    for (const [area, room] of areas) {
      bytes.fill(0, at, at + room);
      bytes.set(area, at);
      at += room;
    }
    return bytes;
  }

  it('header, address, control messages, data', () => {
    const msg = new Msghdr({ name: 29, control: 43 });
    const name = written({ address: '1.2.3.4', port: 5 });
    const { memory } = prepared(new Msghdr({ control: [rights([5, 6]), { level: 0, type: 2, data: bytesOf('x') }] }));
    const control = memory.slice(MSGHDR_SIZE, MSGHDR_SIZE + 24 + 17);
    const fields = { namelen: 16, controllen: 41, payloadlen: 5, flags: MSG_EOR };
    const bytes = arrival(fields, [name, 29], [control, 43], [bytesOf('hello'), 5]);
    const out = msg.parse(bytes);
    assert.ok(out);
    assert.deepEqual(out.name, { family: 'IPv4', address: '1.2.3.4', port: 5 });
    assert.deepEqual(out.control.map(rightsOf), [[5, 6], undefined]);
    assert.deepEqual(out.control[1].data, bytesOf('x'));
    assert.deepEqual(Buffer.from(out.payload).toString(), 'hello');
    assert.equal(out.payload.buffer, bytes.buffer);
    assert.equal(out.payloadLength, 5);
    assert.equal(out.flags, MSG_EOR);
    assert.equal(out.truncated, false);
    assert.equal(out.controlTruncated, false);
  });

  it('no room for anything but data; a datagram cut off', () => {
    const bytes = arrival({ namelen: 28, controllen: 0, payloadlen: 9000, flags: MSG_TRUNC | MSG_CTRUNC }, [
      bytesOf('abc'),
      3,
    ]);
    const out = new Msghdr().parse(bytes);
    assert.ok(out);
    assert.equal(out.name, undefined);
    assert.deepEqual(out.control, []);
    assert.equal(out.payload.length, 3);
    assert.equal(out.payloadLength, 9000);
    assert.equal(out.truncated, true);
    assert.equal(out.controlTruncated, true);
  });

  it('the areas are as large as the room, even after a receive of another kind', () => {
    const msg = new Msghdr({ name: 128, control: 64 });
    const { view } = prepared(msg);
    view.setUint32(MSGHDR.msg_namelen, 16, true);
    view.setBigUint64(MSGHDR.msg_controllen, 0n, true);
    assert.equal(msg.parse(new Uint8Array(16 + 128 + 63)), undefined);
    assert.equal(msg.parse(new Uint8Array(16 + 128 + 64))?.payload.length, 0);
  });

  it('too few bytes are no message', () => {
    const msg = new Msghdr({ name: 16, control: 32 });
    for (let length = 0; length < 64; length++) assert.equal(msg.parse(new Uint8Array(length)), undefined);
    assert.equal(msg.parse(new Uint8Array(65))?.payload.length, 1);
    refused(() => msg.parse(any(undefined)), TYPE, /"bytes"/);
    refused(() => msg.parse(any(new ArrayBuffer(99))), TYPE);
  });

  it('given random bytes, throws nothing and shows nothing from outside', () => {
    for (let i = 0; i < 20_000; i++) {
      const nameRoom = below(129);
      const controlRoom = below(100);
      const msg = new Msghdr({ name: nameRoom, control: controlRoom });
      const bytes = hostile(below(300));
      const out = msg.parse(bytes);
      if (out === undefined) {
        assert.ok(bytes.length < 16 + nameRoom + controlRoom);
        continue;
      }
      if (i % 2 === 0) {
        const view = viewOf(bytes);
        view.setUint32(IO_URING_RECVMSG_OUT.controllen, controlRoom, true);
        if (controlRoom >= 8) view.setBigUint64(16 + nameRoom, BigInt(16 + below(40)), true);
      }
      const { name } = out;
      if (name?.family === 'unknown') assert.ok(name.bytes.length <= nameRoom && name.bytes.every((b) => b < 0x80));
      checkControl(out.control, controlRoom);
      assert.ok(out.payload.every((byte) => byte < 0x80));
    }
  });

  it('given a control message of an impossible length, keeps those before it', () => {
    const good = { level: 1, type: 2, data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]) };
    for (const bad of [0n, 15n, 25n, 0x1_0000_0010n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
      const area = new Uint8Array(48);
      const { memory } = prepared(new Msghdr({ control: [good, good] }));
      area.set(memory.subarray(MSGHDR_SIZE));
      viewOf(area).setBigUint64(24, bad, true);
      const msg = new Msghdr({ control: 48 });
      const out = msg.parse(arrival({ namelen: 0, controllen: 48, payloadlen: 0, flags: 0 }, [area, 48]));
      assert.deepEqual(out?.control, [good], String(bad));
    }
  });
});

describe('control messages', () => {
  it('given descriptors, rights() makes a message that rightsOf() reads back', () => {
    const message = rights([0, 1, 0x7fffffff]);
    assert.deepEqual(message, {
      level: SOL_SOCKET,
      type: SCM_RIGHTS,
      data: new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]),
    });
    assert.deepEqual(rightsOf(message), [0, 1, 0x7fffffff]);
    assert.deepEqual(new Msghdr({ control: [message] }).control.map(rightsOf), [[0, 1, 0x7fffffff]]);
  });

  it('rightsOf: other kinds have none, and half a descriptor is none', () => {
    const data = new Uint8Array(11).fill(1).subarray(1);
    assert.deepEqual(rightsOf({ level: SOL_SOCKET, type: SCM_RIGHTS, data }), [0x01010101, 0x01010101]);
    assert.equal(rightsOf({ level: SOL_SOCKET, type: 2, data }), undefined);
    assert.equal(rightsOf({ level: 0, type: SCM_RIGHTS, data }), undefined);
  });

  it('rights: misuse is refused', () => {
    const refusals: Refusal[] = [
      [undefined, TYPE, /"fds"/],
      [3, TYPE],
      [[], RANGE, /"fds\.length"/],
      [Array.from({ length: 254 }, () => 0), RANGE],
      [['3'], TYPE, /"fds\[0\]"/],
      [[0, -1], RANGE, /"fds\[1\]"/],
      [[2 ** 31], RANGE],
      [[0.5], RANGE],
    ];
    for (const [value, code, message] of refusals) refused(() => rights(any(value)), code, message);
    assert.equal(rights(Array.from({ length: 253 }, () => 0)).data.length, 1012);
  });

  it('writeIovec', () => {
    const view = new DataView(new ArrayBuffer(32));
    writeIovec(view, 8, 0x9abcdef0 | 0, 0x7f12, 2 ** 33 + 5);
    assert.equal(view.getBigUint64(8, true), 0x7f12_9abc_def0n);
    assert.equal(view.getBigUint64(16, true), 2n ** 33n + 5n);
    assert.equal(view.getBigUint64(0, true) + view.getBigUint64(24, true), 0n);
  });
});

describe('Statx', () => {
  /** As statx(2) fills it in for a file that Node knows. */
  function filled(from: BigIntStats): Statx {
    const statx = new Statx();
    const view = viewOf(memoryOfStatx(statx));
    const uint32 = (offset: number, value: bigint): void => view.setUint32(offset, Number(value), true);
    const major = (dev: bigint): bigint => ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
    const minor = (dev: bigint): bigint => (dev & 0xffn) | ((dev >> 12n) & 0xfff_ff00n);
    const time = (offset: number, ns: bigint): void => {
      view.setBigInt64(offset, ns / 1_000_000_000n, true);
      view.setUint32(offset + 8, Number(ns % 1_000_000_000n), true);
    };
    uint32(STATX_STRUCT.stx_mask, BigInt(STATX_BASIC_STATS));
    uint32(STATX_STRUCT.stx_blksize, from.blksize);
    uint32(STATX_STRUCT.stx_nlink, from.nlink);
    uint32(STATX_STRUCT.stx_uid, from.uid);
    uint32(STATX_STRUCT.stx_gid, from.gid);
    view.setUint16(STATX_STRUCT.stx_mode, Number(from.mode), true);
    view.setBigUint64(STATX_STRUCT.stx_ino, from.ino, true);
    view.setBigUint64(STATX_STRUCT.stx_size, from.size, true);
    view.setBigUint64(STATX_STRUCT.stx_blocks, from.blocks, true);
    time(STATX_STRUCT.stx_atime, from.atimeNs);
    time(STATX_STRUCT.stx_btime, from.birthtimeNs);
    time(STATX_STRUCT.stx_ctime, from.ctimeNs);
    time(STATX_STRUCT.stx_mtime, from.mtimeNs);
    uint32(STATX_STRUCT.stx_dev_major, major(from.dev));
    uint32(STATX_STRUCT.stx_dev_minor, minor(from.dev));
    uint32(STATX_STRUCT.stx_rdev_major, major(from.rdev));
    uint32(STATX_STRUCT.stx_rdev_minor, minor(from.rdev));
    return statx;
  }

  for (const path of ['/', '/dev/null', '/dev/tty', '/proc/self/exe', process.execPath, '/dev']) {
    it(`says of ${path} what Node says`, (t) => {
      const from = statSync(path, { bigint: true, throwIfNoEntry: false });
      if (!from) return t.skip('there is no such file');
      const node = statSync(path);
      const statx = filled(from);
      for (const name of ['dev', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'blksize', 'size', 'blocks'] as const) {
        assert.equal(statx[name], node[name], name);
      }
      assert.equal(statx.ino, from.ino);
      assert.equal(statx.mtimeNs, from.mtimeNs);
      assert.equal(statx.ctimeNs, from.ctimeNs);
      assert.deepEqual(statx.mtime, node.mtime);
      assert.deepEqual(statx.ctime, node.ctime);
      assert.deepEqual(statx.btime, node.birthtime);
      const kinds = ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO', 'isSocket', 'isCharacterDevice'] as const;
      for (const kind of [...kinds, 'isBlockDevice'] as const) assert.equal(statx[kind](), node[kind](), kind);
      const json = JSON.parse(JSON.stringify(statx)) as Record<string, unknown>;
      const same = JSON.parse(JSON.stringify(node)) as Record<string, unknown>;
      for (const [name, value] of Object.entries(json)) {
        if (name in same && name !== 'atime') assert.deepEqual(value, same[name], name);
      }
    });
  }

  it('every field is where it belongs, and no wider', () => {
    const names: Partial<Record<keyof typeof STATX_STRUCT, keyof Statx>> = {
      stx_mask: 'mask',
      stx_blksize: 'blksize',
      stx_nlink: 'nlink',
      stx_uid: 'uid',
      stx_gid: 'gid',
      stx_ino: 'ino',
      stx_blocks: 'blocks',
      stx_size: 'sizeBigint',
      stx_attributes: 'attributes',
      stx_attributes_mask: 'attributesMask',
      stx_rdev_major: 'rdevMajor',
      stx_rdev_minor: 'rdevMinor',
      stx_dev_major: 'devMajor',
      stx_dev_minor: 'devMinor',
      stx_mnt_id: 'mntId',
      stx_dio_mem_align: 'dioMemAlign',
      stx_dio_offset_align: 'dioOffsetAlign',
      stx_subvol: 'subvol',
      stx_atomic_write_unit_min: 'atomicWriteUnitMin',
      stx_atomic_write_unit_max: 'atomicWriteUnitMax',
      stx_atomic_write_segments_max: 'atomicWriteSegmentsMax',
      stx_dio_read_offset_align: 'dioReadOffsetAlign',
      stx_atomic_write_unit_max_opt: 'atomicWriteUnitMaxOpt',
    };
    const wide: ReadonlySet<keyof Statx> = new Set(['blocks', 'attributes', 'attributesMask']);
    const statx = new Statx();
    const memory = memoryOfStatx(statx);
    assert.equal(memory.length, STATX_STRUCT_SIZE);
    for (const [field, name] of Object.entries(names)) {
      memory.fill(0xff);
      viewOf(memory).setUint32(STATX_STRUCT[field as keyof typeof names], 0xfedcba98, true);
      const value = statx[name];
      if (typeof value === 'bigint') assert.equal(value, 0xffff_ffff_fedc_ba98n, field);
      else if (wide.has(name)) assert.equal(value, Number(0xffff_ffff_fedc_ba98n), field);
      else assert.equal(value, 0xfedcba98, field);
    }
    memory.fill(0xff);
    viewOf(memory).setUint16(STATX_STRUCT.stx_mode, 0o100644, true);
    assert.equal(statx.mode, 0o100644);
    assert.equal(statx.isFile(), true);
  });

  it('device numbers as makedev(3) makes them', () => {
    const statx = new Statx();
    const view = viewOf(memoryOfStatx(statx));
    const cases = [[259, 3, 66307], [8, 300, 1050668], [0xfff, 0xfffff, 0xffff_ffff], [0x1234, 5, 0x1000_0002_3405]];
    for (const [major, minor, expected] of cases) {
      for (const name of ['dev', 'rdev'] as const) {
        view.setUint32(STATX_STRUCT[`stx_${name}_major`], major, true);
        view.setUint32(STATX_STRUCT[`stx_${name}_minor`], minor, true);
        assert.equal(statx[name], expected);
      }
    }
  });

  it('a size above 2^53-1 is refused as a number, exact as a bigint', () => {
    const statx = new Statx();
    const view = viewOf(memoryOfStatx(statx));
    view.setBigUint64(STATX_STRUCT.stx_size, 2n ** 53n - 1n, true);
    assert.equal(statx.size, 2 ** 53 - 1);
    view.setBigUint64(STATX_STRUCT.stx_size, 2n ** 53n + 1n, true);
    refused(() => statx.size, RANGE, /9007199254740993 .* sizeBigint/);
    assert.equal(statx.sizeBigint, 2n ** 53n + 1n);
    assert.equal(statx.toJSON().size, '9007199254740993');
  });

  it('times before 1970, and times that no Date can hold', () => {
    const statx = new Statx();
    const view = viewOf(memoryOfStatx(statx));
    view.setBigInt64(STATX_STRUCT.stx_btime, -2n, true);
    view.setUint32(STATX_STRUCT.stx_btime + 8, 500_000_000, true);
    assert.equal(statx.btimeNs, -1_500_000_000n);
    assert.equal(statx.btime.getTime(), -1500);
    view.setBigInt64(STATX_STRUCT.stx_atime, -(2n ** 63n), true);
    assert.equal(statx.atimeNs, -(2n ** 63n) * 1_000_000_000n);
    assert.equal(statx.atime.getTime(), NaN);
    assert.match(JSON.stringify(statx), /"atime":null/);
  });

  it('given random bytes, throws for a size above 2^53-1 only', () => {
    const statx = new Statx();
    for (let i = 0; i < 500; i++) {
      memoryOfStatx(statx).set(Uint8Array.from({ length: 256 }, () => below(256)));
      for (const name of Object.keys(Object.getOwnPropertyDescriptors(Statx.prototype))) {
        if (name !== 'size') void statx[name as keyof Statx];
      }
      assert.doesNotThrow(() => JSON.stringify(statx));
    }
  });

  it('cannot be forged', () => {
    for (const other of forgeries(Statx, new Statx())) {
      refused(() => memoryOfStatx(any(other)), TYPE, /"statx" argument must be a Statx/);
    }
  });
});

describe('Siginfo', () => {
  it('given the bytes of a child that exited, tells its status', () => {
    const info = new Siginfo();
    const memory = memoryOfSiginfo(info);
    assert.equal(memory.length, SIGINFO_SIZE);
    assert.deepEqual(info.toJSON(), { signo: 0, code: 0, pid: 0, uid: 0, status: 0 });
    const view = viewOf(memory);
    view.setInt32(SIGINFO.si_signo, 17, true);
    view.setInt32(SIGINFO.si_code, CLD_KILLED, true);
    view.setInt32(SIGINFO.si_pid, 4_194_304, true);
    view.setUint32(SIGINFO.si_uid, 0xffff_fffe, true);
    view.setInt32(SIGINFO.si_status, 9, true);
    assert.deepEqual(info.toJSON(), { signo: 17, code: CLD_KILLED, pid: 4_194_304, uid: 0xffff_fffe, status: 9 });
  });

  it('cannot be forged', () => {
    for (const other of forgeries(Siginfo, new Siginfo())) {
      refused(() => memoryOfSiginfo(any(other)), TYPE, /"info" argument must be a Siginfo/);
    }
  });
});

describe('EpollEvents', () => {
  it('events as they were written', () => {
    const list = new EpollEvents(3);
    assert.equal(list.max, 3);
    const memory = memoryOfEpollEvents(list);
    assert.equal(memory.length, 3 * EPOLL_EVENT_SIZE);
    const view = viewOf(memory);
    writeEpollEvent(view, 0, POLLIN | EPOLLET, 7);
    writeEpollEvent(view, EPOLL_EVENT_SIZE, 0xffff_ffff, 2 ** 53 - 1);
    writeEpollEvent(view, 2 * EPOLL_EVENT_SIZE, 0, 2n ** 64n - 1n);
    const all = [
      { events: (POLLIN | EPOLLET) >>> 0, data: 7n },
      { events: 0xffff_ffff, data: 2n ** 53n - 1n },
      { events: 0, data: 2n ** 64n - 1n },
    ];
    for (let count = 0; count <= 3; count++) assert.deepEqual([...list.entries(count)], all.slice(0, count));
    assert.equal(list.events(1), 0xffff_ffff);
    assert.equal(list.data(2), 2n ** 64n - 1n);
  });

  it('given x86-64 an event is packed, given arm64 it is not', async () => {
    const bytes = (write: typeof writeEpollEvent): number[] => {
      const view = new DataView(new ArrayBuffer(16));
      write(view, 0, 0x04030201, 0x0c0b0a0908070605n);
      return [...new Uint8Array(view.buffer)];
    };
    const on = async (arch: string): Promise<{ size: number; bytes: number[] }> => {
      const real = Object.getOwnPropertyDescriptor(process, 'arch')!;
      Object.defineProperty(process, 'arch', { ...real, value: arch });
      try {
        const file = new URL(`../../src/ring/structs/epoll-events${extname(import.meta.url)}?${arch}`, import.meta.url);
        const module = (await import(file.href)) as typeof import('../../src/ring/structs/epoll-events.ts');
        return { size: module.EPOLL_EVENT_SIZE, bytes: bytes(module.writeEpollEvent) };
      } finally {
        Object.defineProperty(process, 'arch', real);
      }
    };
    assert.deepEqual(await on('x64'), { size: 12, bytes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0] });
    assert.deepEqual(await on('arm64'), { size: 16, bytes: [1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12] });
    assert.equal(EPOLL_EVENT_SIZE, process.arch === 'x64' ? 12 : 16);
  });

  it('misuse is refused', () => {
    for (const max of [0, -1, 4097, 1.5, NaN]) refused(() => new EpollEvents(max), RANGE, /"max"/);
    for (const max of [undefined, null, '8', 8n]) refused(() => new EpollEvents(any(max)), TYPE, /"max"/);
    assert.equal(new EpollEvents(4096).max, 4096);
    const list = new EpollEvents(2);
    for (const i of [-1, 2, 0.5]) {
      refused(() => list.events(i), RANGE, /"i"/);
      refused(() => list.data(i), RANGE, /"i"/);
    }
    refused(() => list.events(any('0')), TYPE);
    for (const count of [-11, 3, 0.5]) refused(() => list.entries(count), RANGE, /"count"/);
    refused(() => list.entries(any(undefined)), TYPE);
  });

  it('cannot be forged', () => {
    for (const other of forgeries(EpollEvents, new EpollEvents(1))) {
      refused(() => memoryOfEpollEvents(any(other)), TYPE, /"events" argument must be an EpollEvents/);
    }
  });
});
