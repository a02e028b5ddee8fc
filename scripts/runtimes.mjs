// Fetches the newest Node, Bun and Deno from npm into build/runtimes, and runs the tests of the reactor, of the drop-ins and of iouring/register with them.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const { arch } = process;
const folder = 'build/runtimes';
const bun = `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}`;
const packages = [`node-linux-${arch}`, bun, `@deno/linux-${arch}-glibc`];
const show = { stdio: 'inherit' };
execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error', ...packages], show);
const files = ['reactor', 'fs', 'net', 'register'].flatMap((folder) =>
  readdirSync(`build/test/${folder}`).filter((name) => name.endsWith('.test.js')).map((name) => `build/test/${folder}/${name}`),
);
const node = `${folder}/node_modules/node-linux-${arch}/bin/node`;
execFileSync(node, ['--version'], show);
execFileSync(node, ['--test', '--test-concurrency=1', ...files], show);
