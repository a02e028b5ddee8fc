/** What a server of streams counts, and tells its load at the end. */

/** A sender gives the event loop its turn after so many bytes, whatever the kernel would take. */
export const BYTES_A_TURN = 2 ** 20;

export class StreamReport {
  connections = 0;
  bytes = 0;
  pieces = 0;

  /** Counts an arrival, or a write; checks what of an arrival message-sender.c makes checkable. */
  arrived(position: number, chunk: Uint8Array): number {
    if (chunk[0] !== ((position ^ (position >> 8)) & 255)) {
      throw new Error(`Cannot go on: the bytes at ${position} are in the wrong order`);
    }
    this.pieces++;
    this.bytes += chunk.length;
    return position + chunk.length;
  }

  /** What to say when a connection ends: the report with the last one, and nothing with those before it. */
  ended(): string {
    this.connections--;
    if (this.connections > 0) {
      return '';
    }
    const { bytes, pieces } = this;
    this.bytes = 0;
    this.pieces = 0;
    return JSON.stringify({ bytes, pieces });
  }
}
