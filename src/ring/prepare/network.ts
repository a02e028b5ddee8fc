import {
  IORING_ACCEPT_DONTWAIT,
  IORING_ACCEPT_MULTISHOT,
  IORING_ACCEPT_POLL_FIRST,
  IORING_RECVSEND_BUNDLE,
  IORING_RECVSEND_FIXED_BUF,
  IORING_RECVSEND_POLL_FIRST,
  IORING_RECV_MULTISHOT,
  IORING_SEND_VECTORIZED,
  IORING_SEND_ZC_REPORT_USAGE,
  IOSQE_BUFFER_SELECT,
} from '../../abi/flags.ts';
import {
  IORING_OP_ACCEPT,
  IORING_OP_BIND,
  IORING_OP_CONNECT,
  IORING_OP_LISTEN,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_RECV_ZC,
  IORING_OP_SEND,
  IORING_OP_SENDMSG,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SEND_ZC,
  IORING_OP_SHUTDOWN,
  IORING_OP_SOCKET,
} from '../../abi/operations.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from '../../abi/socket-flags.ts';
import { addressBytes, checkFd, checkFlags, fileIndex, listOfBuffers, type Slot } from '../arguments/entry-fields.ts';
import { checkUserData, highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, checkUint32, wrongType } from '../arguments/argument-errors.ts';
import { Msghdr, prepareMsghdr, type MsghdrInit } from '../structs/msghdr.ts';
import { DESCRIPTOR, Lease, type BufferSource } from '../pins.ts';
import { addressBuffer, coreOf, type RingCore } from '../ring-core.ts';
import type { SocketAddressBuffer, SocketAddressLike } from '../structs/socket-address.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** How an accept is done. */
export interface AcceptOptions {
  /** SOCK_NONBLOCK, SOCK_CLOEXEC; default both, and with `direct`, which takes no SOCK_CLOEXEC, the former. */
  flags?: number;
  /** IORING_ACCEPT_DONTWAIT (6.10): `-EAGAIN` when no connection is there. */
  dontwait?: boolean;
  /** IORING_ACCEPT_POLL_FIRST (6.10): wait for one before trying. */
  pollFirst?: boolean;
}

/** How a transfer on a socket is done. */
export interface SocketTransferOptions {
  /** IORING_RECVSEND_POLL_FIRST (5.19): wait until the socket is ready before trying. */
  pollFirst?: boolean;
}

/** How a send is done. */
export interface SendOptions extends SocketTransferOptions {
  /** Where to, on a socket that is not connected; copied. Kernel 6.1; zero-copy 6.0. */
  to?: SocketAddressLike;
}

/** How a send without copying is done. */
export interface SendZcOptions extends SendOptions {
  /** The memory lies in the registered buffer of this index. */
  fixed?: number;
  /** IORING_SEND_ZC_REPORT_USAGE (6.2): the notification tells whether the data had to be copied after all. */
  reportUsage?: boolean;
}

/** The operations on sockets. */
export interface NetworkOperations {
  /**
   * Queue the making of a socket. Completes with the descriptor, which is the caller's to close; with `direct` it goes
   * to a slot of the registered files instead: 0, or the slot if the kernel picked it.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_socket(3), io_uring_prep_socket_direct(3) and
   * io_uring_prep_socket_direct_alloc(3); like socket(2).
   * @param type SOCK_STREAM and so on, with SOCK_NONBLOCK and SOCK_CLOEXEC (not with `direct`) as you like: it is taken
   *   as it is, and programs that are started inherit the descriptor without SOCK_CLOEXEC
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { AF_INET, SOCK_STREAM } from 'iouring/abi';
   *
   * ring.prepSocket(AF_INET, SOCK_STREAM, 0, 1);
   */
  prepSocket(domain: number, type: number, protocol: number, userData: UserData, options?: { direct?: Slot }): boolean;

