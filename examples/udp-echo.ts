/** A UDP echo server: `node udp-echo.js [DATAGRAMS]` answers so many datagrams, each to its sender, and ends. */
import { Reactor } from 'iouring';
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from 'iouring/abi';

const wanted = Number(process.argv[2] ?? Infinity);
const io = new Reactor();
const fd = await io.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
await io.bind(fd, { address: '127.0.0.1', port: 0 });
const bound = io.getsockname(fd);
console.log(`listening on ${'port' in bound ? bound.port : '?'}`);

let answered = 0;
let bytes = 0;
for await (const datagram of io.recvmsgMany(fd)) {
  if (datagram.address === undefined) continue;
  bytes += await io.sendto(fd, datagram.bytes, datagram.address);
  if (++answered >= wanted) break;
}
console.log(`answered ${answered} datagrams of ${bytes} bytes`);
await io.closeFd(fd);
await io.close();
