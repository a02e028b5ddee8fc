// Arguments that do something while they are read: what a caller's getters, proxies and iterators can do.
import type { Argument } from './every-method.ts';

/** Arguments, one of which does something when it is looked at. */
export interface Ambush {
  what: string;
  values: unknown[];
}

/** An object that looks like `real`, and does something every time `key` is read. */
function trapped(real: object, key: string, spring: () => void): object {
  const value = (real as Record<string, unknown>)[key];
  const rest = Object.getOwnPropertyDescriptors(real);
  const get = (): unknown => {
    spring();
    return value;
  };
  const prototype = Object.getPrototypeOf(real) as object;
  return Object.create(prototype, { ...rest, [key]: { enumerable: true, get } }) as object;
}

/** An array that does something every time element `i` is read. */
function trappedArray(real: readonly unknown[], i: number, spring: () => void): unknown[] {
  const get = (): unknown => {
    spring();
    return real[i];
  };
  return Object.defineProperty([...real], i, { enumerable: true, configurable: true, get });
}

/** A URL of the same file, that does something every time its path is read. */
function trappedUrl(path: string, spring: () => void): URL {
  const url = new URL(`file://${path}`);
  const get = (): string => {
    spring();
    return path;
  };
  return Object.defineProperty(url, 'pathname', { get });
}

function* traps(argument: Argument, spring: () => void): Generator<[what: string, value: unknown]> {
  const { kind, name, value, fields, elements } = argument;
  if (kind === 'path' && typeof value === 'string') yield [`${name}, a URL`, trappedUrl(value, spring)];
  if (kind === 'msghdrInit') {
    const init = { iov: [new Uint8Array(8)], control: 8 };
    yield [`${name}, a plain object`, trapped(init, 'iov', spring)];
  }
  if (fields) {
    for (const [key, field] of Object.entries(fields)) {
      yield [`${name}.${key}`, trapped(value as object, key, spring)];
      for (const [what, inner] of traps(field, spring)) yield [what, { ...(value as object), [key]: inner }];
    }
  }
  if (elements) {
    for (const [i, element] of elements.entries()) {
      yield [`${name}[${i}]`, trappedArray(value as unknown[], i, spring)];
      for (const [what, inner] of traps(element, spring)) yield [what, (value as unknown[]).with(i, inner)];
    }
  }
}

/** All ways to lay a trap in valid arguments. */
export function* ambushes(args: () => readonly Argument[], spring: () => void): Generator<Ambush> {
  const count = args().length;
  for (let i = 0; i < count; i++) {
    const { length } = [...traps(args()[i], spring)];
    for (let n = 0; n < length; n++) {
      // Everything made anew for each.
      const fresh = args();
      const [what, value] = [...traps(fresh[i], spring)][n];
      yield { what, values: fresh.map((argument) => argument.value).with(i, value) };
    }
  }
}
