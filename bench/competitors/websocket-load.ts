/** Clients of a WebSocket echo, each with one message under way: `--port`, `--connections`, `--seconds`. It prints what they have done. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { option, printLine } from './measurement.ts';

const connections = Number(option('--connections'));
const seconds = Number(option('--seconds'));
const MESSAGE = Buffer.alloc(64, 'x');

const sockets = Array.from({ length: connections }, () => new WebSocket(`ws://127.0.0.1:${option('--port')}`));
await Promise.all(sockets.map((socket) => once(socket, 'open')));
const latencies: number[] = [];
const start = performance.now();
const work = async (socket: WebSocket): Promise<void> => {
  for (let now = start; now - start < 1000 * seconds;) {
    socket.send(MESSAGE);
    await once(socket, 'message');
    const then = performance.now();
    latencies.push(then - now);
    now = then;
  }
};
await Promise.all(sockets.map(work));
const took = (performance.now() - start) / 1000;
const sorted = latencies.sort((a, b) => a - b);
printLine({ seconds: took, messages: sorted.length, p99Milliseconds: sorted[Math.floor(0.99 * sorted.length)] });
for (const socket of sockets) socket.terminate();
