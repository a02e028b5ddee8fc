// What may not stand in the place of an argument, and what the error is then.
import {
  EpollEvents,
  Msghdr,
  Siginfo,
  SocketAddressBuffer,
  Statx,
} from '../../src/index.ts';
import type { Argument, Kind } from './every-method.ts';

export const TYPE = 'ERR_INVALID_ARG_TYPE';
export const VALUE = 'ERR_INVALID_ARG_VALUE';
export const RANGE = 'ERR_OUT_OF_RANGE';
export const STATE = 'ERR_INVALID_STATE';

/** A wrong value, and the code of its error; and how the error calls it, if that is a part of the argument. */
export type Wrong = readonly [value: unknown, code: string, name?: string];

export const nameOf = (code: string): string =>
  code === RANGE ? 'RangeError' : code === TYPE || code === VALUE ? 'TypeError' : 'Error';

const of = (code: string, ...values: unknown[]): Wrong[] => values.map((value) => [value, code]);

const named = (name: string, all: readonly Wrong[]): Wrong[] => all.map(([value, code]) => [value, code, name]);

export function resizable(bytes: number): ArrayBuffer {
  return new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(bytes, { maxByteLength: 64 });
}

export function growable(bytes: number): SharedArrayBuffer {
  const Growable = SharedArrayBuffer as unknown as new (n: number, o: object) => SharedArrayBuffer;
  return new Growable(bytes, { maxByteLength: 64 });
}

export function detached(bytes = 8): ArrayBuffer {
  const memory = new ArrayBuffer(bytes);
  structuredClone(memory, { transfer: [memory] });
  return memory;
}

export function detachedView<T extends ArrayBufferView>(View: new (memory: ArrayBuffer) => T): T {
  const memory = new ArrayBuffer(8);
  const view = new View(memory);
  structuredClone(memory, { transfer: [memory] });
  return view;
}

declare const WebAssembly: {
  Memory: new (descriptor: object) => { readonly buffer: ArrayBuffer; grow(pages: number): number };
};

/** One for all: it takes some gigabytes of address space. */
const instance = new WebAssembly.Memory({ initial: 1, maximum: 2 });

/** The memory of a WebAssembly instance, of 64 KiB. */
export const ofWebAssembly = (): ArrayBuffer => instance.buffer;

/** What is no buffer, or none that can be lent. */
export const wrongBuffers = (): Wrong[] => [
  ...of(TYPE, undefined, [1, 2, 3, 4, 5, 6, 7, 8], 'x'.repeat(8), 8, 8n, true, Symbol('x'), () => {}),
  ...of(TYPE, {}, { byteLength: 8, buffer: 1 }, { byteLength: 8, [Symbol.toStringTag]: 'ArrayBuffer' }),
  ...of(TYPE, new Proxy(new Uint8Array(8), {}), Object.create(Uint8Array.prototype), new Map()),
  ...of(VALUE, resizable(8), new Uint8Array(resizable(8)), growable(8), new DataView(growable(8))),
  ...of(VALUE, detached(), detachedView(Uint8Array), detachedView(DataView)),
  ...of(VALUE, new Uint8Array(ofWebAssembly(), 0, 8), new DataView(ofWebAssembly(), 8, 8)),
];

/** Something that is no object of `type`, however it looks. */
function forgeries(type: { prototype: object }, real: object): Wrong[] {
  const disguised = Object.create(type.prototype) as object;
  return of(TYPE, undefined, null, 1, 'x', {}, disguised, new Proxy(real, {}), new Uint8Array(256), Symbol('x'));
}

function wrongFutexes(View: typeof Int32Array): Wrong[] {
  return [
    ...of(TYPE, undefined, null, 5, 'x', {}, [1], new Uint8Array(8), new Float32Array(2), new BigInt64Array(1)),
    ...of(TYPE, new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), new Proxy(new View(2), {})),
    ...of(VALUE, new View(resizable(8)), new View(growable(8)), detachedView(View), new View(ofWebAssembly(), 0, 2)),
  ];
}

const wrongUserData = (): Wrong[] => [
  ...of(RANGE, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, -1n, 2n ** 64n),
  ...of(TYPE, '1', null, true, Symbol('x'), () => {}),
];