  /**
   * Queue the giving of an address to a socket. Completes with 0 or `-errno`.
   *
   * Kernel 6.11. Counterpart of io_uring_prep_bind(3); like bind(2).
   * @param address copied
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepBind(socket, { address: '127.0.0.1', port: 8080 }, 1);
   */
  prepBind(fd: number, address: SocketAddressLike, userData: UserData): boolean;

  /**
   * Queue the connecting of a socket. Completes with 0 or `-errno`.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_connect(3); like connect(2). As {@link prepBind} otherwise.
   * @example
   * ring.prepConnect(socket, { address: '127.0.0.1', port: 8080 }, 1);
   */
  prepConnect(fd: number, address: SocketAddressLike, userData: UserData): boolean;

  /**
   * Queue the making of a listener from a socket. Completes with 0 or `-errno`.
   *
   * Kernel 6.11. Counterpart of io_uring_prep_listen(3); like listen(2).
   * @param backlog 0 … 2^31-1; the kernel cuts it to net.core.somaxconn
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepListen(socket, 511, 1);
   */
  prepListen(fd: number, backlog: number, userData: UserData): boolean;

  /**
   * Queue one accept. Completes with the new connection's descriptor, already O_NONBLOCK and O_CLOEXEC, or
   * `-errno`. The descriptor is the caller's to close; with `direct` it goes to a slot of the registered files instead:
   * 0, or the slot if the kernel picked it.
   *
   * Kernel 5.5; `direct` 5.15. Counterpart of io_uring_prep_accept(3) and io_uring_prep_accept_direct(3); like
   * accept4(2).
   * @param options.address is filled with the peer's address, and lent to the kernel until the completion is reaped
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` `direct` on an older kernel, which would ignore it
   * @example
   * ring.prepAccept(listener, 1);
   */
  prepAccept(
    listenFd: number,
    userData: UserData,
    options?: AcceptOptions & { direct?: Slot; address?: SocketAddressBuffer },
  ): boolean;

  /**
   * Queue an accept that completes once for every connection, until a completion without `hasMore()` ends it
   * (an error, a cancellation, or the completion queue overflowed): queue it again then.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_multishot_accept(3) and io_uring_prep_multishot_accept_direct(3). As
   * {@link prepAccept} otherwise.
   * @param options.direct only `'alloc'`
   * @example
   * ring.prepAcceptMultishot(listener, 1);
   */
  prepAcceptMultishot(listenFd: number, userData: UserData, options?: AcceptOptions & { direct?: 'alloc' }): boolean;

  /**
   * Queue the end of one or both directions of a connection. Completes with 0 or `-errno`.
   *
   * Kernel 5.11. Counterpart of io_uring_prep_shutdown(3); like shutdown(2).
   * @param how SHUT_RD, SHUT_WR, SHUT_RDWR
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { SHUT_WR } from 'iouring/abi';
   *
   * ring.prepShutdown(socket, SHUT_WR, 1);
   */
  prepShutdown(fd: number, how: number, userData: UserData): boolean;

  /**
   * Queue a receive of up to `len` bytes into the beginning of `buf`. Completes with the bytes received, 0 at the end
   * of the stream, or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped, as for {@link prepRead}.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_recv(3); like recv(2).
   * @param buf null only where {@link sqeSetBufGroup} has the kernel pick one
   * @param len 0 … the buffer's byte length
   * @param flags MSG_* bits; MSG_WAITALL goes on until all of `len` is there (not with an incremental group)
   * @param options.bundle IORING_RECVSEND_BUNDLE (6.10), with {@link sqeSetBufGroup}: fill several buffers at once
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` `bundle` on an older kernel, which would ignore it
   * @example
   * ring.prepRecv(socket, buffer, buffer.length, 1);
   */
  prepRecv(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    flags?: number,
    options?: SocketTransferOptions & { bundle?: boolean },
  ): boolean;

