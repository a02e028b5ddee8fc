import { closeSync, openSync } from 'node:fs';
// Not by its name: webpack puts something of its own in the place of a createRequire that is imported so.
import modules from 'node:module';
import type * as Koffi from 'koffi';

/** The version that package.json asks for; a bundle finds the one that was installed by hand. */
const KOFFI_MAJOR = 3;
const INSTALL_KOFFI = `npm install koffi@${KOFFI_MAJOR}`;

/**
 * Load koffi, which takes about ten milliseconds.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` where there is no io_uring to reach: not Linux, not 64 bit, or koffi cannot
 *   be loaded (its prebuilt binary is missing, or the runtime forbids native code); `EMFILE` or `ENFILE` where it
 *   cannot be opened at this moment
 */
export function loadKoffi(): typeof Koffi {
  try {
    return locateAndLoad();
  } catch (error) {
    throw shortageOfDescriptors() ?? error;
  }
}

/**
 * The error of opening a file, where there are no descriptors left. Versions of Node put it in different words when
 * they look for a package, or load native code, and those who are told that something is missing do not try again.
 */
function shortageOfDescriptors(): NodeJS.ErrnoException | undefined {
  try {
    closeSync(openSync('/dev/null', 'r'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EMFILE' || code === 'ENFILE') return error as NodeJS.ErrnoException;
  }
  return undefined;
}

function locateAndLoad(): typeof Koffi {
  if (process.platform !== 'linux') {
    throw unsupported(`io_uring exists only on Linux, this is ${process.platform}`, 'run on Linux');
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    const reason = `only x86-64 and arm64 are supported, this is ${process.arch}`;
    throw unsupported(reason, 'run on one of these');
  }
  const found = locateKoffi();
  if (found instanceof Error) throw notFound(found);
  const load = modules.createRequire(found);
  let koffi: typeof Koffi;
  try {
    // Not an import: loading native code may fail, and importing this package never does.
    koffi = load(found) as typeof Koffi;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_DLOPEN_DISABLED') {
      throw unsupported('the permission model forbids native code', 'start node with --allow-addons', cause);
    }
    const binary = `@koromix/koffi-linux-${process.arch}`;
    const reason = `koffi could not be loaded (${message.split('\n')[0]})`;
    if (!(resolve(load, binary) instanceof Error)) {
      throw unsupported(reason, `install it anew: ${INSTALL_KOFFI}`, cause);
    }
    const optional = `${reason}: its binary, the optional dependency ${binary}, is not installed`;
    throw unsupported(optional, 'install with optional dependencies: npm install --include=optional', cause);
  }
  if (!koffi.version.startsWith(`${KOFFI_MAJOR}.`)) {
    throw unsupported(`this koffi is ${koffi.version} (${found})`, `install version ${KOFFI_MAJOR}: ${INSTALL_KOFFI}`);
  }
  return koffi;
}

/**
 * The files from which koffi may be found, the best first: this one; where `import.meta.url` is undefined (CommonJS
 * made by esbuild) or says where a bundle was made (webpack), the bundle's; the program's; an executable that contains
 * the program.
 */
function ownFiles(): string[] {
  const files: (string | undefined)[] = [import.meta.url];
  try {
    files.push(__filename);
  } catch {
    // An ES module has no such name. `typeof` would not tell: webpack takes it for 'string' everywhere.
  }
  files.push(process.argv[1], process.execPath);
  return files.filter((file): file is string => file !== undefined && /^(file:|\/)/.test(file));
}

/** The path of koffi, or why there is none. */
function locateKoffi(): string | Error {
  let reason: Error | undefined;
  for (const file of ownFiles()) {
    const load = modules.createRequire(file);
    const found = resolve(load, 'koffi');
    if (typeof found === 'string') return found;
    reason ??= found;
    // A bundle beside this package cannot see koffi where each package has its dependencies to itself (pnpm, Yarn).
    const manifest = resolve(load, 'iouring/package.json');
    const behind = typeof manifest === 'string' ? resolve(modules.createRequire(manifest), 'koffi') : manifest;
    if (typeof behind === 'string') return behind;
  }
  return reason!;
}

function notFound(cause: Error): Error {
  const reason = `koffi could not be loaded (${cause.message.split('\n')[0]})`;
  const [file] = ownFiles();
  if (typeof resolve(modules.createRequire(file), 'iouring/package.json') === 'string') {
    return unsupported(reason, `install it: ${INSTALL_KOFFI}`, cause);
  }
  const bundle = `${reason}: this program is a bundle, which cannot contain native code`;
  const remedy = `run '${INSTALL_KOFFI}' where the bundle is, or mark iouring external and install that there`;
  return unsupported(bundle, remedy, cause);
}

function resolve(load: NodeJS.Require, name: string): string | Error {
  try {
    return load.resolve(name);
  } catch (error) {
    return error as Error;
  }
}

function unsupported(reason: string, remedy: string, cause?: unknown): Error {
  const message = `Cannot use io_uring: ${reason}; ${remedy}`;
  return Object.assign(new Error(message, { cause }), { code: 'ERR_IOURING_UNSUPPORTED', reason, remedy });
}
