import { AsyncResource } from 'node:async_hooks';
import { ECANCELED } from '../../abi/errno.ts';
import { Submission, type Completion, type IoUring } from '../../reactor/submission.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import type { Destination } from './udp-address.ts';

/** The one that is told how a send went: -errno or the bytes sent. Nothing of this may throw. */
export interface DatagramSenderOwner {
  readonly fd: number;
  /** It is to be handed to the ring. */
  begin(send: DatagramSend): void;
  sent(send: DatagramSend, res: number): void;
}

/** Called with the outcome: of Node's own request, or of `socket.send()`. */
export interface SendDone {
  /** The caller's context, for AsyncLocalStorage. */
  readonly context: AsyncResource;
  /** -errno, or the bytes sent. */
  readonly call: (res: number) => void;
}

/** Nobody is told when it is collected. */
const MANUAL = ownOptions({ requireManualDestroy: true });

/** The function to be called, in the context that asks for it now. */
export function sendDone(call: SendDone['call']): SendDone {
  return { context: new AsyncResource('UDPSENDWRAP', MANUAL), call };
}

/** A datagram on its way, in memory of our own: the caller's is the caller's again when `send()` returns. */
export class DatagramSend extends Submission {
  readonly memory: Buffer;
  readonly length: number;
  readonly done: SendDone | undefined;
  /** Its place among the sends that are not over. */
  place = -1;
  readonly #owner: DatagramSenderOwner;
  readonly #to: Destination | undefined;
  #res = 0;

  constructor(
    owner: DatagramSenderOwner,
    memory: Buffer,
    length: number,
    to: Destination | undefined,
    done: SendDone | undefined,
  ) {
    super(owner.fd);
    this.#owner = owner;
    this.memory = memory;
    this.length = length;
    this.#to = to;
    this.done = done;
  }

  /** Hand it to the ring, now or with others that are being held: see {@link holdSends}. */
  begin(): void {
    if (holders === 0) this.#owner.begin(this);
    else held.push(this);
  }

  beginNow(): void {
    this.#owner.begin(this);
  }

  override prepare(ring: IoUring): boolean {
    this.fd = this.#owner.fd;
    if (!ring.prepSend(this.fd, this.memory, this.length, this.slot, 0, this.#to)) return false;
    this.owed = 1;
    return true;
  }

  override arrived(c: Completion): void {
    this.#res = c.res;
  }

  override over(): void {
    this.#owner.sent(this, this.#res);
  }

  /** The reactor is closed. What became of it is not known. */
  override refused(): void {
    this.#owner.sent(this, -ECANCELED);
  }

  /** It is said with the answer. */
  override cancelled(): void {}
}

/** Milliseconds that a send may be held, beside the time that a listener takes for one message. */
const HELD_MS = 1;

/** How many sockets are giving messages to listeners. */
let holders = 0;
let held: DatagramSend[] = [];
let heldSince = 0;

/**
 * Messages that arrived together are given to their listeners in as many ticks, and what these send is to go to the
 * kernel together all the same: it is held until {@link releaseSends}, or until {@link expireSends} finds that it takes
 * too long.
 */
export function holdSends(): void {
  holders++;
}

export function releaseSends(): void {
  if (--holders === 0) beginHeld();
}

/** To be called between messages. */
export function expireSends(): void {
  if (held.length === 0) return;
  const now = performance.now();
  if (heldSince === 0) heldSince = now;
  else if (now - heldSince > HELD_MS) beginHeld();
}

/** All that are held. */
export function beginHeld(): void {
  if (held.length === 0) return;
  const all = held;
  held = [];
  heldSince = 0;
  for (const send of all) send.beginNow();
}
