/**
 * The types of `iouring/fs`: those of `node:fs/promises`, as the version of @types/node that is installed has them. The
 * default export is a namespace as well, so that a type can be named by it: `fs.FileHandle`.
 */
export * from './node-types.ts';
export * as default from './node-types.ts';

// Beyond Node.
export { readFiles, statMany } from './many.ts';
export type { HotFileHandle, OpenOptions } from './hot-file-handle.ts';
export type { ManyFilesOptions, PathResult } from './many.ts';
