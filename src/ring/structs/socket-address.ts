import { inspect, type InspectOptions } from 'node:util';
import { isUtf8 } from 'node:buffer';
import { isIPv4, isIPv6 } from 'node:net';
import { types } from '../../native/node-util.ts';
import {
  SOCKADDR_IN,
  SOCKADDR_IN6,
  SOCKADDR_IN6_SIZE,
  SOCKADDR_IN_SIZE,
  SOCKADDR_STORAGE,
  SOCKADDR_STORAGE_SIZE,
  SOCKADDR_UN,
  SOCKADDR_UN_SIZE,
} from '../../abi/layouts.ts';
import { AF_INET, AF_INET6, AF_UNIX } from '../../abi/socket-flags.ts';
import { ownOptions } from '../arguments/own-options.ts';
import { byteLengthOf } from '../memory/lent-memory.ts';
import {
  checkInteger,
  checkObject,
  checkUint32,
  isObject,
  outOfRange,
  wrongType,
  wrongValue,
} from '../arguments/argument-errors.ts';
import { shown } from '../shown.ts';

/**
 * The address of a socket, as the kernel gave it. It can be given back as it is.
 *
 * - IPv4 and IPv6: the text is the one that Node prints; `scopeid` is an interface's index, see if_nametoindex(3).
 * - unix: a path; a name in the abstract namespace begins with `'\0'`; `''` is a socket without a name.
 * - unknown: all others, as a raw `struct sockaddr`; also a unix name that is not UTF-8, and an address cut short.
 */
export type SocketAddress =
  | { family: 'IPv4'; address: string; port: number }
  | { family: 'IPv6'; address: string; port: number; flowlabel: number; scopeid: number }
  | { family: 'unix'; path: string }
  | { family: 'unknown'; bytes: Uint8Array };

/**
 * The address of a socket, as a caller may give it. What `server.address()` of `node:net` gives and what a completed
 * operation tells work as they are.
 *
 * - IPv4 and IPv6: an address in text, no host name; `family` follows from it and may be left out. `port` 0 … 65535,
 *   `flowlabel` 0 … 2^20-1, `scopeid` (with fe80::…) the interface's index; both 0 unless given.
 * - unix: a path of up to 107 bytes; or, beginning with `'\0'`, a name of up to 108 in the abstract namespace; `''`
 *   has a bind choose one there.
 * - a Uint8Array: a raw `struct sockaddr` of 2 to 128 bytes, for every other family.
 */
export type SocketAddressLike =
  | { family?: string; address: string; port: number; flowlabel?: number; scopeid?: number }
  | { family?: 'unix'; path: string | Uint8Array }
  | { family: 'unknown'; bytes: Uint8Array }
  | Uint8Array;

/** No address is longer (`struct sockaddr_storage`). */
export const SOCKADDR_MAX = SOCKADDR_STORAGE_SIZE;

const PORT_MAX = 0xffff;
const FLOWLABEL_MAX = 0xf_ffff;
const FAMILY_SIZE = SOCKADDR_UN.sun_path;
const UNIX_NAME_MAX = SOCKADDR_UN_SIZE - SOCKADDR_UN.sun_path;
const EXPECTED = 'an object with address and port or with path, or an instance of Uint8Array';

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Write `address` as a `struct sockaddr` to `target`, where there must be room for {@link SOCKADDR_MAX} bytes. How
 * many it has.
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, of an argument
 *   called `name`; nothing is written then
 */
