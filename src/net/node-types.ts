/** The types of the default export of `iouring/net`: those of `node:net`, but for what stands here. */
import type { connect as connectOrLean } from './module.ts';

export * from 'node:net';
export declare const connect: typeof connectOrLean;
