import { execFile } from 'node:child_process';

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
