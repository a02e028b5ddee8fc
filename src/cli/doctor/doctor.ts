import { IORING_OP_SEND_ZC, OPERATIONS, type Operation } from '../../abi/index.ts';
import { defaultReactor, diagnose, type Diagnosis, type Reactor } from '../../index.ts';

/** Say whether io_uring is usable here. The exit status: 0 usable, 1 not. */
export function doctor(options: { json: boolean }, write: (text: string) => void): number {
  const diagnosis = diagnose();
  const dropIns = waysOfDropIns(diagnosis);
  write(options.json ? `${JSON.stringify({ ...diagnosis, dropIns }, null, 2)}\n` : render(diagnosis, dropIns));
  return diagnosis.usable ? 0 : 1;
}

/** Which way the drop-ins take: what they do at first is done here, and not concluded from anything. */
function waysOfDropIns({ usable }: Diagnosis): string {
  if (process.env['IOURING_DISABLED'] === '1') {
    return 'go through Node: the environment variable IOURING_DISABLED is set to 1';
  }
  if (!usable) return 'go through Node: there is no io_uring';
  let io: Reactor;
  try {
    io = defaultReactor();
  } catch (error) {
    return `go through Node: ${(error as Error).message}`;
  }
  const hasSockets = io.supports(IORING_OP_SEND_ZC);
  void io.close();
  const { permission } = process as { permission?: unknown };
  if (permission !== undefined) return 'go through Node for paths: the permission model is on';
  return hasSockets ? 'go through io_uring' : 'go through io_uring, and for sockets through Node: those need Linux 6.0';
}

/** The diagnosis for a person. */
export function render(diagnosis: Diagnosis, dropIns: string): string {
  const { kernel, arch, platform, runtime, container, problem, ring, operations, methods } = diagnosis;
  const lines = [
    `io_uring is ${diagnosis.usable ? 'usable' : 'NOT usable'} here`,
    '',
    ...row('system', `${platform} ${kernel}, ${arch}, ${runtime}`),
    ...(container === undefined ? [] : row('container', `likely ${container}`)),
  ];
  if (problem) {
    lines.push(...row('error', problem.message), ...row('cause', problem.cause), ...row('remedy', problem.remedy));
  }
  lines.push(...row('drop-ins', dropIns));
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
        methods.filter((method) => method.opcode === opcode).map(inWords).join(', '),
      ];
      lines.push(`  ${columns.join('  ')}`.trimEnd());
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A method, and if only its form of the operation is missing, which Linux brought that. */
function inWords({ opcode, name, since, supported }: Diagnosis['methods'][number]): string {
  return supported || OPERATIONS[opcode].since === since ? name : `${name} (no: Linux ${since})`;
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
