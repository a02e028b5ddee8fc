import type { Path } from './copy-tree.ts';

/**
 * What copying asks of the system, as of the methods of a reactor, which is one. Where there is no io_uring, `NodeCalls` does as
 * well as Node can.
 */
export interface CopyCalls {
  open(path: Path, flags: number, options?: { mode: number }): Promise<number>;
  close(fd: number): Promise<void>;
  read(fd: number, buffer: Uint8Array, options: { offset: number; length?: number }): Promise<number>;
  write(fd: number, data: Uint8Array, options: { offset: number; length?: number }): Promise<number>;
  ftruncate(fd: number, length: number): Promise<void>;
  mkdir(path: Path, mode: number): Promise<void>;
  link(existing: Path, path: Path): Promise<void>;
  symlink(target: Path, path: Path): Promise<void>;
  unlink(path: Path): Promise<void>;
  rename(from: Path, to: Path): Promise<void>;
  renameat(fromFd: number, from: Path, toFd: number, to: Path, options: { flags: number }): Promise<void>;
  setTimes(file: number | Path, atimeNs: bigint, mtimeNs: bigint): void;
  listxattr(fd: number): string[];
  fgetxattr(fd: number, name: string, value: Uint8Array): Promise<number>;
  fsetxattr(fd: number, name: string, value: Uint8Array): Promise<void>;
  seek(fd: number, offset: number, what: 'data' | 'hole'): number | undefined;
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number;
  allocate(bytes: number): Uint8Array<ArrayBuffer>;
  close(): Promise<void>;
}
