import {
  IORING_OP_ACCEPT,
  IORING_OP_BIND,
  IORING_OP_CONNECT,
  IORING_OP_LISTEN,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_SEND,
  IORING_OP_SENDMSG,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SEND_ZC,
  IORING_OP_SHUTDOWN,
  IORING_OP_SOCKET,
  IORING_OP_URING_CMD,
} from '../abi/operations.ts';
import { MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, MSG_WAITALL } from '../abi/socket-flags.ts';
import type { Lendable } from '../ring/memory/lent-memory.ts';
import type { Form } from '../ring/kernel/needed-linux.ts';
import { Msghdr, type MsghdrInit } from '../ring/structs/msghdr.ts';
import type { AcceptOptions } from '../ring/prepare/network.ts';
import type { SocketAddressLike } from '../ring/structs/socket-address.ts';
import {
  bytesOf,
  linkedOf,
  lengthOf,
  memoryOf,
  run,
  withCloexec,
  type Data,
  type DescriptorOptions,
} from './methods.ts';
import { PathMethods } from './methods-path.ts';
import type { Subject } from './operation-error.ts';
import {
  ACCEPTED,
  ACCEPTED_AT_ONCE,
  AGAIN,
  AWAITED,
  DESCRIPTOR,
  DONE,
  kind,
  NOTHING,
  type Asked,
  type Kind,
  type OperationOptions,
  type Outcome,
} from './operation.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

/** How data is sent. */
export interface SendDataOptions extends OperationOptions {
  /** MSG_* bits; default MSG_WAITALL | MSG_NOSIGNAL: all of it, and no signal from a connection that is gone. */
  flags?: number | undefined;
  /** How many bytes, from the beginning; default all. */
  length?: number | undefined;
  /** Where to, on a socket that is not connected. */
  to?: SocketAddressLike | undefined;
  /**
   * The network card reads the memory itself (6.0). The promise waits until it has; with `timeoutMs` no longer than
   * that: see {@link TimeoutError.released}.
   */
  zeroCopy?: boolean | undefined;
}

/** How data is received. */
export interface RecvDataOptions extends OperationOptions {
  /** MSG_* bits; default 0. */
  flags?: number | undefined;
  /** How many bytes at most; default as many as the buffer has. */
  length?: number | undefined;
}

const BACKLOG = 511;
const SENDING = MSG_WAITALL | MSG_NOSIGNAL;

const toAddress = ({ a: address }: Asked): Subject => ({ address: address as SocketAddressLike });

const SOCKET = kind(
  'socket',
  IORING_OP_SOCKET,
  DESCRIPTOR,
  (
    ring,
    { slot, a: domain, b: type, c: protocol, d: options }: Asked<
      [number, number, number, DescriptorOptions | undefined]
    >,
  ) => ring.prepSocket(domain, withCloexec(type, options), protocol, slot),
);
const BIND = kind(
  'bind',
  IORING_OP_BIND,
  NOTHING,
  (ring, { fd, slot, a: address }: Asked<[SocketAddressLike]>) => ring.prepBind(fd, address, slot),
  toAddress,
);
const LISTEN = kind(
  'listen',
  IORING_OP_LISTEN,
  NOTHING,
  (ring, { fd, slot, a: backlog }: Asked<[number]>) => ring.prepListen(fd, backlog, slot),
);
const ACCEPT = kind(
  'accept',
  IORING_OP_ACCEPT,
  ACCEPTED,
  (ring, { fd, slot, a: accept }: Asked<[AcceptOptions | undefined]>) => ring.prepAccept(fd, slot, accept),
);
const CONNECT = kind(
  'connect',
  IORING_OP_CONNECT,
  DONE,
  (ring, { fd, slot, a: address }: Asked<[SocketAddressLike]>) => ring.prepConnect(fd, address, slot),
  toAddress,
);
const SHUTDOWN = kind(
  'shutdown',
  IORING_OP_SHUTDOWN,
  NOTHING,
  (ring, { fd, slot, a: how }: Asked<[number]>) => ring.prepShutdown(fd, how, slot),
);

