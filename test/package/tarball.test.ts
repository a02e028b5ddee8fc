// The package as a stranger gets it: packed, installed in an empty project, imported, required, type-checked.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

const [major, minor] = process.versions.node.split('.').map(Number);
const requiresEsm = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);

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

describe('the installed package', () => {
  it('depends on koffi, and for the command line on what draws bars and speaks HTTP', () => {
    const packages = readdirSync(join(project.path, 'node_modules')).filter((name) => !name.startsWith('.'));
    // The rest is what cli-progress measures text with.
    const ofProgress = ['ansi-regex', 'cli-progress', 'emoji-regex', 'is-fullwidth-code-point', 'string-width', 'strip-ansi'];
    const ofServe = ['bare-http-parser', 'escape-html', 'fresh', 'mrmime', 'range-parser'];
    assert.deepEqual(packages.sort(), ['@koromix', 'iouring', 'koffi', ...ofProgress, ...ofServe].sort());
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

  it('works with require()', async (t) => {
    if (!requiresEsm) return t.skip('needs a Node that can require ES modules: 20.19 or 22.12');
    project.file(
      'use.cjs',
      `const { IoUring } = require('iouring');
       const { EPERM } = require('iouring/abi');
       const ring = new IoUring(8);
       ring.prepNop(42);
       ring.submitAndWait(1);
       ring.forEachCompletion((c) => console.log(c.userData, c.res, EPERM));
       ring.close();`,
    );
    const { status, stdout } = await node('use.cjs');
    assert.deepEqual([status, stdout], [0, '42 0 1\n']);
  });

  it('has the command, executable', async () => {
    const { status, stdout } = await run(join(project.path, 'node_modules/.bin/iouring'), ['doctor'], inProject);
    assert.equal(status, 0);
    assert.match(stdout, /^io_uring is usable here/);
  });

  it('type-checks under strict, and refuses what is wrong', async () => {
    mkdirSync(join(project.path, 'types'), { recursive: true });
    cpSync(resolve('node_modules/@types/node'), join(project.path, 'node_modules/@types/node'), { recursive: true });
    cpSync(resolve('node_modules/undici-types'), join(project.path, 'node_modules/undici-types'), {
      recursive: true,
    });
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
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable'];
    const modules = ['--module', 'nodenext', '--types', 'node', 'types/right.ts', 'types/wrong.ts'];
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const { status, stdout } = await node(tsc, '--ignoreConfig', ...options, ...modules);
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });

  it('ships declarations and source maps whose sources are there', () => {
    const dist = join(project.path, 'node_modules/iouring/dist');
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((name) => name.endsWith('.js'))) {
      assert.ok(files.includes(file.replace(/js$/, 'd.ts')), `${file} has declarations`);
      const map = JSON.parse(readFileSync(join(dist, `${file}.map`), 'utf8')) as { sources: string[] };
      for (const source of map.sources) readFileSync(join(dist, file, '..', source));
    }
  });
});

describe('importing never throws', () => {
  const pretend = (property: string, value: string): string =>
    `data:text/javascript,Object.defineProperty(process, '${property}', { value: '${value}' })`;
  const code = `
    import { IoUring, diagnose } from 'iouring';
    try { new IoUring(8); } catch (error) { console.log(error.code, error.message); }
    const { usable, problem } = diagnose();
    console.log(usable, problem.code, problem.remedy.length > 0);`;

  for (const [what, property, value, message] of [
    ['on another platform', 'platform', 'darwin', /exists only on Linux, this is darwin/],
    ['on another processor', 'arch', 's390x', /x86-64 and arm64.* this is s390x/],
  ] as const) {
    it(`${what}: only using it does, with a clear error`, async () => {
      const args = ['--import', pretend(property, value), '--input-type=module', '-e', code];
      const { status, stdout } = await node(...args);
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`^ERR_IOURING_UNSUPPORTED .*${message.source}`));
      assert.match(stdout, /false ERR_IOURING_UNSUPPORTED true/);
    });
  }

  it('without koffi’s binary: only using it does', async () => {
    const away = join(project.path, 'node_modules/koffi');
    const kept = join(project.path, 'koffi-kept');
    cpSync(away, kept, { recursive: true });
    rmSync(away, { recursive: true });
    try {
      const { status, stdout } = await node('--input-type=module', '-e', code);
      assert.equal(status, 0);
      assert.match(stdout, /^ERR_IOURING_UNSUPPORTED .*koffi could not be loaded/);
    } finally {
      cpSync(kept, away, { recursive: true });
      rmSync(kept, { recursive: true });
    }
  });

  it('under the permission model without addons: only using it does, and says which switch it needs', async (t) => {
    if (major < 23 && !(major === 20 || major === 22)) return t.skip('needs a Node with a permission model');
    const permission = major >= 23 ? '--permission' : '--experimental-permission';
    const args = [permission, '--allow-fs-read=*', '--no-warnings', '--input-type=module', '-e', code];
    const { status, stdout } = await node(...args);
    assert.equal(status, 0);
    assert.match(stdout, /^ERR_IOURING_UNSUPPORTED .*--allow-addons/);
  });
});
