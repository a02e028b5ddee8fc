// Where io_uring is forbidden: which container is likely to do it, and what to change there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ENOSYS, EPERM } from '../../src/abi/errno.ts';
import { likelyContainer, type Signs } from '../../src/ring/kernel/container.ts';
import { explainRefusal } from '../../src/ring/kernel/refusal.ts';

interface Place {
  env?: Record<string, string>;
  files?: Record<string, string>;
}

const signsOf = ({ env = {}, files = {} }: Place): Signs => ({
  env,
  exists: (path) => Object.hasOwn(files, path),
  read: (path) => files[path],
});

const places: [name: string | undefined, sign: string, place: Place][] = [
  [undefined, 'nothing', { files: { '/proc/version': 'Linux version 6.18.44', '/proc/1/cgroup': '0::/init.scope\n' } }],
  ['Docker', '/.dockerenv', { files: { '/.dockerenv': '' } }],
  ['Docker', 'the cgroup of version 1', { files: { '/proc/1/cgroup': '5:cpu:/docker/0123abc\n' } }],
  [
    'Docker',
    'the cgroup that systemd makes',
    { files: { '/proc/1/cgroup': '0::/system.slice/docker-0123abc.scope\n' } },
  ],
  ['Podman', '/run/.containerenv', { files: { '/run/.containerenv': 'engine="podman-5.4.0"' } }],
  ['Podman', 'its variable', { env: { container: 'podman' } }],
  [
    'Kubernetes',
    'the variable of its service, and what Docker leaves',
    { env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, files: { '/.dockerenv': '' } },
  ],
  ['Kubernetes', 'the account of its service', { files: { '/var/run/secrets/kubernetes.io': '' } }],
  ['gVisor', 'the version that it says it is, in a Kubernetes', {
    env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    files: { '/proc/version': 'Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n' },
  }],
  ['gVisor', 'its name in the version', { files: { '/proc/version': 'Linux version 4.19.0-gvisor #1 SMP' } }],
  ['AWS Lambda', 'its variable', { env: { AWS_LAMBDA_FUNCTION_NAME: 'f' } }],
];

describe('the container that a process is likely in', () => {
  for (const [name, sign, place] of places) {
    it(`${name ?? 'none'}, by ${sign}`, () => assert.equal(likelyContainer(signsOf(place))?.name, name));
  }
});

describe('why io_uring is refused', () => {
  const of = (name: string): ReturnType<typeof likelyContainer> =>
    likelyContainer(signsOf(places.find(([other]) => other === name)![2]));

  it('gVisor and Lambda forbid it without a seccomp filter that could be seen', () => {
    for (const errno of [EPERM, ENOSYS]) {
      assert.match(explainRefusal(errno, '', of('gVisor')).remedy, /runc/);
      assert.match(explainRefusal(errno, '', of('AWS Lambda')).cause, /^AWS Lambda/);
    }
  });

  it('a container is not blamed where this process is under no filter', (t) => {
    const isFiltered = /^Seccomp:\s*2$/m.test(readFileSync('/proc/self/status', 'utf8'));
    if (isFiltered) return t.skip('this process is under a seccomp filter');
    assert.doesNotMatch(explainRefusal(EPERM, '', of('Docker')).cause, /Docker/);
    assert.doesNotMatch(explainRefusal(ENOSYS, '', of('Podman')).cause, /Podman/);
  });

  it('each says in one sentence what to change', () => {
    for (const [name] of places) {
      if (name === undefined) continue;
      assert.ok(of(name)!.remedy.length < 250);
      assert.doesNotMatch(of(name)!.remedy, /\. /);
    }
  });
});
