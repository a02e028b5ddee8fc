import type * as util from 'node:util';
import { builtin } from './builtin.ts';

// Each import of node:util loads what parses arguments, MIME types and more: 2.7 MiB.
const node = builtin('node:util') as typeof util;

export const debuglog: typeof util.debuglog = node.debuglog;
export const deprecate: typeof util.deprecate = node.deprecate;
export const promisify: typeof util.promisify = node.promisify;
export const types: typeof util.types = node.types;
