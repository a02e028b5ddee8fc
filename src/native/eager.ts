/**
 * Is all that can go through the ring to go through it from the first byte and the first call on, whether that pays or
 * not? The environment variable IOURING_EAGER asks for it.
 */
export const isEager: boolean = process.env.IOURING_EAGER === '1';
