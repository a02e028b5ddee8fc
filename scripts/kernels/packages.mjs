import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where everything is kept that is downloaded. */
export const WORK = resolve('build/kernels');

const CURRENT = String.raw`6\.12\.[0-9]+\+deb13(\.[0-9]+)?`;
const NEWEST = String.raw`[0-9.]+\+deb13(\.[0-9]+)?`;

/**
 * The kernels, each by a pattern of its packages' names. A user-mode Linux is a program, and needs no emulator; nor does the kernel that
 * this runs on, which is not downloaded at all.
 */
export const KERNELS = [
  { name: '5.10-uml', arch: 'amd64', note: 'user-mode Linux; io_uring as 5.10 had it', program: '5.10um' },
  // Not 6.12, which maps the queues of a ring wrongly, and ends by that.
  { name: '6.1-uml', arch: 'amd64', note: 'user-mode Linux', program: '6.1um' },
  ...['amd64', 'arm64'].map((arch) => ({
    name: '5.10',
    arch,
    note: "Debian 11; its io_uring is 5.15's",
    pattern: '5\\.10\\.0-[0-9]+',
  })),
  ...['amd64', 'arm64'].map((arch) => ({ name: '6.1', arch, note: 'Debian 12', pattern: '6\\.1\\.0-[0-9]+' })),
  ...['amd64', 'arm64'].map((arch) => ({ name: '6.12', arch, note: 'Debian 13', pattern: CURRENT })),
  { name: '6.12-16k', arch: 'arm64', note: 'Debian 13; pages of 16 KiB', pattern: CURRENT, flavour: '16k' },
  ...['amd64', 'arm64'].map((arch) => ({ name: 'newest', arch, note: "Debian 13's backports", pattern: NEWEST })),
  {
    name: 'own',
    arch: process.arch === 'arm64' ? 'arm64' : 'amd64',
    note: 'the machine that booted the others',
    isOwn: true,
  },
];

const TOOLS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-system-aarch64': 'qemu-system-arm',
  cpio: 'cpio',
  strip: 'binutils',
};

/** Run a command; what it prints on stdout. */
export function run(command, args, options = {}) {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
    ...options,
  });
}

const isThere = (tool) => run('sh', ['-c', `command -v ${tool} || :`]) !== '';

/** The machine's own mirror of an archive, whichever it is. */
function mirror(label) {
  const format = '$(LABEL) $(REPO_URI)';
  const lines = run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']).split('\n');
  return lines.find((line) => line.startsWith(`${label} `))?.slice(label.length + 1);
}

/** An apt of our own, that knows of every release and of two processors, and leaves the machine's alone. */
function ownApt() {
  const apt = join(WORK, 'apt');
  const configuration = join(apt, 'apt.conf');
  if (!existsSync(join(apt, 'updated'))) {
    for (const folder of ['lists', 'cache', 'parts']) mkdirSync(join(apt, folder), { recursive: true });
    const key = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
    const main = mirror('Debian');
    const security = mirror('Debian-Security');
    const sources = ['bullseye', 'bookworm', 'trixie'].flatMap((suite) => [
      `deb ${key} ${main} ${suite} main`,
      `deb ${key} ${security} ${suite}-security main`,
    ]);
    writeFileSync(join(apt, 'sources.list'), [...sources, `deb ${key} ${main} trixie-backports main`, ''].join('\n'));
    writeFileSync(
      configuration,
      [
        'APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; }; APT::Sandbox::User "root";',
        'Acquire::Languages "none"; Acquire::Check-Valid-Until "false";',
        `Dir::Etc::sourcelist "${apt}/sources.list"; Dir::Etc::sourceparts "${apt}/parts";`,
        `Dir::State "${apt}"; Dir::State::status "/dev/null"; Dir::Cache "${apt}/cache";`,
        '',
      ].join('\n'),
    );
    run('apt-get', ['update', '-q'], { env: { ...process.env, APT_CONFIG: configuration } });
    writeFileSync(join(apt, 'updated'), '');
  }
  return { env: { ...process.env, APT_CONFIG: configuration } };
}

let apt;

/** Unpack a package into a folder. */
export function unpack(name, folder) {
  apt ??= ownApt();
  mkdirSync(folder, { recursive: true });
  const place = mkdtempSync(join(WORK, 'package-'));
  try {
    run('apt-get', ['download', '-qq', name], { ...apt, cwd: place });
    run('dpkg-deb', ['-x', join(place, readdirSync(place).find((file) => file.endsWith('.deb'))), folder]);
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** The packages whose names match, the newest first. The image itself is in linux-binary-… of late. */
function namesOf({ arch, pattern, flavour }) {
  const suffix = flavour === undefined ? `cloud-${arch}` : `${arch}-${flavour}`;
  const expression = `^linux-(image|binary)-${pattern}-${suffix}$`;
  const found = run('apt-cache', ['search', '--names-only', expression], apt).split('\n').filter(Boolean);
  const byVersion = found.map((line) => line.split(' ')[0]).sort((a, b) => {
    const [one, other] = [a, b].map((name) => name.replace(/^linux-(image|binary)-/, ''));
    return other.localeCompare(one, 'en', { numeric: true }) || a.localeCompare(b);
  });
  if (byVersion.length === 0) throw new Error(`No package of the archive matches ${expression}`);
  return byVersion.map((name) => `${name}:${arch}`);
}

/** Which file of the unpacked package it is, and of which packages, the best first. */
function source(kernel) {
  if (kernel.program === undefined) return { names: namesOf(kernel), file: /^vmlinuz/ };
  const versions = run('apt-cache', ['madison', 'user-mode-linux'], apt).split('\n').map((line) =>
    line.split('|')[1]?.trim()
  );
  return {
    names: [`user-mode-linux=${versions.find((version) => version?.startsWith(kernel.program))}`],
    file: /^linux\.uml$/,
  };
}

/** Unpack the first of the packages that the mirror has: an index may tell of one that is not there yet, or not any more. */
function unpackFirst(names, place) {
  for (const [i, name] of names.entries()) {
    console.log(`Fetching ${name}`);
    try {
      return unpack(name, place);
    } catch (error) {
      if (i + 1 === names.length) throw error;
    }
  }
}

/** Download what is not there yet. To have a newer kernel, remove its folder. @returns the kernels with their images */
export function fetchKernels(kernels) {
  mkdirSync(join(WORK, 'images'), { recursive: true });
  const missing = Object.entries(TOOLS).filter(([tool]) => !isThere(tool)).map(([, name]) => name);
  if (missing.length > 0) {
    run('apt-get', ['update', '-q']);
    run('apt-get', ['install', '-qy', '--no-install-recommends', ...missing]);
  }
  return kernels.map((kernel) => {
    if (kernel.isOwn) return kernel;
    const folder = join(WORK, 'images', `${kernel.name}-${kernel.arch}`);
    if (!existsSync(folder)) {
      apt ??= ownApt();
      const { names, file } = source(kernel);
      const place = mkdtempSync(join(WORK, 'image-'));
      unpackFirst(names, place);
      const path = readdirSync(place, { recursive: true }).find((one) => file.test(one.split('/').at(-1)));
      mkdirSync(`${folder}.new`, { recursive: true });
      renameSync(join(place, path), join(`${folder}.new`, 'image'));
      renameSync(`${folder}.new`, folder);
      rmSync(place, { recursive: true });
    }
    return { ...kernel, image: join(folder, 'image') };
  });
}
