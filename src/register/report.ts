import { CHANGING } from './file-calls.ts';

/**
 * Sockets that went one way, for one reason. A socket may change its way several times: `ring` are those that ever went
 * through the ring, and what Node has read and written of them, before and between and after, is counted apart.
 */
export interface SocketCount {
  way: 'ring' | 'node';
  /** Why not through the ring, or what it is there. */
  reason: string;
  sockets: number;
  /** Bytes by that way. */
  bytesRead: number;
  bytesWritten: number;
  /** Bytes of the same sockets by Node, where `way` is `ring`; else 0. */
  bytesReadByNode: number;
  bytesWrittenByNode: number;
}

/** Counts of what went through the ring in this thread, and of what through Node. */
export interface Report {
  pid: number;
  /** 0 is the main thread. */
  thread: number;
  program: string;
  /** As `diagnose()` names it: `node 20.20.2`, `bun 1.4.5`, `deno 2.9.1`. */
  runtime: string;
  /** `process.version`: in Bun and Deno the version of Node that they are like. */
  node: string;
  kernel: string;
  /** The use that is made of io_uring, or why none is. */
  ring: string;
  sockets: SocketCount[];
  /** Operations on files through the ring, by the method of the reactor. */
  files: Record<string, number>;
  /** Calls of node:fs/promises that went through Node because the ring would not have paid. */
  fileCallsByNode: number;
  /** System calls that handed operations to the ring, and how many operations they handed. */
  systemCalls: number;
  operations: number;
  /** How to have the ring used, if it was not and could have been; else undefined. */
  advice?: string;
  replaced: string[];
  left: { name: string; reason: string }[];
}

/** The advice for what was on, and Node's all the same because the ring would not have paid. */
export const HOW_TO_SEE =
  'have many connections, or files, at work at a time; or set IOURING_EAGER=1: each is on the ring, paying or not';

const LABEL_WIDTH = 16;

/** The report for a person, who sees in the first lines whether the ring was used. */
export function renderReport(report: Report): string {
  const { pid, thread, program, runtime, node, kernel, ring, sockets, files, fileCallsByNode } = report;
  const { systemCalls, operations, advice, replaced } = report;
  const isUsed = operations > 0;
  const by = runtime.startsWith('node ') ? `node ${node}` : runtime;
  const rows: [label: string, text: string][] = [
    ['process', `${pid}${thread === 0 ? '' : `, thread ${thread}`}: ${by} ${program}`],
    ['kernel', `${kernel}; of io_uring: ${ring}`],
    ['replaced', replaced.map((name) => name.replace(/^(fs\.\w+): .*/, '$1')).join(', ') || 'nothing'],
    ['system calls', isUsed ? callsFor(operations, systemCalls) : 'none'],
    ...sockets.map((count): [string, string] => [`sockets, ${count.way}`, textOf(count)]),
  ];
  const operationsOnFiles = Object.entries(files).map(([name, n]) => `${n} ${name}`);
  if (operationsOnFiles.length > 0) rows.push(['files, ring', operationsOnFiles.join(', ')]);
  if (fileCallsByNode > 0) {
    const { pays, milliseconds } = CHANGING;
    const from = `the ring pays from ${pays} a second on, after ${milliseconds} ms of them`;
    rows.push(['files, node', `${fileCallsByNode} calls: ${from}`]);
  }
  if (advice !== undefined) rows.push(['to see the ring', advice]);
  return `${[titleOf(report), ...rows.map(([label, text]) => `  ${label.padEnd(LABEL_WIDTH)}${text}`)].join('\n')}\n`;
}

/** The first line, which says whether the ring was used. */
function titleOf({ sockets, operations, advice }: Report): string {
  if (operations === 0) {
    return `iouring: the ring was NOT used${advice === HOW_TO_SEE ? ': it would not have paid' : ''}`;
  }
  const ofRing = sockets.filter(({ way }) => way === 'ring');
  const used = 'iouring: the ring was used';
  if (sockets.length === 0) return used;
  const bytesByRing = sumOf(ofRing, 'bytesRead', 'bytesWritten');
  const bytes = sumOf(sockets, 'bytesRead', 'bytesWritten', 'bytesReadByNode', 'bytesWrittenByNode');
  const share = bytes === 0 ? '' : `, for ${percent(bytesByRing, bytes)} of their bytes`;
  return `${used} by ${sumOf(ofRing, 'sockets')} of ${sumOf(sockets, 'sockets')} sockets${share}`;
}

type Figure = { [K in keyof SocketCount]: SocketCount[K] extends number ? K : never }[keyof SocketCount];

function sumOf(counts: readonly SocketCount[], ...figures: Figure[]): number {
  return counts.reduce((sum, count) => figures.reduce((all, figure) => all + count[figure], sum), 0);
}

/** Rounded down: what is not all is not said to be. */
function percent(part: number, whole: number): string {
  return `${Math.floor((100 * part) / whole)} %`;
}

function textOf(count: SocketCount): string {
  const { sockets, bytesRead, bytesWritten, bytesReadByNode, bytesWrittenByNode, reason } = count;
  const byNode = bytesReadByNode + bytesWrittenByNode === 0 ? ''
    : ` (and ${inBytes(bytesReadByNode)} read, ${inBytes(bytesWrittenByNode)} written by Node, when that was cheaper)`;
  return `${sockets}, ${inBytes(bytesRead)} read, ${inBytes(bytesWritten)} written${byNode}: ${reason}`;
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
