import assert from 'node:assert/strict';
import { test } from 'node:test';
import koffi from 'koffi';
import { koffiNative } from '../../src/native/koffi.ts';

const PIECE = 64 * 1024;
const PIECES = 400;

const libc = koffi.load(null);
const malloc = libc.func('malloc', 'uintptr_t', ['size_t']) as (bytes: number) => number;
const free = libc.func('free', 'void', ['uintptr_t']) as (address: number) => void;
const memset = libc.func('memset', 'uintptr_t', ['uintptr_t', 'int', 'size_t']) as (
  to: number,
  byte: number,
  bytes: number,
) => number;

/** Page faults that it takes to allocate 25 MiB in pieces and to write to them. They are freed. */
function faults(): number {
  const before = process.resourceUsage().minorPageFault;
  const pieces = Array.from({ length: PIECES }, () => malloc(PIECE));
  for (const piece of pieces) memset(piece, 1, PIECE);
  const after = process.resourceUsage().minorPageFault;
  for (const piece of pieces) free(piece);
  return after - before;
}

const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
const skip = header.glibcVersionRuntime === undefined ? 'needs glibc' : false;

test('Given pieces that were freed, keepFreedMemory has malloc use their pages again', { skip }, () => {
  const { pageSize } = koffiNative();
  koffiNative().keepFreedMemory!();
  faults();
  const again = faults();
  assert.ok(again < (PIECES * PIECE) / pageSize / 10, `${again} faults`);
});