export function writeSocketAddress(
  target: Uint8Array,
  offset: number,
  address: SocketAddressLike,
  name = 'address',
): number {
  if (types.isUint8Array(address)) return writeRaw(target, offset, address, name);
  checkObject(name, address, EXPECTED);
  // Each once: a getter may answer differently the next time.
  const { family, address: text, port, flowlabel = 0, scopeid = 0, path, bytes } = address as Record<string, unknown>;
  if (family === 'unknown') return writeRaw(target, offset, bytes, `${name}.bytes`);
  if (family !== undefined && typeof family !== 'string') throw wrongType(`${name}.family`, 'of type string', family);
  if (path !== undefined) {
    if (text !== undefined) throw wrongValue(name, 'it has a path and an address: give one of them');
    if (family !== undefined && family !== 'unix') throw wrongValue(`${name}.family`, 'a path is of family unix');
    return writeUnix(target, offset, path, `${name}.path`);
  }
  if (text === undefined) throw wrongType(name, EXPECTED, address);
  if (typeof text !== 'string') throw wrongType(`${name}.address`, 'of type string', text);
  checkInteger(`${name}.port`, port, 0, PORT_MAX);
  checkInteger(`${name}.flowlabel`, flowlabel, 0, FLOWLABEL_MAX);
  checkUint32(`${name}.scopeid`, scopeid);
  if (isIPv4(text)) {
    checkFamily(`${name}.family`, family, 'IPv4');
    if (flowlabel !== 0) throw wrongValue(`${name}.flowlabel`, 'an IPv4 address has none');
    if (scopeid !== 0) throw wrongValue(`${name}.scopeid`, 'an IPv4 address has none');
    return writeIPv4(target, offset, text, port as number);
  }
  if (text.includes('%')) {
    throw wrongValue(`${name}.address`, 'it must have no zone (%…): give the index of the interface as scopeid');
  }
  const groups = isIPv6(text) ? groupsOf(text) : undefined;
  if (groups === undefined) {
    throw wrongValue(`${name}.address`, 'it must be an IPv4 or IPv6 address in text; host names are not looked up');
  }
  checkFamily(`${name}.family`, family, 'IPv6');
  return writeIPv6(target, offset, groups, port as number, flowlabel as number, scopeid as number);
}

/** Node spells families in two ways: sockets 'IPv4', net.SocketAddress 'ipv4'. */
function checkFamily(name: string, family: string | undefined, actual: 'IPv4' | 'IPv6'): void {
  if (family === undefined || family === actual || family === actual.toLowerCase()) return;
  throw wrongValue(name, `the address is of family ${actual}`);
}

function writeRaw(target: Uint8Array, offset: number, address: unknown, name: string): number {
  const bytes = copyOfAddress(name, address);
  target.set(bytes, offset);
  return bytes.length;
}

/** A copy of a raw `struct sockaddr`. @throws as {@link writeSocketAddress} */
export function copyOfAddress(name: string, address: unknown): Uint8Array {
  const bytes = copyOfBytes(name, address);
  if (bytes.length < FAMILY_SIZE || bytes.length > SOCKADDR_MAX) {
    checkInteger(`${name}.length`, bytes.length, FAMILY_SIZE, SOCKADDR_MAX);
  }
  return bytes;
}

function writeIPv4(target: Uint8Array, offset: number, text: string, port: number): number {
  target.fill(0, offset, offset + SOCKADDR_IN_SIZE);
  target[offset + SOCKADDR_IN.sin_family] = AF_INET;
  writeWord(target, offset + SOCKADDR_IN.sin_port, port);
  target.set(text.split('.').map(Number), offset + SOCKADDR_IN.sin_addr);
  return SOCKADDR_IN_SIZE;
}

function writeIPv6(
  target: Uint8Array,
  offset: number,
  groups: readonly number[],
  port: number,
  flowlabel: number,
  scopeid: number,
): number {
  target.fill(0, offset, offset + SOCKADDR_IN6_SIZE);
  target[offset + SOCKADDR_IN6.sin6_family] = AF_INET6;
  writeWord(target, offset + SOCKADDR_IN6.sin6_port, port);
  // In network byte order as the port is; the scope is in the machine's.
  const flow = offset + SOCKADDR_IN6.sin6_flowinfo;
  const scope = offset + SOCKADDR_IN6.sin6_scope_id;
  for (let i = 0; i < 4; i++) {
    target[flow + i] = flowlabel >>> (24 - 8 * i);
    target[scope + i] = scopeid >>> (8 * i);
  }
  for (let i = 0; i < 8; i++) writeWord(target, offset + SOCKADDR_IN6.sin6_addr + 2 * i, groups[i]);
  return SOCKADDR_IN6_SIZE;
}

/** 16 bits in network byte order. */
function writeWord(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
}

