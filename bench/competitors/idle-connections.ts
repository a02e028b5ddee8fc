/**
 * `--connections` connections that say nothing, of both ends in one process; `--how` reactor, listen (of iouring/net), or the module whose
 * createServer it is, node:net or iouring/net: the bytes of resident memory that each one takes at the server's end. The clients are
 * a child process's.
 */
import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import type { Reactor } from 'iouring';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from 'iouring/abi';
import { option, printLine } from './measurement.ts';

/** Those that come before the counting begins: with them comes what all have in common. */
const FIRST = 1000;
const wanted = Number(option('--connections'));
const how = option('--how');
let connections = 0;
let before = 0;

/** Node itself, of the clients: as many sockets as asked for, until it is killed. */
const CLIENTS = `
const { connect } = require('node:net');
const [port, wanted] = process.argv.slice(1).map(Number);
let open = 0;
function next() {
  if (open++ === wanted) return;
  // More connections to one port than there are ports come from several addresses.
  connect({ port, host: '127.0.0.1', localAddress: '127.0.0.' + (1 + open % 8) }, next).on('error', () => process.exit(1));
}
for (let i = 0; i < 16; i++) next();
`;

/** Resident memory when the garbage is collected. */
function resident(): number {
  globalThis.gc!();
  globalThis.gc!();
  return process.memoryUsage.rss();
}

let finish: () => void;
const finished = new Promise<void>((resolve) => (finish = resolve));

function connected(): void {
  connections++;
  if (connections === FIRST) before = resident();
  if (connections === wanted) finish();
}

if (how === 'reactor') {
  void accept();
} else if (how === 'listen') {
  const { lean } = await import('./lean.ts');
  const listener = lean.listen({
    hostname: '127.0.0.1',
    backlog: 1024,
    socket: { open: connected, data: (socket, chunk) => void socket.write(chunk) },
  });
  load(listener.port!);
} else {
  const { createServer } = (await import(how)) as typeof import('node:net');
  const server = createServer((socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
    connected();
  });
  server.listen(0, '127.0.0.1', 1024, () => load((server.address() as AddressInfo).port));
}

async function accept(): Promise<void> {
  const { Reactor } = await import('iouring');
  const io = new Reactor();
  const listener = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  await io.bind(listener, { address: '127.0.0.1', port: 0 });
  await io.listen(listener, 1024);
  load((io.getsockname(listener) as AddressInfo).port);
  for await (const connection of io.acceptMany(listener)) {
    void echo(io, connection);
    connected();
  }
}

async function echo(io: Reactor, fd: number): Promise<void> {
  for await (const chunk of io.recvMany(fd)) {
    await io.send(fd, chunk.bytes);
  }
}

function load(port: number): void {
  const clients = spawn(process.execPath, ['-e', CLIENTS, `${port}`, `${wanted}`], { stdio: 'inherit' });
  clients.once('exit', () => process.exit(1));
  void finished.then(async () => {
    // Let what was accepted last be armed.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const bytes = (resident() - before) / (wanted - FIRST);
    clients.removeAllListeners('exit');
    clients.kill('SIGKILL');
    printLine({ bytes });
    process.exit();
  });
}
