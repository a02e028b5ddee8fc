import { performance } from 'node:perf_hooks';
import { monotonicNow } from '../../native/timers.ts';

const { IOURING_EAGER, IOURING_TRIAL } = process.env;

/** Is every socket to be ours from its first byte on, whether that pays or not? */
export const isEager: boolean = IOURING_EAGER === '1';

/** How sockets of all kinds change between Node and the ring. */
export const CHANGING = {
  /** A socket that was given back is not looked at for so many times as many messages as before. */
  patience: 4,
  /** So many it is left alone at most. */
  longest: 65_536,
  /**
   * A measurement takes so long: to change ways costs as much as some hundred messages save, and a burst is over before
   * that.
   */
  milliseconds: 100,
  /** Milliseconds between two sockets that are taken: many at once would keep the others waiting. */
  pause: 1,
  /**
   * So often the ring is compared with Node, before and behind it. With 0 nothing is tried: the ring carries the
   * sockets where there are messages enough. It is tried where IOURING_TRIAL asks for it: a program that had used
   * both ways was up to a tenth slower on Node's than one that never did.
   */
  comparisons: IOURING_TRIAL === '1' ? 5 : 0,
  /** The share of the CPU time that the ring has to save. */
  saves: 0.03,
  /** A verdict holds for so many milliseconds, and for four times as many as before when it is the same again. */
  holds: 30_000,
};

/** When the ring pays for sockets of one kind; may change. */
export interface Limits extends Readonly<typeof CHANGING> {
  /** Messages in a turn of the event loop, of all sockets of the kind, from which on it is worth a trial. */
  readonly pays: number;
  /** Where there are fewer than these the ring costs more. Between the two a socket stays what it is. */
  readonly costs: number;
}

/** The gauges that a load is measured by. */
export interface Gauges {
  /** Milliseconds. */
  now(): number;
  /** Turns that the event loop of this thread has made. */
  turns(): number;
  /** CPU time so far. */
  cpuMicroseconds(): number;
}

/** Counts between two looks at the clock. */
const WINDOW = 256;
/** After so many milliseconds without another one a measurement says nothing any more. */
const HOLDS_MS = 2000;
/** A leg of a trial waits so long for sockets to change ways, until nearly all messages go the one that is meant. */
const CHANGE_MS = 10_000;
const NEARLY_ALL = 0.9;
const NEARLY_NONE = 0.1;
/** Fewer that go through the ring by then show nothing. */
const ENOUGH = 0.3;
/** A verdict holds for no longer. */
const HOLDS_MAX_MS = 3_600_000;

/** Measurements that are thrown away before a trial: a program becomes faster as it begins to run. */
const WARMUP = 8;
/** Comparisons that are thrown away: what the ring needs is loaded and compiled meanwhile. */
const COLD = 2;
/** Measurements on each leg of a trial, of which the best one counts: what disturbs them makes them worse. */
const ON_A_LEG = 2;

/**
 * The state of what is known of the ring, for a load like this. `unknown`: Node carries the sockets. `trial`: Node and
 * the ring do, in turns. Then one of the two does until the verdict is too old.
 */
type Phase = 'unknown' | 'trial' | 'ring' | 'node';

/**
 * The messages of a kind of socket, and whether the ring pays for them. It saves system calls, by one that serves many,
 * and where there are few in a turn of the event loop, what it does beside them costs more than that. Where there are
 * many it depends: on the processor, on what a system call costs there, on whether peers have to be woken, on what else
 * is done for a message. So it can be tried, and the CPU time of a message decides.
 */
export class Load {
  /** Grows whenever sockets may have to change ways. */
  epoch = 0;
  readonly #limits: Limits;
  readonly #gauges: Gauges;
  #counts = 0;
  #messages = 0;
  #byRing = 0;
  #turns = 0;
  #cpu = 0;
  #began = 0;
  #perTurn = 0;
  #measuredAt = 0;
  #tookAt = 0;
  #phase: Phase = 'unknown';
  /** When the phase began, or the leg of a trial. */
  #since = 0;
  /** Measurements in it so far, and the best one. */
  #measured = 0;
  #best = Number.POSITIVE_INFINITY;
  /** CPU time of a message on each leg of a trial: Node, the ring, Node, and so on. */
  #legs: number[] = [];
  #ringCost = 0;
  #nodeCost = 0;
  /** How long the verdict holds, and which it was. */
  #holds = 0;
  #verdict: 'ring' | 'node' | undefined;

  /** @param gauges are those of this thread, but in tests */
  constructor(limits: Limits, gauges: Gauges = GAUGES) {
    this.#limits = limits;
    this.#gauges = gauges;
  }

  /** Costs of a message when the ring was tried last, in microseconds of CPU time; undefined if it never was. */
  get trial(): { readonly byRing: number; readonly byNode: number } | undefined {
    return this.#verdict && { byRing: this.#ringCost, byNode: this.#nodeCost };
  }

