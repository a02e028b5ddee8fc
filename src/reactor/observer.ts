import { channel } from 'node:diagnostics_channel';
import type * as hooks from 'node:perf_hooks';
import type { RecordableHistogram } from 'node:perf_hooks';
import { builtin } from '../native/builtin.ts';
import { monotonicNow } from '../native/timers.ts';

/** Told of each operation that completed and began when somebody listened: {@link OperationMessage}. */
const operations = channel('iouring:operation');
/** Told of each system call that submitted something: {@link SubmitMessage}. */
const submissions = channel('iouring:submit');

/** The message that subscribers of the channel `iouring:operation` are given. */
export interface OperationMessage {
  /** The method that was called. */
  name: string;
  /** The descriptor it worked on; -1 if there is none. */
  fd: number;
  /** The kernel's answer: as the operation's page says, or `-errno`. */
  res: number;
  /** From the call to the completion. */
  durationMs: number;
}

/** The message that subscribers of the channel `iouring:submit` are given. */
export interface SubmitMessage {
  /** Entries that the kernel took. */
  entries: number;
  /** Operations that are with the kernel now. */
  inFlight: number;
}

/** Tells of what a reactor does: subscribers of channels, and histograms if they were asked for. */
export class Observer {
  readonly histograms: Map<string, RecordableHistogram> | undefined;

  constructor(withHistograms: boolean) {
    this.histograms = withHistograms ? new Map<string, RecordableHistogram>() : undefined;
  }

  /** Does anybody want to know of each operation? */
  get isAttentive(): boolean {
    return this.histograms !== undefined || operations.hasSubscribers;
  }

  /** `start` is 0 of one that began when nobody listened: it is not told of. */
  completed(name: string, fd: number, res: number, start: number): void {
    if (start === 0) return;
    const durationMs = monotonicNow() - start;
    if (this.histograms !== undefined) this.#record(name, durationMs);
    if (!operations.hasSubscribers) return;
    const message: OperationMessage = { name, fd, res, durationMs };
    operations.publish(message);
  }

  submitted(entries: number, inFlight: number): void {
    if (!submissions.hasSubscribers) return;
    const message: SubmitMessage = { entries, inFlight };
    submissions.publish(message);
  }

  #record(name: string, durationMs: number): void {
    const { histograms } = this;
    let histogram = histograms!.get(name);
    if (histogram === undefined) {
      const { createHistogram } = builtin('node:perf_hooks') as typeof hooks;
      histograms!.set(name, histogram = createHistogram());
    }
    histogram.record(Math.max(1, Math.round(durationMs * 1e6)));
  }
}
