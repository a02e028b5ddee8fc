/** A piece of outgoing data, and the next one behind it. */
export class Segment {
  readonly memory: Uint8Array;
  /** It was copied to memory of the transport's, to which it goes back. */
  readonly isCopy: boolean;
  /** What is to be sent of it. */
  start = 0;
  end: number;
  next: Segment | undefined;

  private constructor(memory: Uint8Array, isCopy: boolean, end: number) {
    this.memory = memory;
    this.isCopy = isCopy;
    this.end = end;
  }

  /** All of a caller's memory, which has `length` bytes whatever it says itself. */
  static lent(memory: Uint8Array, length: number): Segment {
    return new Segment(memory, false, length);
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
