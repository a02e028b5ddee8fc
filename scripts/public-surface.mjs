import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerHelp } from './usage.mjs';

answerHelp(
  `Compares the public surface, every name and signature of each entry, as API Extractor finds them in dist/, with the
reports in api/. They are checked in, so that a change of the surface shows in a review: it fails where one
is out of date.
usage: npm run surface:check, or npm run surface
  --write  write the reports instead; npm run surface does`,
);

const root = resolve(fileURLToPath(import.meta.url), '../..');
const writes = process.argv.includes('--write');
const packageJsonFullPath = resolve(root, 'package.json');
// The types of a drop-in are published as `export *` of Node's module, which API Extractor cannot follow: it is shown
// the declarations of the code instead. test/net/types.ts and test/fs/types.ts compare the two.
const entries = Object.entries(JSON.parse(readFileSync(packageJsonFullPath, 'utf8')).exports)
  .map(([name, entry]) => ({
    name: name === '.' ? 'iouring' : name.slice(2),
    code: entry['module-sync']?.default ?? entry['module-sync'],
  }))
  .filter(({ code }) => code !== undefined)
  .map(({ name, code }) => ({ name, types: resolve(root, code.replace(/\.js$/, '.d.ts')) }));

const { extends: _, ...tsconfig } = JSON.parse(readFileSync(resolve(root, 'tsconfig.json'), 'utf8'));
const compilerOptions = { ...tsconfig.compilerOptions, noEmit: true, rootDir: undefined };
const silent = { default: { logLevel: 'none' } };
const reportFolder = resolve(root, 'api');
const reportTempFolder = resolve(root, 'build/api');
mkdirSync(reportFolder, { recursive: true });

const configs = entries.map(({ name, types }) =>
  ExtractorConfig.prepare({
    packageJsonFullPath,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: types,
      compiler: { overrideTsconfig: { compilerOptions, files: entries.map((entry) => entry.types) } },
      // A class or interface that an exported one extends, and that has no exported name, is a part of the surface.
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder,
        reportTempFolder,
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
      },
    },
  })
);
const compilerState = CompilerState.create(configs[0], { additionalEntryPoints: entries.map(({ types }) => types) });
const changed = configs.filter((config, i) => {
  if (writes) rmSync(config.reportFilePath, { force: true });
  const result = Extractor.invoke(config, {
    compilerState,
    localBuild: writes,
    messageCallback: (message) => {
      if (message.logLevel === ExtractorLogLevel.Error) console.error(`${entries[i].name}: ${message.text}`);
      message.handled = true;
    },
  });
  if (result.errorCount > 0) process.exitCode = 1;
  return result.apiReportChanged;
});
if (changed.length > 0 && !writes) {
  for (const { reportFilePath, reportTempFilePath } of changed) {
    console.error(`diff ${reportFilePath} ${reportTempFilePath}`);
  }
  console.error('The public surface has changed: look at it, then run npm run surface and commit api/ with the change');
  process.exitCode = 1;
}
