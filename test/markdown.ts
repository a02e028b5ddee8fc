// Pages of the documentation, taken apart.
import { readdirSync, readFileSync } from 'node:fs';

/** The pages that a user reads, by their paths. */
export const PAGES = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...readdirSync('docs').filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];

export interface Block {
  readonly page: string;
  /** Of the block's first line of code in the page. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** The comment in front of the block, `<!-- context: … -->`: what it needs and does not show. */
  readonly context: string;
  /** How the page calls the file, by `<!-- file: NAME -->`. */
  readonly file: string | undefined;
}

/** The blocks of code of a page that say their language. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(page, 'utf8');
  const pattern = /(?:<!-- (context|file):([\s\S]*?)-->\n)?^```(\w+)\n([\s\S]*?)^```$/gm;
  return [...text.matchAll(pattern)].map(({ index, 0: all, 1: kind, 2: comment, 3: language, 4: code }) => {
    const line = text.slice(0, index + all.indexOf('```')).split('\n').length + 1;
    const context = kind === 'context' ? comment : '';
    return { page, line, language, code, context, file: kind === 'file' ? comment.trim() : undefined };
  });
}

/** A page's text without its blocks of code. */
export function proseOf(page: string): string {
  return readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
}

/** The targets of the links of a page. */
export function linksOf(page: string): string[] {
  const prose = proseOf(page).replace(/`[^`]*`/g, '');
  return [...prose.matchAll(/\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)\)/g)].map(([, target]) => target);
}

/** What its headings can be linked by, as GitHub makes it of them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of proseOf(page).matchAll(/^#{1,6} (.*)$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}