type Sent = [memory: Lendable, length: number | undefined, flags: number, to: SocketAddressLike | undefined];
const send = (prep: 'prepSend' | 'prepSendZc', opcode: number): Kind<number, Sent> =>
  kind(
    'send',
    opcode,
    AWAITED,
    (ring, { fd, slot, a: memory, b: length, c: flags, d: to, outcome }) => {
      const bytes = lengthOf(memory, length);
      const before = begin(outcome, bytes);
      const rest = before === 0 ? memory : restOf(memory, before);
      const more = to === undefined ? undefined : { to, pollFirst: false, fixed: undefined, reportUsage: false };
      return ring[prep](fd, rest, bytes - before, slot, flags, more as { to: SocketAddressLike } | undefined);
    },
    ({ d: address }) => (address === undefined ? undefined : { address: address as SocketAddressLike }),
  );
const SEND = send('prepSend', IORING_OP_SEND);
const SEND_ZC = send('prepSendZc', IORING_OP_SEND_ZC);

/** Which form of an operation a message asks for: one with control messages is a later one. */
function messageForm(opcode: number): (asked: Asked) => Form {
  const [plain, control] = [ownOptions({ opcode }), ownOptions({ opcode, variant: 'control' })];
  return ({ a }) => (hasControl(a as Msghdr | MsghdrInit) ? control : plain);
}

const sendmsg = (
  prep: 'prepSendmsg' | 'prepSendmsgZc',
  opcode: number,
): Kind<number, [msg: Msghdr | MsghdrInit, flags: number]> =>
  kind('sendmsg', messageForm(opcode), AWAITED, (ring, { fd, slot, a: msg, b: flags, outcome }) => {
    beginMessage(outcome, msg);
    return ring[prep](fd, msg, slot, flags);
  });
const SENDMSG = sendmsg('prepSendmsg', IORING_OP_SENDMSG);
const SENDMSG_ZC = sendmsg('prepSendmsgZc', IORING_OP_SENDMSG_ZC);

const RECV = kind(
  'recv',
  IORING_OP_RECV,
  AWAITED,
  (ring, { fd, slot, a: memory, b: length, c: flags, outcome }: Asked<[Lendable, number | undefined, number]>) => {
    const bytes = lengthOf(memory, length);
    begin(outcome, bytes);
    return ring.prepRecv(fd, memory, bytes, slot, flags);
  },
);
const RECVMSG = kind(
  'recvmsg',
  messageForm(IORING_OP_RECVMSG),
  AWAITED,
  (
    ring,
    { fd, slot, a: msg, b: flags, c: options, outcome }: Asked<[Msghdr, number, DescriptorOptions | undefined]>,
  ) => {
    beginMessage(outcome, msg);
    return ring.prepRecvmsg(fd, msg, slot, hasControlRoom(msg) ? withCloexec(flags, options, MSG_CMSG_CLOEXEC) : flags);
  },
);
const CMD_SOCK = kind(
  'cmd_sock',
  IORING_OP_URING_CMD,
  AWAITED,
  (ring, { fd, slot, a: cmdOp, b: level, c: optname, d: optval }: Asked<[number, number, number, Lendable | null]>) =>
    ring.prepCmdSock(cmdOp, fd, level, optname, optval, slot),
);

/** Operations on sockets. */
export abstract class NetMethods extends PathMethods {
  /**
   * Make a socket. SOCK_CLOEXEC is set unless `options.cloexec` is false: programs that are started do not inherit the
   * descriptor.
   *
   * Kernel 5.19. See {@link IoUring.prepSocket}; like socket(2).
   * @param domain AF_*
   * @param type SOCK_* and flags
   * @returns its descriptor
   * @example
   * import { AF_INET, SOCK_STREAM } from 'iouring/abi';
   *
   * const client = await io.socket(AF_INET, SOCK_STREAM);
   */
  socket(domain: number, type: number, protocol = 0, options?: DescriptorOptions): Promise<number> {
    return run(this, SOCKET, -1, options, undefined, domain, type, protocol, options);
  }

  /**
   * Kernel 6.11. See {@link IoUring.prepBind}; like bind(2).
   * @example
   * await io.bind(socket, { address: '127.0.0.1', port: 0 });
   */
  bind(fd: number, address: SocketAddressLike, options?: OperationOptions): Promise<void> {
    return run(this, BIND, fd, options, undefined, address);
  }

  /**
   * Kernel 6.11. See {@link IoUring.prepListen}; like listen(2).
   * @example
   * await io.bind(socket, { address: '127.0.0.1', port: 8080 });
   * await io.listen(socket);
   */
  listen(fd: number, backlog = BACKLOG, options?: OperationOptions): Promise<void> {
    return run(this, LISTEN, fd, options, undefined, backlog);
  }

