import { Submission } from '../submission.ts';

/**
 * A call that has its turn among the events, and nothing of which goes to the kernel: see {@link Engine.behindEvents}.
 */
export class OrderedCall extends Submission {
  readonly #call: () => void;

  constructor(call: () => void) {
    super();
    this.#call = call;
  }

  override get isEvent(): boolean {
    return true;
  }

  override prepare(): boolean {
    return false;
  }

  override arrived(): void {
    this.#call();
  }

  override over(): void {}

  override refused(): void {}

  override cancelled(): void {}
}
