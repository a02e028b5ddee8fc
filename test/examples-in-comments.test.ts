// What is public has an example in its comment, and each example compiles against the package's types.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as abi from '../src/abi/index.ts';
import * as api from '../src/index.ts';
import * as registration from '../src/register/eager.ts';
import * as socket from '../src/socket/index.ts';
import { examplesInComments, publicMethods, publicNames, type Declaration } from './examples-in-comments.ts';
import { run } from './run.ts';

/** The names that examples use without making them: descriptors of all kinds, a buffer, a ring and a reactor. */
const CONTEXT = `
import type * as iouring from 'iouring';
declare global {
  const io: iouring.Reactor;
  const ring: iouring.IoUring;
  const otherRing: iouring.IoUring;
  const otherRingFd: number;
  const fd: number;
  const otherFd: number;
  const folder: number;
  const socket: number;
  const listener: number;
  const pipe: number;
  const otherPipe: number;
  const epoll: number;
  const buffer: Buffer;
}
`;

const lacking = (all: readonly Declaration[]): string[] =>
  all.filter(({ hasExample }) => !hasExample).map(({ what }) => what);

describe('examples in comments', () => {
  it('given all of them, each compiles', async () => {
    const examples = examplesInComments();
    assert.ok(examples.length > 200, `${examples.length} examples`);
    mkdirSync('build', { recursive: true });
    const folder = mkdtempSync(join('build', 'examples-'));
    try {
      writeFileSync(join(folder, 'context.d.ts'), CONTEXT);
      for (const { file, line, code } of examples) {
        writeFileSync(
          join(folder, `${file.replaceAll('/', '-').replace(/\.ts$/, '')}-${line}.ts`),
          `${code}\nexport {};\n`,
        );
      }
      const config = {
        extends: '../../tsconfig.json',
        compilerOptions: { noEmit: true, noUnusedLocals: false, rootDir: '../..' },
        include: ['*.ts'],
      };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      const { status, stdout } = await run('node_modules/.bin/tsc', ['-p', join(folder, 'tsconfig.json')]);
      assert.equal(stdout, '');
      assert.equal(status, 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('given a public method of a ring, a reactor or a group of buffers, there is one', () => {
    const methods = publicMethods();
    assert.ok(methods.length > 180, `${methods.length} methods`);
    assert.deepEqual(lacking(methods), []);
  });

  it('given a class or function of an entry that is not in the place of one of Node’s, and each entry, there is one', () => {
    const values = [api, abi, socket, registration].flatMap((module): unknown[] => Object.values(module));
    const names = values.flatMap((value) => (typeof value === 'function' ? value.name : []));
    assert.ok(names.length > 25);
    const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      exports: Record<string, { types?: string }>;
    };
    const entries = Object.keys(exports).filter((path) => /^\.\/\w+$/.test(path)).map((path) =>
      `src/${path.slice(2)}/index.ts`
    );
    assert.ok(entries.length > 6);
    assert.deepEqual(lacking(publicNames(names, entries)), []);
  });
});