const wrongPaths = (): Wrong[] => [
  ...of(TYPE, undefined, null, 5, {}, [], ['/a'], new ArrayBuffer(4), new Uint16Array(2), Symbol('x'), true),
  ...of(TYPE, new Proxy(new Uint8Array(4).fill(97), {}), new DataView(new ArrayBuffer(4)), { pathname: '/a' }),
  ...of(VALUE, 'a\0b', '\0', Buffer.from('a\0'), detachedView(Uint8Array)),
  ...of(VALUE, new URL('http://example.org/a'), new URL('file://host/a'), new URL('file:///a%2Fb')),
  ...of(VALUE, new URL('file:///a%00b'), new URL('file:///%ff')),
];

const wrongAddresses = (): Wrong[] => [
  ...of(TYPE, null, '127.0.0.1', 80, {}, { port: 80 }, new ArrayBuffer(16), new Uint16Array(8), { path: 1 }),
  ...of(TYPE, { address: 1, port: 80 }, { address: '::1' }, { address: '::1', port: '80' }, { family: 'unknown' }),
  ...of(RANGE, { address: '::1', port: 65536 }, { address: '::1', port: -1 }, { path: '/'.repeat(108) }),
  ...of(RANGE, new Uint8Array(1), new Uint8Array(129)),
  ...of(VALUE, { address: 'localhost', port: 80 }, { path: 'a\0b' }, { path: '/a', address: '::1', port: 1 }),
  ...of(VALUE, { address: '::1', port: 80, family: 'IPv4' }, detachedView(Uint8Array)),
];

/** By what an argument is. Undefined and null are added where they are wrong. */
const WRONG: Record<Kind, (argument: Argument) => Wrong[]> = {
  address: wrongAddresses,
  addressBuffer: () => forgeries(SocketAddressBuffer, new SocketAddressBuffer()),
  boolean: () => [],
  buffer: wrongBuffers,
  buffers: ({ elements, name }) => [
    ...of(TYPE, 5, 'x', {}, new Uint8Array(8), new Set(), { length: 1, 0: new Uint8Array(8) }, new ArrayBuffer(8)),
    ...wrongBuffers()
      .filter(([value]) => value !== undefined || !elements![0].nullable)
      .map(([value, code]): Wrong => [[elements![0].value, value], code]),
    ...(name === 'buffers' ? of(RANGE, Array.from({ length: 20_000 }, () => elements![0].value)) : []),
  ],
  cancelTarget: (argument) => [...wrongUserData(), ...of(VALUE, {}, { fixed: true }, []), ...wrongFields(argument)],
  choice: () => of(VALUE, 5, 'something else', {}, '', true),
  descriptorArray: (argument) => [...wrongFutexes(Int32Array), ...(argument.of ? of(RANGE, new Int32Array(1)) : [])],
  duration: ({ max }) => [
    ...of(RANGE, -1, NaN, 2 ** 53, -Infinity, -1n, 2n ** 63n),
    ...(max === Infinity ? [] : of(RANGE, Infinity)),
    ...of(TYPE, '1', {}, true, Symbol('x')),
  ],
  epollEvents: () => forgeries(EpollEvents, new EpollEvents(1)),
  fd: () => of(TYPE, 1.5, NaN, Infinity, '3', 3n, {}, [3], true, Symbol('x')),
  field: () => [
    ...of(TYPE, 'x', true, Symbol('x'), 0.5, NaN, 2 ** 53, {}, [1]),
    ...of(RANGE, -(2n ** 63n) - 1n, 2n ** 64n),
    ...of(VALUE, resizable(8), detachedView(Uint8Array), ofWebAssembly()),
  ],
  fileOffset: () => [...of(RANGE, -2, 0.5, NaN, 2 ** 53, -2n, 2n ** 63n), ...of(TYPE, '0', {}, true, Symbol('x'))],
  function: () => of(TYPE, 5, 'x', {}),
  futex: () => [...wrongFutexes(Int32Array), ...of(RANGE, new Int32Array(0))],
  group: () => [...of(RANGE, -1, 65536, 0.5, NaN), ...of(TYPE, '1', 1n, {}, true, Symbol('x')), [9, STATE, 'group']],
  integer: ({ min, max }) => [
    ...of(RANGE, min! - 1, max! + 1, 0.5, NaN, Infinity, -Infinity),
    ...of(TYPE, '1', 1n, {}, [1], true, Symbol('x'), () => {}),
  ],
  list: ({ elements, value }) => [
    ...of(TYPE, 5, 'x', {}, new Set(), { length: 1, 0: elements![0].value }),
    [[], RANGE],
    ...elements!.flatMap((element, i) =>
      wrongFor(element).map(([wrong, code, name = element.name]): Wrong => [
        (value as unknown[]).with(i, wrong),
        code,
        name,
      ])
    ),
  ],
  milliseconds: () => [...of(RANGE, -1, NaN, 2 ** 53), ...of(TYPE, '1', 1n, {}, true, Symbol('x'))],
  msghdr: () => forgeries(Msghdr, new Msghdr()),
  msghdrInit: () => [
    ...of(TYPE, new Proxy(new Msghdr(), {}), Object.create(Msghdr.prototype), undefined),
    ...named('init', [
      ...of(TYPE, null, 5, 'x', { iov: 5 }, { iov: [5] }, { iov: new Uint8Array(8) }),
      ...of(TYPE, { control: 'x' }, { control: [5] }),
      ...of(RANGE, { name: -1 }, { control: 2 ** 21 }),
      ...of(RANGE, { iov: Array.from({ length: 1025 }, () => new Uint8Array(1)) }),
      ...of(VALUE, { name: { path: 'a\0' } }),
    ]),
    ...of(VALUE, { iov: [resizable(8)] }, { iov: [new Uint8Array(8), detached()] }, { iov: [ofWebAssembly()] }),
  ],
  name: () => [...of(TYPE, 5, {}, new Uint8Array(4), Symbol('x')), ['a\0b', VALUE]],
  object: (argument) => [...(argument.optional ? [] : of(TYPE, 5, 'x')), ...wrongFields(argument)],
  path: wrongPaths,
  position: () => [...of(RANGE, -1, 0.5, NaN, 2 ** 53, -1n, 2n ** 63n), ...of(TYPE, '0', {}, true, Symbol('x'))],
  ring: () => of(TYPE, {}, 5, 'x'),
  siginfo: () => forgeries(Siginfo, new Siginfo()),
  slotOrAlloc: () => [...of(RANGE, -1, 0.5, NaN, 2 ** 32), ...of(TYPE, '1', 'ALLOC', 1n, {}, true, Symbol('x'))],
  statx: () => forgeries(Statx, new Statx()),
  tags: ({ elements, value }) => [
    ...of(TYPE, 5, 'x', {}, new BigUint64Array(2)),
    ...of(RANGE, [], [1], [1, 2, 3]),
    ...wrongUserData().map(([wrong, code]): Wrong => [(value as unknown[]).with(elements!.length - 1, wrong), code]),
  ],
  userData: wrongUserData,
};

