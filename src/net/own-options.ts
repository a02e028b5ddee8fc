/** Options that inherit from nothing: what somebody has put on `Object.prototype` is no option. @param own is changed, and returned */
export function ownOptions<T extends object>(own: T): T {
  return Object.setPrototypeOf(own, null) as T;
}
