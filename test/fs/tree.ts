import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createHash } from 'node:crypto';

/** All that a folder holds, in lines that can be compared with those of another. */
export function treeOf(root: string): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const inner = join(path, name);
      const stat = lstatSync(join(root, inner));
      const contents = stat.isFile() && stat.size < 2 ** 26
        ? createHash('sha1').update(readFileSync(join(root, inner))).digest('hex')
        : stat.isSymbolicLink()
        ? readlinkSync(join(root, inner)).replaceAll(root, 'ROOT').replaceAll(dirname(root), 'ABOVE')
        : '';
      const links = stat.isDirectory() ? '' : `${stat.nlink} links, ${stat.size} bytes`;
      lines.push(`${inner} ${stat.mode.toString(8)} ${links} ${contents}`);
      if (stat.isDirectory()) visit(inner);
    }
  };
  visit('');
  return lines;
}
