/** A piece of outgoing data, and the next one behind it. */
export class Segment {
  readonly memory: Uint8Array;
  /** It was copied to memory of the transport's, to which it goes back. */
  readonly isCopy: boolean;
  /** The part of it that is to be sent. */
  start = 0;
  end: number;
  next: Segment | undefined;

  private constructor(memory: Uint8Array, isCopy: boolean, end: number) {
    this.memory = memory;
    this.isCopy = isCopy;
    this.end = end;
  }

  /** A caller's memory from one place to another. */
  static lent(memory: Uint8Array, start: number, end: number): Segment {
    const segment = new Segment(memory, false, end);
    segment.start = start;
    return segment;
  }

  /** Room for copies. */
  static empty(bytes: number): Segment {
    return new Segment(Buffer.allocUnsafeSlow(bytes), true, 0);
  }

  /** It is sent, and may be used again. */
  clear(): void {
    this.start = 0;
    this.end = 0;
    this.next = undefined;
  }
}
