import type { Connection } from './connection.ts';

/** Connections that Node knows nothing of, which keep the process alive: their kind as Node names it, and the socket. */
export interface ActiveConnection extends Connection {
  readonly isTcp: boolean;
  readonly socket: object;
}

const all = new Set<() => Iterable<Connection>>();

/** Have `process.getActiveResourcesInfo()` name these connections, too, and `process._getActiveHandles()` list their sockets. The function returned calls that off. */
export function nameActive(connections: () => Iterable<Connection>): () => void {
  all.add(connections);
  wrap();
  return () => all.delete(connections);
}

let isWrapped = false;

/** Methods of `process`, not all of them documented, and what they add of a connection. */
const METHODS = {
  getActiveResourcesInfo: ({ isTcp }: ActiveConnection): unknown => (isTcp ? 'TCPSocketWrap' : 'PipeWrap'),
  _getActiveHandles: ({ socket }: ActiveConnection): unknown => socket,
};

function wrap(): void {
  if (isWrapped) return;
  isWrapped = true;
  const methods = process as unknown as Record<string, (() => unknown[]) | undefined>;
  for (const [name, of] of Object.entries(METHODS)) {
    const method = methods[name];
    if (typeof method !== 'function') continue;
    const wrapped = (): unknown[] => [...method.call(process), ...Array.from(active(), of)];
    methods[name] = Object.defineProperty(wrapped, 'name', { value: method.name });
  }
}

function* active(): Generator<ActiveConnection> {
  for (const connections of all) {
    for (const connection of connections()) {
      const isOfNode = (connection as ActiveConnection).isTcp !== undefined;
      if (isOfNode && connection.isRef && connection.fd >= 0) yield connection as ActiveConnection;
    }
  }
}
