import escapeHtml from 'escape-html';
import { lstat, readdir } from '../../fs/index.ts';
import { sized } from '../byte-size.ts';
import { textAnswer, type Answer } from './http-answer.ts';
import { Limit } from '../../reactor/limit.ts';
import { escapePath, isHidden, pathBytes } from './request-path.ts';
import type { ServedFile } from './served-tree.ts';

const AT_ONCE = 64;
const STYLE = 'body{font:1em/1.6 system-ui,sans-serif;margin:2em}td{padding-right:2em}td+td{text-align:right}';
/** Nothing that a name could smuggle in may run. */
const POLICY = `Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nCache-Control: no-cache\r\n`;

/** A page of what is in a directory, the directories first. */
export async function listingAnswer(directory: ServedFile, path: string, withHidden: boolean): Promise<Answer> {
  const entries = await readdir(
    directory.path,
    { __proto__: null, withFileTypes: true, encoding: 'latin1' } as { withFileTypes: true; encoding: 'latin1' },
  );
  const shown = entries.filter(({ name }) => withHidden || !isHidden(name));
  const limit = new Limit(AT_ONCE);
  const rows = await Promise.all(
    shown.map((entry) =>
      limit.run(async () => {
        const isDirectory = entry.isDirectory();
        // What a link leads to is not told: it may be outside.
        const stats = await lstat(within(directory.path, entry.name)).catch(() => undefined);
        const size = isDirectory || stats === undefined || !stats.isFile() ? '' : sized(stats.size);
        const date = stats === undefined ? '' : stats.mtime.toISOString().slice(0, 16).replace('T', ' ');
        const href = `./${escapePath(entry.name)}${isDirectory ? '/' : ''}`;
        const name = `${escapeHtml(pathBytes(entry.name).toString())}${isDirectory ? '/' : ''}`;
        return {
          isDirectory,
          name,
          row: `<tr><td><a href="${href}">${name}</a></td><td>${size}</td><td>${date}</td></tr>`,
        };
      })
    ),
  );
  rows.sort((a, b) => Number(b.isDirectory) - Number(a.isDirectory) || (a.name < b.name ? -1 : 1));
  const title = escapeHtml(`/${pathBytes(path).toString()}`);
  const up = path === '' ? '' : '<tr><td><a href="../">../</a></td><td></td><td></td></tr>';
  const head = `<!doctype html><meta charset="utf-8"><title>${title}</title><style>${STYLE}</style><h1>${title}</h1>`;
  const text = `${head}<table>${up}${rows.map(({ row }) => row).join('\n')}</table>\n`;
  return textAnswer(200, 'text/html; charset=utf-8', text, POLICY);
}

function within(directory: string | Buffer, name: string): Buffer {
  return Buffer.concat([Buffer.from(directory), Buffer.from('/'), pathBytes(name)]);
}
