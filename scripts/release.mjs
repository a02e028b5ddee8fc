import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answerHelp } from './usage.mjs';
import { tryPackage } from './try-package.mjs';

answerHelp(`Builds, packs, and tries the tarball in an empty project, and says what a release would do then.
usage: npm run release [-- --publish]
  --publish  do it: the tag, npm publish with provenance, and the tag pushed. Provenance is what the workflow
             .github/workflows/release.yml can state, and nobody else: start that one`);

process.chdir(resolve(fileURLToPath(import.meta.url), '../..'));
const { values } = parseArgs({ options: { publish: { type: 'boolean', default: false } } });
const show = (file, ...args) => execFileSync(file, args, { stdio: 'inherit' });
const read = (file, ...args) => execFileSync(file, args, { encoding: 'utf8' }).trim();

const { version, repository } = JSON.parse(readFileSync('package.json', 'utf8'));
const tag = `v${version}`;
/** What stands in the way of publishing; a dry run says it and goes on. */
const obstacles = [
  read('git', 'status', '--porcelain') !== '' && 'there are changes that are not committed',
  read('git', 'tag', '--list', tag) !== '' && `there is a tag ${tag} already: raise "version" in package.json`,
  repository.url.includes('/OWNER/') && 'the owner is not filled in: npm run owner -- NAME',
  !new RegExp(`^## ${version.replaceAll('.', '\\.')}\\b`, 'm').test(readFileSync('CHANGELOG.md', 'utf8')) &&
  `CHANGELOG.md has no section ${version}`,
  process.env.ACTIONS_ID_TOKEN_REQUEST_URL === undefined &&
  'this is not the workflow that can state where the package comes from',
].filter(Boolean);
for (const obstacle of obstacles) {
  console.log(`${values.publish ? 'Cannot publish' : 'Would not publish'}: ${obstacle}`);
}
if (values.publish && obstacles.length > 0) process.exit(1);

const folder = mkdtempSync(join(tmpdir(), 'iouring-release-'));
try {
  show('npm', 'run', '--silent', 'build');
  show('npm', 'run', '--silent', 'package:check');
  const [{ filename }] = JSON.parse(read('npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder));
  const tarball = join(folder, filename);
  const project = mkdtempSync(join(folder, 'project-'));
  console.log(`${filename} in an empty project:`);
  for (const { name, bytes } of await tryPackage(tarball, project)) {
    console.log(`  ${name}: ${(bytes / 1e6).toFixed(1)} MB`);
  }
  const publish = ['publish', tarball, '--provenance', '--access', 'public'];
  if (values.publish) {
    show('git', 'tag', '--annotate', tag, '--message', tag);
    show('npm', ...publish);
    show('git', 'push', 'origin', tag);
  } else {
    console.log(
      `Would now run:\n  git tag --annotate ${tag} --message ${tag}\n  npm ${
        publish.join(' ')
      }\n  git push origin ${tag}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
