import type { Connection } from './connection.ts';

/** Connections that Node knows nothing of, which keep the process alive: their kind as Node names it. */
export interface ActiveConnection extends Connection {
  readonly isTcp: boolean;
}

const all = new Set<() => Iterable<Connection>>();

/** Have `process.getActiveResourcesInfo()` name these connections, too. The function returned calls that off. */
export function nameActive(connections: () => Iterable<Connection>): () => void {
  all.add(connections);
  wrap();
  return () => all.delete(connections);
}

let isWrapped = false;

function wrap(): void {
  const { getActiveResourcesInfo } = process;
  if (isWrapped || typeof getActiveResourcesInfo !== 'function') return;
  isWrapped = true;
  process.getActiveResourcesInfo = function getActiveResourcesInfo_(): string[] {
    return [...getActiveResourcesInfo.call(process), ...names()];
  };
  Object.defineProperty(process.getActiveResourcesInfo, 'name', { value: getActiveResourcesInfo.name });
}

function* names(): Generator<string> {
  for (const connections of all) {
    for (const connection of connections()) {
      const { isTcp } = connection as ActiveConnection;
      if (isTcp !== undefined && connection.isRef && connection.fd >= 0) yield isTcp ? 'TCPSocketWrap' : 'PipeWrap';
    }
  }
}