  /**
   * Accept one connection. For more see {@link Reactor.acceptMany}.
   *
   * Kernel 5.5. See {@link IoUring.prepAccept}; like accept4(2).
   * @returns its descriptor, O_NONBLOCK and O_CLOEXEC unless `flags` says otherwise
   * @example
   * const connection = await io.accept(listener, { timeoutMs: 5000 });
   */
  accept(listenFd: number, options?: OperationOptions & AcceptOptions): Promise<number> {
    const { flags, dontwait, pollFirst } = options ?? NONE;
    const all = { flags, dontwait, pollFirst, direct: undefined, address: undefined };
    const accept = options === undefined ? undefined : (all as AcceptOptions);
    return run(this, ACCEPT, listenFd, options, dontwait ? ACCEPTED_AT_ONCE : undefined, accept);
  }

  /**
   * Kernel 5.5. See {@link IoUring.prepConnect}; like connect(2). Names are not looked up.
   * @example
   * await io.connect(socket, { address: '127.0.0.1', port: 8080 }, { timeoutMs: 5000 });
   */
  connect(fd: number, address: SocketAddressLike, options?: OperationOptions): Promise<void> {
    return run(this, CONNECT, fd, options, undefined, address);
  }

  /**
   * Await it before the descriptor is closed: a thread of the kernel's does it, which looks the descriptor up when its
   * turn comes.
   *
   * Kernel 5.11. See {@link IoUring.prepShutdown}; like shutdown(2).
   * @example
   * import { SHUT_WR } from 'iouring/abi';
   *
   * await io.shutdown(socket, SHUT_WR);
   */
  shutdown(fd: number, how: number, options?: OperationOptions): Promise<void> {
    return run(this, SHUTDOWN, fd, options, undefined, how);
  }

  /**
   * Send data; unless `flags` says otherwise, all of it. Sends on one connection that run at the same time may mix:
   * await one before the next.
   *
   * Kernel 5.6. See {@link IoUring.prepSend}, {@link IoUring.prepSendZc}; like send(2).
   * @returns the bytes sent
   * @example
   * const bytes = await io.send(socket, 'hello');
   */
  send(fd: number, data: Data, options?: SendDataOptions): Promise<number> {
    return this.#send(fd, data, options, options?.to);
  }

  #send(
    fd: number,
    data: Data,
    options: SendDataOptions | undefined,
    to: SocketAddressLike | undefined,
  ): Promise<number> {
    const { flags = SENDING, length, zeroCopy = false } = options ?? NONE;
    const outcome = outcomeOf(flags, linkedOf(this) === undefined);
    return run(this, zeroCopy ? SEND_ZC : SEND, fd, options, outcome, bytesOf(data), length, flags, to);
  }

  /**
   * {@link send} to an address. Kernel 5.19.
   * @example
   * await io.sendto(socket, 'hello', { address: '127.0.0.1', port: 9000 });
   */
  sendto(fd: number, data: Data, address: SocketAddressLike, options?: Omit<SendDataOptions, 'to'>): Promise<number> {
    return this.#send(fd, data, options, address);
  }

  /**
   * Send a message of several buffers, to an address, or with ancillary data. Kernel 5.3; with ancillary data 5.12. See
   * {@link IoUring.prepSendmsg}.
   * @example
   * await io.sendmsg(socket, { iov: [Buffer.from('head'), Buffer.from('body')] });
   */
  sendmsg(
    fd: number,
    msg: Msghdr | MsghdrInit,
    options?: OperationOptions & { flags?: number; zeroCopy?: boolean },
  ): Promise<number> {
    const { flags = SENDING, zeroCopy = false } = options ?? NONE;
    return run(this, zeroCopy ? SENDMSG_ZC : SENDMSG, fd, options, outcomeOf(flags, false), msg, flags);
  }

  /**
   * Receive once. For streams see {@link Reactor.recvMany}, which takes no buffer before there is data.
   *
   * Kernel 5.6. See {@link IoUring.prepRecv}; like recv(2).
   * @returns the bytes received; 0 at the end of a stream
   * @example
   * const bytes = await io.recv(socket, buffer);
   */
  recv(fd: number, buf: Lendable, options?: RecvDataOptions): Promise<number> {
    const { flags = 0, length } = options ?? NONE;
    return run(this, RECV, fd, options, outcomeOf(flags, false), memoryOf(buf), length, flags);
  }

  /**
   * Receive a message: `msg` tells of its sender then. If it has room for descriptors, MSG_CMSG_CLOEXEC is set unless
   * `options.cloexec` is false. Kernel 5.3; with that room 5.12. See {@link IoUring.prepRecvmsg}; like recvmsg(2).
   * @example
   * import { Msghdr } from 'iouring';
   *
   * const message = new Msghdr({ iov: [buffer], name: 128 });
   * const bytes = await io.recvmsg(socket, message);
   * console.log(message.name);
   */
  recvmsg(fd: number, msg: Msghdr, options?: DescriptorOptions & { flags?: number }): Promise<number> {
    const flags = options?.flags ?? 0;
    return run(this, RECVMSG, fd, options, outcomeOf(flags, false), msg, flags, options);
  }

  /**
   * Commands of sockets: SOCKET_URING_OP_GETSOCKOPT, …SETSOCKOPT and others. Kernel 6.7. See {@link
   * IoUring.prepCmdSock}.
   * @returns as the command answers: of GETSOCKOPT the bytes of the value
   * @example
   * import { SOCKET_URING_OP_SIOCINQ } from 'iouring/abi';
   *
   * const waiting = await io.cmdSock(SOCKET_URING_OP_SIOCINQ, socket, 0, 0, null);
   */
  cmdSock(
    cmdOp: number,
    fd: number,
    level: number,
    optname: number,
    optval: Lendable | null,
    options?: OperationOptions,
  ): Promise<number> {
    return run(this, CMD_SOCK, fd, options, undefined, cmdOp, level, optname, optval);
  }
}

