import { RESOLVE_NO_SYMLINKS } from '../../abi/index.ts';
import { CallOptions, type Span } from '../call-options.ts';
import type { Path } from './copy-place.ts';

/** The permissions of a file that is made. */
export class Mode extends CallOptions {
  readonly mode: number;

  constructor(mode: number) {
    super();
    this.mode = mode;
  }
}

/** How to look for what is below a directory. */
export class How extends CallOptions {
  readonly flags: number;
  readonly resolve: number;

  constructor(flags: number) {
    super();
    this.flags = flags;
    this.resolve = RESOLVE_NO_SYMLINKS;
  }
}

/** How to rename. */
export class RenameFlags extends CallOptions {
  readonly flags: number;

  constructor(flags: number) {
    super();
    this.flags = flags;
  }
}

/**
 * The calls that copying makes, in the form of a reactor's methods; a reactor is one. Where there is no io_uring,
 * `NodeCalls` does as well as Node can. Names are in directories that are open.
 */
export interface CopyCalls {
  open(path: Path, flags: number): Promise<number>;
  openat(directory: number, name: Path, flags: number, options?: Mode): Promise<number>;
  /** The path may have several parts: No part of it may be a symbolic link. */
  openat2(directory: number, path: Path, how: How): Promise<number>;
  closeFd(fd: number): Promise<void>;
  read(fd: number, buffer: Uint8Array, span: Span): Promise<number>;
  write(fd: number, data: Uint8Array, span: Span): Promise<number>;
  ftruncate(fd: number, length: number): Promise<void>;
  mkdirat(directory: number, name: Path, mode: number): Promise<void>;
  linkat(existingDirectory: number, existing: Path, directory: number, name: Path): Promise<void>;
  symlinkat(target: Path, directory: number, name: Path): Promise<void>;
  unlinkat(directory: number, name: Path): Promise<void>;
  renameat(fromDirectory: number, from: Path, toDirectory: number, to: Path, options?: RenameFlags): Promise<void>;
  setTimes(file: number | Path, atimeNs: bigint, mtimeNs: bigint): void;
  listxattr(file: number | Path): string[];
  fgetxattr(fd: number, name: string, value: Uint8Array): Promise<number>;
  fsetxattr(fd: number, name: string, value: Uint8Array): Promise<void>;
  seek(fd: number, offset: number, what: 'data' | 'hole'): number | undefined;
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number;
  /**
   * Have the file system share the contents of an open file, where `copyFileRange` does not. The copy gets the source's
   * mode.
   */
  clone?(from: number, to: number): Promise<void>;
  allocate(bytes: number): Uint8Array<ArrayBuffer>;
  close(): Promise<void>;
}
