// The @example blocks of the comments in src/, and which declarations are to have one.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

export interface Example {
  readonly file: string;
  /** Of the line `@example`. */
  readonly line: number;
  readonly code: string;
}

/** Every example, as code. It ends where another tag begins. */
export function examplesInComments(): Example[] {
  return FILES.flatMap((file) => {
    const text = readFileSync(join('src', file), 'utf8');
    return [...text.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*\*\//g)].flatMap((comment) =>
      [...comment[0].matchAll(/^[ \t]*\* @example\n((?:[ \t]*\*(?! @)(?!\/).*\n)+)/gm)].map(({ index, 1: body }) => {
        const line = text.slice(0, comment.index + index).split('\n').length;
        return { file, line, code: body.replace(/^[ \t]*\* ?/gm, '') };
      })
    );
  });
}

export interface Declaration {
  /** File and name, for a message. */
  readonly what: string;
  readonly hasExample: boolean;
}

/** Where the public methods stand: a class, or an interface that a class has the methods of. */
const METHODS_IN = [
  ...FILES.filter((file) => /^reactor\/(methods-.*|reactor)\.ts$/.test(file)),
  ...FILES.filter((file) => /^ring\/(prepare|register)\//.test(file)),
  'ring/io-uring.ts',
  'ring/buffer-ring.ts',
];
/** The declarations that are public there. */
const PUBLIC =
  /^export (?:abstract )?(?:class|interface) (\w+Methods|Reactor|IoUring|ProvidedBufRing|\w+Operations|\w+Registrations|EntryModifiers)\b.*\{\n([\s\S]*?)^\}/gm;
const METHOD = /^  \/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n  (?:override )?(?:async )?(?!get )(\w+)(?:<[^\n(]*>)?\(/gm;

/** Every public method of a reactor, a ring and a group of buffers. Of overloads, one example serves all. */
export function publicMethods(): Declaration[] {
  return METHODS_IN.flatMap((file) => {
    const text = readFileSync(join('src', file), 'utf8');
    const all = new Map<string, boolean>();
    for (const [, owner, body] of text.matchAll(PUBLIC)) {
      for (const [, comment, name] of body.matchAll(METHOD)) {
        if (name === 'constructor' || /@internal|@deprecated/.test(comment)) continue;
        const what = `src/${file}: ${owner}.${name}`;
        all.set(what, all.get(what) === true || comment.includes('@example'));
      }
    }
    return [...all].map(([what, hasExample]) => ({ what, hasExample }));
  });
}

/** Every class and function that `iouring` exports, and every entry of the package, by the comment that it begins with. */
export function publicNames(names: readonly string[], entries: readonly string[]): Declaration[] {
  const sources = FILES.map((file) => [file, readFileSync(join('src', file), 'utf8')] as const);
  const ofNames = names.map((name) => {
    const declaration = new RegExp(
      `/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\nexport (?:async )?(?:class|function) ${name}\\b`,
    );
    const found = sources.flatMap(([file, text]) => {
      const comment = declaration.exec(text)?.[1];
      return comment === undefined ? [] : [{ what: `src/${file}: ${name}`, hasExample: comment.includes('@example') }];
    });
    return found[0] ?? { what: `${name}, which has no comment`, hasExample: false };
  });
  const ofEntries = entries.map((file) => {
    const head = /^\/\*\*((?:(?!\*\/)[\s\S])*)\*\//.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
    return { what: file, hasExample: head.includes('@example') };
  });
  return [...ofNames, ...ofEntries];
}
