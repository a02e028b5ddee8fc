/**
 * Makes the JavaScript that is published out of src/: a file for each entry that package.json names, and chunks that they share,
 * so that a class is one class whichever entry it came through. Node opens all the modules of a package at once, and each takes
 * its time: with few files an import is quick, and possible where few files may be open.
 *
 * The list of entries is in package.json, `exports` and `bin`: dist/x.js is made of src/x.ts. A package that is imported and is
 * no dependency there becomes a part of the bundle, and its licence a part of dist/THIRD-PARTY-LICENSES.txt.
 */
import { chmodSync, copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import license from 'rollup-plugin-license';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const sources = join(root, 'src/');
const { exports, bin, dependencies, sideEffects } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** './dist/fs/index.js' is made of src/fs/index.ts, and called 'fs/index'. */
const nameOf = (path) => /^\.\/dist\/(.+)\.js$/.exec(path)[1];
const folderOf = (name) => name.split('/')[0];

/** What a condition leads to may have types of its own beside it. */
const targetOf = (condition) => condition?.default ?? condition;
const libraries = Object.values(exports).flatMap((entry) =>
  [...new Set([entry['module-sync'], entry.default].map(targetOf).filter(Boolean))].map(nameOf)
);
const commands = Object.values(bin).map(nameOf);
/** Files that others load by their path, when they need them. */
const FIRST = ['register/socket-side', 'register/datagram-side', 'net/index', 'http/index', 'dgram/index'];
/** The one that asks the kernel whether there may be a ring: it is to wait for nothing else. */
const ASKING = 'register/kernel-side';
/**
 * The one that is loaded at the start where IOURING names net or http. What it does not import is apart: with UDP comes
 * node:dgram.
 */
const SOCKETS = 'register/socket-side';
/** What has to be loaded before anything is replaced. */
const BEFORE = 'native/promises-of-node';
const loaded = [...FIRST, ASKING, 'net/ring-side', 'register/ring-side', 'register/file-side'];
const names = [...new Set([...libraries, ...loaded, ...commands])];

/** Folders with an entry are a chunk each; what they all stand on is the chunk called core. */
const folders = new Set(libraries.filter((name) => name.includes('/')).map(folderOf));
/**
 * Modules that are in no chunk: a command is imported by nobody; and what an entry does when it is imported has to be in the file
 * that package.json says does something, else bundlers drop it.
 */
const apart = new Set([...commands.map(folderOf), 'register']);
const active = new Set(sideEffects.map((path) => join(sources, `${nameOf(path)}.ts`)));

/**
 * Modules that the imports of iouring/net, http and dgram load, and under iouring/register the start, are chunks of their own: they
 * are not to wait for what comes into play only when something goes through the ring.
 */
const early = new Set();
const sockets = new Set();
const asking = new Set();

function gather(modules, id, graph) {
  if (modules.has(id) || !id.startsWith(sources)) return;
  modules.add(id);
  for (const imported of graph.getModuleInfo(id).importedIds) gather(modules, imported, graph);
}

function chunkOf(id, graph) {
  if (!id.startsWith(sources) || active.has(id)) return null;
  const folder = folderOf(id.slice(sources.length));
  if (apart.has(folder)) return null;
  for (const name of [...FIRST, BEFORE]) gather(early, join(sources, `${name}.ts`), graph);
  gather(sockets, join(sources, `${SOCKETS}.ts`), graph);
  gather(asking, join(sources, `${ASKING}.ts`), graph);
  if (asking.has(id) && !early.has(id)) return folder === 'abi' ? 'early-abi' : 'asking';
  const name = folders.has(folder) ? folder : 'core';
  if (!early.has(id)) return name;
  return name === 'net' && !sockets.has(id) ? 'early-udp' : `early-${name}`;
}

/** Where source maps point to, src/ is published with the package; a bundled package's sources are not. */
function dropOwnSources({ map }) {
  if (map) {
    map.sourcesContent = map.sourcesContent.map((text, i) => (map.sources[i].includes('node_modules') ? text : null));
  }
}

/**
 * One character beyond Latin-1 makes V8 keep the whole file with two bytes a character, for as long as the program runs. Written as
 * escapes they are the same strings.
 */
function keepToLatin1(file) {
  file.code = file.code?.replace(
    /[\u0100-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The bundler's functions do nothing until they are called: a file that calls none need not open theirs. */
function dropUnusedRuntime(file) {
  file.code = file.code?.replace(/^import "[./]+(?:chunks\/)?rolldown-runtime\.js";$/m, '');
}

/** The bundler's function that makes a namespace lists inherited names, too: those that a program has put into Object.prototype. */
function listOwnNames({ name, code }, { fail }) {
  if (name !== 'rolldown-runtime') return code;
  const own = code.replace('for (var name in all)', 'for (var name of Object.keys(all))');
  if (own === code) fail('rolldown makes namespaces in another way by now: see to it that it lists own names only');
  return own;
}

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  external: Object.keys(dependencies),
  preserveEntrySignatures: 'allow-extension',
  // A module does here what it does unbundled, whatever package.json promises to those who import the package.
  treeshake: { moduleSideEffects: true },
  plugins: [
    license({
      cwd: root,
      thirdParty: {
        allow: {
          test: '(MIT OR ISC OR BSD-2-Clause OR BSD-3-Clause OR Apache-2.0)',
          failOnUnlicensed: true,
          failOnViolation: true,
        },
        output: { file: join(root, 'dist/THIRD-PARTY-LICENSES.txt') },
      },
    }),
    { name: 'drop-own-sources', generateBundle: (_, files) => Object.values(files).forEach(dropOwnSources) },
    {
      name: 'list-own-names',
      generateBundle(_, files) {
        for (const file of Object.values(files)) {
          file.code = listOwnNames(file, { fail: (why) => this.error(why) });
        }
      },
    },
    { name: 'drop-unused-runtime', generateBundle: (_, files) => Object.values(files).forEach(dropUnusedRuntime) },
    { name: 'keep-to-latin-1', generateBundle: (_, files) => Object.values(files).forEach(keepToLatin1) },
  ],
  // How long the plugins take is no fault of the build's: it failed on a busy machine.
  checks: { bundlerTimings: false },
  // A missing import or a cycle of chunks is a warning only.
  onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
});
await bundle.write({
  dir: join(root, 'dist'),
  cleanDir: true,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
  sourcemap: true,
  comments: { legal: true, annotation: true, jsdoc: false },
  // Of two functions with one name in a chunk one is renamed; what it says its name is stays.
  keepNames: true,
  minifyInternalExports: false,
  // What one entry alone uses is in its own file.
  codeSplitting: {
    groups: [{ debugName: 'folders', name: chunkOf, minShareCount: 2 }],
    includeDependenciesRecursively: false,
  },
});
await bundle.close();
for (const name of commands) chmodSync(join(root, `dist/${name}.js`), 0o755);
// CommonJS, and its types, is published as it is.
for (const file of readdirSync(sources, { recursive: true }).filter((name) => /\.c[jt]s$/.test(name))) {
  copyFileSync(join(sources, file), join(root, 'dist', file));
}
