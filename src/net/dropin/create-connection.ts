import { channel, type ChannelListener } from 'node:diagnostics_channel';
import type { NetConnectOpts, Socket as NodeSocket } from 'node:net';
import { node } from './node-net.ts';

const clients = channel('net.client.socket');

const connectOfNode = Function.prototype.toString.call(node.Socket.prototype.connect);
/** Before version 22 Node's `connect` does not tell of a socket: who calls it does, before. */
const isToldBefore = connectOfNode.includes('normalizeArgs') && !connectOfNode.includes('ClientSocketChannel');

/** Does the same as `net.createConnection`, with a socket of the class that is given. */
export function createConnectionOf(Socket: typeof node.Socket, args: unknown[]): NodeSocket {
  const normalized = node._normalizeArgs(args);
  const [options] = normalized;
  const socket = new Socket(options);
  if (isToldBefore && clients.hasSubscribers) clients.publish({ socket });
  if (options.timeout) socket.setTimeout(options.timeout as number);
  return !isToldBefore && clients.hasSubscribers ? announced(socket, normalized) : connectTo(socket, normalized);
}

function connectTo(socket: NodeSocket, normalized: unknown): NodeSocket {
  return socket.connect(normalized as NetConnectOpts);
}

/** Subscribers are told of the socket by its `connect`, or by this function if somebody has replaced that. */
function announced(socket: NodeSocket, normalized: unknown): NodeSocket {
  let isTold = false;
  const notice: ChannelListener = (message) => {
    if ((message as { socket: unknown }).socket === socket) isTold = true;
  };
  clients.subscribe(notice);
  try {
    connectTo(socket, normalized);
  } finally {
    clients.unsubscribe(notice);
  }
  if (!isTold) clients.publish({ socket });
  return socket;
}
