/** Text of a program that forbids itself system calls, as containers do: they answer with `errno` from then on. It has koffi as `koffi`. */
export const forbid = (forbidden: number | readonly number[], errno: number): string => `
  const prctl = koffi.load(null).func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)');
  // For each: if (seccomp_data.nr == forbidden) return SECCOMP_RET_ERRNO | errno; in the end return SECCOMP_RET_ALLOW.
  const forbidden = ${JSON.stringify([forbidden].flat())};
  const each = forbidden.flatMap((nr) => [[0x15, 0, 1, nr], [0x06, 0, 0, 0x00050000 + ${errno}]]);
  const instructions = [[0x20, 0, 0, 0], ...each, [0x06, 0, 0, 0x7fff0000]];
  const code = Buffer.alloc(8 * instructions.length);
  instructions.forEach(([op, jt, jf, k], i) => {
      code.writeUInt16LE(op, i * 8);
      code.writeUInt8(jt, i * 8 + 2);
      code.writeUInt8(jf, i * 8 + 3);
      code.writeUInt32LE(k, i * 8 + 4);
    });
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(instructions.length, 0);
  filter.writeBigUInt64LE(koffi.address(code), 8);
  if (prctl(38, 1, 0, 0, 0) !== 0 || prctl(22, 2, koffi.address(filter), 0, 0) !== 0) process.exit(9);`;

/** The same numbers on all architectures. */
export const IO_URING_SETUP = 425;
export const IO_URING_REGISTER = 427;