function wrongFields({ fields, value }: Argument): Wrong[] {
  return Object.entries(fields ?? {}).flatMap(([key, field]) =>
    wrongFor(field).map(([wrong, code, name = field.name]): Wrong => [
      { ...(value as object), [key]: wrong },
      code,
      name,
    ])
  );
}

/** All that is wrong for an argument. */
export function wrongFor(argument: Argument): Wrong[] {
  const { kind, optional = false, nullable = false } = argument;
  const isWrong = ([value]: Wrong): boolean => (value !== undefined || !optional) && (value !== null || !nullable);
  const found = WRONG[kind](argument).filter(isWrong);
  if (kind === 'boolean' || kind === 'choice') return found;
  const has = (value: unknown): boolean => found.some(([wrong]) => wrong === value);
  if (!optional && !has(undefined)) found.push([undefined, TYPE]);
  // Of what is optional, null stands for nothing as often as not.
  if (!nullable && !optional && !has(null)) found.push([null, TYPE]);
  return optional ? found.filter(([value]) => value !== null) : found;
}

/** A value in words. */
export function inWords(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const isArray = Array.isArray(value);
    const parts = isArray ? value.slice(0, 3).map(inWords) : Object.entries(value).slice(0, 8).map(entryInWords);
    return `${Object.prototype.toString.call(value)} ${parts.join(' ')}`.slice(0, 160);
  }
  return `${String(value)} (${typeof value})`;
}

const entryInWords = ([key, value]: [string, unknown]): string =>
  `${key}: ${typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value)}`;
