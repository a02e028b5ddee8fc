import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// The command line is one file, dist/cli/main.js, and addresses are counted from there.

const { require_module: requiresModules } = process.features as { require_module?: boolean };

/** The option of Node that loads `iouring/register` ahead of a program, and the path or URL that it is given. */
export interface Entry {
  readonly option: '--require' | '--import';
  readonly place: string;
}

/**
 * The words of NODE_OPTIONS by which `iouring/register` comes into a program. A bare name would be looked for from the
 * folder of each process that inherits the variable. With --import a CommonJS program begins later than alone on
 * Node 20, and on 22 before 22.18, and loses messages that its parent sends meanwhile.
 */
export const REGISTER: Entry = requiresModules
  ? { option: '--require', place: fileURLToPath(new URL('../register/preload.cjs', import.meta.url)) }
  : { option: '--import', place: new URL('../register/eager.js', import.meta.url).href };

/** The version of this package. */
export function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
