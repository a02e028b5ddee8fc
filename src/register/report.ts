/** Sockets that go one way, for one reason. */
export interface SocketCount {
  way: 'ring' | 'node';
  /** Why not through the ring, or what it is there. */
  reason: string;
  sockets: number;
  bytesRead: number;
  bytesWritten: number;
}

/** Counts of what went through the ring in this thread, and of what through Node. */
export interface Report {
  pid: number;
  /** 0 is the main thread. */
  thread: number;
  program: string;
  node: string;
  kernel: string;
  /** The use that is made of io_uring, or why none is. */
  ring: string;
  sockets: SocketCount[];
  /** Operations on files through the ring, by the method of the reactor. */
  files: Record<string, number>;
  /** System calls that handed operations to the ring, and how many operations they handed. */
  systemCalls: number;
  operations: number;
  replaced: string[];
  left: { name: string; reason: string }[];
}

const LABEL_WIDTH = 16;

/** The report for a person, who sees in the first lines whether the ring was used. */
export function renderReport(report: Report): string {
  const { pid, thread, program, node, kernel, ring, sockets, files, systemCalls, operations, replaced } = report;
  const isUsed = operations > 0;
  const rows: [label: string, text: string][] = [
    ['process', `${pid}${thread === 0 ? '' : `, thread ${thread}`}: node ${node} ${program}`],
    ['kernel', `${kernel}; of io_uring: ${ring}`],
    ['replaced', replaced.map((name) => name.replace(/^(fs\.\w+): .*/, '$1')).join(', ') || 'nothing'],
    ['system calls', isUsed ? callsFor(operations, systemCalls) : 'none'],
    ...sockets.map(({ way, reason, sockets: n, bytesRead, bytesWritten }): [string, string] => [
      `sockets, ${way}`,
      `${n}, ${inBytes(bytesRead)} read, ${inBytes(bytesWritten)} written: ${reason}`,
    ]),
  ];
  const operationsOnFiles = Object.entries(files).map(([name, n]) => `${n} ${name}`);
  if (operationsOnFiles.length > 0) rows.push(['files, ring', operationsOnFiles.join(', ')]);
  const title = `iouring: the ring was ${isUsed ? 'used' : 'NOT used'}`;
  return `${[title, ...rows.map(([label, text]) => `  ${label.padEnd(LABEL_WIDTH)}${text}`)].join('\n')}\n`;
}

/** The kernel may have been handed operations by nobody so far: the process ended before the end of the turn. */
function callsFor(operations: number, systemCalls: number): string {
  const each = systemCalls === 0 ? '' : ` (${(operations / systemCalls).toFixed(1)} each)`;
  return `${systemCalls} for ${operations} operations${each}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function inBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
