/** For the layers on top, which do not look further down. */
export { checkInteger, outOfRange, wrongState, wrongType, wrongValue } from '../ring/arguments/argument-errors.ts';
