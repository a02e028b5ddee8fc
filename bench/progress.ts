/** Tells how far a scenario is: a bar on a terminal, now and then a line elsewhere. */
import { Presets, SingleBar } from 'cli-progress';

export class Progress {
  readonly #bar = new SingleBar(
    {
      format: '{scenario} {bar} {value}/{total}, {eta_formatted} left  {doing}',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      noTTYOutput: true,
      notTTYSchedule: 15_000,
    },
    Presets.shades_classic,
  );

  begin(scenario: string, steps: number): void {
    this.#bar.start(steps, 0, { scenario, doing: '' });
  }

  step(doing: string): void {
    this.#bar.increment({ doing });
  }

  end(): void {
    this.#bar.stop();
  }
}
