import { readFile } from 'iouring/fs'; // was: 'node:fs/promises'
import { connect, createServer } from 'iouring/net'; // was: 'node:net'

const server = createServer(async (socket) => socket.end(await readFile('/etc/hostname')));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1').setEncoding('utf8');
  client.on('data', (name) => console.log(`this is ${String(name).trim()}`));
  client.on('close', () => server.close());
});
