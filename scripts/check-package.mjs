/** Packs the package as it would be published, and has publint and attw look at it: its manifest, and what types each way of resolution finds. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(resolve(fileURLToPath(import.meta.url), '../..'));
const folder = 'build/packed';
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const [{ filename }] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { encoding: 'utf8' }),
);
const tarball = join(folder, filename);
const show = { stdio: 'inherit' };
try {
  execFileSync('node_modules/.bin/publint', ['--strict', tarball], show);
  // There is one build, of ES modules, and CommonJS requires it: TypeScript says of that only since 5.8 that it can be.
  execFileSync('node_modules/.bin/attw', [tarball, '--ignore-rules', 'cjs-resolves-to-esm', '--format',
    'table-flipped'], show);
} catch (error) {
  process.exitCode = error.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
