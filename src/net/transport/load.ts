import { performance } from 'node:perf_hooks';
import { monotonicNow } from '../../native/timers.ts';

const { IOURING_EAGER } = process.env;

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
   * So many measurements on each way are compared, by the best of them: what disturbs them makes them worse. With 0
   * nothing is tried: the ring carries the sockets where there are messages enough, as IOURING_EAGER=load asks for.
   */
  measurements: IOURING_EAGER === 'load' ? 0 : 6,
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

/** What a load is measured by. */
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
/** What is to be measured waits so long for sockets to change ways, until nearly all messages go the one that is meant. */
const CHANGE_MS = 3000;
const NEARLY_ALL = 0.9;
const NEARLY_NONE = 0.1;
/** Fewer that go through the ring by then show nothing. */
const ENOUGH = 0.3;
/** A verdict holds for no longer. */
const HOLDS_MAX_MS = 3_600_000;

/**
 * What is known of the ring, for a load like this. Nothing: Node carries the sockets, and what that costs is measured.
 * `trial`: the ring does. `proof`: Node does once more, for a program becomes faster as it runs, and a machine slower.
 * Then one of the two does until the verdict is too old.
 */
type Phase = 'unknown' | 'trial' | 'proof' | 'ring' | 'node';

/**
 * Whether the ring pays. A system call that serves many messages is what it saves, and where there are few in a turn of
 * the event loop, what it does beside them costs more than that. Where there are many it depends: on the processor, on
 * what a system call costs there, on whether peers have to be woken, on what else is done for a message. So it is tried,
 * and the CPU time of a message decides.
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
  /** When the phase began. */
  #since = 0;
  /** CPU time of a message, as measured in this phase, and before it, by the ring and by Node. */
  #costs: number[] = [];
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

  /** What a message has cost when the ring was tried last, in microseconds of CPU time; undefined if it never was. */
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
    } else if (this.#phase === 'trial' || this.#phase === 'proof') {
      this.#begin('unknown', now);
    }
    this.#turns = turns;
    this.#cpu = cpu;
    this.#began = now;
    this.#messages = this.#byRing = 0;
  }

  /** Go on to the next phase, after a measurement: what a message has cost, and how many of them went by the ring. */
  #judge(now: number, cost: number, share: number): void {
    const { pays, measurements } = this.#limits;
    if (measurements === 0) return;
    const isLate = now - this.#since > CHANGE_MS;
    const isNode = share <= NEARLY_NONE || isLate;
    switch (this.#phase) {
      case 'unknown':
        if (this.#perTurn < pays) this.#costs = [];
        // The first half of them warms up.
        else if (isNode && this.#measured(cost) === 2 * measurements) {
          this.#nodeCost = Math.min(...this.#costs.slice(measurements));
          this.#begin('trial', now);
        }
        break;
      case 'trial':
        if (isLate && share < ENOUGH) this.#decide('node', now);
        else if ((share >= NEARLY_ALL || isLate) && this.#measured(cost) === measurements) {
          this.#ringCost = Math.min(...this.#costs);
          this.#begin('proof', now);
        }
        break;
      case 'proof':
        if (isNode && this.#measured(cost) === measurements) {
          this.#nodeCost = (this.#nodeCost + Math.min(...this.#costs)) / 2;
          const saved = 1 - this.#ringCost / this.#nodeCost;
          this.#decide(saved >= this.#limits.saves ? 'ring' : 'node', now);
        }
        break;
      case 'ring':
      case 'node':
        if (now - this.#since > this.#holds) this.#begin('unknown', now);
    }
  }

  /** How many measurements there are in this phase, with one more. */
  #measured(cost: number): number {
    return this.#costs.push(cost);
  }

  #decide(verdict: 'ring' | 'node', now: number): void {
    const { holds } = this.#limits;
    this.#holds = this.#verdict === verdict ? Math.min(4 * this.#holds, HOLDS_MAX_MS) : holds;
    this.#verdict = verdict;
    this.#begin(verdict, now);
  }

  #begin(phase: Phase, now: number): void {
    this.#phase = phase;
    this.#since = now;
    this.#costs = [];
    this.epoch++;
  }

  /** As measured last. */
  get #current(): number {
    return this.#gauges.now() - this.#measuredAt < HOLDS_MS ? this.#perTurn : 0;
  }

  /** Is the ring to carry sockets, to see whether it pays or because it does? */
  get #isForRing(): boolean {
    return this.#phase === 'ring' || this.#phase === 'trial' || this.#limits.measurements === 0;
  }

  /** Is a socket to be put on the ring? */
  get isWorthTaking(): boolean {
    return this.#isForRing && (this.#phase === 'trial' || this.#current >= this.#limits.pays);
  }

  /** Is one to be kept there? */
  get isWorthKeeping(): boolean {
    return this.#isForRing && (this.#phase === 'trial' || this.#current >= this.#limits.costs);
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
    // It was not for what the socket does.
    if (!this.#isForRing) return period;
    return Math.min(period * this.#limits.patience, this.#limits.longest);
  }
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
