import { inspect, type InspectOptions } from 'node:util';
import {
  EPOLL_EVENT,
  EPOLL_EVENT_ARM64,
  EPOLL_EVENT_ARM64_SIZE,
  EPOLL_EVENT_SIZE as EPOLL_EVENT_X64_SIZE,
} from '../../abi/layouts.ts';
import { checkInteger, isObject, wrongType } from '../arguments/argument-errors.ts';
import { shown } from '../shown.ts';

/** The struct is packed on x86-64, and nowhere else. */
const PACKED = process.arch === 'x64';
const LAYOUT = PACKED ? EPOLL_EVENT : EPOLL_EVENT_ARM64;

/** `sizeof (struct epoll_event)` on this machine. */
export const EPOLL_EVENT_SIZE = PACKED ? EPOLL_EVENT_X64_SIZE : EPOLL_EVENT_ARM64_SIZE;

/** More than anybody reaps at a time. */
const EVENTS_MAX = 4096;

/** Write a `struct epoll_event`: EPOLL* bits, and 64 bits to be told again with them. Both were checked. */
export function writeEpollEvent(view: DataView, offset: number, events: number, data: number | bigint): void {
  view.setUint32(offset + LAYOUT.events, events, true);
  view.setBigUint64(offset + LAYOUT.data, BigInt(data), true);
}

let memoryOf: (events: EpollEvents) => Uint8Array;

/**
 * Room for events of an epoll set, which prepEpollWait has the kernel fill in. It is lent to the kernel meanwhile,
 * and may be used again afterwards.
 * @example
 * import { EpollEvents } from 'iouring';
 *
 * const events = new EpollEvents(16);
 * const count = await io.epollWait(epoll, events);
 * for (const { data, events: bits } of events.entries(count)) console.log(data, bits);
 */
export class EpollEvents {
  readonly #memory: Uint8Array;
  readonly #view: DataView;

  /**
   * @param max how many events there is room for, 1 … 4096
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  constructor(max: number) {
    checkInteger('max', max, 1, EVENTS_MAX);
    this.#memory = new Uint8Array(new ArrayBuffer(max * EPOLL_EVENT_SIZE));
    this.#view = new DataView(this.#memory.buffer);
  }

  /** How many events there is room for. */
  get max(): number {
    return this.#memory.length / EPOLL_EVENT_SIZE;
  }

  /** EPOLL* bits: what happened, as event `i` says. @throws {TypeError|RangeError} `i` is no index below `max` */
  events(i: number): number {
    return this.#view.getUint32(this.#at(i) + LAYOUT.events, true);
  }

  /** The `data` that was given with event `i`'s descriptor. @throws {TypeError|RangeError} as {@link events} does */
  data(i: number): bigint {
    return this.#view.getBigUint64(this.#at(i) + LAYOUT.data, true);
  }

  /**
   * The first `count` events: as many as the completion's `res` says.
   * @throws {TypeError|RangeError} `count` is not from 0 to `max`
   */
  entries(count: number): Iterable<{ events: number; data: bigint }> {
    checkInteger('count', count, 0, this.max);
    return this.#first(count);
  }

  *#first(count: number): Generator<{ events: number; data: bigint }, void> {
    for (let i = 0; i < count; i++) yield { events: this.events(i), data: this.data(i) };
  }

  #at(i: number): number {
    return checkInteger('i', i, 0, this.max - 1) * EPOLL_EVENT_SIZE;
  }

  /** Not a method: whoever has one could call it. */
  static {
    memoryOf = (events) => {
      if (!isObject(events) || !(#memory in events)) {
        throw wrongType('events', 'an EpollEvents', events);
      }
      return events.#memory;
    };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown('EpollEvents', () => ({ max: this.max }), depth, options, show);
  }
}

/** The memory of an EpollEvents, for the kernel to fill in. @throws {TypeError} `ERR_INVALID_ARG_TYPE` */
export const memoryOfEpollEvents = memoryOf!;
