// Paths and extended attributes.
import { Statx } from '../../src/ring/structs/statx.ts';
import { fileIndex, pathLike, row, type Memory, type Pointer, type Row } from './row.ts';

const AT_FDCWD = -100;
const DEFAULT_MODE = 0o666;

/** struct open_how. */
function openHow(m: Memory, how: { flags: number; mode: number; resolve: number }): Pointer {
  const words = BigUint64Array.from([how.flags, how.mode, how.resolve], BigInt);
  return m.copy('off', 'struct open_how', new Uint8Array(words.buffer));
}

export const pathRows: readonly Row[] = [
  row({
    name: 'io_uring_prep_openat',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), flags: r.u32(), mode: r.u16() }),
    ours: (ring, a, userData) => ring.prepOpenat(a.dirfd, pathLike(a.path), a.flags, userData, { mode: a.mode }),
    theirs: (a, m) => [['io_uring_prep_openat', a.dirfd, m.text('addr', a.path), a.flags, a.mode]],
  }),
  row({
    name: 'io_uring_prep_openat, without a mode',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), flags: r.u32() }),
    ours: (ring, a, userData) => ring.prepOpenat(a.dirfd, pathLike(a.path), a.flags, userData),
    theirs: (a, m) => [['io_uring_prep_openat', a.dirfd, m.text('addr', a.path), a.flags, DEFAULT_MODE]],
  }),
  row({
    name: 'io_uring_prep_openat_direct',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), flags: r.u32(), mode: r.u16(), direct: r.slot() }),
    ours: (ring, { dirfd, path, flags, ...options }, userData) =>
      ring.prepOpenat(dirfd, pathLike(path), flags, userData, options),
    theirs: (a, m) => {
      const path = m.text('addr', a.path);
      return [['io_uring_prep_openat_direct', a.dirfd, path, a.flags, a.mode, fileIndex(a.direct)]];
    },
  }),
  row({
    name: 'io_uring_prep_open',
    draw: (r) => ({ path: r.path(), flags: r.u32(), mode: r.u16() }),
    ours: (ring, a, userData) => ring.prepOpen(pathLike(a.path), a.flags, userData, { mode: a.mode }),
    theirs: (a, m) => [['io_uring_prep_open', m.text('addr', a.path), a.flags, a.mode]],
    fields: (a, m) => ({
      opcode: 18,
      fd: AT_FDCWD,
      addr: m.text('addr', a.path),
      len: a.mode,
      op_flags: a.flags,
    }),
  }),
  row({
    name: 'io_uring_prep_open_direct',
    draw: (r) => ({ path: r.path(), flags: r.u32(), mode: r.u16(), direct: r.slot() }),
    ours: (ring, { path, flags, ...options }, userData) => ring.prepOpen(pathLike(path), flags, userData, options),
    theirs: (a, m) => {
      const path = m.text('addr', a.path);
      return [['io_uring_prep_open_direct', path, a.flags, a.mode, fileIndex(a.direct)]];
    },
    fields: (a, m) => ({
      opcode: 18,
      fd: AT_FDCWD,
      addr: m.text('addr', a.path),
      len: a.mode,
      op_flags: a.flags,
      file_index: fileIndex(a.direct) + 1,
    }),
  }),
  row({
    name: 'io_uring_prep_openat2',
    draw: (r) => ({
      dirfd: r.fd(),
      path: r.path(),
      how: { flags: r.between(0, 2 ** 53 - 1), mode: r.u16(), resolve: r.u32() },
    }),
    ours: (ring, a, userData) => ring.prepOpenat2(a.dirfd, pathLike(a.path), a.how, userData),
    theirs: (a, m) => [['io_uring_prep_openat2', a.dirfd, m.text('addr', a.path), openHow(m, a.how)]],
  }),
  row({
    name: 'io_uring_prep_openat2_direct',
    draw: (r) => ({
      dirfd: r.fd(),
      path: r.path(),
      how: { flags: r.u32(), mode: r.u16(), resolve: r.u32() },
      direct: r.slot(),
    }),
    ours: (ring, { dirfd, path, how, direct }, userData) =>
      ring.prepOpenat2(dirfd, pathLike(path), how, userData, { direct }),
    theirs: (a, m) => {
      const path = m.text('addr', a.path);
      return [['io_uring_prep_openat2_direct', a.dirfd, path, openHow(m, a.how), fileIndex(a.direct)]];
    },
  }),
  row({
    name: 'io_uring_prep_statx',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), flags: r.u32(), mask: r.u32() }),
    ours: (ring, a, userData, m) =>
      ring.prepStatx(a.dirfd, pathLike(a.path), a.flags, a.mask, m.once(a, () => new Statx()), userData),
    theirs: (a, m) => {
      const statx = m.own('off', 'the statx');
      return [['io_uring_prep_statx', a.dirfd, m.text('addr', a.path), a.flags, a.mask, statx]];
    },
  }),

  row({
    name: 'io_uring_prep_renameat',
    draw: (r) => ({ olddirfd: r.fd(), oldpath: r.path(), newdirfd: r.fd(), newpath: r.path(), flags: r.u32() }),
    ours: (ring, a, userData) =>
      ring.prepRenameat(a.olddirfd, pathLike(a.oldpath), a.newdirfd, pathLike(a.newpath), userData, {
        flags: a.flags,
      }),
    theirs: (a, m) => {
      const [oldpath, newpath] = [m.text('addr', a.oldpath), m.text('off', a.newpath)];
      return [['io_uring_prep_renameat', a.olddirfd, oldpath, a.newdirfd, newpath, a.flags]];
    },
  }),
  row({
    name: 'io_uring_prep_rename',
    draw: (r) => ({ oldpath: r.path(), newpath: r.path() }),
    ours: (ring, a, userData) => ring.prepRename(pathLike(a.oldpath), pathLike(a.newpath), userData),
    theirs: (a, m) => [['io_uring_prep_rename', m.text('addr', a.oldpath), m.text('off', a.newpath)]],
  }),
  row({
    name: 'io_uring_prep_unlinkat',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), flags: r.u32() }),
    ours: (ring, a, userData) => ring.prepUnlinkat(a.dirfd, pathLike(a.path), a.flags, userData),
    theirs: (a, m) => [['io_uring_prep_unlinkat', a.dirfd, m.text('addr', a.path), a.flags]],
  }),
  row({
    name: 'io_uring_prep_unlink',
    draw: (r) => ({ path: r.path() }),
    ours: (ring, a, userData) => ring.prepUnlink(pathLike(a.path), userData),
    theirs: (a, m) => [['io_uring_prep_unlink', m.text('addr', a.path), 0]],
  }),
  row({
    name: 'io_uring_prep_mkdirat',
    draw: (r) => ({ dirfd: r.fd(), path: r.path(), mode: r.u16() }),
    ours: (ring, a, userData) => ring.prepMkdirat(a.dirfd, pathLike(a.path), a.mode, userData),
    theirs: (a, m) => [['io_uring_prep_mkdirat', a.dirfd, m.text('addr', a.path), a.mode]],
  }),
  row({
    name: 'io_uring_prep_mkdir',
    draw: (r) => ({ path: r.path(), mode: r.u16() }),
    ours: (ring, a, userData) => ring.prepMkdir(pathLike(a.path), a.mode, userData),
    theirs: (a, m) => [['io_uring_prep_mkdir', m.text('addr', a.path), a.mode]],
  }),
  row({
    name: 'io_uring_prep_symlinkat',
    draw: (r) => ({ target: r.path(), dirfd: r.fd(), path: r.path() }),
    ours: (ring, a, userData) => ring.prepSymlinkat(pathLike(a.target), a.dirfd, pathLike(a.path), userData),
    theirs: (a, m) => [['io_uring_prep_symlinkat', m.text('addr', a.target), a.dirfd, m.text('off', a.path)]],
  }),
  row({
    name: 'io_uring_prep_symlink',
    draw: (r) => ({ target: r.path(), path: r.path() }),
    ours: (ring, a, userData) => ring.prepSymlink(pathLike(a.target), pathLike(a.path), userData),
    theirs: (a, m) => [['io_uring_prep_symlink', m.text('addr', a.target), m.text('off', a.path)]],
  }),
  row({
    name: 'io_uring_prep_linkat',
    draw: (r) => ({ olddirfd: r.fd(), oldpath: r.path(), newdirfd: r.fd(), newpath: r.path(), flags: r.u32() }),
    ours: (ring, a, userData) =>
      ring.prepLinkat(a.olddirfd, pathLike(a.oldpath), a.newdirfd, pathLike(a.newpath), a.flags, userData),
    theirs: (a, m) => {
      const [oldpath, newpath] = [m.text('addr', a.oldpath), m.text('off', a.newpath)];
      return [['io_uring_prep_linkat', a.olddirfd, oldpath, a.newdirfd, newpath, a.flags]];
    },
  }),
  row({
    name: 'io_uring_prep_link',
    draw: (r) => ({ oldpath: r.path(), newpath: r.path() }),
    ours: (ring, a, userData) => ring.prepLink(pathLike(a.oldpath), pathLike(a.newpath), userData),
    theirs: (a, m) => [['io_uring_prep_link', m.text('addr', a.oldpath), m.text('off', a.newpath), 0]],
  }),

  row({
    name: 'io_uring_prep_getxattr',
    draw: (r) => ({ path: r.path(), name: r.word26(), value: r.buffer() }),
    ours: (ring, a, userData, m) => ring.prepGetxattr(pathLike(a.path), a.name, m.lend(a.value), userData),
    theirs: (a, m) => {
      const [name, value, path] = [m.text('addr', a.name), m.lent('off', m.lend(a.value)), m.text('addr3', a.path)];
      return [['io_uring_prep_getxattr', name, value, path, a.value.size]];
    },
  }),
  row({
    name: 'io_uring_prep_setxattr',
    draw: (r) => ({ path: r.path(), name: r.word26(), value: r.buffer(), flags: r.u32() }),
    ours: (ring, a, userData, m) =>
      ring.prepSetxattr(pathLike(a.path), a.name, m.lend(a.value), userData, { flags: a.flags }),
    theirs: (a, m) => {
      const [name, value, path] = [m.text('addr', a.name), m.lent('off', m.lend(a.value)), m.text('addr3', a.path)];
      return [['io_uring_prep_setxattr', name, value, path, a.flags, a.value.size]];
    },
  }),
  row({
    name: 'io_uring_prep_fgetxattr',
    draw: (r) => ({ fd: r.fd(), name: r.word26(), value: r.buffer() }),
    ours: (ring, a, userData, m) => ring.prepFgetxattr(a.fd, a.name, m.lend(a.value), userData),
    theirs: (a, m) => {
      const [name, value] = [m.text('addr', a.name), m.lent('off', m.lend(a.value))];
      return [['io_uring_prep_fgetxattr', a.fd, name, value, a.value.size]];
    },
  }),
  row({
    name: 'io_uring_prep_fsetxattr',
    draw: (r) => ({ fd: r.fd(), name: r.word26(), value: r.buffer(), flags: r.u32() }),
    ours: (ring, a, userData, m) => ring.prepFsetxattr(a.fd, a.name, m.lend(a.value), userData, { flags: a.flags }),
    theirs: (a, m) => {
      const [name, value] = [m.text('addr', a.name), m.lent('off', m.lend(a.value))];
      return [['io_uring_prep_fsetxattr', a.fd, name, value, a.flags, a.value.size]];
    },
  }),
];
