/** Sends datagrams back, on `createSocket` of `--module`: node:dgram, or iouring/net. */
import { expectGone } from './gone.ts';
import { option, printLine } from './measurement.ts';

const { createSocket } = (await import(option('--module'))) as typeof import('node:dgram');

const socket = createSocket('udp4');
socket.on('message', (message, { port, address }) => socket.send(message, port, address));
socket.on('error', expectGone);
socket.bind(0, '127.0.0.1', () => printLine({ port: socket.address().port }));
