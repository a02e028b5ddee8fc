/** The types of the default export of `iouring/fs`: those of `node:fs/promises`, but for what stands here. */
import type { Open } from './hot-file-handle.ts';

export * from 'node:fs/promises';
export declare const open: Open;
