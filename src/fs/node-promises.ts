import type promises from 'node:fs/promises';
import { promisesOfNode } from '../native/promises-of-node.ts';

/** Node's own module as it was before any of it was replaced. */
export const node: typeof promises = promisesOfNode();
