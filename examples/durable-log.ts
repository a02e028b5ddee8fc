/**
 * A log that survives a crash: a record is acknowledged when it is on the disk, and a record that a crash cut in the middle
 * is found and dropped when the log is opened again. `node durable-log.js FILE RECORDS` appends so many, 32 writers at a
 * time, and reads them back.
 */
import { constants } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Reactor } from 'iouring';
import { AT_EMPTY_PATH } from 'iouring/abi';

const [path, count] = [process.argv[2], Number(process.argv[3] ?? 100)];
if (path === undefined) throw new Error('Usage: durable-log FILE [RECORDS]');

/** A record is its length, its checksum, and its bytes. */
const HEADER = 8;
const { O_RDWR, O_CREAT } = constants;

class DurableLog {
  readonly #io: Reactor;
  readonly #fd: number;
  #end: number;
  /** Appends that wait for the one that is under way: they go to the disk together. */
  #waiting: { record: Buffer; resolve: () => void; reject: (error: Error) => void }[] = [];
  #isWriting = false;

  private constructor(io: Reactor, fd: number, end: number) {
    this.#io = io;
    this.#fd = fd;
    this.#end = end;
  }

  /** Open a log; `onRecord` is given what is in it. A torn record at its end is cut off. */
  static async open(io: Reactor, file: string, onRecord: (record: Uint8Array) => void): Promise<DurableLog> {
    const fd = await io.open(file, O_RDWR | O_CREAT | 0x80000, { mode: 0o600 });
    const { size } = await io.statx(fd, '', AT_EMPTY_PATH);
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size;) at += await io.read(fd, bytes.subarray(at), { offset: at });
    let end = 0;
    while (end + HEADER <= size) {
      const length = bytes.readUInt32LE(end);
      const record = bytes.subarray(end + HEADER, end + HEADER + length);
      if (record.length < length || crc32(record) !== bytes.readUInt32LE(end + 4)) break;
      onRecord(record);
      end += HEADER + length;
    }
    if (end < size) {
      console.log(`dropped ${size - end} bytes of a record that was cut off`);
      await io.ftruncate(fd, end);
    }
    return new DurableLog(io, fd, end);
  }

  /** Resolves when the record is on the disk. */
  append(data: Uint8Array): Promise<void> {
    const record = Buffer.alloc(HEADER + data.length);
    record.writeUInt32LE(data.length, 0);
    record.writeUInt32LE(crc32(data), 4);
    record.set(data, HEADER);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject });
      if (!this.#isWriting) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const bytes = Buffer.concat(batch.map(({ record }) => record));
      try {
        // The flush runs only if all of it was written: the kernel sees to that, and to the order.
        await this.#io.chain([
          ['write', this.#fd, bytes, { offset: this.#end }],
          ['fsync', this.#fd, { datasync: true }],
        ]);
        this.#end += bytes.length;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.#isWriting = false;
  }

  close(): Promise<void> {
    return this.#io.close(this.#fd);
  }
}

const io = new Reactor();
let found = 0;
const log = await DurableLog.open(io, path, () => found++);
console.log(`found ${found} records`);
let begun = 0;
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (begun < count) await log.append(Buffer.from(`record ${begun++} of ${count}`));
  }),
);
await log.close();
const { submitted } = io.stats;
let read = 0;
const again = await DurableLog.open(io, path, () => read++);
console.log(`appended ${count}, each on the disk before it was acknowledged, with ${submitted} operations`);
console.log(`read ${read} records back`);
await again.close();
await io.close();
