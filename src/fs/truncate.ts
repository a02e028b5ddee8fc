import { constants, type PathLike } from 'node:fs';
import { IORING_OP_FTRUNCATE } from '../abi/operations.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { closing, openFile } from './open-file.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { plainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';

const FTRUNCATE = ownOptions({ syscall: 'ftruncate' });

/** `truncate` of a path. What the ring does not serve is Node's. */
export function truncate(path: PathLike, len = 0): Promise<void> {
  const io = ringForPaths(IORING_OP_FTRUNCATE);
  const name = io && plainPath(path);
  if (io === undefined || name === undefined || !Number.isSafeInteger(len)) return node.truncate(path, len);
  return admission.run(async () => {
    const fd = await openFile(io, name, constants.O_RDWR);
    await closing(io, fd, io.ftruncate(fd, Math.max(0, len), FTRUNCATE));
  });
}
