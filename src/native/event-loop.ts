import type * as Koffi from 'koffi';
import { hasUvLoop } from './runtime.ts';

/** This thread's event loop, for code that sleeps in its place. */
export interface EventLoop {
  /**
   * The epoll descriptor that the loop sleeps on: readable when the loop has an event to handle. Timers do not show
   * there.
   */
  readonly backendFd: number;

  /**
   * Milliseconds that the loop would sleep if it went to sleep now: up to the next timer, or Infinity if there is none;
   * 0 where something else waits for its turn, immediates for one. An immediate that is running counts as one that
   * waits, until another one is cleared. Like uv_backend_timeout(3).
   */
  timeout(): number;

  /** Have the loop look at the clock: timers that are set now count from now. Like uv_update_time(3). */
  updateTime(): void;

  /** How many events the loop has handled; it wraps at 2^32. */
  readonly events: number;

  /** How often the loop has gone round; it wraps likewise. */
  readonly pass: number;

  /** Count so many milliseconds, which this thread has slept elsewhere, as time that the loop was idle. */
  addIdleTime(ms: number): void;
}

/** Where libuv keeps what uv_metrics_info(3) and uv_metrics_idle_time(3) tell, in words of 64 bits. */
const LOOP_INTERNAL_FIELDS = 5;
const FIELDS_METRICS = 1;
const FIELDS_ENTRY_TIME = 17;
const FIELDS_IDLE_TIME = 18;
const FIELDS_WORDS = 19;

/** uv_metrics_info(3) came with this version, and the fields lie so since then. */
const UV_VERSION_MIN = 0x01_2d_00;
const UV_VERSION_END = 0x02_00_00;

/** Marks the idle time in the experiment: 2^40 nanoseconds, eighteen minutes. */
const MARK = 2n ** 40n;

/**
 * The loop of this thread, or undefined where it is not libuv's, does not tell what has to be known, or does not count
 * time as idle that was slept elsewhere.
 *
 * That last thing leans on how libuv lays out its own memory, for it has no call for it:
 * `performance.eventLoopUtilization()`, by which servers shed load, reads uv_metrics_idle_time(3), and would take a
 * thread that sleeps in io_uring_enter(2) for a busy one. So the place is proved before it is used: the counters next
 * to it must be those that uv_metrics_info(3) tells, and a mark that is written there must be what
 * uv_metrics_idle_time(3) answers. Elsewhere nothing is written. Watched by test/reactor/idle-time.test.ts.
 */
export function uvEventLoop(koffi: typeof Koffi, libc: Koffi.LibraryHandle): EventLoop | undefined {
  if (!hasUvLoop()) return undefined;
  try {
    return open(koffi, libc);
  } catch {
    // A symbol is not exported.
    return undefined;
  }
}

function open(koffi: typeof Koffi, libc: Koffi.LibraryHandle): EventLoop | undefined {
  const version = (libc.func('uv_version', 'uint', []) as () => number)();
  if (version < UV_VERSION_MIN || version >= UV_VERSION_END) return undefined;
  const getLoop = libc.func('napi_get_uv_event_loop', 'int', ['void *', 'void *']);
  const found = new BigUint64Array(1);
  if (getLoop(koffi.node.env, found) !== 0 || found[0] === 0n) return undefined;
  const loop = Number(found[0]);
  const backendTimeout = libc.func('uv_backend_timeout', 'int', ['uintptr_t']) as (loop: number) => number;
  const updateTime = libc.func('uv_update_time', 'void', ['uintptr_t']) as (loop: number) => void;
  const backendFd = (libc.func('uv_backend_fd', 'int', ['uintptr_t']) as (loop: number) => number)(loop);
  const fields = backendFd < 0 ? undefined : findFields(koffi, libc, loop);
  if (fields === undefined) return undefined;
  const words = new Uint32Array(fields.buffer);
  return {
    backendFd,
    timeout() {
      const ms = backendTimeout(loop);
      return ms < 0 ? Infinity : ms;
    },
    updateTime: () => updateTime(loop),
    get events() {
      return words[2 * (FIELDS_METRICS + 1)];
    },
    get pass() {
      return words[2 * FIELDS_METRICS];
    },
    addIdleTime(ms) {
      const low = words[2 * FIELDS_IDLE_TIME] + Math.round(ms * 1e6);
      // Other threads may read it (`worker.performance`), and must not see one half that was written and one that was
      // not.
      if (low < 2 ** 32) words[2 * FIELDS_IDLE_TIME] = low;
      else fields[FIELDS_IDLE_TIME] += BigInt(Math.round(ms * 1e6));
    },
  };
}

/** The fields, if they are proved to be where they are thought to be. */
function findFields(koffi: typeof Koffi, libc: Koffi.LibraryHandle, loop: number): BigUint64Array | undefined {
  const idleTime = libc.func('uv_metrics_idle_time', 'uint64', ['uintptr_t']) as (loop: number) => number | bigint;
  const getInfo = libc.func('uv_metrics_info', 'int', ['uintptr_t', 'void *']);
  const address = new BigUint64Array(koffi.view(loop, 8 * (LOOP_INTERNAL_FIELDS + 1)))[LOOP_INTERNAL_FIELDS];
  if (address === 0n || address % 8n !== 0n) return undefined;
  const info = new BigUint64Array(FIELDS_ENTRY_TIME - FIELDS_METRICS);
  if (getInfo(loop, info) !== 0) return undefined;
  const fields = new BigUint64Array(koffi.view(Number(address), 8 * FIELDS_WORDS));
  const isInfo = info.every((word, i) => word === fields[FIELDS_METRICS + i]);
  const idle = BigInt(idleTime(loop));
  if (!isInfo || fields[FIELDS_ENTRY_TIME] !== 0n || fields[FIELDS_IDLE_TIME] !== idle) return undefined;
  fields[FIELDS_IDLE_TIME] = idle + MARK;
  const isFound = BigInt(idleTime(loop)) === idle + MARK;
  fields[FIELDS_IDLE_TIME] = idle;
  return isFound ? fields : undefined;
}
