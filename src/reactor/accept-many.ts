import { ECONNABORTED } from '../abi/errno.ts';
import { IORING_OP_ACCEPT } from '../abi/operations.ts';
import { checkFd } from '../ring/arguments/entry-fields.ts';
import type { Completion } from '../ring/completion.ts';
import type { AcceptOptions } from '../ring/prepare/network.ts';
import type { IoUring } from '../ring/io-uring.ts';
import type { Engine } from './engine.ts';
import { Multishot, type ManyOptions } from './multishot.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

const FORM = ownOptions({ opcode: IORING_OP_ACCEPT, variant: 'multishot' });
const NONE: ManyOptions & AcceptOptions = ownOptions({});

/** acceptMany: connections. Those that nobody took are closed. */
export class Connections extends Multishot<number> {
  readonly #options: AcceptOptions;

  constructor(engine: Engine, listenFd: number, options: (ManyOptions & AcceptOptions) | undefined) {
    super(engine, 'accept', FORM, checkFd('listenFd', listenFd), options);
    const { signal: _, ...accept } = options ?? NONE;
    this.#options = ownOptions(accept);
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepAcceptMultishot(this.fd, this.slot, this.#options)) return false;
    this.owed = 1;
    return true;
  }

  protected override take({ res }: Completion): void {
    if (res >= 0) this.push(res);
    // It was gone before it could be accepted: the next one comes.
    else if (res !== -ECONNABORTED) this.fail(res);
  }

  protected override releaser(): (fd: number, isUnseen: boolean) => void {
    const { engine } = this;
    return (fd, isUnseen) => {
      if (isUnseen) engine.discard(fd);
    };
  }

  override rearm(): void {
    this.restart();
  }

  /** A descriptor that nobody takes any more would stay open for ever. */
  protected override orphaned(): void {
    this.dropAll();
  }
}
