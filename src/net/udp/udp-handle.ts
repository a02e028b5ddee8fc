import type { AsyncResource } from 'node:async_hooks';
import { release } from 'node:os';
import { ECANCELED } from '../../abi/errno.ts';
import { IORING_OP_SENDMSG_ZC, OPERATIONS } from '../../abi/operations.ts';
import { DatagramReceiver, type DatagramReceiverOwner } from './datagram-receiver.ts';
import { wrongState } from '../../ring/arguments/argument-errors.ts';
import type { Engine } from '../../reactor/engine.ts';
import { partsOf, type Reactor } from '../../reactor/reactor.ts';
import type { SocketAddress } from '../transport/socket-calls.ts';
import { nextTick, setImmediate } from '../../native/timers.ts';
import { giveMemory, takeMemory } from './datagram-memory.ts';
import {
  beginHeld,
  DatagramSend,
  expireSends,
  holdSends,
  isInListener,
  listenerCalled,
  listenerReturned,
  releaseSends,
  sendDone,
  SendQueue,
  takeAsked,
  type DatagramSenderOwner,
  type SendDone,
} from './datagram-send.ts';
import { bytesInView, lengthOf } from '../transport/intrinsic.ts';
import { SendRoom } from './send-room.ts';
import { available } from '../transport/ring-or-node.ts';
import { transportOf, type Transport } from '../transport/transport.ts';
import {
  BOUND,
  CONNECTED,
  HANDLE_METHODS,
  type SenderAddress,
  type SendRequest,
  type SocketState,
  type UdpHandle,
} from './node-dgram.ts';
import { doneOf, messageOf } from './send-arguments.ts';
import { Destinations, senderAddressOf, type Destination } from './udp-address.ts';

/** The methods of Node's own handle of a UDP socket that are stood in for. */
type HandleMethods = Pick<UdpHandle, (typeof HANDLE_METHODS)[number]>;

/** From a microtask on, the next tick comes when all microtasks have run. */
const SETTLED = Promise.resolve();

/** Those at work, by their descriptor. */
const atWork = new Map<number, RingUdp>();

/** At the end of the process, what was sent in the last tick is sent. */
let isExitHeeded = false;

/** Callbacks of sends that are over, called one after the other; shared by all sockets. */
let settled: { done: SendDone; res: number }[] = [];

const tellAll = (): void => {
  const all = settled;
  settled = [];
  let i = 0;
  try {
    while (i < all.length) {
      const { done, res } = all[i++];
      done.context.runInAsyncScope(done.call, undefined, res);
    }
  } finally {
    // One threw: the others are told all the same.
    if (i < all.length) {
      if (settled.length === 0) nextTick(tellAll);
      settled = [...all.slice(i), ...settled];
    }
  }
};

/**
 * The data path of a UDP socket through the ring. It stands in for the methods of Node's own handle that receive and
 * send; what is called seldom stays the handle's, and so does the descriptor: Node can have it back at any time. Where
 * there is no ring, or none any more, all is the handle's.
 */
export class RingUdp implements DatagramReceiverOwner<SenderAddress>, DatagramSenderOwner {
  readonly #state: SocketState;
  readonly #handle: UdpHandle;
  /** The handle's own methods, of the same names. */
  readonly #native: HandleMethods;
  /** Those that are properties of its own: node:dgram puts the one that sends to IPv6 there. */
  readonly #own: { readonly [name: string]: PropertyDescriptor | undefined };
  readonly #destinations: Destinations;
  readonly #context: AsyncResource;
  #reactor: Reactor | undefined;
  #transport: Transport | undefined;
  #receiver: DatagramReceiver<SenderAddress> | undefined;
  #isReceiving = false;
  #isRef = true;
  #isClosed = false;
  fd = -1;
  /** All that are not over. */
  readonly #sends: DatagramSend[] = [];
  /** Those of them that were asked for in this tick, of a socket that is not connected. */
  readonly #asked = new SendQueue();
  /** And those behind others which the kernel may put off. */
  readonly #waiting = new SendQueue();
  /** So many are with the ring. */
  #underWay = 0;
  /** And so many ever were. */
  #count = 0;
  #isHandingOver = false;
  readonly #room = new SendRoom();
  /** Sends that node:dgram is at work on. */
  #inNode = 0;
  /** Arrived, and not given to the listener yet; an error as its -errno. */
  #arrivals: { data: Buffer | number; sender: SenderAddress | undefined }[] = [];
  #given = 0;
  #isGiving = false;
  #closeLater: (() => void) | undefined;
  /** To be called when Node has it back. */
  #givenBack: (() => void) | undefined;
  /** Node receives again; sends may still be under way. */
  #isReceivedByNode = false;
  /** It has done its work: whoever holds one of its methods calls Node's. */
  #isOver = false;
  /** Its methods, which stand in for the handle's. */
  #methods: HandleMethods | undefined;

