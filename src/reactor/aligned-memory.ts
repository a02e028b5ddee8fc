/** For the layers on top, which look no further down. */
export { allocateAligned } from '../ring/memory/aligned-memory.ts';
