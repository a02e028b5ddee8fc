import { inspect, type InspectOptions } from 'node:util';
import { types } from '../../native/node-util.ts';
import {
  CMSGHDR,
  CMSGHDR_SIZE,
  IOVEC,
  IOVEC_SIZE,
  IO_URING_RECVMSG_OUT,
  IO_URING_RECVMSG_OUT_SIZE,
  MSGHDR,
  MSGHDR_SIZE,
} from '../../abi/layouts.ts';
import { MSG_CTRUNC, MSG_TRUNC, SCM_RIGHTS, SOL_SOCKET } from '../../abi/socket-flags.ts';
import { NONE } from '../arguments/own-options.ts';
import { byteLengthOf, viewOf, type Lendable } from '../memory/lent-memory.ts';
import {
  checkInteger,
  checkObject,
  isObject,
  outOfRange,
  wrongType,
  wrongValue,
} from '../arguments/argument-errors.ts';
import {
  copyOfBytes,
  readSocketAddress,
  SOCKADDR_MAX,
  writeSocketAddress,
  type SocketAddress,
  type SocketAddressLike,
} from './socket-address.ts';
import { shown } from '../shown.ts';

/** The kernel's limit on the pieces of one message (UIO_MAXIOV). */
const IOVECS_MAX = 1024;

/** Far more than any socket takes; the kernel's own limit is a setting (net.core.optmem_max). */
const CONTROL_MAX = 2 ** 20;

/** The kernel's limit on the descriptors in one control message (SCM_MAX_FD). */
const RIGHTS_MAX = 253;

const INT_MAX = 2 ** 31 - 1;

/** A control message (ancillary data): see cmsg(3), and ip(7), unix(7) and so on for what there is. */
export interface ControlMessage {
  /** SOL_SOCKET, IPPROTO_IP, … */
  level: number;
  /** SCM_RIGHTS, … */
  type: number;
  data: Uint8Array;
}

/** The parts of a {@link Msghdr}. */
export interface MsghdrInit {
  /**
   * The pieces of the message, up to 1024, each as a whole: a view chooses a part of a buffer. None for a multishot
   * receive.
   */
  iov?: readonly Lendable[];
  /** To send: where to. To receive: bytes of room for the sender's address, 0 … 128. Default: neither. */
  name?: SocketAddressLike | number;
  /**
   * To send: control messages, or their bytes as sendmsg(2) takes them. To receive: bytes of room for them, up to
   * 2^20; each takes 16 and its data, rounded up to a multiple of 8. Default: neither.
   */
  control?: readonly ControlMessage[] | Uint8Array | number;
}

let prepare: (
  msg: Msghdr,
  locate: (buffer: Lendable, name: string) => number,
  locateOwn: (memory: Uint8Array) => number,
) => Uint8Array;
let roomOf: (msg: Msghdr) => number;

/**
 * A message to send or to receive (`struct msghdr`): several buffers, an address, control messages. What it is given
 * is copied, except the buffers' contents. It is lent to the kernel with its buffers while an operation is under way,
 * and may be used again afterwards.
 *
 * After a receive that succeeded it tells what came with the data. A multishot receive tells that in the buffer of
 * each completion instead: see {@link Msghdr.parse}.
 * @example
 * import { Msghdr } from 'iouring';
 *
 * const message = new Msghdr({ iov: [buffer], name: 128 });
 * await io.recvmsg(socket, message);
 * console.log(message.name);
 */
export class Msghdr {
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #iov: readonly Lendable[];
  /** Bytes given, or of room: what the kernel is told each time. */
  readonly #nameRoom: number;
  readonly #controlRoom: number;
  readonly #nameOffset: number;
  readonly #controlOffset: number;
  /** Was there no address given, but room for one? */
  readonly #receivesName: boolean;

