// Submissions that tell a test what becomes of them.
import { Submission, type Completion, type IoUring } from '../../src/reactor/submission.ts';

/** One nop. */
export class TestOperation extends Submission {
  readonly whenOver: Promise<number>;
  /** Completions, in their order. */
  readonly results: number[] = [];
  refusal: Error | undefined;
  readonly #tell: (res: number) => void;
  #over!: (res: number) => void;

  constructor(tell: (res: number) => void = () => {}) {
    super();
    this.#tell = tell;
    this.whenOver = new Promise((resolve) => void (this.#over = resolve));
  }

  override get isUnbounded(): boolean {
    return true;
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepNop(this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived({ res }: Completion): void {
    this.results.push(res);
    this.#tell(res);
  }

  override over(): void {
    this.#over(this.results.at(-1)!);
  }

  override refused(error: Error): void {
    this.refusal = error;
    this.#over(NaN);
  }

  override cancelled(): void {}
}

/** The same, as an event of Node's kind. */
export class TestEvent extends TestOperation {
  override get isEvent(): boolean {
    return true;
  }
}
