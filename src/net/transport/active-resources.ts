import { imitate } from '../../native/imitate.ts';

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
 * Connections that `process.getActiveResourcesInfo()` is to name, too, and `process._getActiveHandles()` to list the
 * sockets of, from when {@link replaceMethods} is called. The function returned calls that off.
 */
export function nameActive(connections: () => Iterable<OpenConnection>): () => void {
  all.add(connections);
  return () => all.delete(connections);
}

/** Methods of `process`, not all of them documented, and what they add of a connection. */
const METHODS = {
  getActiveResourcesInfo: ({ isTcp }: OpenConnection): unknown => (isTcp ? 'TCPSocketWrap' : 'PipeWrap'),
  _getActiveHandles: ({ socket }: OpenConnection): unknown => socket,
};

type Method = () => unknown[];

/** A function that stands in place of one of Node's. */
interface StandIn {
  readonly name: string;
  readonly original: Method;
  readonly ours: Method;
  isOn: boolean;
}

let standIns: readonly StandIn[] = [];

/** Do sockets of Node's own class have the methods replaced? They do while `iouring/register` is registered. */
let isForNodesClass = false;

/**
 * Replace the two methods of `process`, unless they are: a socket goes through the ring. It is no row of the table of
 * `iouring/register`, for sockets of `iouring/net` do the same.
 * @param isOfNodesClass `iouring/register` has put it there, and gives back what is replaced
 */
export function replaceMethods(isOfNodesClass: boolean): void {
  if (standIns.length > 0 || (isOfNodesClass && !isForNodesClass)) return;
  standIns = Object.entries(METHODS).flatMap(([name, of]) => replaced(name, of) ?? []);
}

function replaced(name: string, of: (connection: OpenConnection) => unknown): StandIn | undefined {
  const descriptor = Object.getOwnPropertyDescriptor(process, name);
  const original = descriptor?.value as Method | undefined;
  if (typeof original !== 'function' || !descriptor!.writable || !descriptor!.configurable) return undefined;
  const ours = (): unknown[] => [...original.call(process), ...(standIn.isOn ? Array.from(active(), of) : [])];
  const standIn = { name, original, ours, isOn: true };
  imitate(ours, original);
  Object.defineProperty(process, name, { ...descriptor, value: ours });
  return standIn;
}

/**
 * Have sockets of Node's own class named from now on, or not any more: then Node has its methods back at once. Those
 * that go on through the ring are not named, nor are sockets of `iouring/net` until another one goes through it.
 */
export function nameNodesClass(does: boolean): void {
  isForNodesClass = does;
  if (does) return;
  for (const standIn of standIns) {
    const { name, original, ours } = standIn;
    standIn.isOn = false;
    const descriptor = Object.getOwnPropertyDescriptor(process, name);
    // Somebody may have put another in its place, which calls it: it does what Node's does then.
    if (descriptor?.value === ours) Object.defineProperty(process, name, { ...descriptor, value: original });
  }
  standIns = [];
}

function* active(): Generator<OpenConnection> {
  for (const connections of all) {
    for (const connection of connections()) {
      const isLikeNode = connection.isTcp !== undefined;
      if (isLikeNode && connection.isRef && connection.fd >= 0) yield connection;
    }
  }
}
