/** The same program with and without `iouring/register`, which has to print the same. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Report } from '../../src/register/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { environment, REGISTER } from './flagged.ts';

interface Options {
  /** The main process does not use the ring. */
  isIdle?: boolean;
  /** The program registers by itself, when it has loaded something else. */
  isLate?: boolean;
  flags?: string[];
  /** What the program is told by its environment. */
  env?: () => Record<string, string>;
  /** Why it cannot be tested here. */
  skip?: string | false;
}

/** Run a program with everything through the ring that can be, or nothing. */
async function outcome(
  file: string,
  isFlagged: boolean,
  { flags = [], isLate = false, env: own }: Options,
): Promise<{ status: number; stdout: string; stderr: string }> {
  // Workers and children have it by the environment as well.
  const way = isLate ? { REGISTER } : { NODE_OPTIONS: `--import=${REGISTER}` };
  const env = environment({ ...own?.(), ...(isFlagged && { IOURING: 'http,net', IOURING_REPORT: 'json', ...way }) });
  return run(process.execPath, [...flags, file], { env });
}

/** It prints the same with and without the flag; with it, the main process has used the ring unless `isIdle`. */
export function alike(title: string, text: string, options: Options = {}): void {
  it(title, { timeout: 120_000, skip: options.skip ?? false }, async () => {
    // In this folder it finds the packages that are installed here.
    using folder = new Temporary(new URL('.', import.meta.url).pathname);
    const file = folder.file('program.mjs', PRELUDE + text);
    const [plain, flagged] = await Promise.all([outcome(file, false, options), outcome(file, true, options)]);
    assert.ok(plain.stdout.length > 0, plain.stderr);
    assert.deepEqual([flagged.status, flagged.stdout], [plain.status, plain.stdout], flagged.stderr);
    const reports = flagged.stderr.trim().split('\n').filter((line) => line.startsWith('{')).map((line) =>
      JSON.parse(line) as Report
    );
    assert.ok(options.isIdle === true || reports.some(({ operations }) => operations > 0), flagged.stderr);
  });
}

const PRELUDE = `
  import cluster from 'node:cluster';
  import { once } from 'node:events';
  import http from 'node:http';
  import net from 'node:net';
  const listening = async (server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server.address().port;
  };
  const get = (port, options) => new Promise((done, failed) => {
    http.get({ host: '127.0.0.1', port, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (data) => (text += data)).on('end', () => done(text));
    }).on('error', failed);
  });
`;