  /**
   * Queue a receive that completes once for every arrival, each in a buffer of group `bgid` that the kernel
   * picks: `bufferId()` names it, `res` is the bytes in it. Recycle it when they are read.
   *
   * It ends with a completion without `hasMore()`: `res` 0 is the end of the stream (see `sockNonempty()` for the
   * exception); `-ENOBUFS` says that no buffer was left, and the data waits in the socket; then, and after any
   * other early end, queue it again.
   *
   * Kernel 6.0. Counterpart of io_uring_prep_recv_multishot(3).
   * @param bgid a group of provided buffers of this ring
   * @param options.flags MSG_* bits; not MSG_WAITALL
   * @param options.bundle IORING_RECVSEND_BUNDLE (6.10): a completion may span several buffers: see
   *   `ProvidedBufRing.bytes(c)`; one that takes the last buffer there is ends the receive, without `-ENOBUFS`
   * @param options.len at most so many bytes a completion (6.17); 0 is a whole buffer
   * @param options.limit end after so many bytes in all (6.17); 0 is none
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no buffer ring is registered for the group; `ERR_IOURING_UNSUPPORTED` on an
   *   older kernel, which would do something else
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.registerBufRing(8, 4096, 7);
   * ring.prepRecvMultishot(socket, 7, 1);
   */
  prepRecvMultishot(
    fd: number,
    bgid: number,
    userData: UserData,
    options?: SocketTransferOptions & { flags?: number; bundle?: boolean; len?: number; limit?: number },
  ): boolean;

  /**
   * Queue a send of `len` bytes from the beginning of `buf`. Completes with the bytes sent (possibly fewer) or
   * `-errno`. `buf` is lent to the kernel until the completion is reaped, as for {@link prepWrite}.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_send(3) and io_uring_prep_send_set_addr(3); like send(2) and sendto(2).
   * @param buf null only where {@link sqeSetBufGroup} has the kernel take a provided one (6.10)
   * @param len 0 … the buffer's byte length
   * @param flags MSG_* bits; MSG_WAITALL goes on until all is sent, MSG_NOSIGNAL is implied
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * const data = Buffer.from('hello');
   * ring.prepSend(socket, data, data.length, 1);
   */
  prepSend(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    flags?: number,
    options?: SendOptions,
  ): boolean;

  /**
   * {@link prepSend} to an address, on a socket that is not connected.
   *
   * Kernel 6.1. Counterpart of io_uring_prep_sendto(3); like sendto(2).
   * @param address copied
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` on a kernel before 5.19, which would ignore it
   * @example
   * const data = Buffer.from('hello');
   * ring.prepSendto(socket, data, data.length, { address: '127.0.0.1', port: 9000 }, 1);
   */
  prepSendto(
    fd: number,
    buf: Lendable | null,
    len: number,
    address: SocketAddressLike,
    userData: UserData,
    flags?: number,
  ): boolean;

  /**
   * Queue the sending of all buffers that were added to group `bgid` (see `ProvidedBufRing.add`), in order. Completes
   * once or several times with the bytes sent, each time naming the first buffer that was used; the last without
   * `hasMore()`.
   *
   * Kernel 6.10. Counterpart of io_uring_prep_send_bundle(3).
   * After an error or a short send the kernel may have taken more buffers than it sent, and does not say which: dispose
   * of the group then, and register it again.
   *
   * @param options.len at most so many bytes; 0 is all
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no such group; TypeError, RangeError
   * @example
   * const group = ring.registerBufRing(8, 4096, 7, { filled: false });
   * group.bytes(0, 5).set(Buffer.from('hello'));
   * group.add(0, 5);
   * ring.prepSendBundle(socket, 7, 1);
   */
  prepSendBundle(
    fd: number,
    bgid: number,
    userData: UserData,
    options?: SocketTransferOptions & { flags?: number; len?: number },
  ): boolean;

  /**
   * Queue a send of several buffers, one after the other, without a msghdr. Completes as {@link prepSend} does, with
   * `zeroCopy` as {@link prepSendZc}. The buffers are lent as there; the array itself is not.
   *
   * Kernel 6.17 (IORING_SEND_VECTORIZED); {@link prepSendmsg} does it on older ones. `fixed` is `-EINVAL` on kernels up
   * to 6.18 at least, where {@link prepSendmsgZc} takes it.
   * @param buffers up to 1024 of them
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSendv(socket, [Buffer.from('head'), Buffer.from('body')], 1);
   */
  prepSendv(
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    flags?: number,
    options?: SendZcOptions & { zeroCopy?: boolean },
  ): boolean;

