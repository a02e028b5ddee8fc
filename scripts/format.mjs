import { createFromBuffer } from '@dprint/formatter';
import { getPath } from '@dprint/typescript';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerHelp } from './usage.mjs';

answerHelp(
  `Formats the sources. It is dprint with the settings of dprint.json, run from WebAssembly: there is no binary for each
platform to install, and nothing is fetched.
usage: npm run format, or npm run format:check
  --check  only name the files that are not formatted; npm run format:check does`,
);

process.chdir(resolve(fileURLToPath(import.meta.url), '../..'));
const isCheck = process.argv.includes('--check');
const { typescript, ...global } = JSON.parse(readFileSync('dprint.json', 'utf8'));

const formatter = createFromBuffer(readFileSync(getPath()));
formatter.setConfig(global, typescript);
const wrong = formatter.getConfigDiagnostics();
if (wrong.length > 0) {
  throw new Error(`dprint.json: ${wrong.map(({ propertyName, message }) => `${propertyName}: ${message}`).join('; ')}`);
}

// What git ignores is not a source: what is new and not committed yet is one.
const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mts', '*.mjs',
  '*.cjs', '*.cts'], {
  encoding: 'utf8',
});
const changed = list.trim().split('\n').filter((filePath) => {
  if (!existsSync(filePath)) return false;
  const fileText = readFileSync(filePath, 'utf8');
  const formatted = stable(filePath, fileText);
  if (formatted !== fileText && !isCheck) writeFileSync(filePath, formatted);
  return formatted !== fileText;
});
for (const file of changed) console.log(file);
if (isCheck && changed.length > 0) {
  console.error(`${changed.length} files are not formatted: npm run format`);
  process.exitCode = 1;
}

/** Where a comment is moved, once is not enough. */
function stable(filePath, fileText, turns = 5) {
  const formatted = formatter.formatText({ filePath, fileText });
  return formatted === fileText || turns === 1 ? formatted : stable(filePath, formatted, turns - 1);
}
