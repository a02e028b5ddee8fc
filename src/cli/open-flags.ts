import { constants } from 'node:fs';
import { O_CLOEXEC } from '../abi/index.ts';

export { O_CLOEXEC };

/** open(2): find a file, and do not open it. Node has no name for it. */
export const O_PATH = 0x200000;

/** open(2): read a directory; programs that are started do not inherit it. */
export const READ_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC;
