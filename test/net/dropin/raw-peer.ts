// The other end of a connection, by system calls: what it sees it sees at once, with no event loop in between.
import koffi from 'koffi';
import { closeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { koffiNative } from '../../../src/native/koffi.ts';
import { SOCKADDR_MAX, writeSocketAddress, type SocketAddressLike } from '../../../src/ring/structs/socket-address.ts';

type Call = (...args: unknown[]) => number;

const libc = koffi.load(null);
const connectTo = libc.func('int connect(int fd, void *address, uint length)') as Call;
const accept4 = libc.func('int accept4(int fd, void *address, void *length, int flags)') as Call;
const recv = libc.func('intptr_t recv(int fd, void *buffer, size_t length, int flags)') as Call;
const pollOne = libc.func('int poll(void *fds, ulong count, int timeout)') as Call;

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_PEEK = 2;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_LINGER = 13;

const native = koffiNative();

function check(result: number): number {
  if (result < 0) throw new Error(`libc: ${getSystemErrorName(-koffi.errno())}`);
  return result;
}

function addressBytes(address: SocketAddressLike): Uint8Array {
  const room = new Uint8Array(SOCKADDR_MAX);
  return room.slice(0, writeSocketAddress(room, 0, address));
}

const domainOf = (address: SocketAddressLike): number => ('path' in address ? AF_UNIX : AF_INET);

/** Listens; connections wait until they are accepted. */
export class RawListener implements Disposable {
  readonly fd: number;

  constructor(address: SocketAddressLike) {
    this.fd = check(native.socket(domainOf(address), SOCK_STREAM_CLOEXEC, 0));
    check(native.bind(this.fd, addressBytes(address)));
    check(native.listen(this.fd, 16));
  }

  get port(): number {
    const name = new Uint8Array(SOCKADDR_MAX);
    check(native.socketName(this.fd, false, name));
    return name[2] * 256 + name[3];
  }

  accept(): RawPeer {
    return new RawPeer(check(accept4(this.fd, null, null, SOCK_CLOEXEC)));
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

export class RawPeer implements Disposable {
  #fd: number;
  /** What has come so far. */
  bytes = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  static connect(address: SocketAddressLike): RawPeer {
    const fd = check(native.socket(domainOf(address), SOCK_STREAM_CLOEXEC, 0));
    const name = addressBytes(address);
    check(connectTo(fd, name, name.length));
    return new RawPeer(fd);
  }

  /** What is there now: how many bytes, or how it ended. */
  look(): string {
    const result = recv(this.#fd, Buffer.alloc(64 * 1024), 64 * 1024, MSG_DONTWAIT | MSG_PEEK);
    return result > 0 ? `${result} bytes` : result === 0 ? 'end' : getSystemErrorName(-koffi.errno());
  }

  /** Read whatever is there now. How it ended, or EAGAIN if it has not. */
  drain(): string {
    const buffer = Buffer.alloc(64 * 1024);
    for (;;) {
      const result = recv(this.#fd, buffer, buffer.length, MSG_DONTWAIT);
      if (result === 0) return 'end';
      if (result < 0) return getSystemErrorName(-koffi.errno());
      this.bytes += result;
    }
  }

  /** Whatever is there now. */
  read(): Buffer {
    const pieces: Buffer[] = [];
    for (;;) {
      const buffer = Buffer.alloc(64 * 1024);
      const result = recv(this.#fd, buffer, buffer.length, MSG_DONTWAIT);
      if (result <= 0) return Buffer.concat(pieces);
      pieces.push(buffer.subarray(0, result));
    }
  }

  /** Read until it ends, or nothing has come for a second, in which the loop has gone round a hundred times. */
  async drainToEnd(): Promise<string> {
    let bytes = -1;
    let since = 0;
    let turns = 0;
    for (;;) {
      const end = this.drain();
      if (this.bytes !== bytes) [bytes, since, turns] = [this.bytes, performance.now(), 0];
      // The other end may be this thread's: a machine that has no time for it is not a peer that sends nothing.
      if (end !== 'EAGAIN' || (turns++ > 100 && performance.now() - since > 1000)) return end;
      await new Promise(setImmediate);
    }
  }

  /** How many bytes were taken, or why none. */
  send(data: string | Buffer): number | string {
    const bytes = Buffer.from(data);
    const result = native.send(this.#fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return result < 0 ? getSystemErrorName(result) : result;
  }

  end(): void {
    check(native.shutdown(this.#fd, 1));
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  reset(): void {
    native.setSocketOption(this.#fd, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 0]).buffer));
    this.close();
  }

  /** Wait, with the thread, until the kernel has something to tell. */
  wait(): void {
    const fds = new Int32Array([this.#fd, 1]);
    check(pollOne(fds, 1, 1000));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
