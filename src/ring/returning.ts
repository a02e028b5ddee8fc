/** A base class whose constructor returns its argument, so that a subclass's private fields land on it. */
export const Returning = function (target: object) {
  return target;
} as unknown as new (target: object) => object;
