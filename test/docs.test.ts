// The table of operations, the methods and their documentation say the same.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { page as operationsPage } from '../scripts/operations-page.ts';
import { page as registerPage } from '../scripts/register-page.ts';
import { OPERATIONS, REGISTRATIONS } from '../src/abi/index.ts';
import { IoUring } from '../src/index.ts';

const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) =>
    join(folder, file)
  );

/** Every method of the sources in a folder, with the comment before it and its signature. */
function methods(folder: string): Map<string, { comment: string; signature: string }> {
  const found = new Map<string, { comment: string; signature: string }>();
  const files = sources(folder);
  assert.ok(files.length > 2);
  for (const file of files) {
    const source = readFileSync(file, 'utf8');
    // A comment, and a method of an interface behind it.
    const pattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+(?:get )?(\w+)\(([\s\S]*?)\): [^\n]*;\n/g;
    for (const [, comment, name, signature] of source.matchAll(pattern)) {
      found.set(name, { comment: comment.replace(/\s*\n\s*\*/g, ''), signature });
    }
  }
  return found;
}

const preparations = methods('src/ring/prepare');
const named = (entry: string): string => entry.split('(')[0];

describe('the table of operations', () => {
  it('names for every operation methods that there are; every prep method stands in it', () => {
    const prototype = IoUring.prototype as unknown as Record<string, unknown>;
    const inTable = new Set(OPERATIONS.flatMap(({ methods: all }) => all.map(named)));
    for (const name of inTable) assert.equal(typeof prototype[name], 'function', name);
    for (const name of preparations.keys()) {
      if (name.startsWith('prep') && name !== 'prepSqe') assert.ok(inTable.has(name), `${name} stands in no row`);
    }
    for (const { name, methods: all } of OPERATIONS) assert.ok(all.length > 0, name);
  });

  it('agrees with the documentation of the methods: since when, like what, liburing’s names', () => {
    for (const { name, methods: all, since, helpers, like } of OPERATIONS) {
      const comments = all.map((entry) => preparations.get(named(entry))?.comment ?? assert.fail(`${name}: ${entry}`));
      const text = comments.join(' ');
      assert.ok(
        comments.every((comment) => /Kernel \d+\.\d+|\{@link/.test(comment)),
        `${name}: a method without a kernel`,
      );
      assert.match(text, new RegExp(`(Kernel|fixed\`) ${since.replace('.', '\\.')}\\b`), `${name}: since ${since}`);
      for (const helper of helpers) assert.ok(text.includes(`${helper}(3)`), `${name}: ${helper}`);
      if (like) assert.ok(text.includes(like) || text.includes(like.split('(')[0]), `${name}: like ${like}`);
    }
  });

  it('agrees with the documentation of the methods: what `res` means', () => {
    /** A method's comment, with those that it refers to. */
    const commentOf = (entry: string): string => {
      const { comment } = preparations.get(named(entry))!;
      const linked = [...comment.matchAll(/\{@link (\w+)\}/g)].map(([, name]) => preparations.get(name)?.comment ?? '');
      return [comment, ...linked].join(' ');
    };
    for (const { name, methods: all, result } of OPERATIONS) {
      const [meant] = /^0|bytes|descriptor|how many|events|index|-E[A-Z]+|command/.exec(result) ??
        assert.fail(`${name}: ${result}`);
      const said = [...all.map(commentOf).join(' ').matchAll(/[^.]*\b(?:complete[sd]?|Completes)\b[^.]*/g)].join(' ');
      const pattern = meant === 'command' ? /driver's to say/ : new RegExp(`(^|\\W)${meant}\\b`);
      assert.match(said, pattern, `${name}: ${result}`);
    }
  });

  it('names options that the methods have', () => {
    for (const { name, methods: all, options = [] } of OPERATIONS) {
      const files = sources('src/ring').map((file) => readFileSync(file, 'utf8')).join('\n');
      const signatures = all.map((entry) => preparations.get(named(entry))!.signature).join(' ');
      // In the signature itself, or in the interface that the signature names.
      const types = [...signatures.matchAll(/\b[A-Z]\w+\b/g)].map(([type]) => interfaceOf(files, type)).join(' ');
      for (const option of options) {
        assert.match(signatures + types, new RegExp(`\\b${option}(\\??:| = )`), `${name}: ${option}`);
      }
    }
  });

  it('is what docs/operations.md shows', () => {
    assert.equal(readFileSync('docs/operations.md', 'utf8'), operationsPage(), 'npm run docs');
  });
});

/** An interface's text, with those that it extends. */
function interfaceOf(sources: string, name: string): string {
  const found = new RegExp(`interface ${name}( extends ([\\w, ]+))? \\{([\\s\\S]*?)\\n\\}`).exec(sources);
  if (!found) return '';
  const above = (found[2] ?? '').split(', ').filter(Boolean).map((base) => interfaceOf(sources, base));
  return [found[3], ...above].join(' ');
}

describe('the table of registrations', () => {
  it('names for every registration methods that there are', async () => {
    const api = (await import('../src/index.ts')) as unknown as Record<string, unknown>;
    const prototype = IoUring.prototype as unknown as Record<string, unknown>;
    for (const { name, methods: all } of REGISTRATIONS) {
      assert.ok(all.length > 0, name);
      for (const method of all) {
        const known = Object.getOwnPropertyDescriptor(prototype, method) !== undefined || method in prototype;
        assert.ok(known || typeof api[method] === 'function', `${name}: ${method}`);
      }
    }
  });
});

describe('the table of replacements', () => {
  it('is what docs/register.md shows', () => {
    assert.equal(readFileSync('docs/register.md', 'utf8'), registerPage(), 'npm run docs');
  });
});
