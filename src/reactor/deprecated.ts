/** Forms of version 0.1 that have a name of their own now: they go on for one version, and each says so once. */
import { deprecate } from '../native/node-util.ts';

const once = (text: string, code: string): () => void => deprecate(() => {}, text, code);

/** Says that a chain is made by `chain`. */
export const warnOfLinkedSteps = once(
  'link with an Array of steps is deprecated: call chain; link gives a file another name',
  'IOURING_DEP0004',
);
/** Says that a descriptor is closed by `closeFd`. */
export const warnOfCloseWithFd = once(
  'close with a descriptor is deprecated: call closeFd; close ends the reactor',
  'IOURING_DEP0005',
);
