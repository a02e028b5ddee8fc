// Where there is no io_uring, or it is forbidden, everything goes through Node and one event says so; and what Node's
// permission model forbids is forbidden here.
// slow: the same tests in processes without a ring
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Temporary } from '../kernel/temporary.ts';
import { moduleText, run } from '../run.ts';

const FS = new URL('../../src/fs/index.js', import.meta.url).href;
const INDEX = new URL('../../src/index.js', import.meta.url).href;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Run a module. What it printed. */
async function program(text: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const all = moduleText(text, ...args);
  const { status, stdout, stderr } = await run(process.execPath, all, { env: { ...process.env, ...env } });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('without io_uring', () => {
  it('one event says so, and all works', async () => {
    const text = `
      import { subscribe } from 'node:diagnostics_channel';
      subscribe('iouring:fallback', ({ module, error }) => console.log(module, error.code));
      const fs = await import(${JSON.stringify(FS)});
      for (let i = 0; i < 3; i++) await fs.stat('/');
      const handle = await fs.open('/dev/null');
      console.log((await handle.read()).bytesRead, (await fs.readFile('/dev/null')).length);
      await handle.close();
    `;
    assert.equal(await program(text, [], { IOURING_DISABLED: '1' }), 'iouring/fs ERR_IOURING_DISABLED\n0 0\n');
    assert.equal(await program(text), '0 0\n');
  });

  it('the tests of this folder pass', async () => {
    const tests = ['abort', 'beyond', 'fuzz', 'exported-names', 'receivers', 'scarce-disk', 'special', 'webassembly']
      .map((name) => here(`./${name}.test.js`));
    const env = { ...process.env, IOURING_DISABLED: '1', IOURING_FUZZ_SEQUENCES: '4' };
    // This is a test itself, which a runner within would take itself for a part of.
    delete (env as NodeJS.ProcessEnv)['NODE_TEST_CONTEXT'];
    const { status, stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', ...tests], { env });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass [1-9]/m);
  });

  it('doctor says what has switched it off', async () => {
    const { status, stdout } = await run(process.execPath, ['dist/cli/main.js', 'doctor'], {
      env: { ...process.env, IOURING_DISABLED: '1' },
    });
    assert.equal(status, 0);
    assert.match(stdout, /drop-ins +go through Node: the environment variable IOURING_DISABLED is set to 1/);
  });
});

describe('a tree', () => {
  it('given a Node that copies it in one request, is copied by that; by an older one, through the ring', async () => {
    using folder = new Temporary();
    const copied = (version: string): Promise<string> =>
      program(`
        Object.defineProperty(process.versions, 'node', { value: '${version}' });
        const { defaultReactor } = await import(${JSON.stringify(INDEX)});
        const fs = await import(${JSON.stringify(FS)});
        const root = ${JSON.stringify(folder.path)} + '/${version}';
        await fs.mkdir(root + '/from/in', { recursive: true });
        await fs.writeFile(root + '/from/in/file', '${version}');
        const { submitted } = defaultReactor().stats;
        await fs.cp(root + '/from', root + '/to', { recursive: true });
        console.log(defaultReactor().stats.submitted > submitted, await fs.readFile(root + '/to/in/file', 'utf8'));
      `);
    for (const version of ['20.20.2', '26.8.2']) assert.equal(await copied(version), `true ${version}\n`);
    for (const version of ['26.9.0', '26.12.1', '27.0.0']) assert.equal(await copied(version), `false ${version}\n`);
  });
});

/** Is there a permission model, and what is it called? */
const [major] = process.versions.node.split('.').map(Number);
const permission = major < 24 ? '--experimental-permission' : '--permission';

describe('the permission model', () => {
  for (const addons of [true, false]) {
    it(`refuses here what it refuses in Node, ${addons ? 'with the ring for open files' : 'without native code'}`, async () => {
      using folder = new Temporary();
      const allowed = join(folder.path, 'allowed');
      writeFileSync(allowed, 'yes');
      writeFileSync(join(folder.path, 'forbidden'), 'no');
      const text = `
        import { defaultReactor } from ${JSON.stringify(INDEX)};
        import * as node from 'node:fs/promises';
        import ours from ${JSON.stringify(FS)};
        const calls = {
          read: (fs) => fs.readFile(${JSON.stringify(join(folder.path, 'forbidden'))}),
          write: (fs) => fs.writeFile(${JSON.stringify(join(folder.path, 'forbidden'))}, 'x'),
          stat: (fs) => fs.stat(${JSON.stringify(join(folder.path, 'forbidden'))}),
          open: (fs) => fs.open(${JSON.stringify(join(folder.path, 'forbidden'))}),
          above: (fs) => fs.readFile(${JSON.stringify(`${folder.path}/allowed/../forbidden`)}),
          mkdir: (fs) => fs.mkdir(${JSON.stringify(join(folder.path, 'new'))}),
          rm: (fs) => fs.rm(${JSON.stringify(folder.path)}, { recursive: true }),
          rename: (fs) => fs.rename(${JSON.stringify(allowed)}, ${JSON.stringify(join(folder.path, 'new'))}),
          symlink: (fs) => fs.symlink(${JSON.stringify(join(folder.path, 'forbidden'))}, ${
        JSON.stringify(join(folder.path, 'new'))
      }),
          cp: (fs) => fs.cp(${JSON.stringify(join(folder.path, 'forbidden'))}, ${
        JSON.stringify(join(folder.path, 'new'))
      }, { recursive: true }),
          fchmod: async (fs) => { const h = await fs.open(${
        JSON.stringify(allowed)
      }); try { await h.chmod(0o777) } finally { await h.close() } },
          fsync: async (fs) => { const h = await fs.open(${
        JSON.stringify(allowed)
      }); try { await h.sync() } finally { await h.close() } },
        };
        for (const [name, call] of Object.entries(calls)) {
          const answers = [];
          for (const fs of [node, ours]) answers.push(await call(fs).then(() => 'done', ({ code, message }) => code + message));
          if (answers[0] !== answers[1]) console.log(name, answers);
          if (!/fchmod|fsync/.test(name) && !/ERR_ACCESS_DENIED/.test(answers[1])) console.log(name, answers[1]);
        }
        const handle = await ours.open(${JSON.stringify(allowed)});
        console.log((await handle.read(Buffer.alloc(3))).buffer.toString(), await ours.readFile(${
        JSON.stringify(allowed)
      }, 'utf8'));
        await handle.close();
        console.log(${addons} ? defaultReactor().stats.submitted > 0 : 'no ring');
      `;
      const root = fileURLToPath(new URL('../../..', import.meta.url));
      const flags = [permission, `--allow-fs-read=${root}*`, `--allow-fs-read=${allowed}`, `--no-warnings`];
      const printed = await program(text, addons ? [...flags, '--allow-addons'] : flags);
      assert.equal(printed, `yes yes\n${addons ? 'true' : 'no ring'}\n`);
    });
  }
});
