/**
 * The sides that stand behind Node's modules, in pieces: each is loaded when somebody wants it, for that takes longer
 * than many programs run.
 */
import type * as datagrams from './datagram-side.ts';
import type * as files from './file-side.ts';
import type * as kernel from './kernel-side.ts';
import type * as ring from './ring-side.ts';
import type * as sockets from './socket-side.ts';

export type SocketSide = typeof sockets;
export type RingSide = typeof ring;
export type DatagramSide = typeof datagrams;
export type FileSide = typeof files;
export type KernelSide = typeof kernel;

export interface Sides {
  readonly sockets: SocketSide;
  readonly ring: RingSide;
  readonly datagrams: DatagramSide;
  readonly files: FileSide;
}

export type SideName = keyof Sides;

/** How each is loaded, and what asks the kernel before there are any. */
export type Loaders = { readonly [S in SideName]: () => Sides[S] } & { readonly kernel: () => KernelSide };
