import { AsyncResource } from 'node:async_hooks';
import { ECANCELED } from '../../abi/errno.ts';
import { monotonicNow } from '../../native/timers.ts';
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
  /** The one behind it in a {@link SendQueue}. */
  next: DatagramSend | undefined;
  /** It was given to the ring. */
  isUnderWay = false;
  /** Which one in a row, of those of its owner that were. */
  number = -1;
  /** It is held, and Node would hand it on in the next tick only. */
  isAsked = false;
  /** Its owner has told of it. */
  isOver = false;
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

  isOf(owner: DatagramSenderOwner): boolean {
    return this.#owner === owner;
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

/** Sends that wait, in the order in which they were asked for. Each is in one such queue at most. */
export class SendQueue {
  #last: DatagramSend | undefined;
  first: DatagramSend | undefined;

  push(send: DatagramSend): void {
    if (this.first === undefined) this.first = send;
    else this.#last!.next = send;
    this.#last = send;
  }

  shift(): DatagramSend | undefined {
    const send = this.first;
    if (send === undefined) return undefined;
    this.first = send.next;
    send.next = undefined;
    return send;
  }
}

/** Milliseconds that a send may be held, beside the time that a listener takes for one message. */
const HELD_MS = 1;

/** How many sockets are giving messages to listeners. */
let holders = 0;
let held: DatagramSend[] = [];
let heldSince = 0;
/** So many were held when the listener was called that is being called; without one, all are. */
let heldBefore = Number.POSITIVE_INFINITY;

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

/** A listener is going to be told of a message. */
export function listenerCalled(): void {
  heldBefore = held.length;
}

/** It has returned. */
export function listenerReturned(): void {
  heldBefore = Number.POSITIVE_INFINITY;
}

/** Is a listener being told of a message? What is sent by it is held. */
export function isInListener(): boolean {
  return heldBefore !== Number.POSITIVE_INFINITY;
}

/** Those of `owner` that the listener which is being called has asked for. They are not held any more. */
export function takeAsked(owner: DatagramSenderOwner): DatagramSend[] {
  const isMeant = (send: DatagramSend, i: number): boolean => i >= heldBefore && send.isAsked && send.isOf(owner);
  const taken = held.filter(isMeant);
  if (taken.length > 0) held = held.filter((send) => !taken.includes(send));
  return taken;
}

/** To be called between messages. */
export function expireSends(): void {
  if (held.length === 0) return;
  const now = monotonicNow();
  if (heldSince === 0) heldSince = now;
  else if (now - heldSince > HELD_MS) beginHeld();
}

/** All that are held, but for those that Node would not have got to. */
export function beginHeld(): void {
  if (held.length === 0) return;
  const all = held;
  const before = heldBefore;
  held = [];
  heldSince = 0;
  if (before < all.length) {
    held = all.filter((send, i) => i >= before && send.isAsked);
    heldBefore = 0;
  }
  for (let i = 0; i < all.length; i++) if (i < before || !all[i].isAsked) all[i].beginNow();
}