  /** @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE` */
  constructor(init: MsghdrInit = NONE) {
    checkObject('init', init);
    const { iov, name, control } = init;
    this.#iov = buffersOf(iov);
    const address = nameOf(name);
    const messages = controlOf(control);
    this.#receivesName = typeof address === 'number';
    this.#nameRoom = typeof address === 'number' ? address : address.length;
    this.#controlRoom = typeof messages === 'number' ? messages : messages.length;
    this.#nameOffset = MSGHDR_SIZE + this.#iov.length * IOVEC_SIZE;
    this.#controlOffset = aligned(this.#nameOffset + this.#nameRoom);
    this.#memory = new Uint8Array(new ArrayBuffer(this.#controlOffset + this.#controlRoom));
    this.#view = new DataView(this.#memory.buffer);
    if (typeof address !== 'number') this.#memory.set(address, this.#nameOffset);
    if (typeof messages !== 'number') this.#memory.set(messages, this.#controlOffset);
    this.#reset();
  }

  /** The buffers. */
  get iov(): readonly Lendable[] {
    return this.#iov;
  }

  /** The address: as given, or after a receive the sender's; undefined if there is none. */
  get name(): SocketAddress | undefined {
    const start = this.#nameOffset;
    const length = Math.min(this.nameLength, this.#nameRoom);
    if (length === 0) return undefined;
    const bytes = this.#memory.subarray(start, start + length);
    // Nothing was received yet: no address is of family 0.
    if (this.#receivesName && bytes[0] === 0 && !bytes[1]) return undefined;
    return readSocketAddress(bytes);
  }

  /** The control messages: as given, or after a receive those that came; copies. Descriptors: {@link rightsOf}. */
  get control(): ControlMessage[] {
    const length = Math.min(this.controlLength, this.#controlRoom);
    return controlMessages(this.#view, this.#controlOffset, length);
  }

  /** MSG_* bits of the message received: MSG_TRUNC, its end was cut off; MSG_CTRUNC, control messages were. */
  get flags(): number {
    return this.#view.getUint32(MSGHDR.msg_flags, true);
  }

  /**
   * Bytes of the address (`msg_namelen`): as given or of the room; after a receive those that the sender's has, which
   * are more than the room if it was cut short.
   */
  get nameLength(): number {
    return this.#view.getUint32(MSGHDR.msg_namelen, true);
  }

  /** Bytes of the control messages (`msg_controllen`): as given or of the room; after a receive those that came. */
  get controlLength(): number {
    return lengthAt(this.#view, MSGHDR.msg_controllen);
  }

  /**
   * Take apart what a multishot receive with this msghdr left in a provided buffer: `bytes(c)[0]` of its group, or
   * `bytes(bid, res)`. In each buffer a header of 16 bytes and the room for address and control messages come first;
   * one that is too small for them ends the receive with `-EFAULT`.
   *
   * Counterpart of io_uring_recvmsg_validate(3) and the functions on its page.
   * @returns undefined if the bytes are fewer than that
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not a Uint8Array
   */
  parse(bytes: Uint8Array): RecvmsgOut | undefined {
    if (!types.isUint8Array(bytes)) throw wrongType('bytes', 'an instance of Uint8Array', bytes);
    if (byteLengthOf(bytes) < IO_URING_RECVMSG_OUT_SIZE + this.#nameRoom + this.#controlRoom) return undefined;
    return new RecvmsgOut(bytes, this.#nameRoom, this.#controlRoom);
  }

  /** The fields that a receive writes over. */
  #reset(): void {
    const view = this.#view;
    view.setUint32(MSGHDR.msg_namelen, this.#nameRoom, true);
    writeLength(view, MSGHDR.msg_controllen, this.#controlRoom);
    view.setUint32(MSGHDR.msg_flags, 0, true);
  }

  /** Not a method: it tells addresses, and whoever has a message could call it. */
  static {
    prepare = (msg, locate, locateOwn) => {
      if (!isObject(msg) || !(#memory in msg)) throw wrongType('msg', 'a Msghdr', msg);
      const view = msg.#view;
      const iov = msg.#iov;
      const own = locateOwn(msg.#memory);
      for (let i = 0; i < iov.length; i++) {
        const address = locate(iov[i], `msg.iov[${i}]`);
        const high = Math.floor(address / 2 ** 32);
        writeIovec(view, MSGHDR_SIZE + i * IOVEC_SIZE, address | 0, high, byteLengthOf(iov[i]));
      }
      writePointer(view, MSGHDR.msg_name, msg.#nameRoom === 0 ? 0 : own + msg.#nameOffset);
      writePointer(view, MSGHDR.msg_iov, iov.length === 0 ? 0 : own + MSGHDR_SIZE);
      writeLength(view, MSGHDR.msg_iovlen, iov.length);
      writePointer(view, MSGHDR.msg_control, msg.#controlRoom === 0 ? 0 : own + msg.#controlOffset);
      msg.#reset();
      return msg.#memory;
    };
    roomOf = (msg) => (msg.#iov.length === 0 ? 0 : byteLengthOf(msg.#iov[0]));
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'Msghdr',
      () => ({
        name: this.name,
        iov: this.iov.map(({ byteLength }) => byteLength),
        controlLength: this.controlLength,
        flags: this.flags,
      }),
      depth,
      options,
      show,
    );
  }
}

/**
 * Make a message ready for the kernel: addresses, lengths, no flags. Name and control areas keep what is in them.
 * @param locate finds where a buffer is, and throws if it cannot be lent; `name` is what to call it then
 * @param locateOwn the same for the memory that is returned
 * @returns the memory, which begins with the msghdr
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not a Msghdr; and what `locate` throws
 */
export const prepareMsghdr = prepare!;

/** The length of a message's first buffer in bytes; 0 if there is none. */
export const firstLengthOf = roomOf!;

/**
 * One message of a multishot receive, as it lies in a provided buffer. It refers to the buffer: read what you need of
 * it before the buffer is recycled.
 * @example
 * import { Msghdr } from 'iouring';
 *
 * const message = new Msghdr({ name: 128 });
 * const group = ring.registerBufRing(8, 4096, 7);
 * ring.prepRecvmsgMultishot(socket, 7, message, 1);
 * ring.submitAndWait(1);
 * ring.forEachCompletion((c) => {
 *   for (const bytes of group.bytes(c)) console.log(message.parse(bytes)?.payload);
 * });
 */
export class RecvmsgOut {
  /** The data: a view of the buffer. */
  readonly payload: Uint8Array;
  /**
   * How many bytes of data there are; with MSG_TRUNC among the receive's flags, how many the message had: more than
   * `payload` has if its end was cut off.
   */
  readonly payloadLength: number;
  /** MSG_* bits. */
  readonly flags: number;
  readonly #view: DataView;
  readonly #nameRoom: number;
  readonly #controlRoom: number;

  /** @internal */
  constructor(bytes: Uint8Array, nameRoom: number, controlRoom: number) {
    const view = viewOf(bytes);
    const { buffer, byteOffset, byteLength } = view;
    const before = IO_URING_RECVMSG_OUT_SIZE + nameRoom + controlRoom;
    this.payload = new Uint8Array(buffer, byteOffset + before, byteLength - before);
    this.payloadLength = view.getUint32(IO_URING_RECVMSG_OUT.payloadlen, true);
    this.flags = view.getUint32(IO_URING_RECVMSG_OUT.flags, true);
    this.#view = view;
    this.#nameRoom = nameRoom;
    this.#controlRoom = controlRoom;
  }

  /** The sender's address; undefined if there is none, or no room for one. */
  get name(): SocketAddress | undefined {
    const view = this.#view;
    const length = Math.min(view.getUint32(IO_URING_RECVMSG_OUT.namelen, true), this.#nameRoom);
    if (length === 0) return undefined;
    return readSocketAddress(new Uint8Array(view.buffer, view.byteOffset + IO_URING_RECVMSG_OUT_SIZE, length));
  }

  /** The control messages; copies. Descriptors: {@link rightsOf}. */
  get control(): ControlMessage[] {
    const view = this.#view;
    const length = Math.min(view.getUint32(IO_URING_RECVMSG_OUT.controllen, true), this.#controlRoom);
    return controlMessages(view, IO_URING_RECVMSG_OUT_SIZE + this.#nameRoom, length);
  }

  /** Was the end of the data cut off, for want of room? */
  get truncated(): boolean {
    return (this.flags & MSG_TRUNC) !== 0;
  }

  /** Were control messages cut off, for want of room? */
  get controlTruncated(): boolean {
    return (this.flags & MSG_CTRUNC) !== 0;
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'RecvmsgOut',
      () => ({
        name: this.name,
        payloadLength: this.payloadLength,
        flags: this.flags,
        truncated: this.truncated,
        controlTruncated: this.controlTruncated,
      }),
      depth,
      options,
      show,
    );
  }
}

/**
 * A control message that hands descriptors to the process at the other end of a unix socket (SCM_RIGHTS, unix(7)): it
 * gets new ones for the same open files. Keep yours open until the message is sent.
 * @param fds 1 … 253 of them
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 * @example
 * import { rights } from 'iouring';
 *
 * await io.sendmsg(socket, { iov: [Buffer.from('a file')], control: [rights([fd])] });
 */
export function rights(fds: readonly number[]): ControlMessage {
  if (!Array.isArray(fds)) throw wrongType('fds', 'an Array of numbers', fds);
  const list = [...(fds as readonly number[])];
  checkInteger('fds.length', list.length, 1, RIGHTS_MAX);
  const data = new Uint8Array(list.length * 4);
  const view = new DataView(data.buffer);
  list.forEach((fd, i) => view.setInt32(i * 4, checkInteger(`fds[${i}]`, fd, 0, INT_MAX), true));
  return { level: SOL_SOCKET, type: SCM_RIGHTS, data };
}

/**
 * The descriptors in a control message received (SCM_RIGHTS); undefined if it is of another kind. They are the
 * caller's to close, looked at or not. MSG_CMSG_CLOEXEC with the receive keeps them from other
 * programs.
 * @example
 * import { Msghdr, rightsOf } from 'iouring';
 *
 * const message = new Msghdr({ iov: [buffer], control: 64 });
 * await io.recvmsg(socket, message);
 * const descriptors = message.control.flatMap((part) => rightsOf(part) ?? []);
 */
export function rightsOf(message: ControlMessage): number[] | undefined {
  const { level, type, data } = message;
  if (level !== SOL_SOCKET || type !== SCM_RIGHTS) return undefined;
  const view = viewOf(data);
  const fds: number[] = [];
  for (let at = 0; at + 4 <= view.byteLength; at += 4) fds.push(view.getInt32(at, true));
  return fds;
}

/** Write a `struct iovec`: an address in two halves of 32 bits, and a length. */
export function writeIovec(
  view: DataView,
  offset: number,
  addressLow: number,
  addressHigh: number,
  length: number,
): void {
  view.setInt32(offset + IOVEC.iov_base, addressLow, true);
  view.setInt32(offset + IOVEC.iov_base + 4, addressHigh, true);
  writeLength(view, offset + IOVEC.iov_len, length);
}

function writePointer(view: DataView, offset: number, address: number): void {
  view.setInt32(offset, address | 0, true);
  view.setInt32(offset + 4, Math.floor(address / 2 ** 32), true);
}

/** A size_t. */
function writeLength(view: DataView, offset: number, length: number): void {
  view.setUint32(offset, length, true);
  view.setUint32(offset + 4, Math.floor(length / 2 ** 32), true);
}

function lengthAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

/** The control area is an array of size_t, and each of its messages begins like one. */
function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** The caller's list as it is now: what the kernel writes to must be what is kept alive. */
function buffersOf(iov: readonly Lendable[] | undefined): readonly Lendable[] {
  if (iov === undefined) return Object.freeze([]);
  if (!Array.isArray(iov)) throw wrongType('init.iov', 'an Array of ArrayBufferViews or ArrayBuffers', iov);
  const list = [...(iov as readonly Lendable[])];
  checkInteger('init.iov.length', list.length, 0, IOVECS_MAX);
  list.forEach((buffer, i) => {
    if (!ArrayBuffer.isView(buffer) && !types.isAnyArrayBuffer(buffer)) {
      throw wrongType(`init.iov[${i}]`, 'an ArrayBufferView or an ArrayBuffer', buffer);
    }
  });
  return Object.freeze(list);
}

/** The address given, or how much room it gets. */
function nameOf(name: SocketAddressLike | number | undefined): Uint8Array | number {
  if (name === undefined) return 0;
  if (typeof name === 'number') return checkInteger('init.name', name, 0, SOCKADDR_MAX);
  const bytes = new Uint8Array(SOCKADDR_MAX);
  return bytes.subarray(0, writeSocketAddress(bytes, 0, name, 'init.name'));
}

/** The control messages given, or how much room they get. */
function controlOf(control: readonly ControlMessage[] | Uint8Array | number | undefined): Uint8Array | number {
  const name = 'init.control';
  if (control === undefined) return 0;
  if (typeof control === 'number') return checkInteger(name, control, 0, CONTROL_MAX);
  if (types.isUint8Array(control)) {
    const bytes = copyOfBytes(name, control);
    if (bytes.length > CONTROL_MAX) throw outOfRange(`${name}.length`, `<= ${CONTROL_MAX}`, bytes.length);
    return bytes;
  }
  if (!Array.isArray(control)) {
    throw wrongType(name, 'an Array of control messages, an instance of Uint8Array, or of type number', control);
  }
  return encoded(name, control as readonly ControlMessage[]);
}

function encoded(name: string, control: readonly ControlMessage[]): Uint8Array {
  let size = 0;
  const messages = Array.from(control, (message, i) => {
    checkObject(`${name}[${i}]`, message);
    const { level, type, data } = message;
    checkInteger(`${name}[${i}].level`, level, 0, INT_MAX);
    checkInteger(`${name}[${i}].type`, type, 0, INT_MAX);
    const bytes = copyOfBytes(`${name}[${i}].data`, data);
    const start = size;
    size += aligned(CMSGHDR_SIZE + bytes.length);
    if (size > CONTROL_MAX) throw wrongValue(name, `it has more than ${CONTROL_MAX} bytes`);
    return { start, level, type, bytes };
  });
  const area = new Uint8Array(size);
  const view = new DataView(area.buffer);
  for (const { start, level, type, bytes } of messages) {
    writeLength(view, start + CMSGHDR.cmsg_len, CMSGHDR_SIZE + bytes.length);
    view.setInt32(start + CMSGHDR.cmsg_level, level, true);
    view.setInt32(start + CMSGHDR.cmsg_type, type, true);
    area.set(bytes, start + CMSGHDR_SIZE);
  }
  return area;
}

/** The messages in a control area, up to one that is none: shorter than its head, or longer than what is left. */
function controlMessages(view: DataView, start: number, length: number): ControlMessage[] {
  const found: ControlMessage[] = [];
  const end = start + length;
  for (let at = start; end - at >= CMSGHDR_SIZE;) {
    const size = lengthAt(view, at + CMSGHDR.cmsg_len);
    if (size < CMSGHDR_SIZE || size > end - at) break;
    found.push({
      level: view.getInt32(at + CMSGHDR.cmsg_level, true),
      type: view.getInt32(at + CMSGHDR.cmsg_type, true),
      data: new Uint8Array(new Uint8Array(view.buffer, view.byteOffset + at + CMSGHDR_SIZE, size - CMSGHDR_SIZE)),
    });
    at += aligned(size);
  }
  return found;
}
