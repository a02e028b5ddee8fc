/** A part of a scenario: some of its cases, and some of its competitors. */
import { type Case, measuredAs, type Scenario } from './scenario.ts';

export interface Part {
  /** Of the cases, as a table shows them: the group, a comma, the name. */
  readonly cases?: RegExp | undefined;
  /** Of the competitors' names. */
  readonly competitors?: RegExp | undefined;
}

/** The scenario with only these; throws where nothing is left. */
export function partOf<C extends Case>(whole: Scenario<C>, ...parts: readonly Part[]): Scenario<C> {
  const cases = whole.cases.filter((test) => parts.every((part) => part.cases?.test(labelOf(test)) ?? true));
  const competitors = whole.competitors.filter(({ name }) =>
    parts.every((part) => part.competitors?.test(name) ?? true)
  );
  if (cases.length === 0 || competitors.length === 0) {
    throw new Error(
      `Cannot measure that part of ${whole.name}: no ${cases.length === 0 ? 'case' : 'competitor'} of it is left`,
    );
  }
  return {
    name: whole.name,
    title: whole.title,
    metrics: whole.metrics,
    cases,
    competitors,
    targets: whole.targets ?? [],
    get notes() {
      return whole.notes;
    },
    ...measuredAs(whole),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

/** A case, as a table shows it. */
export function labelOf({ group, name }: Case): string {
  return group === name ? name : `${group}, ${name}`;
}
