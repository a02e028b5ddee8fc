type Named = { readonly name: string; readonly length: number };

/** Have a function look like the one of Node's that it stands in for. */
export function imitate(ours: Named, { name, length }: Named): void {
  Object.defineProperties(ours, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
}
