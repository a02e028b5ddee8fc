/**
 * Clients of a WebSocket echo, each with one message under way: `--port`, `--connections`. They work when they are told to, as http-load.c
 * does: for each line with a number of seconds, behind a w for a warm-up, they go on for so long, and print what they have done.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { option, printLine } from './measurement.ts';

const connections = Number(option('--connections'));
const MESSAGE = Buffer.alloc(64, 'x');

const sockets = Array.from({ length: connections }, () => new WebSocket(`ws://127.0.0.1:${option('--port')}`));
await Promise.all(sockets.map((socket) => once(socket, 'open')));
/** Of all turns since the last warm-up, in milliseconds. */
let latencies: number[] = [];

async function work(socket: WebSocket, end: number): Promise<void> {
  for (let now = performance.now(); now < end;) {
    socket.send(MESSAGE);
    await once(socket, 'message');
    const then = performance.now();
    latencies.push(then - now);
    now = then;
  }
}

printLine({});
for await (const line of createInterface({ input: process.stdin })) {
  const isWarmup = line.startsWith('w');
  const before = latencies.length;
  const start = performance.now();
  const end = start + 1000 * Number(isWarmup ? line.slice(1) : line);
  await Promise.all(sockets.map((socket) => work(socket, end)));
  const seconds = (performance.now() - start) / 1000;
  const sorted = latencies.toSorted((a, b) => a - b);
  const requests = latencies.length - before;
  const p99Milliseconds = sorted[Math.floor(0.99 * sorted.length)];
  printLine({ seconds, requests, bytes: requests * MESSAGE.length, p99Milliseconds });
  if (isWarmup) latencies = [];
}
for (const socket of sockets) socket.terminate();
