import { IORING_ACCEPT_MULTISHOT, IORING_RECV_MULTISHOT, IOSQE_BUFFER_SELECT } from '../abi/flags.ts';
import { IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND } from '../abi/operations.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from '../abi/socket-flags.ts';
import type { Lendable } from './lent-memory.ts';
import { checkInteger, wrongState } from './misuse.ts';
import { ACCEPTED } from './pins.ts';
import { FilePreparation } from './prepare-file.ts';
import { checkFd, type UserData } from './sqe.ts';

/** The operations on sockets. */
export abstract class NetPreparation extends FilePreparation {
  /**
   * Queue one accept. Completes with the new connection's descriptor, already O_NONBLOCK and O_CLOEXEC, or
   * `-errno`. The descriptor is the caller's to close.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_accept(3); like accept4(2).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepAccept(listenFd: number, userData: UserData): boolean {
    const file = checkFd('listenFd', listenFd);
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    return this.queue(IORING_OP_ACCEPT, 0, 0, file, 0, 0, 0, 0, 0, flags, 0, userData, ACCEPTED);
  }

  /**
   * Queue an accept that completes once for every connection, until a completion without `hasMore()` ends it
   * (an error, a cancellation, or the completion queue overflowed): queue it again then.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_multishot_accept(3). As {@link prepAccept} otherwise.
   */
  prepAcceptMultishot(listenFd: number, userData: UserData): boolean {
    const file = checkFd('listenFd', listenFd);
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    const multishot = IORING_ACCEPT_MULTISHOT;
    return this.queue(IORING_OP_ACCEPT, 0, multishot, file, 0, 0, 0, 0, 0, flags, 0, userData, ACCEPTED);
  }

  /**
   * Queue a receive that completes once for every arrival, each in a buffer of group `bgid` that the kernel
   * picks: `bufferId()` names it, `res` is the bytes in it. Recycle it when they are read.
   *
   * It ends with a completion without `hasMore()`: `res` 0 is the end of the stream (see `sockNonempty()` for the
   * exception); `-ENOBUFS` says that no buffer was left, and the data waits in the socket; then, and after any
   * other early end, queue it again.
   *
   * Kernel 6.0. Counterpart of io_uring_prep_recv_multishot(3).
   * @param bgid the group of a buffer ring of this ring
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no buffer ring is registered for the group
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepRecvMultishot(fd: number, bgid: number, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    const group = this.holdings.groups.get(bgid);
    if (group?.ended !== undefined || group === undefined) {
      checkInteger('bgid', bgid, 0, 0xffff);
      this.checkOpen();
      const message = `Cannot receive: no buffer ring is registered for group ${bgid}`;
      throw wrongState('ERR_INVALID_STATE', message);
    }
    return this.queue(
      IORING_OP_RECV, IOSQE_BUFFER_SELECT, IORING_RECV_MULTISHOT,
      file, 0, 0, 0, 0, 0, 0, bgid, userData, group,
    );
  }

  /**
   * Queue a send of `len` bytes from the beginning of `buf`. Completes with the bytes sent (possibly fewer) or
   * `-errno`. `buf` is lent to the kernel until the completion is reaped, as for {@link prepWrite}.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_send(3); like send(2).
   * @param len 0 … the buffer's byte length
   * @param flags MSG_* bits; MSG_WAITALL goes on until all is sent, MSG_NOSIGNAL is implied
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   */
  prepSend(fd: number, buf: Lendable, len: number, userData: UserData, flags = 0): boolean {
    const file = checkFd('fd', fd);
    if (flags !== 0) checkInteger('flags', flags, 0, 2 ** 32 - 1);
    const { memory } = this;
    memory.find(buf, len);
    const { addressLow, addressHigh } = memory;
    return this.queue(
      IORING_OP_SEND, 0, 0, file, 0, 0, addressLow, addressHigh, len, flags, 0, userData, buf,
    );
  }
}