  /**
   * Queue a send without copying: the network card reads `buf` itself. Completes with the bytes sent, and with
   * `hasMore()`; a second completion, a notification, says that `buf` is free. A failed send may be followed by one
   * too.
   *
   * `buf` is lent to the kernel until the last completion is reaped. Worth it from some KiB on; the loopback copies.
   *
   * Kernel 6.0. Counterpart of io_uring_prep_send_zc(3), io_uring_prep_send_zc_fixed(3) and
   * io_uring_prep_send_set_addr(3); like send(2) with MSG_ZEROCOPY.
   * @param len 0 … the buffer's byte length
   * @param flags MSG_* bits
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSendZc(socket, buffer, buffer.length, 1);
   */
  prepSendZc(
    fd: number,
    buf: Lendable,
    len: number,
    userData: UserData,
    flags?: number,
    options?: SendZcOptions,
  ): boolean;

  /**
   * Queue a send of a message: several buffers, an address, control messages. Completes with the bytes sent.
   *
   * `msg` and its buffers are lent to the kernel until the completion is reaped.
   *
   * Kernel 5.3; with control messages 5.12. Counterpart of io_uring_prep_sendmsg(3); like sendmsg(2).
   * @param flags MSG_* bits
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSendmsg(socket, { iov: [Buffer.from('head'), Buffer.from('body')] }, 1);
   */
  prepSendmsg(
    fd: number,
    msg: Msghdr | MsghdrInit,
    userData: UserData,
    flags?: number,
    options?: SocketTransferOptions,
  ): boolean;

  /**
   * Queue a send of a message without copying. Completes as {@link prepSendZc} does.
   *
   * `msg` and its buffers are lent to the kernel until the last completion is reaped.
   *
   * Kernel 6.1; `fixed` 6.15. Counterpart of io_uring_prep_sendmsg_zc(3) and io_uring_prep_sendmsg_zc_fixed(3). As
   * {@link prepSendmsg} otherwise.
   * @example
   * ring.prepSendmsgZc(socket, { iov: [Buffer.from('head'), buffer] }, 1);
   */
  prepSendmsgZc(
    fd: number,
    msg: Msghdr | MsghdrInit,
    userData: UserData,
    flags?: number,
    options?: Omit<SendZcOptions, 'to'>,
  ): boolean;

  /**
   * Queue a receive of a message. Completes with the bytes received; `msg` then tells its sender's address, control
   * messages and flags.
   *
   * `msg` and its buffers are lent to the kernel until the completion is reaped.
   *
   * Kernel 5.3; with room for control messages 5.12. Counterpart of io_uring_prep_recvmsg(3); like recvmsg(2).
   * @param flags MSG_* bits
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { Msghdr } from 'iouring';
   *
   * const message = new Msghdr({ iov: [buffer], name: 128 });
   * ring.prepRecvmsg(socket, message, 1);
   */
  prepRecvmsg(fd: number, msg: Msghdr, userData: UserData, flags?: number, options?: SocketTransferOptions): boolean;

  /**
   * Queue a receive that completes once for every message, each in a buffer of group `bgid`, with a header, the
   * sender's address and control messages before it: `msg.parse(bytes)` takes them apart. Ends as {@link
   * prepRecvMultishot} does, and with an empty datagram.
   *
   * Kernel 6.0. Counterpart of io_uring_prep_recvmsg_multishot(3).
   * @param msg how much room address and control messages get; it has no buffers of its own
   * @param flags MSG_* bits
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no such group; TypeError, RangeError
   * @example
   * import { Msghdr } from 'iouring';
   *
   * ring.registerBufRing(8, 4096, 7);
   * ring.prepRecvmsgMultishot(socket, 7, new Msghdr({ name: 128 }), 1);
   */
  prepRecvmsgMultishot(fd: number, bgid: number, msg: Msghdr, userData: UserData, flags?: number): boolean;

