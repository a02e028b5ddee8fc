import type { Command } from '../command.ts';
import { doctor } from './doctor.ts';

const OPTIONS = { json: { type: 'boolean' } } as const;

export const doctorCommand: Command<typeof OPTIONS> = {
  help: `  doctor          is io_uring usable here, and if not, why and what to do
    --json          the same for programs
`,
  options: OPTIONS,
  run({ json }, [unexpected]) {
    if (unexpected !== undefined) throw new TypeError(`Unexpected argument '${unexpected}'`);
    return doctor({ json: json === true }, (text) => void process.stdout.write(text));
  },
};
