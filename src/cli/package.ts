import { readFileSync } from 'node:fs';

// The command line is one file, dist/cli/main.js, and addresses are counted from there.

const { require_module: requiresModules } = process.features as { require_module?: boolean };

/** The URL of `iouring/register`: what package.json says for this version of Node. */
export const REGISTER =
  new URL(requiresModules ? '../register/index.js' : '../register/eager.js', import.meta.url).href;

/** The version of this package. */
export function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
