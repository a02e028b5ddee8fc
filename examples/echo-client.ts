// An ordinary node:net client in a thread of its own: sends lines, checks that each comes back.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { port, lines } = workerData as { port: number; lines: string[] };
const socket = connect(port, '127.0.0.1');
const expected = lines.join('');
let received = '';

socket.setEncoding('utf8').setNoDelay(true);
socket.on('data', (text) => {
  received += text;
  // One line at a time: each is an arrival of its own at the server.
  const answered = received.split('\n').length - 1;
  if (answered < lines.length) socket.write(lines[answered]);
  else socket.end();
});
socket.on('close', () => parentPort!.postMessage({ ok: received === expected, bytes: received.length }));
socket.write(lines[0]);
