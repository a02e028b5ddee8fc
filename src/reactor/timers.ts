/** Node's timers as they were when this package was loaded, for the layers above. */
export { clearImmediate, clearTimeout, nextTick, setImmediate, setTimeout } from '../native/timers.ts';
