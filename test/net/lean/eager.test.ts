// Which way connections of iouring/socket go in each runtime: in Bun and Deno, whose own sockets are the faster ones,
// through the ring with IOURING_EAGER=1 only.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { it } from '../../asking.ts';
import { moduleText, run } from '../../run.ts';

const SOCKET = new URL('../../../src/socket/index.js', import.meta.url).href;
const MESSAGES = 20;

/** An echo of so many messages, one after the other. It says how many completions the kernel has put into its rings. */
const PROGRAM = `
  import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
  import { connect, listen } from ${JSON.stringify(SOCKET)};

  function targetOf(fd) {
    try {
      return readlinkSync('/proc/self/fd/' + fd);
    } catch {
      return 'that of the folder itself';
    }
  }

  const hostname = '127.0.0.1';
  const listener = listen({ hostname, port: 0, socket: { data: (socket, data) => void socket.write(data) } });
  const answers = [];
  await new Promise((resolve, reject) => {
    const data = (socket, bytes) => {
      answers.push(String(bytes));
      if (answers.length < ${MESSAGES}) socket.write('message ' + answers.length);
      else socket.end();
    };
    const open = (socket) => void socket.write('message 0');
    connect({ hostname, port: listener.port, socket: { open, data, close: resolve } }).catch(reject);
  });
  const rings = readdirSync('/proc/self/fd').filter((fd) => targetOf(fd) === 'anon_inode:[io_uring]');
  const counts = rings.map((fd) => /^CqTail:\\s*(\\d+)$/m.exec(readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1]);
  listener.stop();
  console.log(JSON.stringify({ answers, completions: counts.reduce((sum, count) => sum + Number(count), 0) }));
`;

async function echo(eager: '' | '1'): Promise<{ answers: string[]; completions: number }> {
  const env = { ...process.env, IOURING_EAGER: eager };
  const { status, stdout, stderr } = await run(process.execPath, moduleText(PROGRAM), { env });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as { answers: string[]; completions: number };
}

const hasFasterSockets = 'bun' in process.versions || 'deno' in process.versions;
const expected = Array.from({ length: MESSAGES }, (_, i) => `message ${i}`);

describe('an echo over iouring/socket', () => {
  it('given IOURING_EAGER=1, goes through the ring in every runtime', async () => {
    const { answers, completions } = await echo('1');
    assert.deepEqual(answers, expected);
    // Each message arrives at the server, and its answer at the client.
    assert.ok(completions >= 2 * MESSAGES, `${completions}`);
  });

  it('given no IOURING_EAGER, goes through the ring in Node, and through none in Bun and Deno', async () => {
    const { answers, completions } = await echo('');
    assert.deepEqual(answers, expected);
    if (hasFasterSockets) assert.equal(completions, 0);
    else assert.ok(completions >= 2 * MESSAGES, `${completions}`);
  });
});
