import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerHelp } from './usage.mjs';

const USAGE =
  `Fills in whose project it is, once. Until then addresses have OWNER in the place of that name, in package.json
(repository, bugs, homepage) and wherever else the repository's address stands.
usage: npm run owner -- NAME, the name of a user or an organization on GitHub`;
answerHelp(USAGE);

process.chdir(resolve(fileURLToPath(import.meta.url), '../..'));
const [name] = process.argv.slice(2);
if (!/^[A-Za-z\d](?:[A-Za-z\d-]{0,38})$/.test(name ?? '')) {
  console.error(USAGE);
  process.exit(2);
}
const placeholder = 'github.com/OWNER/iouring';
const files = execFileSync('git', ['grep', '--files-with-matches', '--fixed-strings', placeholder, '--',
  ':!scripts/owner.mjs'], {
  encoding: 'utf8',
});
for (const file of files.trim().split('\n')) {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(placeholder, `github.com/${name}/iouring`));
  console.log(file);
}
