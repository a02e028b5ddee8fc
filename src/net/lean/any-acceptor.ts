import { EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../../abi/errno.ts';
import type { Engine } from '../../reactor/engine.ts';
import { ArmedMultishot } from '../../reactor/engine/armed-multishot.ts';
import { clearTimeout, setTimeout } from '../../native/timers.ts';

/** Milliseconds after which it is tried again when there were no descriptors, or no memory, for another connection. */
const PAUSE_MS = 50;

const SHORTAGES = new Set([-EMFILE, -ENFILE, -ENOMEM, -ENOBUFS]);

/** The owner of an acceptor, which is told of connections. */
export interface AcceptorOwner {
  /** A connection has come. Its descriptor is the owner's. */
  accepted(fd: number): void;
  /** Nothing more will come. */
  acceptFailed(error: Error): void;
}

/** Accepts on a listening descriptor, which stays its owner's, until it is stopped or fails. */
export abstract class AnyAcceptor extends ArmedMultishot {
  protected readonly owner: AcceptorOwner;
  protected isStopped = false;
  #isRef = true;
  /** Tries again. */
  #pause: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(engine: Engine, owner: AcceptorOwner, fd: number) {
    super(engine, fd);
    this.owner = owner;
  }

  start(): void {
    this.arm();
  }

  /**
   * Accept no more. The kernel lets go of the descriptor before this returns: it may be closed, and its address used
   * again.
   */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    clearTimeout(this.#pause as NodeJS.Timeout | undefined);
    this.halt();
    if (this.isUnderWay) this.engine.flush();
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.engine.keepAlive(this, is);
    if (is) this.#pause?.ref();
    else this.#pause?.unref();
  }

  /** When descriptors run out, connections wait in the kernel for a while, and nothing spins. Is `res` of that kind? */
  protected isShortage(res: number): boolean {
    return SHORTAGES.has(res);
  }

  /** Call `goOn` when such a shortage may be over. */
  protected pause(goOn: () => void): void {
    this.waitFor(setTimeout(goOn, PAUSE_MS));
  }

  /** It goes on when this is due, which keeps the process alive as long as it does itself. */
  protected waitFor(pause: NodeJS.Timeout | NodeJS.Immediate): void {
    this.#pause = pause;
    if (!this.#isRef) pause.unref();
  }

  protected fail(error: Error): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.owner.acceptFailed(error);
  }

  protected override left(): void {
    if (!this.isStopped) this.arm();
  }

  protected override resumed(): void {
    if (!this.isStopped) this.arm();
  }

  override cancelled(error: Error): void {
    this.fail(error);
  }

  protected override lost(error: Error): void {
    this.fail(error);
  }
}
