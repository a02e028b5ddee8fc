import type { Command } from '../command.ts';
import { cp } from './cp.ts';

const OPTIONS = { json: { type: 'boolean' }, 'no-progress': { type: 'boolean' } } as const;

export const cpCommand: Command<typeof OPTIONS> = {
  help: `  cp SRC ... DST  copy files and trees with many operations in flight: modes, owners, times, links, holes and
                  extended attributes are kept. Files get their name when they are complete. Where there is no
                  io_uring it goes through Node, which has no call for extended attributes and ACLs.
    --json          a summary for programs
    --no-progress   say nothing but what went wrong
`,
  options: OPTIONS,
  run: ({ json, 'no-progress': isQuiet }, paths) => cp(paths, { json: json === true, progress: isQuiet !== true }),
};
