const SIZE = 128 << 10;
const SPARE_MAX = 32;

/** Memory that large files are read into, a piece at a time. */
export class ReadBuffers {
  readonly #spare: Buffer[] = [];

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(SIZE);
  }

  give(buffer: Buffer): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
  }
}
