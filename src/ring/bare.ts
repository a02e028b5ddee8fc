/** An object that inherits nothing: what somebody put into Object.prototype is not in it. */
export function bare<T extends object>(object: T): T {
  return Object.setPrototypeOf(object, null) as T;
}
