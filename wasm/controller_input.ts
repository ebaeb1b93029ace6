// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** Dropout on the encodings, then their part of the controller's gates: `enc · wEncoding + b`. */
import { keepBin, multiplyRow } from "./dropout";
import { gemm, pack, packTransposed } from "./gemm";
import { KEEP_ENC } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** Rows whose encodings stay in the first cache while they are multiplied. */
const ROWS: i32 = 48;

@unmanaged
export class ControllerInputArgs {
  forward_HBE: usize;
  backward_HBE: usize;
  keepEnc_BT2E: usize;
  wEncoding_2E3C: usize;
  b_3C: usize;
  enc_TB2E: usize;
  conInput_TB3C: usize;
  T: i32;
  E: i32;
  C: i32;
  encoderT: i32;
  lag: i32;
  dropout: i32;
  keepRate: f32;
}

@unmanaged
export class ControllerInputBackwardArgs {
  conGates_TR3C: usize;
  keepEnc_BT2E: usize;
  wEncoding_2E3C: usize;
  dEnc_TB2E: usize;
  T: i32;
  E: i32;
  C: i32;
  encoderT: i32;
  lag: i32;
  dropout: i32;
  keepRate: f32;
}

/** Whether the controller's row `at` gets the encoder's row `from`, of `seen`. */
@inline
function isSeen(at: i32, from: i32, seen: i32): bool {
  return at < seen && from >= 0 && from < seen;
}

export function controller_input(
  args: ControllerInputArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const B = s.B, T = args.T, E = args.E, C = args.C;
  const rows = T * B;
  const first = <i32> (<i64> rows * thread / threads);
  const last = <i32> (<i64> rows * (thread + 1) / threads);
  if (first == last) return;
  // rows of the encoder, and how many rows later one is used
  const seen = args.encoderT * B, late = args.lag * B;
  const packed = pack(args.wEncoding_2E3C, 2 * E, 3 * C, 3 * C);
  const keep = scratch(<usize> (ROWS * 2 * E) << 2);
  const half = <usize> E << 2;
  for (let row = first; row < last; row += ROWS) {
    const count = min(ROWS, last - row);
    const block = args.enc_TB2E + (<usize> (row * 2 * E) << 2);
    for (let i = 0; i < count; i++) {
      const enc = block + (<usize> (i * 2 * E) << 2), at = row + i;
      const early = at - late, after = at + late;
      if (isSeen(at, early, seen)) {
        memory.copy(enc, args.forward_HBE + <usize> (early + B) * half, half);
      } else memory.fill(enc, 0, half);
      if (isSeen(at, after, seen)) {
        memory.copy(enc + half, args.backward_HBE + <usize> after * half, half);
      } else memory.fill(enc + half, 0, half);
    }
    if (args.dropout) drop(block, row, count, args.keepEnc_BT2E, args.keepRate, T, E, s, keep);
    const out = args.conInput_TB3C + (<usize> (row * 3 * C) << 2);
    gemm(count, 3 * C, 2 * E, block, 2 * E, packed, out, 3 * C, args.b_3C, 0);
  }
}

/** Dropout on rows `row … row + count - 1` of the encodings or of their gradients, in place. */
function drop(
  x: usize,
  row: i32,
  count: i32,
  masks: usize,
  keepRate: f32,
  T: i32,
  E: i32,
  s: Scalars,
  keep: usize,
): void {
  for (let i = 0; i < count;) {
    // the trials of one bin
    const t = (row + i) / s.B, b = (row + i) % s.B, rows = min(count - i, s.B - b);
    keepBin(keep, rows, 2 * E, keepRate, masks, KEEP_ENC, b, t, T, s, 1);
    multiplyRow(x, x, keep, rows * 2 * E);
    x += <usize> (rows * 2 * E) << 2;
    i += rows;
  }
}

/**
 * A row of the controller's gradient goes to the rows of the encoder that it came from: all of it to the
 * same row, or with a lag each half to a row of its own.
 */
export function controller_input_backward(
  args: ControllerInputBackwardArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const B = s.B, T = args.T, E = args.E, C = args.C;
  const rows = args.encoderT * B, late = args.lag * B;
  const first = <i32> (<i64> rows * thread / threads);
  const last = <i32> (<i64> rows * (thread + 1) / threads);
  if (first == last) return;
  const packedT = packTransposed(args.wEncoding_2E3C, 3 * C, 2 * E, 3 * C);
  const keep = scratch(<usize> (ROWS * 2 * E) << 2);
  const moved = late ? scratch(<usize> (ROWS * 2 * E) << 2) : 0;
  for (let row = first; row < last; row += ROWS) {
    const count = min(ROWS, last - row);
    const gates = args.conGates_TR3C + (<usize> (row * 3 * C) << 2);
    const dEnc = late ? moved : args.dEnc_TB2E + (<usize> (row * 2 * E) << 2);
    gemm(count, 2 * E, 3 * C, gates, 3 * C, packedT, dEnc, 2 * E, 0, 0);
    if (args.dropout) drop(dEnc, row, count, args.keepEnc_BT2E, args.keepRate, T, E, s, keep);
    if (late) move(args.dEnc_TB2E, moved, row, count, late, rows, <usize> E << 2);
  }
}

/**
 * The halves of rows `row … row + count - 1` to where they belong, and zeros to the halves of these rows
 * that get nothing from anywhere: each half is written once, whatever the threads.
 */
function move(
  dEnc: usize, moved: usize, row: i32, count: i32, late: i32, rows: i32, half: usize,
): void {
  for (let i = 0; i < count; i++, moved += 2 * half) {
    const at = row + i, early = at - late, after = at + late;
    const own = dEnc + <usize> at * 2 * half;
    const reaches = early >= 0 && early < rows, isReached = after >= 0 && after < rows;
    if (reaches) memory.copy(dEnc + <usize> early * 2 * half, moved, half);
    if (isReached) memory.copy(dEnc + <usize> after * 2 * half + half, moved + half, half);
    // the forward half of this row comes from the row `after`, the backward half from `early`
    if (!isReached) memory.fill(own, 0, half);
    if (!reaches) memory.fill(own + half, 0, half);
  }
}
