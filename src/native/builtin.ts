// Not by its name: webpack puts something of its own in the place of a createRequire that is imported so.
import modules from 'node:module';

/**
 * A module of Node's, when it is needed. An import of it costs more: it evaluates all its getters, and those of
 * `node:util` and `node:timers` load modules that few programs use. Built-in modules are the same from everywhere; the
 * program's loaders do not hear of it where Node can give them without.
 */
export const builtin: (name: string) => unknown = ofProcess() ?? modules.createRequire(process.execPath);

/** The function of Node 20.16, 22.3 and later, as it is when this is loaded. */
function ofProcess(): ((name: string) => unknown) | undefined {
  const { getBuiltinModule } = process as { getBuiltinModule?: (name: string) => unknown };
  return getBuiltinModule?.bind(process);
}
