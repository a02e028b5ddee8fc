/** Scenario: `iouring serve` of files in the page cache, beside nginx. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServer, type Installed, noCommand, notBuilt } from './contenders.ts';
import { CPU, httpLoad, notesOnCores, P99, RATE } from './http-load.ts';
import { freePort } from './launcher.ts';
import { inProject } from './project.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';

interface FileCase extends Case {
  readonly bytes: number;
  /** Where to listen; a measurement chooses it. */
  readonly port: number;
}

const KIBIBYTE = 1024;
const CONNECTIONS = 64;

export async function staticFiles(context: Context): Promise<Scenario<FileCase>> {
  const { launcher } = context;
  const folder = mkdtempSync(join(tmpdir(), 'iouring-bench-'));
  const cases = [1, 100].map((kibibytes) => {
    const bytes = kibibytes * KIBIBYTE;
    writeFileSync(join(folder, `${bytes}.txt`), 'x'.repeat(bytes));
    return { group: 'static', name: `${kibibytes} KiB`, bytes, port: 0 };
  });
  const nginx = await findServer(launcher, 'nginx', '-v', 'nginx-light');
  const load = await httpLoad(context);
  const competitors: Competitor<FileCase>[] = [
    serve(folder),
    byNginx(nginx, '', folder, ''),
    byNginx(nginx, ', open_file_cache', folder, 'open_file_cache max=1000;'),
  ];
  return {
    name: 'static',
    title: `Static files, ${CONNECTIONS} connections`,
    metrics: [CPU, { ...RATE, inReadme: true }, { ...P99, inReadme: true }],
    cases,
    competitors: load.loaded(competitors),
    notes: notesOnCores(context),
    async enter(competitor, test) {
      const port = await freePort();
      const server = await launcher.serveOn(port, competitor.command({ ...test, port }));
      return load.enter(server, { connections: CONNECTIONS, path: `/${test.bytes}.txt`, bodyBytes: test.bytes });
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function serve(folder: string): Competitor<FileCase> {
  const main = inProject('dist', 'cli', 'main.js');
  return {
    name: 'iouring serve',
    missing: notBuilt('dist', 'cli', 'serve.js'),
    command: ({ port }) => ({
      file: process.execPath,
      args: [main, 'serve', folder, '--host', '127.0.0.1', '--port', `${port}`, '--no-log'],
    }),
  };
}

/**
 * nginx with what it is praised for: sendfile, whole packets. One process without a master, so that it is the worker that is
 * measured, and ended.
 */
function byNginx(server: Installed, suffix: string, folder: string, more: string): Competitor<FileCase> {
  const name = `${server.name}${suffix}`;
  if ('missing' in server) {
    return { name, missing: server.missing, command: noCommand };
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return {
    name,
    command({ port }) {
      const configuration = join(folder, `nginx-${port}.conf`);
      writeFileSync(
        configuration,
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
        events { worker_connections 1024; }
        http {
          access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type text/plain; ${more}
          ${temporary.map((of) => `${of}_temp_path ${folder}/${of};`).join(' ')}
          server { listen 127.0.0.1:${port} backlog=1024; root ${folder}; }
        }`,
      );
      return { file: server.file, args: ['-c', configuration, '-p', folder] };
    },
  };
}
