// The checks of the project's public home, as far as they can be looked at here: they name what is there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const workflow = readFileSync('.github/workflows/ci.yml', 'utf8');
const { engines, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  engines: { node: string };
  scripts: Record<string, string>;
};

describe('.github/workflows/ci.yml', () => {
  it('runs scripts that package.json has', () => {
    const run = [...workflow.matchAll(/npm (?:run ([\w:]+)|(test))$/gm)].map(([, script, test]) => script ?? test);
    assert.deepEqual(run.filter((name) => !(name in scripts)), []);
    assert.ok(run.includes('test') && run.includes('test:kernels'));
  });

  it('runs the suite at each change on every even version from the oldest that package.json allows', () => {
    assert.match(workflow, /^on:\n {2}push:\n {2}pull_request:\n/m);
    const versions = /node: \[([\d, ]+)\]/.exec(workflow)![1].split(', ').map(Number);
    assert.deepEqual(versions, [20, 22, 24, 26]);
    assert.equal(engines.node, `>=${versions[0]}`);
  });

  it('boots kernels at night', () => {
    assert.match(workflow, /^ {2}schedule:\n {4}- cron: '\d+ [0-5] \* \* \*'$/m);
    assert.match(workflow, /kernels:\n {4}if: github\.event_name == 'schedule'/);
  });
});

describe('.github/workflows/release.yml', () => {
  const release = readFileSync('.github/workflows/release.yml', 'utf8');

  it('is started by hand, tests before it publishes, and may state where the package comes from', () => {
    assert.match(release, /^on:\n {2}workflow_dispatch:\n/m);
    assert.ok(release.indexOf('npm test') < release.indexOf('npm run release -- --publish'));
    assert.match(release, /^ {2}id-token: write$/m);
    assert.ok('release' in scripts);
  });
});

describe('package.json', () => {
  it('names the repository once: bugs and homepage are of the same address', () => {
    const { repository, bugs, homepage } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      repository: { url: string };
      bugs: string;
      homepage: string;
    };
    const address = /^git\+(https:.*)\.git$/.exec(repository.url)![1];
    assert.deepEqual([bugs, homepage], [`${address}/issues`, `${address}#readme`]);
  });
});

describe('the seccomp profile of docs/compatibility.md', () => {
  it('allows the three system calls of io_uring, in both forms that it is shown in', () => {
    const page = readFileSync('docs/compatibility.md', 'utf8');
    const names = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];
    const rule = JSON.parse(/```json\n(.*?)```/s.exec(page)![1]) as unknown;
    assert.deepEqual(rule, { names, action: 'SCMP_ACT_ALLOW' });
    const filter = /^jq '\.syscalls \+= \[(.*)\]' /m.exec(page)![1];
    assert.deepEqual(JSON.parse(filter.replaceAll(/(\w+):/g, '"$1":')), rule);
  });
});
