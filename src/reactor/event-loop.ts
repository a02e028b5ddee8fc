/** Is the event loop libuv's, so that what Node's own modules stand on has descriptors? */
export { hasUvLoop } from '../native/runtime.ts';
/** How libuv tells of the end of a connection. */
export { endsAtHangUp } from '../native/runtime.ts';
