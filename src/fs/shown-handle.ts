import type { FileHandle } from 'node:fs/promises';
import type { HandleBase } from './handle-base.ts';

/** Was the number of the descriptor given out? */
export const IS_SHOWN = Symbol('isShown');
/** Do something that is Node's, which looks at the number itself. */
export const BY_NODE = Symbol('byNode');

/** A handle that knows whether its descriptor may be somebody else's as well. */
export interface ShownHandle extends FileHandle {
  readonly [IS_SHOWN]: boolean;
  [BY_NODE]<T>(work: () => T): T;
}

/** Methods that Node 26 has of its own, which read and write where the file stands: at any time. */
const OF_ITS_OWN = new Set(['pull', 'pullSync', 'writer']);

/**
 * The runtime's own class, which takes notice when somebody asks for the number of the descriptor: a child process may
 * share the file then, or a function that takes the number. The kernel takes no lock for the place where a file stands
 * when the ring reads or writes there, as it does in read(2) and write(2): what two write at the same time would
 * overwrite each other.
 */
export function shownHandleClass(
  { FileHandle: Base, fdOf }: HandleBase,
): new (...args: readonly unknown[]) => ShownHandle {
  class FileHandle extends Base {
    // Where the number is no property of the class nobody can be seen asking for it.
    #isShown = fdOf === undefined;

    static #is(value: unknown): boolean {
      return typeof value === 'object' && value !== null && #isShown in value;
    }

    get [IS_SHOWN](): boolean {
      return this.#isShown;
    }

    [BY_NODE]<T>(work: () => T): T {
      const isShown = this.#isShown;
      try {
        return work();
      } finally {
        this.#isShown = isShown;
      }
    }

    static {
      const { prototype } = this;
      if (fdOf !== undefined) {
        const get = function fd(this: FileHandle): number {
          if (FileHandle.#is(this)) this.#isShown = true;
          return fdOf(this);
        };
        Object.defineProperty(prototype, 'fd', { get, configurable: true });
      }
      for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(Base.prototype))) {
        const method: unknown = property.value;
        if (typeof method !== 'function' || name === 'constructor') continue;
        const call = function call(this: FileHandle, ...args: readonly unknown[]): unknown {
          if (!FileHandle.#is(this)) return method.apply(this, args) as unknown;
          if (OF_ITS_OWN.has(name)) this.#isShown = true;
          return this[BY_NODE](() => method.apply(this, args) as unknown);
        };
        Object.defineProperties(call, { name: { value: name }, length: { value: method.length } });
        Object.defineProperty(prototype, name, { ...property, value: call });
      }
    }
  }
  return FileHandle;
}