  /**
   * Queue a receive without copying, from a network card's queue that was registered for it. It completes again and
   * again, with 32 bytes that name the place in the registered area, until one without `hasMore()`.
   *
   * Kernel 6.15. Counterpart of IORING_OP_RECV_ZC, for which liburing has no helper; like recv(2). See registerIfq.
   * @param zcrxId what registering the queue answered
   * @param options.len end after so many bytes; 0 is none
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepRecvZc(socket, 0, 1);
   */
  prepRecvZc(fd: number, zcrxId: number, userData: UserData, options?: { len?: number }): boolean;
}

export const networkOperations: NetworkOperations = {
  prepSocket(domain, type, protocol, userData, options) {
    const core = coreOf(this);
    checkInteger('domain', domain, 0, 2 ** 31 - 1);
    checkUint32('type', type);
    checkInteger('protocol', protocol, 0, 2 ** 31 - 1);
    const index = fileIndex('options.direct', options?.direct);
    const lent = index === 0 ? DESCRIPTOR : undefined;
    const queued = core.queue(
      IORING_OP_SOCKET,
      0,
      0,
      domain,
      type,
      0,
      0,
      0,
      protocol,
      0,
      0,
      userData,
      lent,
    );
    if (queued && index !== 0) core.sq.extend(index, 0, 0);
    return queued;
  },

  prepBind(fd, address, userData) {
    return toAddress(coreOf(this), IORING_OP_BIND, fd, address, userData);
  },

  prepConnect(fd, address, userData) {
    return toAddress(coreOf(this), IORING_OP_CONNECT, fd, address, userData);
  },

  prepListen(fd, backlog, userData) {
    const file = checkFd('fd', fd);
    checkInteger('backlog', backlog, 0, 2 ** 31 - 1);
    return coreOf(this).queue(IORING_OP_LISTEN, 0, 0, file, 0, 0, 0, 0, backlog, 0, 0, userData, undefined);
  },

  prepAccept(listenFd, userData, options) {
    const core = coreOf(this);
    const file = checkFd('listenFd', listenFd);
    if (!options) {
      return core.queue(IORING_OP_ACCEPT, 0, 0, file, 0, 0, 0, 0, 0, ACCEPT_FLAGS, 0, userData, DESCRIPTOR);
    }
    return accept(core, file, 0, userData, options, options.address);
  },

  prepAcceptMultishot(listenFd, userData, options) {
    const core = coreOf(this);
    const file = checkFd('listenFd', listenFd);
    const multishot = IORING_ACCEPT_MULTISHOT;
    if (!options) {
      return core.queue(IORING_OP_ACCEPT, 0, multishot, file, 0, 0, 0, 0, 0, ACCEPT_FLAGS, 0, userData, DESCRIPTOR);
    }
    return accept(core, file, multishot, userData, options, undefined);
  },

  prepShutdown(fd, how, userData) {
    const file = checkFd('fd', fd);
    checkUint32('how', how);
    return coreOf(this).queue(IORING_OP_SHUTDOWN, 0, 0, file, 0, 0, 0, 0, how, 0, 0, userData, undefined);
  },

  prepRecv(fd, buf, len, userData, flags = 0, options) {
    const core = coreOf(this);
    if (options?.bundle) core.demand(YOUNG_FIELDS.bundle);
    const how = (options?.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0) | (options?.bundle ? IORING_RECVSEND_BUNDLE : 0);
    return transferOn(core, IORING_OP_RECV, how, fd, buf, len, userData, flags, 0);
  },

  prepRecvMultishot(fd, bgid, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    let group: BufferSource | undefined = core.resources.groups.get(bgid);
    if (group === undefined) group = core.bufferGroup(bgid);
    core.demand(YOUNG_FIELDS.receiveMultishot);
    let how = IORING_RECV_MULTISHOT;
    let flags = 0;
    let len = 0;
    let limit = 0;
    if (options) {
      if (options.pollFirst) how |= IORING_RECVSEND_POLL_FIRST;
      if (options.bundle) how |= IORING_RECVSEND_BUNDLE;
      // Kernels that know the receive refuse a bundle that they do not know.
      flags = checkFlags('options.flags', options.flags);
      len = checkFlags('options.len', options.len);
      limit = checkFlags('options.limit', options.limit);
      group = sourceFor(core, IORING_OP_RECV, how, bgid, len, flags);
    }
    const queued = core.queue(
      IORING_OP_RECV,
      IOSQE_BUFFER_SELECT,
      how,
      file,
      0,
      0,
      0,
      0,
      len,
      flags,
      bgid,
      userData,
      group,
    );
    if (queued && limit !== 0) core.sq.extend(limit, 0, 0);
    return queued;
  },

  prepSend(fd, buf, len, userData, flags = 0, options) {
    const core = coreOf(this);
    if (!options) return transferOn(core, IORING_OP_SEND, 0, fd, buf, len, userData, flags, 0);
    const how = options.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0;
    return sendTo(core, IORING_OP_SEND, how, fd, buf, len, userData, flags, 0, options.to);
  },

  prepSendto(fd, buf, len, address, userData, flags = 0) {
    if (address === undefined) throw wrongType('address', 'a socket address', address);
    return sendTo(coreOf(this), IORING_OP_SEND, 0, fd, buf, len, userData, flags, 0, address);
  },

  prepSendBundle(fd, bgid, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    core.bufferGroup(bgid);
    const flags = checkFlags('options.flags', options?.flags);
    const len = checkFlags('options.len', options?.len);
    const how = IORING_RECVSEND_BUNDLE | (options?.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0);
    return core.queue(
      IORING_OP_SEND,
      IOSQE_BUFFER_SELECT,
      how,
      file,
      0,
      0,
      0,
      0,
      len,
      flags,
      bgid,
      userData,
      sourceFor(core, IORING_OP_SEND, how, bgid, len, flags),
    );
  },

  prepSendv(fd, buffers, userData, flags = 0, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    checkFlags('flags', flags);
    const fixed = options?.fixed;
    let how = IORING_SEND_VECTORIZED | zeroCopyFlags(options);
    const opcode = options?.zeroCopy ? IORING_OP_SEND_ZC : IORING_OP_SEND;
    if (!options?.zeroCopy) how &= ~(IORING_SEND_ZC_REPORT_USAGE | IORING_RECVSEND_FIXED_BUF);
    core.demand(YOUNG_FIELDS.vectorized);
    const list = listOfBuffers('buffers', buffers);
    const target = options?.to;
    const bytes = target === undefined ? undefined : addressBytes('options.to', target);
    if (core.isRefused()) return false;
    const to = bytes === undefined ? 0 : core.placeAddress(bytes);
    const toLength = bytes?.length ?? 0;
    const address = core.iovecs(list);
    const queued = core.queue(
      opcode,
      0,
      how,
      file,
      lowWord(to),
      highWord(to),
      lowWord(address),
      highWord(address),
      list.length,
      flags,
      fixed ?? 0,
      userData,
      list,
    );
    if (queued && to !== 0) core.sq.extend(toLength, 0, 0);
    return queued;
  },

  prepSendZc(fd, buf, len, userData, flags = 0, options) {
    if (buf === null) throw wrongType('buf', 'an ArrayBufferView or an ArrayBuffer', buf);
    const how = zeroCopyFlags(options);
    const fixed = options?.fixed ?? 0;
    return sendTo(coreOf(this), IORING_OP_SEND_ZC, how, fd, buf, len, userData, flags, fixed, options?.to);
  },

  prepSendmsg(fd, msg, userData, flags = 0, options) {
    const how = options?.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0;
    const message = messageOf(msg);
    return queueMessage(coreOf(this), IORING_OP_SENDMSG, how, fd, message, userData, flags, 0, false);
  },

  prepSendmsgZc(fd, msg, userData, flags = 0, options) {
    const how = zeroCopyFlags(options);
    const message = messageOf(msg);
    const fixed = options?.fixed ?? 0;
    return queueMessage(coreOf(this), IORING_OP_SENDMSG_ZC, how, fd, message, userData, flags, fixed, false);
  },

  prepRecvmsg(fd, msg, userData, flags = 0, options) {
    const how = options?.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0;
    return queueMessage(coreOf(this), IORING_OP_RECVMSG, how, fd, msg, userData, flags, 0, true);
  },

  prepRecvmsgMultishot(fd, bgid, msg, userData, flags = 0) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    checkFlags('flags', flags);
    checkUserData('userData', userData);
    const group = core.bufferGroup(bgid);
    core.demand(YOUNG_FIELDS.receiveMultishot);
    const address = msghdr(core, msg);
    const lent = core.lease(new Lease(msg, group));
    return core.queue(
      IORING_OP_RECVMSG,
      IOSQE_BUFFER_SELECT,
      IORING_RECV_MULTISHOT,
      file,
      0,
      0,
      lowWord(address),
      highWord(address),
      1,
      flags,
      bgid,
      userData,
      lent,
    );
  },

  prepRecvZc(fd, zcrxId, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    checkUint32('zcrxId', zcrxId);
    const len = checkFlags('options.len', options?.len);
    const queued = core.queue(
      IORING_OP_RECV_ZC,
      0,
      IORING_RECV_MULTISHOT,
      file,
      0,
      0,
      0,
      0,
      len,
      0,
      0,
      userData,
      undefined,
    );
    if (queued && zcrxId !== 0) core.sq.extend(zcrxId, 0, 0);
    return queued;
  },
};

