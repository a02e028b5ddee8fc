import { errnoMessage, errnoName } from '../abi/errno.ts';
import type { PathLike } from '../ring/arguments/path.ts';
import type { SocketAddressLike } from '../ring/structs/socket-address.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

/** The subject of an operation, for the error it may fail with. */
export interface Subject {
  path?: PathLike;
  dest?: PathLike;
  address?: SocketAddressLike;
}

/** The kernel's answer to an operation that failed, in the shape of Node's own system errors. */
export interface OperationError extends Error {
  /** `'ENOENT'`, `'ECONNREFUSED'`, … */
  code: string;
  /** Negative, as in Node. */
  errno: number;
  /** The method that was called. */
  syscall: string;
  path?: string;
  dest?: string;
  /** Parts of a socket address. */
  address?: string;
  port?: number;
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** The Error for `errno` (positive). `hint` names the cause, where it is not what the errno says. */
export function operationError(errno: number, syscall: string, subject?: Subject, hint?: string): OperationError {
  const code = errnoName(errno);
  const fields = { errno: -errno, code, syscall };
  const cause = hint === undefined ? '' : `: ${hint}`;
  // An option that is not there is not one that somebody has put into Object.prototype.
  const { path, dest, address }: Subject = ownOptions({ ...subject });
  if (address !== undefined) {
    // As Node words what happens to sockets.
    const where = addressFields(address);
    const place = where.port === undefined ? where.address : `${where.address}:${where.port}`;
    return Object.assign(
      new Error(`${syscall} ${code}${place === undefined ? '' : ` ${place}`}${cause}`),
      fields,
      where,
    );
  }
  const from = path === undefined ? '' : ` '${textOf(path)}'`;
  const to = dest === undefined ? '' : ` -> '${textOf(dest)}'`;
  const error = new Error(`${code}: ${errnoMessage(errno)}, ${syscall}${from}${to}${cause}`);
  return Object.assign(
    error,
    fields,
    path === undefined ? undefined : { path: textOf(path) },
    dest === undefined ? undefined : { dest: textOf(dest) },
  );
}

function addressFields(address: SocketAddressLike): { address?: string; port?: number } {
  if (ArrayBuffer.isView(address) || address.family === 'unknown') return {};
  const { address: text, port, path } = address as { address?: string; port?: number; path?: PathLike };
  return path === undefined ? { address: text!, port: port! } : { address: textOf(path) };
}

function textOf(path: PathLike): string {
  if (typeof path === 'string') return path;
  if (!(path instanceof URL)) return DECODER.decode(path);
  return path.protocol === 'file:' ? decodeURIComponent(path.pathname) : path.href;
}