  /** Something came, or went, by the ring or by Node: a message, or more of the one before. */
  count(isMessage: boolean, byRing: boolean): void {
    if (isMessage) {
      this.#messages++;
      if (byRing) this.#byRing++;
    }
    if (++this.#counts === WINDOW) this.#measure();
  }

  #measure(): void {
    const now = this.#gauges.now();
    this.#counts = 0;
    if (now - this.#began < this.#limits.milliseconds) return;
    const turns = this.#gauges.turns();
    const cpu = this.#gauges.cpuMicroseconds();
    // The first one only begins; so does one that comes after a time in which little was counted.
    const isFresh = now - this.#began < HOLDS_MS;
    if (isFresh) {
      const messages = Math.max(1, this.#messages);
      this.#perTurn = messages / Math.max(1, turns - this.#turns);
      this.#measuredAt = now;
      this.#judge(now, (cpu - this.#cpu) / messages, this.#byRing / messages);
    } else if (this.#phase === 'trial') {
      this.#begin('unknown', now);
    }
    this.#turns = turns;
    this.#cpu = cpu;
    this.#began = now;
    this.#messages = this.#byRing = 0;
  }

  /** Go on, after a measurement: what a message has cost, and how many of them went through the ring. */
  #judge(now: number, cost: number, share: number): void {
    const { pays, comparisons } = this.#limits;
    if (comparisons === 0) return;
    if (this.#phase === 'unknown') {
      if (this.#perTurn < pays) this.#measured = 0;
      else if (++this.#measured === WARMUP) this.#begin('trial', now);
    } else if (this.#phase === 'trial') {
      this.#try(now, cost, share);
    } else if (now - this.#since > this.#holds) {
      this.#begin('unknown', now);
    }
  }

  /** Another measurement of a trial. */
  #try(now: number, cost: number, share: number): void {
    const isLate = now - this.#since > CHANGE_MS;
    const isRing = this.#isLegOfRing;
    if (isLate && isRing && share < ENOUGH) return this.#decide('node', now);
    if (!isLate && (isRing ? share < NEARLY_ALL : share > NEARLY_NONE)) return;
    this.#best = Math.min(this.#best, cost);
    if (++this.#measured < ON_A_LEG) return;
    const legs = this.#legs;
    legs.push(this.#best);
    if (legs.length <= 2 * (COLD + this.#limits.comparisons)) return this.#leg(now);
    legs.splice(0, 2 * COLD);
    const ratios = legs.flatMap((ring, i) => (i % 2 === 1 ? [2 * ring / (legs[i - 1] + legs[i + 1])] : []));
    this.#ringCost = median(legs.filter((_, i) => i % 2 === 1));
    this.#nodeCost = median(legs.filter((_, i) => i % 2 === 0));
    this.#decide(median(ratios) <= 1 - this.#limits.saves ? 'ring' : 'node', now);
  }

  get #isLegOfRing(): boolean {
    return this.#phase === 'trial' && this.#legs.length % 2 === 1;
  }

  #decide(verdict: 'ring' | 'node', now: number): void {
    const { holds } = this.#limits;
    this.#holds = this.#verdict === verdict ? Math.min(4 * this.#holds, HOLDS_MAX_MS) : holds;
    this.#verdict = verdict;
    this.#begin(verdict, now);
  }

  #begin(phase: Phase, now: number): void {
    this.#phase = phase;
    this.#legs = [];
    this.#leg(now);
  }

  /** Sockets may have to change ways, and are measured anew. */
  #leg(now: number): void {
    this.epoch++;
    this.#since = now;
    this.#measured = 0;
    this.#best = Number.POSITIVE_INFINITY;
  }

  /** As measured last. */
  get #current(): number {
    return this.#gauges.now() - this.#measuredAt < HOLDS_MS ? this.#perTurn : 0;
  }

  /** Is a socket to be put on the ring? */
  get isWorthTaking(): boolean {
    return this.#isLegOfRing || (this.#isForRing && this.#current >= this.#limits.pays);
  }

  /** Is one to be kept there? */
  get isWorthKeeping(): boolean {
    return this.#isLegOfRing || (this.#isForRing && this.#current >= this.#limits.costs);
  }

  get #isForRing(): boolean {
    return this.#phase === 'ring' || this.#limits.comparisons === 0;
  }

  /** May one be taken now? Then it is to be. */
  takesTurn(): boolean {
    const now = this.#gauges.now();
    if (now - this.#tookAt < this.#limits.pause) return false;
    this.#tookAt = now;
    return true;
  }

  /** Messages until the next look at a socket that is given back, after so many until this one. */
  nextPeriod(period: number): number {
    // In a trial, or after it, that is not for what the socket does.
    if (!this.#isForRing) return period;
    return Math.min(period * this.#limits.patience, this.#limits.longest);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

interface LoopTiming {
  /** From version 20.18 on. */
  readonly uvMetricsInfo?: { readonly loopCount: number };
}

const { nodeTiming } = performance as unknown as { nodeTiming: LoopTiming };

/** Does this version of Node count the turns of its loop? Where it does not, nothing shows that the ring pays. */
export function showsTurns(): boolean {
  return nodeTiming.uvMetricsInfo !== undefined;
}

/** Newer versions tell the CPU time of a thread; of older ones that of the process has to do. */
const { threadCpuUsage, cpuUsage } = process as NodeJS.Process & { readonly threadCpuUsage?: typeof process.cpuUsage };

const GAUGES: Gauges = {
  now: monotonicNow,
  turns: () => nodeTiming.uvMetricsInfo?.loopCount ?? Number.POSITIVE_INFINITY,
  cpuMicroseconds() {
    const { user, system } = (threadCpuUsage ?? cpuUsage)();
    return user + system;
  },
};
