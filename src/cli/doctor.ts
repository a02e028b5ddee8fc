import { OPERATIONS, type Operation } from '../abi/index.ts';
import { diagnose, type Diagnosis } from '../index.ts';

/** Say whether io_uring is usable here. The exit status: 0 usable, 1 not. */
export function doctor(options: { json: boolean }, write: (text: string) => void): number {
  const diagnosis = diagnose();
  const dropIns = waysOfDropIns(diagnosis);
  write(options.json ? `${JSON.stringify({ ...diagnosis, dropIns }, null, 2)}\n` : render(diagnosis));
  return diagnosis.usable ? 0 : 1;
}

/** Which way `iouring/fs` takes. */
function waysOfDropIns({ usable }: Diagnosis): string {
  if (process.env['IOURING_DISABLED'] === '1') return 'go through Node: the environment variable IOURING_DISABLED is set to 1';
  if (!usable) return 'go through Node: there is no io_uring';
  const { permission } = process as { permission?: unknown };
  return permission === undefined ? 'go through io_uring' : 'go through Node for paths: the permission model is on';
}

/** The diagnosis for a person. */
export function render(diagnosis: Diagnosis): string {
  const { kernel, arch, platform, runtime, problem, ring, operations } = diagnosis;
  const lines = [
    `io_uring is ${diagnosis.usable ? 'usable' : 'NOT usable'} here`,
    '',
    ...row('system', `${platform} ${kernel}, ${arch}, ${runtime}`),
  ];
  if (problem) {
    lines.push(...row('error', problem.message), ...row('cause', problem.cause), ...row('remedy', problem.remedy));
  }
  lines.push(...row('drop-ins', waysOfDropIns(diagnosis)));
  if (ring) {
    lines.push(
      ...row('ring', `${ring.sqEntries} submission and ${ring.cqEntries} completion entries`),
      ...row('set up with', ring.setupFlags.join(' ') || 'no flags'),
      ...row('features', ring.features.join(' ')),
      ...row('ring descriptor', ring.registeredRingFd ? 'registered' : 'not registered (Linux 5.18)'),
      ...row('provided buffers', ring.providedBuffers ? 'yes' : 'no (Linux 5.19)'),
    );
  }
  if (operations.length > 0) {
    const supported = operations.filter((operation) => operation.supported);
    lines.push('', `operations: ${supported.length} of ${operations.length} supported`);
    for (const { opcode, name, supported: yes } of operations) {
      const known: Operation | undefined = OPERATIONS[opcode];
      const columns = [
        yes ? 'yes' : 'no ',
        String(opcode).padStart(3),
        (name ?? '(unknown to this package)').padEnd(26),
        (known?.since ?? '').padEnd(4),
        known?.methods.join(', '),
      ];
      lines.push(`  ${columns.join('  ')}`.trimEnd());
    }
  }
  return `${lines.join('\n')}\n`;
}

const LABEL_WIDTH = 18;
const LINE_WIDTH = 100;

/** A label and its text, broken between words. */
function row(label: string, text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line && LABEL_WIDTH + line.length + 1 + word.length > LINE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.map((line, i) => (i === 0 ? label : '').padEnd(LABEL_WIDTH) + line);
}
