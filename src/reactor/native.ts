/** For the layers on top, which do not look further down. */
export { koffiNative } from '../native/koffi.ts';
/** Is the event loop libuv's, so that what Node's own modules stand on has descriptors? And how does it tell of the end of a connection? */
export { endsAtHangUp, hasUvLoop, ringPays } from '../native/runtime.ts';