function toAddress(
  core: RingCore,
  opcode: number,
  fd: number,
  address: SocketAddressLike,
  userData: UserData,
): boolean {
  const file = checkFd('fd', fd);
  const bytes = addressBytes('address', address);
  if (core.isRefused()) return false;
  const place = core.placeAddress(bytes);
  const { length } = bytes;
  return core.queue(
    opcode,
    0,
    0,
    file,
    length,
    0,
    lowWord(place),
    highWord(place),
    0,
    0,
    0,
    userData,
    undefined,
  );
}

function accept(
  core: RingCore,
  file: number,
  multishot: number,
  userData: UserData,
  options: AcceptOptions & { direct?: Slot },
  address: SocketAddressBuffer | undefined,
): boolean {
  const index = fileIndex('options.direct', options.direct);
  if (index !== 0) core.demand(YOUNG_FIELDS.direct);
  const flags = checkFlags('options.flags', options.flags ?? (index === 0 ? ACCEPT_FLAGS : SOCK_NONBLOCK));
  let how = multishot;
  if (options.dontwait) how |= IORING_ACCEPT_DONTWAIT;
  if (options.pollFirst) how |= IORING_ACCEPT_POLL_FIRST;
  checkUserData('userData', userData);
  const [low, high, lengthLow, lengthHigh] = address === undefined ? [0, 0, 0, 0] : addressBuffer(core, address);
  const result = index === 0 ? DESCRIPTOR : undefined;
  let lent: unknown = result;
  if (address !== undefined) lent = result === undefined ? address : core.lease(new AddressedAccept(address));
  const queued = core.queue(
    IORING_OP_ACCEPT,
    0,
    how,
    file,
    lengthLow,
    lengthHigh,
    low,
    high,
    0,
    flags,
    0,
    userData,
    lent,
  );
  if (queued && index !== 0) core.sq.extend(index, 0, 0);
  return queued;
}

