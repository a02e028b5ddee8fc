import type { IoUringErrorCode } from './error-codes.ts';

/** A wrong kind of value, in Node's shape: a TypeError with `code` `ERR_INVALID_ARG_TYPE`. */
export function wrongType(name: string, expected: string, received: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${describe(received)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A value of the right kind outside its range, in Node's shape: a RangeError with `ERR_OUT_OF_RANGE`. */
export function outOfRange(name: string, expected: string, received: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${expected}. Received ${describe(received)}`;
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/** A TypeError for an argument that is of the right type and still cannot serve, `ERR_INVALID_ARG_VALUE`. */
export function wrongValue(name: string, reason: string): TypeError {
  const message = `The argument "${name}" is invalid: ${reason}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A call that the object cannot serve in the state it is in. */
export function wrongState(code: IoUringErrorCode, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Is this an object, and not null? A function is none. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** @throws {TypeError} unless `value` is an object. */
export function checkObject(name: string, value: unknown, expected = 'an object'): void {
  if (!isObject(value)) throw wrongType(name, expected, value);
}

/** @throws {TypeError|RangeError} unless `value` is a whole number from `min` to `max`. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} and <= ${max}`, value);
  return value;
}

/** Bits as the kernel spells them. @throws {TypeError|RangeError} unless `value` is a whole number from 0 to 2^32-1. */
export function checkUint32(name: string, value: unknown): number {
  return checkInteger(name, value, 0, 2 ** 32 - 1);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    const name = (value as { constructor?: { name?: string } }).constructor?.name;
    return name ? `an instance of ${name}` : 'an object';
  }
  const text = typeof value === 'bigint' ? `${value}n` : JSON.stringify(value) ?? String(value);
  return typeof value === 'number' ? String(value) : `type ${typeof value} (${text})`;
}
