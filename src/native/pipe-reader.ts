import net, { type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import type { Handle } from './native.ts';

/**
 * Node's as it was when this module was loaded: one that is put in its place may stand on a ring, and the ring on this.
 */
const { Socket } = net;

/** Have the event loop call `onData` when something was written into a pipe, as it reads any other. It owns `fd`. */
export function readPipe(fd: number, onData: () => void): Handle {
  // Of any socket, though the types know it of those that connect only.
  const onread: OnReadOpts & { __proto__: null } = {
    __proto__: null,
    buffer: new Uint8Array(64),
    callback: () => {
      onData();
      return true;
    },
  };
  const options: SocketConstructorOpts & { onread: OnReadOpts; __proto__: null } = {
    __proto__: null,
    fd,
    readable: true,
    writable: false,
    onread,
  };
  const socket = new Socket(options);
  socket.on('error', () => {});
  socket.resume();
  return {
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
    close: () => void socket.destroy(),
  };
}