/** The eight groups of an IPv6 address; undefined if it has more or fewer. */
function groupsOf(text: string): number[] | undefined {
  const [head, tail] = withoutDots(text).split('::');
  const first = groups(head);
  const last = groups(tail ?? '');
  const missing = 8 - first.length - last.length;
  if (tail === undefined ? missing !== 0 : missing < 0) return undefined;
  return [...first, ...Array.from(ownOptions({ length: missing }), () => 0), ...last];
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

/** An IPv6 address may end as an IPv4 address does: ::ffff:1.2.3.4. */
function withoutDots(text: string): string {
  if (!text.includes('.')) return text;
  const start = text.lastIndexOf(':') + 1;
  const [a, b, c, d] = text.slice(start).split('.').map(Number);
  return `${text.slice(0, start)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function writeUnix(target: Uint8Array, offset: number, path: unknown, name: string): number {
  if (typeof path !== 'string' && !types.isUint8Array(path)) {
    throw wrongType(name, 'of type string or an instance of Uint8Array', path);
  }
  const bytes = typeof path === 'string' ? ENCODER.encode(path) : copyOfBytes(name, path);
  const isPath = bytes.length > 0 && bytes[0] !== 0;
  const max = isPath ? UNIX_NAME_MAX - 1 : UNIX_NAME_MAX;
  if (bytes.length > max) throw outOfRange(`${name}.length`, `<= ${max} bytes`, bytes.length);
  if (isPath && bytes.includes(0)) {
    throw wrongValue(name, 'it must be a path without null bytes, or begin with one to be an abstract name');
  }
  target[offset] = AF_UNIX;
  target[offset + 1] = 0;
  const start = offset + SOCKADDR_UN.sun_path;
  target.set(bytes, start);
  // Of an abstract name each byte counts: a NUL behind it would make it another one.
  if (isPath) target[start + bytes.length] = 0;
  return SOCKADDR_UN.sun_path + bytes.length + (isPath ? 1 : 0);
}

/**
 * A copy of a caller's bytes: nobody can change them between being checked and being used, and what an object says of
 * its own length does not count.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 */
export function copyOfBytes(name: string, bytes: unknown): Uint8Array {
  if (!types.isUint8Array(bytes)) throw wrongType(name, 'an instance of Uint8Array', bytes);
  try {
    return new Uint8Array(bytes);
  } catch {
    throw wrongValue(name, 'its ArrayBuffer is detached: it was transferred, and its memory with it');
  }
}

/**
 * Read a `struct sockaddr`, whose length is that of `bytes`. Whatever they are: there is a family for it.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not a Uint8Array
 */
export function readSocketAddress(bytes: Uint8Array): SocketAddress {
  if (!types.isUint8Array(bytes)) throw wrongType('bytes', 'an instance of Uint8Array', bytes);
  const length = byteLengthOf(bytes);
  if (length >= FAMILY_SIZE) {
    const family = bytes[SOCKADDR_STORAGE.ss_family] | (bytes[SOCKADDR_STORAGE.ss_family + 1] << 8);
    if (family === AF_INET && length >= SOCKADDR_IN_SIZE) {
      const address = textOfIPv4(bytes, SOCKADDR_IN.sin_addr);
      return { family: 'IPv4', address, port: word(bytes, SOCKADDR_IN.sin_port) };
    }
    if (family === AF_INET6 && length >= SOCKADDR_IN6_SIZE) return readIPv6(bytes);
    if (family === AF_UNIX) {
      const path = unixName(bytes);
      if (path !== undefined) return { family: 'unix', path };
    }
  }
  return { family: 'unknown', bytes: new Uint8Array(bytes) };
}

function readIPv6(bytes: Uint8Array): SocketAddress {
  const flow = SOCKADDR_IN6.sin6_flowinfo;
  const scope = SOCKADDR_IN6.sin6_scope_id;
  return {
    family: 'IPv6',
    address: textOfIPv6(bytes, SOCKADDR_IN6.sin6_addr),
    port: word(bytes, SOCKADDR_IN6.sin6_port),
    // The bits above it are the traffic class.
    flowlabel: ((word(bytes, flow) << 16) | word(bytes, flow + 2)) & FLOWLABEL_MAX,
    scopeid: (bytes[scope] | (bytes[scope + 1] << 8) | (bytes[scope + 2] << 16) | (bytes[scope + 3] << 24)) >>> 0,
  };
}

/** 16 bits in network byte order. */
function word(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

function textOfIPv4(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** As inet_ntop(3) and Node have it: RFC 5952, and the last 32 bits with dots if 0 or ffff is all there is before. */
function textOfIPv6(bytes: Uint8Array, offset: number): string {
  // The longest run of zeros, the first of several, and of at least two.
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8;) {
    let end = i;
    while (end < 8 && word(bytes, offset + 2 * end) === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    i = end + 1;
  }
  const mapped = length === 5 && word(bytes, offset + 10) === 0xffff;
  const dotted = start === 0 && (length === 6 || mapped) ? textOfIPv4(bytes, offset + 12) : undefined;
  const last = dotted === undefined ? 8 : 6;
  let text = '';
  for (let i = 0; i < last; i++) {
    if (i === start) {
      text += '::';
      i += length - 1;
    } else {
      if (text !== '' && !text.endsWith(':')) text += ':';
      text += word(bytes, offset + 2 * i).toString(16);
    }
  }
  if (dotted === undefined) return text;
  return text.endsWith(':') ? text + dotted : `${text}:${dotted}`;
}

/** A path ends where a string does; the end of an abstract name is the end of the address. */
function unixName(bytes: Uint8Array): string | undefined {
  const name = new Uint8Array(bytes).subarray(SOCKADDR_UN.sun_path);
  const end = name[0] === 0 ? -1 : name.indexOf(0);
  const used = end === -1 ? name : name.subarray(0, end);
  return isUtf8(used) ? DECODER.decode(used) : undefined;
}

/** Where in the memory of a SocketAddressBuffer the length is: 32 bits behind the address. */
export const LENGTH_OFFSET = SOCKADDR_MAX;

let prepare: (address: SocketAddressBuffer) => Uint8Array;

/**
 * Room for an address that the kernel tells: of the peer that prepAccept accepts, or of the socket that
 * prepCmdGetsockname asks about. It is lent to the kernel meanwhile, and may be used again afterwards.
 * @example
 * import { SocketAddressBuffer } from 'iouring';
 *
 * const name = new SocketAddressBuffer();
 * ring.prepCmdGetsockname(socket, name, 1);
 * ring.submitAndWait(1);
 * console.log(name.address);
 */
export class SocketAddressBuffer {
  readonly #memory = new Uint8Array(new ArrayBuffer(SOCKADDR_MAX + 8));
  readonly #view = new DataView(this.#memory.buffer);

  /** The address that the kernel wrote; undefined before the operation is done, and if it failed. */
  get address(): SocketAddress | undefined {
    const bytes = this.#memory;
    // The length alone does not tell: until the kernel writes one it is that of the room.
    const hasFamily = bytes[SOCKADDR_STORAGE.ss_family] !== 0 || bytes[SOCKADDR_STORAGE.ss_family + 1] !== 0;
    const length = this.#length();
    if (length === 0 || !hasFamily) return undefined;
    return readSocketAddress(bytes.subarray(0, Math.min(length, SOCKADDR_MAX)));
  }

  /** Did the kernel have more than the 128 bytes there is room for? No family of Linux has. */
  get truncated(): boolean {
    return this.#length() > SOCKADDR_MAX;
  }

  #length(): number {
    return this.#view.getUint32(LENGTH_OFFSET, true);
  }

  /** Not a method: whoever has one could call it. */
  static {
    prepare = (address) => {
      if (!isObject(address) || !(#memory in address)) {
        throw wrongType('address', 'a SocketAddressBuffer', address);
      }
      const memory = address.#memory;
      // The family is how a later look tells whether the kernel wrote anything.
      memory.fill(0, SOCKADDR_STORAGE.ss_family, SOCKADDR_STORAGE.ss_family + FAMILY_SIZE);
      address.#view.setUint32(LENGTH_OFFSET, SOCKADDR_MAX, true);
      return memory;
    };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'SocketAddressBuffer',
      () => ({ address: this.address, truncated: this.truncated }),
      depth,
      options,
      show,
    );
  }
}

/** Make a SocketAddressBuffer ready for the kernel to fill in. Its memory: the length is at {@link LENGTH_OFFSET}. */
export const prepareSocketAddressBuffer = prepare!;
