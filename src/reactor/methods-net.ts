import { MSG_NOSIGNAL, MSG_WAITALL } from '../abi/socket-flags.ts';
import type { Lendable } from '../ring/lent-memory.ts';
import type { Msghdr, MsghdrInit } from '../ring/msghdr.ts';
import type { AcceptOptions } from '../ring/prepare-net.ts';
import type { SocketAddressLike } from '../ring/socket-address.ts';
import { bytesOf, lengthOf, memoryOf, type Data } from './methods.ts';
import { PathMethods } from './methods-path.ts';
import { ACCEPTED, AWAITED, DESCRIPTOR, DONE, NOTHING, type OperationOptions, type Outcome } from './operation.ts';

/** How data is sent. */
export interface SendDataOptions extends OperationOptions {
  /** MSG_* bits; default MSG_WAITALL | MSG_NOSIGNAL: all of it, and no signal from a connection that is gone. */
  flags?: number | undefined;
  /** How many bytes, from the beginning; default all. */
  length?: number | undefined;
  /** Where to, on a socket that is not connected. */
  to?: SocketAddressLike | undefined;
  /** The network card reads the memory itself (6.0). The promise waits until it has. */
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

/** Operations on sockets. */
export abstract class NetMethods extends PathMethods {
  /**
   * Make a socket. Set SOCK_CLOEXEC: descriptors are inherited by child processes without it.
   *
   * Kernel 5.19. See {@link IoUring.prepSocket}; like socket(2).
   * @param domain AF_*
   * @param type SOCK_* and flags
   * @returns its descriptor
   */
  socket(domain: number, type: number, protocol = 0, options?: OperationOptions): Promise<number> {
    return this.run('socket', -1, options, (ring, slot) => ring.prepSocket(domain, type, protocol, slot), DESCRIPTOR);
  }

  /** Kernel 6.11. See {@link IoUring.prepBind}; like bind(2). */
  bind(fd: number, address: SocketAddressLike, options?: OperationOptions): Promise<void> {
    return this.run('bind', fd, options, (ring, slot) => ring.prepBind(fd, address, slot), NOTHING, { address });
  }

  /** Kernel 6.11. See {@link IoUring.prepListen}; like listen(2). */
  listen(fd: number, backlog = BACKLOG, options?: OperationOptions): Promise<void> {
    return this.run('listen', fd, options, (ring, slot) => ring.prepListen(fd, backlog, slot), NOTHING);
  }

  /**
   * Accept one connection. For more see {@link Reactor.acceptMany}.
   *
   * Kernel 5.5. See {@link IoUring.prepAccept}; like accept4(2).
   * @returns its descriptor, O_NONBLOCK and O_CLOEXEC unless `flags` says otherwise
   */
  accept(listenFd: number, options?: OperationOptions & AcceptOptions): Promise<number> {
    const { signal: _, timeoutMs: __, ...accept } = options ?? {};
    return this.run('accept', listenFd, options, (ring, slot) => ring.prepAccept(listenFd, slot, accept), ACCEPTED);
  }

  /** Kernel 5.5. See {@link IoUring.prepConnect}; like connect(2). Names are not looked up. */
  connect(fd: number, address: SocketAddressLike, options?: OperationOptions): Promise<void> {
    return this.run('connect', fd, options, (ring, slot) => ring.prepConnect(fd, address, slot), DONE, { address });
  }

  /**
   * Await it before the descriptor is closed: a thread of the kernel's does it, which looks the descriptor up when its turn comes.
   *
   * Kernel 5.11. See {@link IoUring.prepShutdown}; like shutdown(2).
   */
  shutdown(fd: number, how: number, options?: OperationOptions): Promise<void> {
    return this.run('shutdown', fd, options, (ring, slot) => ring.prepShutdown(fd, how, slot), NOTHING);
  }

