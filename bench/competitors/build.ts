/** Compiles the C competitors against the system's liburing. */
import { mkdirSync } from 'node:fs';
import { findInPath, type Launcher } from '../launcher.ts';
import { inProject } from '../project.ts';

const INSTALL = 'apt-get install gcc libc6-dev liburing-dev';
const COMPILE_MS = 60_000;

/** A compiled program, or why there is none. */
export type Built = { readonly program: string } | { readonly missing: string };

export async function buildC(launcher: Launcher, name: string): Promise<Built> {
  if (findInPath('cc') === undefined) {
    return { missing: `no C compiler: ${INSTALL}` };
  }
  const folder = inProject('build', 'bench', 'c');
  mkdirSync(folder, { recursive: true });
  const program = `${folder}/${name}`;
  const source = inProject('bench', 'competitors', `${name}.c`);
  const args = ['-O2', '-std=gnu11', '-Wall', '-Wextra', source, '-o', program, '-luring'];
  try {
    const header = ['-fsyntax-only', '-include', 'liburing.h', '-x', 'c', '/dev/null'];
    await launcher.run({ file: 'cc', args: header }, 'beside', COMPILE_MS);
  } catch {
    return { missing: `no liburing to compile with: ${INSTALL}` };
  }
  await launcher.run({ file: 'cc', args }, 'beside', COMPILE_MS);
  return { program };
}

/** The version of the liburing that the C competitors are linked with. */
export async function liburingVersion(launcher: Launcher): Promise<string | undefined> {
  try {
    const args = ['--modversion', 'liburing'];
    return (await launcher.run({ file: 'pkg-config', args }, 'beside', COMPILE_MS)).trim();
  } catch {
    return undefined;
  }
}
