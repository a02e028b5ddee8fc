// The example of a server on many cores: what its threads answer together is right, and nothing is left when it ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { it } from 'node:test';
import { Peer } from '../net/clients/peer.ts';
import { randomOf, SEED } from '../reactor/random.ts';

const PROGRAM = new URL('../../examples/many-cores.js', import.meta.url).pathname;
const THREADS = 3;
const CLIENTS = 40;
const QUESTIONS = 500;
const COUNTERS = 20;

/** Sockets that a process has open. */
function sockets(pid: number): number {
  const names = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return names.filter((name) => name.startsWith('socket:')).length;
}

/** The lines that a client gets. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  for await (const data of socket) {
    const lines = (rest + String(data)).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  assert.equal(rest, '');
}

it(`counters over ${THREADS} threads: each value is given once, in order, IOURING_SEED=${SEED}`, async () => {
  const random = randomOf(SEED);
  await using server = new Peer(process.execPath, [PROGRAM, '--port', '0', '--threads', String(THREADS)]);
  const port = Number((await server.line(/^listening on (\d+)$/))[1]);
  const { pid } = server.child;
  const before = sockets(pid!);
  const given = new Map<number, number[]>();
  const clients = Array.from({ length: CLIENTS }, async () => {
    const asked = Array.from({ length: QUESTIONS }, () => random(COUNTERS));
    const socket = connect(port, '127.0.0.1');
    socket.end(`${asked.join('\n')}\nwhat\n`);
    const answers: string[] = [];
    for await (const line of linesOf(socket)) answers.push(line);
    assert.equal(answers.pop(), 'no counter');
    assert.equal(answers.length, QUESTIONS);
    for (let counter = 0; counter < COUNTERS; counter++) {
      const mine = answers.flatMap((answer, i) => (asked[i] === counter ? [Number(answer)] : []));
      assert.ok(mine.every((value, i) => i === 0 || value > mine[i - 1]), 'a counter only grows');
      given.set(counter, [...(given.get(counter) ?? []), ...mine]);
    }
  });
  await Promise.all(clients);
  for (const values of given.values()) {
    assert.deepEqual(values.sort((a, b) => a - b), Array.from(values, (_, i) => i + 1));
  }
  while (sockets(pid!) > before) await new Promise((resolve) => void setImmediate(resolve));

  // Somebody is there when it ends: he gets his answers, and the end.
  const last = connect(port, '127.0.0.1');
  await once(last, 'connect');
  last.write('0\n1\n2\n');
  const answers = linesOf(last);
  const [first] = [(await answers.next()).value];
  const ended = server.end('SIGTERM');
  const rest = [];
  for await (const line of answers) rest.push(line);
  assert.deepEqual([first, ...rest], [0, 1, 2].map((counter) => String(given.get(counter)!.length + 1)));
  assert.equal(await ended, 0);

  const report = /^thread \d: (\d+) connections, (\d+) questions, (\d+) to others$/;
  const rows = server.output.split('\n').slice(1).map((line) => report.exec(line)!.slice(1).map(Number));
  const sum = (column: number): number => rows.reduce((total, row) => total + row[column], 0);
  assert.equal(rows.length, THREADS);
  assert.deepEqual([sum(0), sum(1)], [CLIENTS + 1, CLIENTS * QUESTIONS + 3]);
  assert.ok(rows.filter(([connections]) => connections > 0).length >= 2, 'the kernel spread them');
  assert.ok(sum(2) > sum(1) / 2, 'most belong to another thread');
});
