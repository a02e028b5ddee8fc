import threads from 'node:worker_threads';
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
   * 0 where something else waits for its turn, immediates for one, but for calls before it polls. An immediate that
   * is running counts as one that waits, until another one is cleared. Like uv_backend_timeout(3).
   */
  timeout(): number;

  /** Have the loop look at the clock: timers that are set now count from now. Like uv_update_time(3). */
  updateTime(): void;

  /** Is there a descriptor that the loop is to watch, and of which it tells the kernel when it polls next? */
  readonly hasUnwatched: boolean;

  /** How often the loop has gone round; it wraps at 2^32. */
  readonly pass: number;

  /** Calls in its passes, where there can be any. */
  readonly phases: Phases | undefined;

  /** Count so many milliseconds, which this thread has slept elsewhere, as time that the loop was idle. */
  addIdleTime(ms: number): void;
}

/**
 * Calls where the loop calls those who wait for a descriptor, and where it tells of what was closed. Nobody catches
 * what they throw, and ticks and microtasks do not run behind them by themselves.
 */
export interface Phases {
  /**
   * Called in each pass from {@link start} on, before the loop polls: immediates that are asked for there come in the
   * same pass, and timers behind them.
   */
  beforePoll: () => void;
  /** The loop does not sleep from now on, and does not end. */
  start(): void;
  stop(): void;
  /** Called once for each {@link close}. */
  closed: () => void;
  /** In this pass, or in the next if it tells of what was closed already: behind immediates, and before timers. */
  close(): void;
}

/**
 * Words of 64 bits in a `uv_loop_t` (uv.h, unix.h): what is behind the part that all systems have, the loop's
 * descriptor, and both ends of the list of those of which it has to tell the kernel. In an empty list they point to
 * themselves.
 */
const LOOP_BACKEND_FD = 8;
const LOOP_WATCHER_QUEUE = 11;
const LOOP_WORDS = 13;

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
  const own = ownFields(koffi, loop, backendFd);
  if (own === undefined) return undefined;
  const [emptyLow, emptyHigh] = new Uint32Array(BigUint64Array.of(BigInt(loop + 8 * LOOP_WATCHER_QUEUE)).buffer);
  // A thread whose loop has handles when it ends ends the process.
  const phases = threads.isMainThread ? phasesOf(koffi, libc, loop) : undefined;
  return {
    backendFd,
    phases,
    timeout() {
      phases?.pause();
      const ms = backendTimeout(loop);
      phases?.resume();
      return ms < 0 ? Infinity : ms;
    },
    updateTime: () => updateTime(loop),
    get hasUnwatched() {
      return own[2 * LOOP_WATCHER_QUEUE] !== emptyLow || own[2 * LOOP_WATCHER_QUEUE + 1] !== emptyHigh;
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

/** The words of the loop itself, if they are proved to be where they are thought to be. */
function ownFields(koffi: typeof Koffi, loop: number, backendFd: number): Uint32Array | undefined {
  const fields = new BigUint64Array(koffi.view(loop, 8 * LOOP_WORDS));
  const [next, previous] = fields.subarray(LOOP_WATCHER_QUEUE);
  const end = BigInt(loop + 8 * LOOP_WATCHER_QUEUE);
  const isList = next % 8n === 0n && previous % 8n === 0n && next !== 0n && (next === end) === (previous === end);
  return isList && Number(fields[LOOP_BACKEND_FD] & 0xff_ff_ff_ffn) === backendFd
    ? new Uint32Array(fields.buffer)
    : undefined;
}

/** Types of handles: `uv_handle_type` in uv.h. */
const UV_IDLE = 6;
const UV_PREPARE = 9;

interface PausablePhases extends Phases {
  /** Have the loop be, for a moment, what it is without calls before it polls. */
  pause(): void;
  resume(): void;
}

function phasesOf(koffi: typeof Koffi, libc: Koffi.LibraryHandle, loop: number): PausablePhases | undefined {
  try {
    return openPhases(koffi, libc, loop);
  } catch {
    // A symbol is not exported.
    return undefined;
  }
}

/**
 * A `uv_prepare_t`, which calls; a `uv_idle_t`, which keeps the loop from sleeping, and calls a function of libuv's
 * that does nothing; and another one, which is made to be closed. They are there for good, and active only while
 * somebody is to be called: when the process ends, and Node runs the loop once more, nobody is, for JavaScript must not
 * be called then.
 */
function openPhases(koffi: typeof Koffi, libc: Koffi.LibraryHandle, loop: number): PausablePhases {
  const func = (name: string, ...more: string[]): (...args: unknown[]) => number =>
    libc.func(name, 'int', ['uintptr_t', ...more]);
  const sizeOf = libc.func('uv_handle_size', 'size_t', ['int']) as (type: number) => number | bigint;
  const malloc = libc.func('malloc', 'uintptr_t', ['size_t']) as (size: number | bigint) => number | bigint;
  const initPrepare = func('uv_prepare_init', 'uintptr_t');
  const initIdle = func('uv_idle_init', 'uintptr_t');
  const startPrepare = func('uv_prepare_start', 'void *');
  const stopPrepare = func('uv_prepare_stop');
  const startIdle = func('uv_idle_start', 'void *');
  const stopIdle = func('uv_idle_stop');
  const close = func('uv_close', 'void *');
  const nothing = libc.symbol('uv_version');
  const callback = koffi.pointer(koffi.proto('void (void *handle)'));
  const beforePoll = koffi.register(() => phases.beforePoll(), callback);
  const closed = koffi.register(() => phases.closed(), callback);
  const [prepare, idle, closing] = [UV_PREPARE, UV_IDLE, UV_IDLE].map((type) => Number(malloc(sizeOf(type))));
  initPrepare(loop, prepare);
  initIdle(loop, idle);
  let isStarted = false;
  const phases: PausablePhases = {
    beforePoll: () => {},
    start() {
      if (isStarted) return;
      isStarted = true;
      startPrepare(prepare, beforePoll);
      startIdle(idle, nothing);
    },
    stop() {
      isStarted = false;
      stopIdle(idle);
      stopPrepare(prepare);
    },
    closed: () => {},
    close() {
      initIdle(loop, closing);
      close(closing, closed);
    },
    pause: () => void (isStarted && stopIdle(idle)),
    resume: () => void (isStarted && startIdle(idle, nothing)),
  };
  return phases;
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
