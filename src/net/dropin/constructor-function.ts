/**
 * A class that is called as Node's older ones are: with `new`, without, and on an object that another function makes to
 * be one, as `util.inherits` has it done. `init` does the work in all cases.
 * @param node is what it extends, and looks like
 * @param methods of its prototype; `super` in them is Node's
 */
export function constructorFunction<T extends abstract new (...args: never[]) => object>(
  node: T,
  methods: T,
  init: (this: never, ...args: never[]) => void,
): T {
  const made = function (this: unknown, ...args: unknown[]): unknown {
    if (!(this instanceof made)) return Reflect.construct(made, args);
    Reflect.apply(init, this as never, args as never[]);
    return undefined;
  };
  const { constructor: _, ...own } = Object.getOwnPropertyDescriptors(methods.prototype as object);
  Object.setPrototypeOf(made, node);
  made.prototype = Object.create(node.prototype as object, {
    ...own,
    constructor: { value: made, writable: true, configurable: true },
  }) as object;
  Object.defineProperties(made, { name: { value: node.name }, length: { value: node.length } });
  return made as unknown as T;
}
