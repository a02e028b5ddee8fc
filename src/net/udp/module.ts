/** UDP sockets with all that is behind them. */
import { ring } from './ring-side.ts';
import { ringSide } from './ring-when-needed.ts';

ringSide.loadBy(() => ring);

export { createSocket, UdpSocket, type UdpSocketOptions } from './udp-socket.ts';
