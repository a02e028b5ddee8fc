// Fetches the newest Node, Bun and Deno from npm into build/runtimes, and runs the reactor's tests with them.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const { arch } = process;
const folder = 'build/runtimes';
const bun = `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}`;
const packages = [`node-linux-${arch}`, bun, `@deno/linux-${arch}-glibc`];
const show = { stdio: 'inherit' };
execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error', ...packages], show);
const tests = readdirSync('build/test/reactor').filter((name) => name.endsWith('.test.js'));
const files = tests.map((name) => `build/test/reactor/${name}`);
const node = `${folder}/node_modules/node-linux-${arch}/bin/node`;
execFileSync(node, ['--version'], show);
execFileSync(node, ['--test', '--test-concurrency=1', ...files], show);
