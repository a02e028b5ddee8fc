/** A connection that may keep the process alive, and that Node knows nothing of. */
export interface OpenConnection {
  readonly fd: number;
  readonly isRef: boolean;
  /** Sockets like Node's have a kind; others are not named. */
  readonly isTcp?: boolean;
  readonly socket?: object;
}

const all = new Set<() => Iterable<OpenConnection>>();

/**
 * Have `process.getActiveResourcesInfo()` name these connections, too, and `process._getActiveHandles()` list their
 * sockets. The function returned calls that off.
 */
export function nameActive(connections: () => Iterable<OpenConnection>): () => void {
  all.add(connections);
  wrap();
  return () => all.delete(connections);
}

let isWrapped = false;

/** Methods of `process`, not all of them documented, and what they add of a connection. */
const METHODS = {
  getActiveResourcesInfo: ({ isTcp }: OpenConnection): unknown => (isTcp ? 'TCPSocketWrap' : 'PipeWrap'),
  _getActiveHandles: ({ socket }: OpenConnection): unknown => socket,
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

function* active(): Generator<OpenConnection> {
  for (const connections of all) {
    for (const connection of connections()) {
      const isLikeNode = connection.isTcp !== undefined;
      if (isLikeNode && connection.isRef && connection.fd >= 0) yield connection;
    }
  }
}
