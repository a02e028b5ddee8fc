import type { FileHandle } from 'node:fs/promises';
import { node } from './node-promises.ts';
import { ringForFiles } from './ring-or-node.ts';

/**
 * The runtime's own FileHandle, which ours extends: its events, its streams, its warning when it is collected, and
 * being taken for one by everything else in the runtime come with it. It is not exported, so it is learned from the
 * first that is opened.
 */
export interface HandleBase {
  readonly FileHandle: new (...args: readonly unknown[]) => FileHandle;
  /** Methods that count who uses it, so that it is not closed meanwhile. */
  readonly ref: symbol;
  readonly unref: symbol;
  /** The number of the descriptor, without anybody taking notice; undefined where it is no getter of the class. */
  readonly fdOf: ((handle: object) => number) | undefined;
  /** The argument that its constructor takes for a descriptor. */
  adopt(fd: number, flags: number, path: unknown): readonly unknown[];
  /**
   * The argument with which its constructor takes over the file of `handle`, which is not used any more then;
   * undefined: it cannot.
   */
  takeOver(handle: FileHandle): readonly unknown[] | undefined;
}

/** Node's counterpart in native code. */
interface Native {
  readonly fd: number;
  close(): Promise<void>;
  /** Forget the descriptor, which is somebody else's now. */
  releaseFD(): void;
}

/** Undefined: this runtime's are of no known kind, and are left as they are. */
export function baseOf(handle: FileHandle): HandleBase | undefined {
  const FileHandle = handle.constructor as HandleBase['FileHandle'];
  const prototype = Object.getPrototypeOf(handle) as object;
  const ref = symbolOf(prototype, 'kRef');
  const unref = symbolOf(prototype, 'kUnref');
  if (ref === undefined || unref === undefined) return undefined;
  const kHandle = symbolOf(handle, 'kHandle');
  const native = kHandle === undefined ? undefined : (handle as unknown as Record<symbol, Native | undefined>)[kHandle];
  const number = Object.getOwnPropertyDescriptor(prototype, 'fd')?.get as ((this: object) => number) | undefined;
  const fdOf = number && ((one: object): number => number.call(one));
  const base = { FileHandle, ref, unref, fdOf };
  if (native === undefined) {
    // Bun's have a number, and close it. Deno's close only what Deno has opened.
    if (symbolOf(handle, 'kFd') === undefined) return undefined;
    return { ...base, adopt: (...args) => args, takeOver: () => undefined };
  }
  if (typeof native.releaseFD !== 'function') return undefined;
  const Closing = closingByRing(native.constructor as NativeClass);
  return {
    ...base,
    adopt: (fd) => [new Closing(fd)],
    takeOver: (one) => [(one as unknown as Record<symbol, Native>)[kHandle!]],
  };
}

type NativeClass = new (fd: number) => Native;

/** Node closes the descriptor here, by whatever way a handle comes to its end, except when it is collected. */
function closingByRing(Base: NativeClass): NativeClass {
  return class extends Base {
    override close(): Promise<void> {
      const io = ringForFiles();
      if (io === undefined) return super.close();
      const { fd } = this;
      this.releaseFD();
      return io.closeOwn(fd, io.guard(fd));
    }
  };
}

function symbolOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}

let learned: Promise<HandleBase | undefined> | undefined;

/** Learn it from a file that is always there. */
export function learnBase(): Promise<HandleBase | undefined> {
  learned ??= (async () => {
    const handle = await node.open('/dev/null');
    try {
      return baseOf(handle);
    } finally {
      await handle.close();
    }
  })().catch(() => {
    // Descriptors were short, say: that passes.
    learned = undefined;
    return undefined;
  });
  return learned;
}
