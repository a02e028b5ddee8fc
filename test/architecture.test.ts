// The house rules that a reader of the folder listing relies on.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import * as abi from '../src/abi/index.ts';
import * as api from '../src/index.ts';

/** From the ground up: an import points to the same layer or to a lower one. */
const LAYERS = ['abi', 'native', 'ring', 'reactor', 'fs', 'net', 'socket', 'dgram', 'http', 'register', 'index.ts',
  'cli'];

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const layerOf = (file: string): number => LAYERS.indexOf(file.split('/')[0]);
const imports = (file: string): string[] =>
  [...readFileSync(join('src', file), 'utf8').matchAll(/^(?:import|export) [^;]*?from '(\.[^']+)'/gms)].map(
    ([, path]) => relative('src', join('src', dirname(file), path)),
  );

describe('layers', () => {
  it('every file stands in one', () => {
    assert.ok(files.length > 20);
    for (const file of files) assert.notEqual(layerOf(file), -1, file);
  });

  it('imports never point up', () => {
    for (const file of files) {
      for (const target of imports(file)) assert.ok(layerOf(target) <= layerOf(file), `${file} imports ${target}`);
    }
  });

  it('abi imports nothing outside itself; the command line only what a user can import', () => {
    for (const file of files) {
      for (const target of imports(file)) {
        if (file.startsWith('abi/')) assert.ok(target.startsWith('abi/'), `${file} imports ${target}`);
        // A limit is no part of the package's surface, and is there once.
        const allowed =
          /^(cli\/|reactor\/limit\.ts$|index\.ts$|abi\/index\.ts$|fs\/index\.ts$|net\/index\.ts$|socket\/index\.ts$)/;
        // The drop-ins stand on the reactor. Below it they know what knows nothing of rings: arguments, memory, structs, calls.
        const below = /^(reactor|abi|native|ring\/(arguments|memory|structs))\//;
        if (file.startsWith('fs/') && !target.startsWith('fs/')) {
          assert.match(target, below, `${file} imports ${target}`);
        }
        if (file.startsWith('net/') && !target.startsWith('net/')) {
          assert.match(target, below, `${file} imports ${target}`);
        }
        if (file.startsWith('cli/')) assert.match(target, allowed, `${file} imports ${target}`);
      }
    }
  });

  it('rooms of sockets import what they share, and no other room', () => {
    for (const file of files) {
      const [, room] = /^net\/(\w+)\//.exec(file) ?? [];
      for (const target of room === undefined ? [] : imports(file)) {
        const [, other = room] = /^net\/(\w+)\//.exec(target) ?? [];
        assert.ok(other === room || other === 'transport', `${file} imports ${target}`);
        assert.ok(!/^net\/\w+\.ts$/.test(target), `${file} imports ${target}`);
      }
    }
  });

  it('rooms of the command line import what they share, and no other command', () => {
    for (const file of files) {
      const [, room] = /^cli\/(\w+)\//.exec(file) ?? [];
      for (const target of room === undefined ? [] : imports(file)) {
        const [, other = room] = /^cli\/(\w+)\//.exec(target) ?? [];
        assert.equal(other, room, `${file} imports ${target}`);
      }
    }
  });

  it('only native/ has a clock, one that fake timers do not stop; a command has whichever it likes', () => {
    for (const file of files.filter((name) => !name.startsWith('native/') && !name.startsWith('cli/'))) {
      const code = readFileSync(join('src', file), 'utf8').replace(/^ *(\*|\/\/|\/\*).*$/gm, '');
      assert.doesNotMatch(code, /\b(performance|Date)\.now\b/, file);
    }
  });

  it('only native/ names koffi, looks at the runtime, or calls what is not JavaScript', () => {
    for (const file of files.filter((name) => !name.startsWith('native/'))) {
      const text = readFileSync(join('src', file), 'utf8');
      assert.doesNotMatch(text, /from 'koffi'|process\.versions|globalThis\.(Bun|Deno)/, file);
    }
  });
});

describe('comments of the source', () => {
  const lines = files.flatMap((file) =>
    readFileSync(join('src', file), 'utf8')
      .split('\n')
      .map((text, i) => ({ text, place: `src/${file}:${i + 1}` }))
  );
  const comments = lines.filter(({ text }) => /^\s*(\/\*|\*|\/\/)/.test(text));

  it('open with their subject', () => {
    assert.ok(comments.length > 1000);
    for (const [i, { text, place }] of comments.entries()) {
      const opens = /^\s*\/\*\* /.test(text) || (i > 0 && /^\s*\/\*\*$/.test(comments[i - 1].text));
      if (opens) assert.doesNotMatch(text, /^[\s/*]+(Of|What|Who|Whom|Whose|Whoever)\b/, place);
    }
  });

  it('call a thing it', () => {
    for (const { text, place } of comments) assert.doesNotMatch(text, /\b([Hh]e|[Hh]im|[Hh]is|[Ss]he|[Hh]er)\b/, place);
  });

  it('have lines of at most 120 columns', () => {
    // A line that is one word, such as an address, cannot be broken.
    for (const { text, place } of comments) assert.ok(text.length <= 120 || !/\S \S/.test(text), place);
  });
});

describe('entry points', () => {
  it('iouring: a change of these names is a change of the contract', () => {
    const names = [
      'AbortError',
      'Chunk',
      'Completion',
      'Datagram',
      'EpollEvents',
      'IoUring',
      'LinkError',
      'Msghdr',
      'ProvidedBufRing',
      'Reactor',
      'RecvmsgOut',
      'Siginfo',
      'SocketAddressBuffer',
      'Statx',
      'TimeoutError',
      'allocateAligned',
      'defaultReactor',
      'diagnose',
      'queryKernel',
      'registerSyncMsg',
      'rights',
      'rightsOf',
    ];
    assert.deepEqual(Object.keys(api).sort(), names);
  });

  it('iouring/abi: the kernel’s names, constants and tables', () => {
    for (const name of ['IORING_OP_READV', 'IORING_SETUP_DEFER_TASKRUN', 'IO_URING_SQE', 'OPERATIONS', 'ERRNO']) {
      assert.ok(name in abi, name);
    }
  });
});
