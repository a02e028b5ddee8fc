/**
 * Which JavaScript runtime this is, as a person would name it: `'node 20.20.2'`. The one place that looks;
 * what a runtime can do is tried where it is needed, not concluded from this.
 */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun) return `bun ${bun}`;
  return deno ? `deno ${deno}` : `node ${node}`;
}