  /** Is there one at work? */
  static get isAnyAtWork(): boolean {
    return atWork.size > 0;
  }

  /** Does the ring receive by this descriptor? */
  static receivesBy(fd: unknown): boolean {
    const one = atWork.get(fd as number);
    return one !== undefined && one.#isReceiving;
  }

  #forget(): void {
    if (atWork.get(this.fd) === this) atWork.delete(this.fd);
  }

  /** @param context in which messages are told of */
  constructor(state: SocketState, handle: UdpHandle, isIPv6: boolean, context: AsyncResource) {
    this.#state = state;
    this.#handle = handle;
    this.#context = context;
    const { recvStart, recvStop, send, close, ref, unref, getSendQueueSize, getSendQueueCount } = handle;
    this.#native = { recvStart, recvStop, send, close, ref, unref, getSendQueueSize, getSendQueueCount };
    this.#own = Object.getOwnPropertyDescriptors(handle);
    this.#destinations = new Destinations(isIPv6);
  }

  /** Do the handle's work from when it begins to receive on. */
  takeFromTheBeginning(): void {
    this.#install();
  }

  /**
   * Do the work of a handle that is at work, from now on. False, and nothing is changed, if it cannot be done now. Not
   * to be called while libuv reads, or while node:dgram is at work on something that is to be sent.
   */
  take(): boolean {
    const handle = this.#handle;
    const { receiving, queue } = this.#state;
    // A datagram may wait for room.
    if (!receiving || queue !== undefined || handle.getSendQueueCount() > 0) return false;
    this.#isRef = handle.hasRef();
    const transport = this.#open();
    if (transport === undefined) return false;
    this.#transport = transport;
    this.#install();
    this.#native.recvStop.call(handle);
    this.#isReceiving = true;
    this.#receiver!.start();
    return true;
  }

  /** Is it through this that datagrams go, in either direction? */
  get isAtWork(): boolean {
    return this.#transport !== undefined;
  }

  /**
   * Have the handle do its work again, and call `done` then: when it is told of all that the ring has received, and all
   * that was to be sent is with the kernel.
   */
  giveBack(done: () => void): void {
    if (this.#givenBack !== undefined) return;
    this.#givenBack = done;
    if (this.canSend) this.#receiver!.stop();
    this.#goOnWithNode();
  }

  #goOnWithNode(): void {
    const done = this.#givenBack;
    if (done === undefined || this.#isClosed) return;
    if (this.#transport !== undefined) {
      if (!this.#isReceivedByNode) {
        if (this.#isGiving || this.#receiver!.isUnderWay) return;
        this.#isReceivedByNode = true;
        if (this.#isReceiving) this.#native.recvStart.call(this.#handle);
      }
      if (this.#sends.length > 0) return;
    }
    this.#transport = undefined;
    this.#forget();
    this.#isOver = true;
    this.#uninstall();
    done();
  }

  /** As properties that nobody comes across who looks through the handle. */
  #install(): void {
    const handle = this.#handle;
    const native = this.#native;
    const sendRequest = this.#sendRequest;
    const methods: HandleMethods = {
      recvStart: () => (this.#start() ? 0 : native.recvStart.call(handle)),
      recvStop: () => {
        this.#isReceiving = false;
        this.#receiver?.stop();
        return native.recvStop.call(handle);
      },
      // In a worker of a cluster it is put on another handle, which the primary has sent: that one is left alone.
      send(this: UdpHandle, request, list, count, ...args) {
        if (this !== handle) return native.send.call(this, request, list, count, ...args);
        return sendRequest(request, list, count, ...args);
      },
      close: (callback) => this.#close(() => native.close.call(handle, callback)),
      ref: () => {
        native.ref.call(handle);
        this.#settleRef(true);
      },
      unref: () => {
        native.unref.call(handle);
        this.#settleRef(false);
      },
      getSendQueueSize: () => native.getSendQueueSize.call(handle) + this.#putOff.reduce(addLength, 0),
      getSendQueueCount: () => native.getSendQueueCount.call(handle) + this.#putOff.length,
    };
    this.#methods = methods;
    for (const name of HANDLE_METHODS) {
      Object.defineProperty(handle, name, { value: methods[name], writable: true, configurable: true });
    }
  }

  /** Take its methods from the handle, except where somebody has put others in their place, which stay. */
  #uninstall(): void {
    for (const name of HANDLE_METHODS) {
      if (this.#handle[name] !== this.#methods?.[name]) continue;
      const own = this.#own[name];
      if (own === undefined) Reflect.deleteProperty(this.#handle, name);
      else Object.defineProperty(this.#handle, name, own);
    }
  }

  // ---------------------------------------------------------------- receiving

  /** False: the handle has to do it itself. */
  #start(): boolean {
    if (this.#isOver) return false;
    const transport = (this.#transport ??= this.#open());
    if (transport === undefined) return false;
    this.#isReceiving = true;
    this.#receiver!.start();
    return true;
  }

  #open(): Transport | undefined {
    const { fd } = this.#handle;
    if (!Number.isInteger(fd) || fd < 0) {
      available.tell(unsupported('the runtime does not tell the descriptor of a UDP socket'));
      return undefined;
    }
    const reactor = available.get();
    if (reactor === undefined) return undefined;
    // With kernel 6.1 came sends to an address; multishot receives came with 6.0.
    if (!reactor.supports(IORING_OP_SENDMSG_ZC)) {
      const { name, since } = OPERATIONS[IORING_OP_SENDMSG_ZC];
      available.tell(unsupported(`${name} needs Linux ${since}, this is ${release()}`));
      return undefined;
    }
    this.fd = fd;
    atWork.set(fd, this);
    if (!isExitHeeded) {
      isExitHeeded = true;
      // Before what is with the ring is handed over.
      process.prependListener('exit', beginHeld);
    }
    this.#reactor = reactor;
    const { engine, pools } = partsOf(reactor);
    this.#receiver = new DatagramReceiver(engine, pools.datagrams, this, fd);
    engine.keepAlive(this.#receiver, this.#isRef);
    return transportOf(reactor);
  }

  sender(address: SocketAddress): SenderAddress {
    return senderAddressOf(address);
  }

  received(memory: Buffer, start: number, end: number, sender: SenderAddress): void {
    if (!this.#isReceiving) return;
    // A copy, for the listener to keep.
    const data = Buffer.allocUnsafe(end - start);
    memory.copy(data, 0, start, end);
    this.#arrived(data, sender);
  }

  receiveFailed(errno: number): void {
    if (this.#isReceiving) this.#arrived(-errno, undefined);
  }

  #arrived(data: Buffer | number, sender: SenderAddress | undefined): void {
    this.#arrivals.push({ data, sender });
    if (this.#isGiving) return;
    this.#isGiving = true;
    holdSends();
    // Not in the tick of what completed before it: whoever is told of that goes on first.
    void SETTLED.then(this.#giveNext);
  }

  /**
   * One at a time, each followed by the microtasks that it sets off: who awaits one can ask for the next before it is
   * there.
   */
  readonly #give = (): void => {
    // It was closed, or the last one was given.
    if (!this.#isReceiving || this.#state.handle !== this.#handle || this.#given === this.#arrivals.length) {
      this.#arrivals.length = this.#given = 0;
      this.#isGiving = false;
      releaseSends();
      return this.#goOnWithNode();
    }
    const { data, sender } = this.#arrivals[this.#given++];
    void SETTLED.then(this.#giveNext);
    expireSends();
    listenerCalled();
    try {
      this.#tell(data, sender);
    } finally {
      listenerReturned();
    }
  };

  #tell(data: Buffer | number, sender: SenderAddress | undefined): void {
    const handle = this.#handle;
    if (typeof data === 'number') return handle.onmessage?.(data, handle);
    const { address, family, port } = sender!;
    handle.onmessage?.(data.length, handle, data, { address, family, port, size: data.length });
  }

  readonly #giveNext = (): void => this.#context.runInAsyncScope(nextTick, undefined, this.#give);

  receiverLost(): void {
    this.#leave();
  }

  receiverStopped(): void {
    this.#closeIfOver();
    this.#goOnWithNode();
  }

  /** The handle does the work from now on. */
  #leave(): void {
    if (this.#transport === undefined || this.#isClosed) return;
    this.#transport = undefined;
    this.#forget();
    this.#receiver = undefined;
    if (this.#isReceiving && !this.#isReceivedByNode) this.#native.recvStart.call(this.#handle);
    this.#goOnWithNode();
  }

  // ---------------------------------------------------------------- sending

  /** Is the ring there to send? If it was closed, the handle is on its own from now on. */
  get canSend(): boolean {
    if (this.#transport === undefined || this.#isClosed) return false;
    if (!this.#reactor!.closed) return true;
    this.#leave();
    return false;
  }

  /**
   * Send what `socket.send()` was called with, without what Node does for its less usual forms. False: it is one of
   * those.
   */
  sendAtOnce(args: readonly unknown[]): boolean {
    const { bindState, connectState, queue, handle, sendBlockList } = this.#state;
    if (bindState !== BOUND || queue !== undefined || sendBlockList !== undefined) return false;
    // It would overtake what goes through Node: that is handed on in a later tick.
    if (this.#inNode > 0 || handle !== this.#handle || !this.canSend) return false;
    // Somebody wants to see, or to change, what is sent.
    if (handle.send !== this.#methods!.send) return false;
    const isConnected = connectState === CONNECTED;
    const message = messageOf(args, isConnected);
    if (message === undefined) return false;
    const { address, port } = message;
    const to = isConnected ? undefined : this.#destinations.find(address!, port!);
    if (!isConnected && to === undefined) return false;
    this.#send(message.data, to, doneOf(message));
    return true;
  }

  /** node:dgram is at work on something that is to be sent. It hands that on in the second tick from now, or later. */
  goesThroughNode(): void {
    this.#inNode++;
    nextTick(() => nextTick(() => this.#inNode--));
  }

  /** Send a copy of the bytes. `to` is undefined where the socket is connected. */
  #send(data: Uint8Array | string, to: Destination | undefined, done: SendDone | undefined): void {
    const length = typeof data === 'string' ? Buffer.byteLength(data) : lengthOf(data);
    const memory = takeMemory(length);
    if (typeof data === 'string') memory.write(data, 0, length, 'utf8');
    else memory.set(data);
    const send = this.#make(memory, length, to, done);
    if (to === undefined) return send.begin();
    // Node looks up the address, be it one: what is closed in this tick sends nothing, nor tells of it.
    if (isInListener() && this.#asked.first === undefined) {
      // It is held, and need not have a tick of its own.
      send.isAsked = true;
      return send.begin();
    }
    this.#asked.push(send);
    nextTick(this.#beginNext);
  }

  readonly #beginNext = (): void => this.#asked.shift()?.begin();

  /** Send several pieces as one datagram. */
  #sendList(list: readonly ArrayBufferView[], to: Destination | undefined, done: SendDone | undefined): void {
    const pieces = list.map((view) => bytesInView(view));
    let length = 0;
    for (const piece of pieces) length += piece.length;
    const memory = takeMemory(length);
    let end = 0;
    for (const piece of pieces) {
      memory.set(piece, end);
      end += piece.length;
    }
    this.#make(memory, length, to, done).begin();
  }

  #make(memory: Buffer, length: number, to: Destination | undefined, done: SendDone | undefined): DatagramSend {
    const send = new DatagramSend(this, memory, length, to, done);
    send.place = this.#sends.push(send) - 1;
    return send;
  }

  begin(send: DatagramSend): void {
    if (this.#waiting.first === undefined && this.#room.isThereOne(this.fd, this.#underWay)) this.#handOver(send);
    else this.#waiting.push(send);
  }

  /**
   * Give the ring what the kernel has room for. Without room it takes one, which goes when there is room again, and
   * others wait here: the kernel would send whatever comes first when there is, or the last one before the first.
   */
  #handOverWaiting(): void {
    if (this.#isHandingOver) return;
    this.#isHandingOver = true;
    while (this.#waiting.first !== undefined && this.#room.isThereOne(this.fd, this.#underWay)) {
      this.#handOver(this.#waiting.shift()!);
    }
    this.#isHandingOver = false;
  }

  #handOver(send: DatagramSend): void {
    const engine = this.#transport?.engine;
    if (engine === undefined) return this.sent(send, -ECANCELED);
    send.isUnderWay = true;
    send.number = this.#count++;
    this.#underWay++;
    this.#room.take(send.length);
    engine.submit(send);
  }

  /** Those that the kernel had no room for. */
  get #putOff(): DatagramSend[] {
    const asked = new Set<DatagramSend>();
    for (let send = this.#asked.first; send !== undefined; send = send.next) asked.add(send);
    return this.#room.isFull ? this.#sends.filter((send) => !asked.has(send)) : [];
  }

  /** The kernel has another limit from now on to what a socket may have to be sent. */
  roomChanged(): void {
    this.#room.forget();
  }

  #remove(send: DatagramSend): void {
    const { memory, place } = send;
    send.isOver = true;
    const last = this.#sends.pop()!;
    if (last !== send) {
      this.#sends[place] = last;
      last.place = place;
    }
    giveMemory(memory);
  }

  sent(send: DatagramSend, res: number): void {
    if (send.isOver) return;
    const { done } = send;
    this.#remove(send);
    if (send.isUnderWay) {
      this.#underWay--;
      this.#room.isFull = false;
      if (this.#waiting.first !== undefined) this.#handOverWaiting();
    }
    if (done !== undefined && settled.push({ done, res }) === 1) nextTick(tellAll);
    if (this.#isClosed) this.#closeIfOver();
    else this.#goOnWithNode();
  }

  /** As the handle's own: of what `node:dgram` has made of the arguments of its `send()`. */
  readonly #sendRequest = (
    request: SendRequest,
    list: readonly ArrayBufferView[],
    count: number,
    ...args: unknown[]
  ): number => {
    const [port, address] = args as [number, string];
    const to = args.length > 1 ? this.#destinations.find(address, port) : undefined;
    // An address that is none is for Node to refuse, and one with a zone for it to look up.
    if (this.canSend && (to !== undefined || args.length <= 1)) {
      this.#sendList(list, to, args[args.length - 1] === true ? requestDone(request) : undefined);
      return 0;
    }
    // It is not to overtake what was asked for before.
    if (this.#transport !== undefined && !this.#isClosed) {
      beginHeld();
      this.#transport.engine.flush();
    }
    return this.#native.send.call(this.#handle, request, list, count, ...args);
  };

  // ---------------------------------------------------------------- life and death

  #settleRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (this.#receiver !== undefined) this.#transport?.engine.keepAlive(this.#receiver, isRef);
  }

  /**
   * Datagrams that were to be sent are handed to the kernel, and those that then still wait are cancelled, before
   * `close` closes the descriptor: the port is free when it returns, and no entry of ours can meet the next owner of
   * the descriptor's number. What was asked for in this tick is forgotten if Node would not have got to it.
   */
  #close(close: () => void): void {
    for (let send = this.#asked.shift(); send !== undefined; send = this.#asked.shift()) this.#remove(send);
    for (const send of takeAsked(this)) this.#remove(send);
    if (this.#transport !== undefined) beginHeld();
    this.#isClosed = true;
    this.#isReceiving = false;
    this.#forget();
    const transport = this.#transport;
    if (transport === undefined || transport.engine.closed) return close();
    const { engine } = transport;
    this.#receiver!.stop();
    const cancelled: DatagramSend[] = [];
    while (this.#waiting.first !== undefined) {
      // Those behind one that was put off.
      const send = this.#waiting.shift()!;
      if (this.#room.isFull) cancelled.push(send);
      else this.#handOver(send);
    }
    for (const send of this.#sends) if (send.isUnderWay && !engine.cancel(send)) cancelled.push(send);
    let isFree = false;
    try {
      isFree = engine.flush();
      // The cancelled let go of the socket when this has run.
      engine.ring.submitAndWait(0);
    } catch {
      // The kernel is short of memory. The next turn tries again, or ends the ring.
    }
    this.#tellOfSent(engine);
    if (cancelled.length > 0) setImmediate(() => cancelled.forEach((send) => this.sent(send, -ECANCELED)));
    if (isFree || engine.ring.closed) return close();
    this.#closeLater = close;
    this.#closeIfOver();
  }

  /** As with Node, what was sent before it is closed is told of before 'close', and what is cancelled is after it. */
  #tellOfSent(engine: Engine): void {
    const underWay = this.#sends.filter((send) => send.isUnderWay).sort((a, b) => a.number - b.number);
    for (const send of underWay) {
      let outcome = -ECANCELED;
      engine.peek(send, (res) => (outcome = res));
      if (outcome !== -ECANCELED) this.sent(send, outcome);
    }
  }

  /** Only where the entries could not be handed over when it was closed. */
  #closeIfOver(): void {
    if (this.#closeLater === undefined || this.#sends.length > 0 || this.#receiver!.isUnderWay) return;
    const close = this.#closeLater;
    this.#closeLater = undefined;
    close();
  }
}

const addLength = (sum: number, { length }: DatagramSend): number => sum + length;

/** Tells a request of Node's the outcome: 0 and the bytes, or -errno. */
function requestDone(request: SendRequest): SendDone {
  const call = (res: number): void => request.oncomplete!(Math.min(res, 0), Math.max(res, 0));
  return sendDone(call);
}

function unsupported(reason: string): Error {
  return wrongState('ERR_IOURING_UNSUPPORTED', `Cannot use io_uring for UDP: ${reason}`);
}
