import { imitate } from '../../native/imitate.ts';

/**
 * A class that is called as Node's older ones are: with `new`, without, and on an object that another function makes to
 * be one, as `util.inherits` has it done. `init` does the work in all cases.
 * @param node is what it extends, and looks like
 * @param methods of its prototype; `super` in them is Node's
 * @param shown what objects say is their `constructor`: the class itself, but where it stands in for another
 * @param instead makes an object of the class itself, and not of one that extends it, in another way, if it returns one
 */
export function constructorFunction<T extends abstract new (...args: never[]) => object>(
  node: T,
  methods: T,
  init: (this: never, ...args: never[]) => void,
  shown?: T,
  instead?: (...args: never[]) => object | undefined,
): T {
  const made = function (this: unknown, ...args: unknown[]): unknown {
    if (!(this instanceof made)) return Reflect.construct(made, args);
    const other = new.target === made ? instead?.(...(args as never[])) : undefined;
    if (other !== undefined) return other;
    Reflect.apply(init, this as never, args as never[]);
    return undefined;
  };
  Object.setPrototypeOf(made, node);
  made.prototype = Object.create(node.prototype as object, {
    ...methodsAsOf(node.prototype as object, methods.prototype as object),
    constructor: { value: shown ?? (made as unknown as T), writable: true, configurable: true },
  }) as object;
  Object.defineProperties(made, { name: { value: node.name }, length: { value: node.length } });
  return made as unknown as T;
}

/** The members of a prototype, with the names, lengths and enumerability of those that they stand in for. */
export function methodsAsOf(node: object, prototype: object): Record<string, PropertyDescriptor> {
  const { constructor: _, ...own } = Object.getOwnPropertyDescriptors(prototype) as Record<string, PropertyDescriptor>;
  for (const [name, descriptor] of Object.entries(own)) {
    const model = descriptorOf(node, name);
    if (model === undefined) continue;
    descriptor.enumerable = model.enumerable ?? false;
    const [ours, theirs] = [descriptor.value, model.value] as unknown[];
    if (typeof ours === 'function' && typeof theirs === 'function') imitate(ours, theirs);
  }
  return own;
}

export function descriptorOf(object: object | null, name: string | symbol): PropertyDescriptor | undefined {
  if (object === null) return undefined;
  return Object.getOwnPropertyDescriptor(object, name) ?? descriptorOf(Object.getPrototypeOf(object) as object, name);
}
