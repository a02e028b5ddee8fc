import { subscribe } from 'node:diagnostics_channel';
import {
  IORING_OP_CLOSE,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_READ,
  IORING_OP_STATX,
} from '../../abi/index.ts';
import { defaultReactor, type Reactor } from '../../index.ts';
import { listen, type ListenOptions, type Listener, type SocketHandlers } from '../../socket/index.ts';
import { AccessLog } from './access-log.ts';
import { HttpConnection } from './http-connection.ts';
import type { Limits } from './limits.ts';
import { RingTree } from './served-tree.ts';
import { NodeTree } from './served-tree-node.ts';
import { ServeRates } from './serve-rates.ts';
import { Site } from './site.ts';

/** How `iouring serve` is to be done. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Instead of these. */
  readonly unix: string | undefined;
  readonly list: boolean;
  readonly dotfiles: boolean;
  /** The path of a file; undefined: stdout; false: none. */
  readonly log: string | false | undefined;
  /** The log as JSON. */
  readonly json: boolean;
  readonly limits: Limits;
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/** So often it is looked whether a client has taken too long. */
const CHECK_MS = 250;
/** Bytes of an answer that wait in memory for the kernel to take them. */
const HIGH_WATER_MARK = 256 << 10;

/**
 * Serve the files of a folder until a signal. The exit status: 0 if all that was asked for was answered before the end.
 * @throws {TypeError} wrong usage
 * @throws {Error} as `listen`, and if there is no such folder
 */
export async function serve(folders: readonly string[], options: ServeOptions): Promise<number> {
  const [folder] = folders;
  if (folder === undefined) throw new TypeError('serve: which folder?');
  if (folders.length > 1) throw new TypeError(`serve: one folder at a time, not '${folders[1]}' as well`);
  const io = ring();
  const sockets = new SocketsThroughNode();
  const tree =
    await (io === undefined ? NodeTree.of(folder, options.dotfiles) : RingTree.of(io, folder, options.dotfiles));
  const open = new OpenConnections();
  const rates = new ServeRates(() => open.size);
  const say = (text: string): void => rates.around(() => process.stderr.write(`iouring serve: ${text}\n`));
  const around = (write: () => void): void => rates.around(write);
  const log = options.log === false ? undefined : await AccessLog.to(options.log, options.json, around);
  const site = new Site(tree, {
    ...options,
    answered(access) {
      log?.add(access);
      rates.add(access.bytes, access.milliseconds);
    },
    report: (error) => say(error.message),
  });
  try {
    const listener = listening(site, open, options);
    say(`${folder} at ${addressOf(listener)}, ${sockets.way(io !== undefined)}`);
    const checks = setInterval(() => {
      const now = performance.now();
      for (const connection of open) connection.check(now);
    }, CHECK_MS);
    await stopped(listener, site, open, log);
    clearInterval(checks);
  } finally {
    rates.end();
    await log?.close();
    await site.close();
    if (io !== undefined) await defaultReactor().close();
  }
  return 0;
}

function listening(site: Site, open: OpenConnections, { host, port, unix }: ServeOptions): Listener<HttpConnection> {
  const options: ListenOptions<HttpConnection> = {
    ...(unix === undefined ? { hostname: host, port } : { unix }),
    // Who asks and then sends no more wants the answer.
    allowHalfOpen: true,
    writableHighWaterMark: HIGH_WATER_MARK,
    socket: handlersOf(site, open),
  };
  // Nothing that somebody adds to `Object.prototype` is an option.
  return listen(Object.assign(Object.create(null) as object, options));
}

function handlersOf(site: Site, open: OpenConnections): SocketHandlers<HttpConnection> {
  return {
    __proto__: null,
    open(socket) {
      const connection = new HttpConnection(site, socket);
      socket.data = connection;
      open.add(connection);
      // Saying no takes a descriptor, too.
      if (open.size > 2 * site.limits.connections) socket.terminate();
      else if (open.size > site.limits.connections) connection.refuse();
    },
    data: ({ data: connection }, data) => connection.received(data),
    drain: ({ data: connection }) => connection.drained(),
    end: ({ data: connection }) => connection.ended(),
    // Clients vanish; close follows.
    error() {},
    close({ data: connection }) {
      open.delete(connection);
      connection.closed();
    },
  } as SocketHandlers<HttpConnection>;
}

/** Resolves when a signal has come and all that was asked for is answered. A second one does not wait. */
async function stopped(
  listener: Listener,
  site: Site,
  open: OpenConnections,
  log: AccessLog | undefined,
): Promise<void> {
  const offs: (() => void)[] = [];
  const on = (signal: NodeJS.Signals, handler: () => void): void => {
    process.on(signal, handler);
    offs.push(() => process.off(signal, handler));
  };
  on('SIGHUP', () => log?.reopen());
  await new Promise<void>((resolve) => {
    for (const [signal, code] of Object.entries(SIGNALS)) {
      on(signal as NodeJS.Signals, () => {
        if (site.isStopping) process.exit(code);
        site.isStopping = true;
        resolve();
      });
    }
  });
  listener.stop();
  for (const connection of open) connection.stop();
  await open.emptied();
  for (const off of offs) off();
}

/** The connections there are, and when there is none any more. */
class OpenConnections extends Set<HttpConnection> {
  #onEmpty: (() => void) | undefined;

  override delete(connection: HttpConnection): boolean {
    const isDeleted = super.delete(connection);
    if (this.size === 0) this.#onEmpty?.();
    return isDeleted;
  }

  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.size === 0) resolve();
    });
  }
}

/** Where clients find it. */
function addressOf({ unix, hostname, port }: Listener): string {
  if (unix !== undefined) return unix.replace('\0', '@');
  return `http://${hostname!.includes(':') ? `[${hostname}]` : hostname}:${port}/`;
}

/** The message on the channel `iouring:fallback`. */
interface Fallback {
  readonly module: string;
  readonly error: Error;
}

/** Tells whether sockets are Node's, by the message that the package sends when the first of them is made. */
class SocketsThroughNode {
  #because: Error | undefined;

  constructor() {
    subscribe('iouring:fallback', (message) => {
      const { module, error } = message as Fallback;
      if (module === 'iouring/net') this.#because = error;
    });
  }

  /** In words, for who starts it; `hasFiles`: files are read through the ring. */
  way(hasFiles: boolean): string {
    if (!hasFiles) return 'without io_uring, through Node';
    return this.#because === undefined ? 'through io_uring'
      : `files through io_uring, sockets through Node (${this.#because.message})`;
  }
}

/** All that {@link RingTree} asks of a kernel. */
const NEEDED = [IORING_OP_OPENAT, IORING_OP_OPENAT2, IORING_OP_STATX, IORING_OP_READ, IORING_OP_CLOSE];

/** The reactor, where there can be one that serves files. */
function ring(): Reactor | undefined {
  if (process.env['IOURING_DISABLED'] === '1') return undefined;
  try {
    const io = defaultReactor();
    return NEEDED.every((opcode) => io.supports(opcode)) ? io : undefined;
  } catch {
    // `doctor` says why.
    return undefined;
  }
}
