// The package as a stranger gets it: packed, installed in an empty project, imported, required, type-checked.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

const [major, minor] = process.versions.node.split('.').map(Number);
const requiresEsm = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, { types?: string; default?: string | { types: string; default: string } }>;
};
/** The file of each entry, by the name that it is imported by. */
const files = Object.fromEntries(
  Object.entries(manifest.exports).flatMap(([path, { default: target }]) => {
    const file = typeof target === 'object' ? target.default : target;
    return file ? [[`iouring${path.slice(1)}`, file]] : [];
  }),
);
const entries = Object.keys(files);

let project: Temporary;
const inProject = { cwd: '' };

before(async () => {
  project = new Temporary();
  inProject.cwd = project.path;
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project.path]);
  assert.equal(packed.status, 0, packed.stderr);
  const tarball = readdirSync(project.path).find((name) => name.endsWith('.tgz'))!;
  project.file('package.json', '{ "private": true, "type": "module" }');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`];
  const installed = await run('npm', args, inProject);
  assert.equal(installed.status, 0, installed.stderr);
});

after(() => project[Symbol.dispose]());

const node = (...args: string[]): ReturnType<typeof run> => run(process.execPath, args, inProject);

/** Puts the types of Node into the project, for the compiler. */
function addNodeTypes(): void {
  mkdirSync(join(project.path, 'types'), { recursive: true });
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(resolve('node_modules', name), join(project.path, 'node_modules', name), { recursive: true });
  }
}

/** Runs the compiler on files of the project. What it prints; nothing if they compile. */
async function complaints(...args: string[]): Promise<string> {
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types',
    'node'];
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const { status, stdout, stderr } = await node(tsc, '--ignoreConfig', ...options, ...args);
  return status === 0 ? stdout : `${stdout}${stderr}exit status ${status}`;
}

/** To compile only if two types are the same one. */
const SAME = `
  type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
  const same = <A, B>(_: Same<A, B>): void => {};`;

/**
 * The types of each entry as they are used. What uses the default export, `entry`, has to do with all the names of the
 * entry together as well. Beside it is what uses names that were imported one by one.
 */
const USES: Record<string, { node?: string; byDefault?: string; byName: string; beside: string }> = {
  iouring: {
    byName: `import { IoUring, type Completion, Reactor } from 'iouring';`,
    beside: `export const use = (ring: IoUring, _: Reactor, done: Completion): unknown => [ring.features, done.res];`,
  },
  'iouring/abi': {
    byName: `import { EPERM, OPERATIONS } from 'iouring/abi';`,
    beside: `export const first: [number, string] = [EPERM, OPERATIONS[0].name];`,
  },
  'iouring/fs': {
    node: 'node:fs/promises',
    byDefault: `
      same<entry.FileHandle, node.FileHandle>(true);
      same<entry.FileReadResult<Buffer>, node.FileReadResult<Buffer>>(true);
      same<typeof entry.readFile, typeof node.readFile>(true);
      void (async (): Promise<entry.FileHandle> => entry.open('x'))();
      void entry.open('x', { direct: true }).then((handle) => handle.alignment);`,
    byName: `import { open, readFile, readFiles, statMany, type FileHandle, type HotFileHandle } from 'iouring/fs';`,
    beside: `
      same<FileHandle, node.FileHandle>(true);
      export const plain = (handle: HotFileHandle): FileHandle => handle;
      void [open, readFile, readFiles, statMany];`,
  },
  'iouring/net': {
    node: 'node:net',
    byDefault: `
      same<entry.Socket, node.Socket>(true);
      same<entry.Server, node.Server>(true);
      same<entry.AddressInfo, node.AddressInfo>(true);
      same<typeof entry.Socket, typeof node.Socket>(true);
      const socket: entry.Socket = entry.connect(80);
      const server: entry.Server = entry.createServer((socket: entry.Socket) => socket.end());
      const address = server.address() as entry.AddressInfo;
      void [socket, address.port, class extends entry.Socket {}];`,
    byName: `import { connect, createServer, listen, Server, Socket } from 'iouring/net';
      import type { AddressInfo, NetConnectOpts } from 'iouring/net';`,
    beside: `
      same<Socket, node.Socket>(true);
      same<AddressInfo, node.AddressInfo>(true);
      same<NetConnectOpts, node.NetConnectOpts>(true);
      export const named: [Socket, Server] = [connect(80), createServer()];
      void [listen, class extends Socket {}];`,
  },
  'iouring/socket': {
    byName: `import { connect, listen, type LeanSocket, type Listener } from 'iouring/socket';`,
    beside: `
      export const listener: Listener = listen({ port: 0, socket: {} });
      export const socket: Promise<LeanSocket> = connect({ port: 80, socket: {} });`,
  },
  'iouring/dgram': {
    node: 'node:dgram',
    byDefault: `
      same<entry.Socket, node.Socket>(true);
      same<entry.RemoteInfo, node.RemoteInfo>(true);
      const socket: entry.Socket = entry.createSocket('udp4', (_: Buffer, sender: entry.RemoteInfo) => sender.port);
      void [socket, new entry.Socket({ type: 'udp4', reusePort: true }) satisfies entry.Socket];`,
    byName: `import { createSocket, Socket, type RemoteInfo, type UdpSocketOptions } from 'iouring/dgram';`,
    beside: `
      same<Socket, node.Socket>(true);
      same<RemoteInfo, node.RemoteInfo>(true);
      export const named = (options: UdpSocketOptions): Socket[] => [createSocket(options), new Socket(options)];`,
  },
  'iouring/http': {
    node: 'node:http',
    byDefault: `
      let x: entry.IncomingMessage | undefined;
      const options: entry.RequestOptions = { agent: new entry.Agent() };
      const listener = (request: entry.IncomingMessage, response: entry.ServerResponse): void => {
        x = request;
        response.end();
      };
      const server: entry.Server = entry.createServer(listener);
      class Message extends entry.IncomingMessage {}
      const derived: entry.Server<typeof Message> = entry.createServer({ IncomingMessage: Message });
      void [x, server, derived, entry.request(options) satisfies entry.ClientRequest];
      same<entry.IncomingMessage, node.IncomingMessage>(true);
      same<entry.Server, node.Server>(true);
      same<entry.RequestOptions, node.RequestOptions>(true);
      same<typeof entry.createServer, typeof node.createServer>(true);`,
    byName:
      `import { createServer, get, IncomingMessage, Server, ServerResponse, type RequestOptions } from 'iouring/http';`,
    beside: `
      same<IncomingMessage, node.IncomingMessage>(true);
      same<RequestOptions, node.RequestOptions>(true);
      export const named: Server<typeof IncomingMessage, typeof ServerResponse> = createServer();
      export const answer = (response: ServerResponse<IncomingMessage>): IncomingMessage => response.req;
      void get;`,
  },
  'iouring/register': {
    byName: `import { report, unregister, type Report, type SocketCount } from 'iouring/register';`,
    beside: `
      export const told: Report | undefined = report();
      export const counts: SocketCount[] | undefined = told?.sockets;
      export const done: boolean = unregister();
      // @ts-expect-error there is no such name
      all.nothing;`,
  },
};

/** Each file of JavaScript that is shipped, with its source map. */
function bundled(): { file: string; map: { sources: string[]; sourcesContent: (string | null)[] } }[] {
  const dist = join(project.path, 'node_modules/iouring/dist');
  const scripts = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  // A file that only names what others define has no map.
  const mapped = scripts.map((name) => join(dist, name)).filter((file) =>
    /^\/\/# sourceMappingURL=/m.test(readFileSync(file, 'utf8'))
  );
  return mapped.map((file) => ({ file, map: JSON.parse(readFileSync(`${file}.map`, 'utf8')) }));
}

/** The chunks that a file of dist/ loads. */
function loaded(file: string): string[] {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?:[^;'"]*from )?"(\.[^"]+)"/gm)) {
      const target = join(file, '..', path);
      if (seen.has(target)) continue;
      seen.add(target);
      visit(target);
    }
  };
  visit(resolve(file));
  return [...seen].map((file) => basename(file, '.js')).sort();
}

describe('the installed package', () => {
  it('depends on koffi, and on nothing else', () => {
    const packages = readdirSync(join(project.path, 'node_modules')).filter((name) => !name.startsWith('.'));
    assert.deepEqual(packages.sort(), ['@koromix', 'iouring', 'koffi']);
  });

  it('has iouring/fs in the place of node:fs/promises, imported and required', async (t) => {
    const text = `const handle = await open('data', 'w+');
       await handle.write('hello');
       console.log(await readFile('data', 'utf8'), (await handle.read(Buffer.alloc(5), 0, 5, 0)).bytesRead);
       await handle.close();`;
    project.file('fs.js', `import { open, readFile } from 'iouring/fs'; ${text}`);
    assert.deepEqual(await node('fs.js'), { status: 0, stdout: 'hello 5\n', stderr: '' });
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    project.file('fs.cjs', `(async () => { const { open, readFile } = require('iouring/fs'); ${text} })();`);
    assert.equal((await node('--no-warnings', 'fs.cjs')).stdout, 'hello 5\n');
  });

  it('works as an ES module', async () => {
    project.file(
      'use.js',
      `import { IoUring } from 'iouring';
       import { IORING_OP_NOP } from 'iouring/abi';
       const ring = new IoUring(8);
       ring.prepNop(42);
       ring.submitAndWait(1);
       ring.forEachCompletion((c) => console.log(c.userData, c.res, IORING_OP_NOP));
       ring.close();`,
    );
    assert.deepEqual(await node('use.js'), { status: 0, stdout: '42 0 0\n', stderr: '' });
  });

  it('works with require(): every entry has the names, and is the module, that import gives', async (t) => {
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    project.file(
      'use.cjs',
      `const { IoUring } = require('iouring');
       const { EPERM } = require('iouring/abi');
       const ring = new IoUring(8);
       ring.prepNop(42);
       ring.submitAndWait(1);
       ring.forEachCompletion((c) => console.log(c.userData, c.res, EPERM));
       ring.close();
       (async () => {
         for (const name of ${JSON.stringify(entries)}) {
           const [required, imported] = [require(name), await import(name)];
           for (const key of Object.keys(imported)) if (required[key] !== imported[key]) console.log(name, key);
         }
       })();`,
    );
    const { status, stdout, stderr } = await node('--no-warnings', 'use.cjs');
    assert.deepEqual([status, stdout, stderr], [0, '42 0 1\n', '']);
  });

  for (const [files, names] of [...entries.map((name) => [32, [name]] as const), [64, entries] as const]) {
    it(`imports ${names.join(', ')} where no more than ${files} files may be open`, async () => {
      const text = names.map((name) => `import '${name}';`).join(' ');
      const command = `ulimit -n ${files} && exec "$0" --input-type=module -e "${text}"`;
      assert.deepEqual(await run('sh', ['-c', command, process.execPath], inProject), {
        status: 0,
        stdout: '',
        stderr: '',
      });
    });
  }

  it('has the command, executable', async () => {
    const { status, stdout } = await run(join(project.path, 'node_modules/.bin/iouring'), ['doctor'], inProject);
    assert.equal(status, 0);
    assert.match(stdout, /^io_uring is usable here/);
  });

  it('has in its chunks what they need: each loads by itself', async () => {
    const chunks = join(project.path, 'node_modules/iouring/dist/chunks');
    const names = readdirSync(chunks).filter((name) => name.endsWith('.js'));
    const text = names.map((name) => `import ${JSON.stringify(join(chunks, name))};`).join('\n');
    assert.deepEqual(await node('--input-type=module', '-e', text), { status: 0, stdout: '', stderr: '' });
  });

  it('type-checks under strict, and refuses what is wrong', async () => {
    addNodeTypes();
    project.file(
      'types/right.ts',
      `import { IoUring, ProvidedBufRing, type Completion, type IoUringOptions, allocateAligned, diagnose } from 'iouring';
       import { IORING_SETUP_SQPOLL, OPERATIONS } from 'iouring/abi';
       const options: IoUringOptions = { cqEntries: 64, sqPoll: { idleMs: 10 } };
       using ring = new IoUring(8, options);
       const a: boolean = ring.prepRead(0, allocateAligned(16), 16, 1n, 0);
       const b: boolean = ring.prepWrite(0, new ArrayBuffer(8), 8, 2);
       const n: number = ring.submit() + ring.submitAndWait(1, { timeoutMs: 5 }) + ring.setupFlags + ring.features;
       const pbr: ProvidedBufRing = ring.registerBufRing(4, 16, 1);
       const bytes: Uint8Array = pbr.bytes(0, 1);
       let kept: Completion | undefined;
       ring.forEachCompletion((c) => {
         const id: number | undefined = c.bufferId();
         const exact: bigint = c.userData64;
         kept = c.copy();
         void [id, exact, c.hasMore(), c.sockNonempty()];
       });
       void [a, b, n, bytes, kept, diagnose().usable, IORING_SETUP_SQPOLL, OPERATIONS[0].name];`,
    );
    project.file(
      'types/wrong.ts',
      `import { IoUring } from 'iouring';
       const ring = new IoUring(8);
       // @ts-expect-error a string is no buffer
       ring.prepRead(0, 'text', 4, 1);
       // @ts-expect-error userData is missing
       ring.prepNop();
       // @ts-expect-error no such option
       new IoUring(8, { cqentries: 5 });
       // @ts-expect-error the seam to the kernel is not public
       new IoUring(8, {}, {});
       // @ts-expect-error nor is the inside of a ring
       ring.pins;`,
    );
    assert.equal(await complaints('--module', 'nodenext', 'types/right.ts', 'types/wrong.ts'), '');
  });

  it('has the types of @types/node in every entry: by default and by names, imported and required', async () => {
    addNodeTypes();
    assert.deepEqual(Object.keys(USES), entries);
    const programs = Object.entries(USES).flatMap(([entry, { node, byDefault = '', byName, beside }]) => {
      const path = `types/${entry.replace('/', '-')}`;
      const base = node === undefined ? '' : `import type * as node from '${node}'; ${SAME}`;
      const text = `${base}
        ${node === undefined ? '' : `import entry from '${entry}';`}
        import * as all from '${entry}';
        ${byName}
        { ${byDefault} }
        { ${byDefault.replaceAll('entry.', 'all.')} void all; }
        ${beside}`;
      project.file(`${path}.mts`, text);
      project.file(`${path}.cts`, text);
      project.file(`${path}-required.cts`, `${base} import entry = require('${entry}'); { ${byDefault} void entry; }`);
      return ['.mts', '.cts', '-required.cts'].map((ending) => `${path}${ending}`);
    });
    assert.equal(await complaints('--module', 'nodenext', '--skipLibCheck', 'false', ...programs), '');
    const bundled = programs.filter((program) => program.endsWith('.mts'));
    const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler'];
    assert.equal(await complaints(...bundler, '--skipLibCheck', 'false', ...bundled), '');
  });

  it('ships the declarations of every entry', () => {
    const installed = join(project.path, 'node_modules/iouring');
    const targets = Object.values(manifest.exports)
      .flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry)))
      .map((target: string | { types: string }) => (typeof target === 'object' ? target.types : target));
    assert.ok(targets.length > 10);
    for (const file of targets) assert.ok(existsSync(join(installed, file)), file);
  });

  it('ships source maps whose sources are in the package or in the map', () => {
    for (const { file, map } of bundled()) {
      for (const [i, source] of map.sources.entries()) {
        assert.ok(map.sourcesContent[i] ?? existsSync(join(file, '..', source)), `${source} of ${file}`);
      }
    }
  });

  it('has each source in one file, so that a class is one class', () => {
    const sources = bundled().flatMap(({ file, map }) => map.sources.map((source) => resolve(file, '..', source)));
    assert.ok(sources.length > 100);
    assert.deepEqual(sources.filter((source, i) => sources.indexOf(source) !== i), []);
  });

  it('ships the licence of every package that it contains', () => {
    const licences = readFileSync(join(project.path, 'node_modules/iouring/dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
    const sources = bundled().flatMap(({ map }) => map.sources);
    const packages = new Set(
      sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []),
    );
    assert.ok(packages.size > 0);
    for (const name of packages) assert.match(licences, new RegExp(`^Name: ${name}$`, 'm'));
  });
});

describe('the bundled entries', () => {
  for (const [name, file] of Object.entries(files)) {
    it(`${name}: have the names of the sources, and functions say the same name`, async () => {
      const source = new URL(`../../src/${file.replace(/^\.\/dist\//, '')}`, import.meta.url);
      const [ours, unbundled] = (await Promise.all([import(resolve(file)), import(source.href)])) as Record<
        string,
        unknown
      >[];
      const named = (module: Record<string, unknown>): string[] =>
        Object.entries(module).map(([key, value]) => (typeof value === 'function' ? `${key}: ${value.name}` : key));
      assert.deepEqual(named(ours), named(unbundled));
    });
  }

  it('iouring/abi loads nothing of the rest; iouring nothing of iouring/fs and iouring/net', () => {
    const early = ['early-abi', 'early-core'];
    assert.deepEqual(loaded(files['iouring/abi']), ['abi', 'early-abi']);
    assert.deepEqual(loaded(files['iouring']), ['abi', 'asking', 'core', ...early, 'rolldown-runtime']);
  });

  it('a server that listens under iouring/register, and a UDP socket, load nothing that only the ring needs', () => {
    const early = ['early-core', 'early-net'];
    assert.deepEqual(loaded('dist/register/socket-side.js'), [...early, 'rolldown-runtime', 'socket-side']);
    // It has the number of an error.
    const datagrams = [...early, 'early-abi', 'early-udp', 'rolldown-runtime', 'datagram-side'].sort();
    assert.deepEqual(loaded('dist/register/datagram-side.js').sort(), datagrams);
    const asking = ['asking', 'early-abi', 'kernel-side', 'rolldown-runtime'];
    assert.deepEqual(loaded('dist/register/kernel-side.js').sort(), asking);
    // Each file more is some tens of KB at the start of every program.
    assert.deepEqual(loaded('dist/register/index.js').sort(), ['early-core', 'start']);
  });
});