/** A transfer of all of it (MSG_WAITALL): one that was stopped before that says how far it came. */
class WholeTransfer implements Outcome<number> {
  readonly isUnbounded = true;
  whole = 0;
  before = 0;
  readonly #goesOn: boolean;

  /** @param goesOn is the rest transferred by another operation, if the kernel stops in the middle? */
  constructor(goesOn: boolean) {
    this.#goesOn = goesOn;
  }

  value(res: number): number | typeof AGAIN {
    const done = this.before + res;
    // It tells how much was transferred, and not why it stopped: the rest of it does.
    if (!this.#goesOn || res === 0 || done >= this.whole) return done;
    this.before = done;
    return AGAIN;
  }

  static {
    Object.setPrototypeOf(this.prototype, null);
  }
}

function outcomeOf(flags: number, goesOn: boolean): WholeTransfer | typeof AWAITED {
  return (flags & MSG_WAITALL) === 0 ? AWAITED : new WholeTransfer(goesOn);
}

/** An operation of a transfer of so many bytes is prepared. How many of them went before. */
function begin(outcome: Outcome<unknown>, bytes: number): number {
  if (!(outcome instanceof WholeTransfer)) return 0;
  outcome.whole = bytes;
  return outcome.before;
}

/** {@link begin}, of several buffers. What is no message is refused by the ring. */
function beginMessage(outcome: Outcome<unknown>, msg: Msghdr | MsghdrInit): void {
  const buffers: unknown = msg?.iov;
  if (outcome === AWAITED || !Array.isArray(buffers)) return;
  let bytes = 0;
  for (const buffer of buffers as Lendable[]) bytes += lengthOf(buffer, undefined);
  begin(outcome, bytes);
}

/**
 * Messages that have room for ancillary data: after a receive they tell how much came, and not how much would have
 * fitted.
 */
const roomy = new WeakSet<Msghdr>();

/** Does a message carry control messages, or have room for them? */
function hasControl(msg: Msghdr | MsghdrInit): boolean {
  if (msg instanceof Msghdr) return hasControlRoom(msg);
  return typeof msg.control === 'object' && msg.control.length > 0;
}

function hasControlRoom(msg: Msghdr): boolean {
  if (roomy.has(msg)) return true;
  if (!(msg?.controlLength > 0)) return false;
  roomy.add(msg);
  return true;
}

function restOf(memory: Lendable, from: number): Uint8Array {
  return ArrayBuffer.isView(memory)
    ? new Uint8Array(memory.buffer, memory.byteOffset + from, memory.byteLength - from)
    : new Uint8Array(memory, from);
}

const NONE: SendDataOptions & RecvDataOptions & AcceptOptions = ownOptions({});
