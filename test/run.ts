import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Run a command to its end, whatever its exit status is. */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; uid?: number; gid?: number } = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { ...options, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (child.exitCode === null) reject(new Error(`${command} was killed`, { cause: error }));
      else resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

/** The arguments by which this runtime runs the text of a module, with Node's flags, which others do without. */
export function moduleText(text: string, ...flags: string[]): string[] {
  if (process.versions['deno'] === undefined) return [...flags, '--input-type=module', '-e', text];
  const configuration = fileURLToPath(new URL('../deno.json', import.meta.url));
  return ['eval', `--config=${configuration}`, '--v8-flags=--expose-gc', text];
}
