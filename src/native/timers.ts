/**
 * What Node's timers were when this package was loaded. A test that puts fake ones in their place (sinon, jest) means those of the program
 * under test: an engine that went by them would stand still, and node:net does not.
 */
const { setTimeout, clearTimeout, setImmediate, clearImmediate } = globalThis;
const nextTick = process.nextTick.bind(process);

export { setTimeout, clearTimeout, setImmediate, clearImmediate, nextTick };