/** The source of an operation that takes its buffers from a group. */
function sourceFor(
  core: RingCore,
  opcode: number,
  how: number,
  bgid: number,
  len: number,
  flags: number,
): BufferSource {
  return core.sourceOf(core.bufferGroup(bgid), opcode | (how << 16), len, flags);
}

function queueMessage(
  core: RingCore,
  opcode: number,
  how: number,
  fd: number,
  msg: Msghdr,
  userData: UserData,
  flags: number,
  fixed: number,
  receiving: boolean,
): boolean {
  const file = checkFd('fd', fd);
  checkFlags('flags', flags);
  if (receiving && !(msg instanceof Msghdr)) throw wrongType('msg', 'a Msghdr', msg);
  checkUserData('userData', userData);
  const address = msghdr(core, msg);
  return core.queue(
    opcode,
    0,
    how,
    file,
    0,
    0,
    lowWord(address),
    highWord(address),
    1,
    flags,
    fixed,
    userData,
    msg,
  );
}

/** Where a msghdr lies, with the addresses of all it refers to in it. */
function msghdr(core: RingCore, msg: Msghdr): number {
  const { memory } = core;
  const locate = (buffer: Lendable, name?: string): number => {
    memory.findWhole(buffer, name);
    return memory.addressHigh * 2 ** 32 + (memory.addressLow >>> 0);
  };
  return locate(prepareMsghdr(msg, locate, locate));
}

