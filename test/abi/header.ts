/** A member of a struct, by the path that C reaches it by: `addr`, or `socket.family`. */
export interface Member {
  readonly path: string;
  /** A flexible array has an offset but no size. */
  readonly flexible: boolean;
}

export interface Header {
  readonly constants: readonly string[];
  readonly structs: ReadonlyMap<string, readonly Member[]>;
}

/** The definitions of the files chosen by `wanted` in a preprocessed source that still has its `#define` lines. */
export function parseHeader(preprocessed: string, wanted: (path: string) => boolean): Header {
  const code: string[] = [];
  const macros = new Set<string>();
  let inside = false;
  for (const line of preprocessed.split('\n')) {
    const marker = /^# \d+ "([^"]*)"/.exec(line);
    if (marker) inside = wanted(marker[1]);
    else if (inside && line.startsWith('#')) {
      // Without a body it guards against including twice, with parentheses it is a function.
      const macro = /^#define (\w+) \S/.exec(line);
      if (macro) macros.add(macro[1]);
    } else if (inside) code.push(line);
  }
  const text = withoutAttributes(code.join('\n'));
  return { constants: [...macros, ...enumerators(text)], structs: structs(text) };
}

function enumerators(text: string): string[] {
  const bodies = [...text.matchAll(/\benum\b[^{};]*\{([^}]*)\}/g)].map((match) => match[1]);
  const words = bodies.flatMap((body) => body.split(',').map((part) => /^\s*(\w+)/.exec(part)?.[1]));
  return words.filter((word) => word !== undefined);
}

function structs(text: string): Map<string, Member[]> {
  const found = new Map<string, Member[]>();
  const opening = /\bstruct\s+(\w+)\s*\{/g;
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    const end = closing(text, opening.lastIndex - 1, '{', '}');
    found.set(match[1], members(text.slice(opening.lastIndex, end)));
    opening.lastIndex = end;
  }
  return found;
}

function members(body: string): Member[] {
  const found: Member[] = [];
  let rest = body.trim();
  while (rest !== '') {
    const nested = /^(?:struct|union)\s*\w*\s*\{/.exec(rest)?.[0];
    const inner = nested ? closing(rest, nested.length - 1, '{', '}') : 0;
    const end = rest.indexOf(';', inner);
    const below = nested ? members(rest.slice(nested.length, inner)) : [];
    const names = declared(rest.slice(nested ? inner + 1 : 0, end), nested !== undefined);
    // The members of a struct without a name are reached as if they were the outer one's.
    if (names.length === 0) found.push(...below);
    for (const name of names) {
      found.push(name, ...below.map((member) => ({ ...member, path: `${name.path}.${member.path}` })));
    }
    rest = rest.slice(end + 1).trim();
  }
  return found;
}

/** The names in a declaration, whose type comes first unless it was a body just before. */
function declared(declaration: string, typeIsBehind: boolean): Member[] {
  return declaration.split(',').flatMap((part, i) => {
    const words = /^(.*?)(\w+)\s*((?:\[[^\]]*\]\s*)*)$/s.exec(part.trim());
    if (!words || (i === 0 && !typeIsBehind && words[1].trim() === '')) return [];
    return [{ path: words[2], flexible: /^\[\s*\]/.test(words[3]) }];
  });
}

function withoutAttributes(text: string): string {
  for (;;) {
    const start = text.search(/__attribute__\s*\(/);
    if (start < 0) return text;
    const end = closing(text, text.indexOf('(', start), '(', ')');
    text = text.slice(0, start) + text.slice(end + 1);
  }
}

/** Where the bracket at `from` is closed. */
function closing(text: string, from: number, open: string, close: string): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    if (text[i] === open) depth++;
    if (text[i] === close && --depth === 0) return i;
  }
  throw new Error(`the header never closes the ${open} in: ${text.slice(from, from + 60)}`);
}