const LISTENS = `
  import http from 'node:http';
  const server = http.createServer().listen(0, '127.0.0.1', () => { console.log('listens'); server.close(); });`;

describe('importing never throws', () => {
  const pretend = (property: string, value: string): string =>
    `data:text/javascript,Object.defineProperty(process, '${property}', { value: '${value}' })`;
  const code = `
    import { IoUring, diagnose } from 'iouring';
    try { new IoUring(8); } catch (error) { console.log(error.code, error.message); }
    const { usable, problem } = diagnose();
    console.log(usable, problem.code, problem.remedy.length > 0);`;

  for (
    const [what, property, value, message] of [
      ['on another platform', 'platform', 'darwin', /exists only on Linux, this is darwin/],
      ['on another processor', 'arch', 's390x', /x86-64 and arm64.* this is s390x/],
    ] as const
  ) {
    it(`${what}: only using it does, with a clear error`, async () => {
      const args = ['--import', pretend(property, value), '--input-type=module', '-e', code];
      const { status, stdout } = await node(...args);
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`^ERR_IOURING_UNSUPPORTED .*${message.source}`));
      assert.match(stdout, /false ERR_IOURING_UNSUPPORTED true/);
    });
  }

  for (
    const [what, name, message] of [
      ['without koffi', 'koffi',
        /koffi could not be loaded \(Cannot find module 'koffi'\); install it: npm install koffi/],
      ['without koffi’s binary, as with --omit=optional', '@koromix',
        /dependency @koromix\/koffi-linux-\w+, .*--include=optional/],
    ] as const
  ) {
    it(`${what}: only using it does, and says what to install`, async () => {
      const away = join(project.path, 'node_modules', name);
      const kept = join(project.path, 'kept');
      renameSync(away, kept);
      try {
        const { status, stdout } = await node('--input-type=module', '-e', code);
        assert.equal(status, 0);
        assert.match(stdout, new RegExp(`^ERR_IOURING_UNSUPPORTED .*${message.source}`));
        assert.match(stdout, /false ERR_IOURING_UNSUPPORTED true/);
        // And with iouring/register a server listens all the same.
        const args = ['--import', 'iouring/register', '--input-type=module', '-e', LISTENS];
        assert.deepEqual(
          await run(process.execPath, args, {
            ...inProject,
            env: { ...process.env, IOURING: 'http', IOURING_EAGER: '1' },
          }),
          {
            status: 0,
            stdout: 'listens\n',
            stderr: '',
          },
        );
      } finally {
        renameSync(kept, away);
      }
    });
  }

  it('under the permission model without addons: only using it does, and says which switch it needs', async (t) => {
    if (major < 23 && !(major === 20 || major === 22)) return t.skip('needs a Node with a permission model');
    const permission = major >= 23 ? '--permission' : '--experimental-permission';
    const args = [permission, '--allow-fs-read=*', '--no-warnings', '--input-type=module', '-e', code];
    const { status, stdout } = await node(...args);
    assert.equal(status, 0);
    assert.match(stdout, /^ERR_IOURING_UNSUPPORTED .*--allow-addons/);
  });
});