function sendTo(
  core: RingCore,
  opcode: number,
  how: number,
  fd: number,
  buf: Lendable | null,
  len: number,
  userData: UserData,
  flags: number,
  fixed: number,
  to: SocketAddressLike | undefined,
): boolean {
  if (to === undefined) return transferOn(core, opcode, how, fd, buf, len, userData, flags, fixed);
  // SEND_ZC is no older than its address.
  if (opcode === IORING_OP_SEND) core.demand(YOUNG_FIELDS.to);
  const file = checkFd('fd', fd);
  checkFlags('flags', flags);
  const bytes = addressBytes('address', to);
  const { length } = bytes;
  const { memory } = core;
  if (buf === null) checkUint32('len', len);
  else memory.find(buf, len);
  const low = buf === null ? 0 : memory.addressLow;
  const high = buf === null ? 0 : memory.addressHigh;
  if (core.isRefused()) return false;
  const place = core.placeAddress(bytes);
  const queued = core.queue(
    opcode,
    0,
    how,
    file,
    lowWord(place),
    highWord(place),
    low,
    high,
    len,
    flags,
    fixed,
    userData,
    buf ?? undefined,
  );
  if (queued) core.sq.extend(length, 0, 0);
  return queued;
}

function transferOn(
  core: RingCore,
  opcode: number,
  how: number,
  fd: number,
  buf: Lendable | null,
  len: number,
  userData: UserData,
  flags: number,
  fixed: number,
): boolean {
  const file = checkFd('fd', fd);
  if (flags !== 0) checkUint32('flags', flags);
  const { memory } = core;
  if (buf === null) {
    checkUint32('len', len);
    return core.queue(opcode, 0, how, file, 0, 0, 0, 0, len, flags, fixed, userData, undefined);
  }
  memory.find(buf, len);
  const { addressLow, addressHigh } = memory;
  return core.queue(
    opcode,
    0,
    how,
    file,
    0,
    0,
    addressLow,
    addressHigh,
    len,
    flags,
    fixed,
    userData,
    buf,
  );
}

/** The flags of accepted descriptors unless others are given: descriptors are as Node makes them. */
const ACCEPT_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

/** An accept that is told the peer's address: the descriptor must not be lost, nor the memory. */
class AddressedAccept extends Lease {
  override abandon(res: number, close: (fd: number) => void): void {
    if (res >= 0) close(res);
  }
}

function messageOf(msg: Msghdr | MsghdrInit): Msghdr {
  if (msg === undefined) throw wrongType('msg', 'a Msghdr or an object', msg);
  return msg instanceof Msghdr ? msg : new Msghdr(msg);
}

function zeroCopyFlags(options: Omit<SendZcOptions, 'to'> | undefined): number {
  let how = options?.pollFirst ? IORING_RECVSEND_POLL_FIRST : 0;
  if (options?.reportUsage) how |= IORING_SEND_ZC_REPORT_USAGE;
  if (options?.fixed !== undefined) {
    checkInteger('options.fixed', options.fixed, 0, 0xffff);
    how |= IORING_RECVSEND_FIXED_BUF;
  }
  return how;
}
