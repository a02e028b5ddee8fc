import type { OpenWakeUp } from './wake-up.ts';

export const openBunWakeUp: OpenWakeUp = () => {
  throw new Error('not yet');
};