  /**
   * Send data; unless `flags` says otherwise, all of it. Sends on one connection that run at the same time may mix: await
   * one before the next.
   *
   * Kernel 5.6. See {@link IoUring.prepSend}, {@link IoUring.prepSendZc}; like send(2).
   * @returns the bytes sent
   */
  send(fd: number, data: Data, options?: SendDataOptions): Promise<number> {
    const { flags = SENDING, length, to, zeroCopy = false } = options ?? NONE;
    const memory = bytesOf(data);
    const more = to === undefined ? undefined : { to };
    const isWhole = (flags & MSG_WAITALL) !== 0 && this.chain === undefined;
    const outcome = isWhole ? this.#whole(fd, memory, lengthOf(memory, length), options) : AWAITED;
    return this.run(
      'send',
      fd,
      options,
      zeroCopy
        ? (ring, slot) => ring.prepSendZc(fd, memory, lengthOf(memory, length), slot, flags, more)
        : (ring, slot) => ring.prepSend(fd, memory, lengthOf(memory, length), slot, flags, more),
      outcome,
      to === undefined ? undefined : { address: to },
    );
  }

  /** A send that stopped in the middle says how much was sent, and not why it stopped: the rest of it does. */
  #whole(fd: number, memory: Lendable, length: number, options: SendDataOptions | undefined): Outcome<number> {
    return {
      value: (sent) => {
        if (sent >= length || sent === 0) return sent;
        const { buffer, byteOffset } = ArrayBuffer.isView(memory) ? memory : { buffer: memory, byteOffset: 0 };
        const rest = new Uint8Array(buffer, byteOffset + sent, length - sent);
        const left = options?.timeoutMs === undefined ? undefined : { timeoutMs: 0 };
        return this.send(fd, rest, { ...options, length: undefined, ...left }).then((more) => sent + more);
      },
      waits: true,
    };
  }

  /** {@link send} to an address. Kernel 5.19. */
  sendto(fd: number, data: Data, address: SocketAddressLike, options?: Omit<SendDataOptions, 'to'>): Promise<number> {
    return this.send(fd, data, { ...options, to: address });
  }

  /** Send a message of several buffers, to an address, or with ancillary data. Kernel 5.3. See {@link IoUring.prepSendmsg}. */
  sendmsg(
    fd: number,
    msg: Msghdr | MsghdrInit,
    options?: OperationOptions & { flags?: number; zeroCopy?: boolean },
  ): Promise<number> {
    const { flags = SENDING, zeroCopy = false } = options ?? NONE;
    return this.run(
      'sendmsg',
      fd,
      options,
      zeroCopy
        ? (ring, slot) => ring.prepSendmsgZc(fd, msg, slot, flags)
        : (ring, slot) => ring.prepSendmsg(fd, msg, slot, flags),
      AWAITED,
    );
  }

  /**
   * Receive once. For streams see {@link Reactor.recvMany}, which takes no buffer before there is data.
   *
   * Kernel 5.6. See {@link IoUring.prepRecv}; like recv(2).
   * @returns the bytes received; 0 at the end of a stream
   */
  recv(fd: number, buf: Lendable, options?: RecvDataOptions): Promise<number> {
    const { flags = 0, length } = options ?? NONE;
    const memory = memoryOf(buf);
    return this.run(
      'recv',
      fd,
      options,
      (ring, slot) => ring.prepRecv(fd, memory, lengthOf(buf, length), slot, flags),
      AWAITED,
    );
  }

  /** Receive a message: `msg` tells of its sender then. Kernel 5.3. See {@link IoUring.prepRecvmsg}; like recvmsg(2). */
  recvmsg(fd: number, msg: Msghdr, options?: OperationOptions & { flags?: number }): Promise<number> {
    const flags = options?.flags ?? 0;
    return this.run('recvmsg', fd, options, (ring, slot) => ring.prepRecvmsg(fd, msg, slot, flags), AWAITED);
  }

  /**
   * Commands of sockets: SOCKET_URING_OP_GETSOCKOPT, …SETSOCKOPT and others. Kernel 6.7. See {@link IoUring.prepCmdSock}.
   * @returns as the command answers: of GETSOCKOPT the bytes of the value
   */
  cmdSock(
    cmdOp: number,
    fd: number,
    level: number,
    optname: number,
    optval: Lendable | null,
    options?: OperationOptions,
  ): Promise<number> {
    return this.run(
      'cmd_sock',
      fd,
      options,
      (ring, slot) => ring.prepCmdSock(cmdOp, fd, level, optname, optval, slot),
      AWAITED,
    );
  }
}

const NONE: SendDataOptions & RecvDataOptions = {};
