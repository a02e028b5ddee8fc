import { roomToSend } from '../transport/socket-calls.ts';

/** Bytes that the kernel needs at most for a fragment of a datagram beside twice its own, and how long one may be. */
const OVERHEAD = 1280;
const FRAGMENT = 1200;

/**
 * Does the kernel have room for datagrams that are to be sent? It puts one off if what the socket has to be sent is
 * more than it may have, and takes it whole if it is less. It is asked seldom: what it had room for before, and what
 * was given to it since, says as much.
 */
export class SendRoom {
  /** So many bytes at least. */
  #bytes = 0;
  /** There was none when it was asked last, and nothing was sent since. */
  isFull = false;

  /** @param underWay so many the kernel was given, or will be when the tick is over, and has not sent */
  isThereOne(fd: number, underWay: number): boolean {
    if (this.#bytes > 0) return true;
    if (underWay > 0) return false;
    this.#bytes = roomToSend(fd);
    this.isFull = this.#bytes === 0;
    // The one that waits in the kernel.
    return true;
  }

  /** It was given a datagram of so many bytes. */
  take(length: number): void {
    this.#bytes -= 2 * length + OVERHEAD * (1 + Math.floor(length / FRAGMENT));
  }

  /** It is to be asked again. */
  forget(): void {
    this.#bytes = 0;
  }
}
