// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The encoder: one GRU forward and one backward in time, each from its own trainable h0.
 *
 * The rows of both directions, first all forward, then all backward, are shared out to the threads; a
 * thread carries a block of rows through all bins.
 */
import { gruRows, gruRowsBackward } from "./cells";
import { pack, packTransposed } from "./gemm";
import { pairEncoder, pairEncoderBackward } from "./pair_encoder";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** Rows that go through all bins together: few enough for the first cache, enough to use each panel. */
export const SWEEP_ROWS: i32 = 64;

@unmanaged
export class EncoderArgs {
  gates_TBD3E: usize;
  wGates_DE2E: usize;
  wCandidate_DEE: usize;
  h0_DE: usize;
  forward_HBE: usize;
  backward_HBE: usize;
  reset_TBDE: usize;
  T: i32;
  E: i32;
}

@unmanaged
export class EncoderBackwardArgs {
  gates_TBD3E: usize;
  wGates_DE2E: usize;
  wCandidate_DEE: usize;
  forward_HBE: usize;
  backward_HBE: usize;
  dEnds_B2E: usize;
  dEnc_TB2E: usize;
  dStart_BDE: usize;
  T: i32;
  E: i32;
}

/** Rows of each block when `rows` are cut into as few blocks as SWEEP_ROWS allows, alike in size. */
@inline
export function blockSize(rows: i32): i32 {
  const blocks = (rows + SWEEP_ROWS - 1) / SWEEP_ROWS;
  return blocks ? (rows + blocks - 1) / blocks : 1;
}

export function encoder(args: EncoderArgs, s: Scalars, thread: i32, threads: i32): void {
  const B = s.B, E = args.E;
  const first = <i32>(<i64>(2 * B) * thread / threads);
  const last = <i32>(<i64>(2 * B) * (thread + 1) / threads);
  for (let direction = 0; direction < 2; direction++) {
    const b0 = max(first - direction * B, 0), b1 = min(last - direction * B, B);
    if (b0 >= b1) continue;
    if (E == 2) {
      pairEncoder(args, B, direction, b0, b1);
      continue;
    }
    const square = <usize>(direction * E * E) << 2;
    const wGates = pack(args.wGates_DE2E + 2 * square, E, 2 * E, 2 * E);
    const wCandidate = pack(args.wCandidate_DEE + square, E, E, E);
    const size = blockSize(b1 - b0);
    for (let b = b0; b < b1; b += size) {
      sweep(args, B, direction, b, min(size, b1 - b), wGates, wCandidate);
    }
  }
}

function sweep(
  args: EncoderArgs, B: i32, direction: i32, b: i32, rows: i32, wGates: usize, wCandidate: usize,
): void {
  const T = args.T, E = args.E;
  const states = direction ? args.backward_HBE : args.forward_HBE;
  const h0 = args.h0_DE + (<usize>(direction * E) << 2);
  const start = direction ? T : 0;
  for (let i = 0; i < rows; i++) {
    memory.copy(states + (<usize>((start * B + b + i) * E) << 2), h0, <usize>E << 2);
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? T - 1 - i : i;
    const before = direction ? t + 1 : t, after = direction ? t : t + 1;
    const row = t * B + b;
    gruRows(
      rows, E, wGates, wCandidate,
      states + (<usize>((before * B + b) * E) << 2), E,
      args.gates_TBD3E + (<usize>((row * 2 + direction) * 3 * E) << 2), 6 * E,
      args.reset_TBDE + (<usize>((row * 2 + direction) * E) << 2), 2 * E,
      states + (<usize>((after * B + b) * E) << 2), E,
    );
  }
}

export function encoder_backward(
  args: EncoderBackwardArgs, s: Scalars, thread: i32, threads: i32,
): void {
  const B = s.B, E = args.E;
  const first = <i32>(<i64>(2 * B) * thread / threads);
  const last = <i32>(<i64>(2 * B) * (thread + 1) / threads);
  const dState = scratch(<usize>(SWEEP_ROWS * E) << 2), dReset = scratch(<usize>(SWEEP_ROWS * E) << 2);
  for (let direction = 0; direction < 2; direction++) {
    const b0 = max(first - direction * B, 0), b1 = min(last - direction * B, B);
    if (b0 >= b1) continue;
    if (E == 2) {
      for (let b = b0; b < b1; b += 4) pairEncoderBackward(args, B, direction, b, min(4, b1 - b));
      continue;
    }
    const square = <usize>(direction * E * E) << 2;
    const wGatesT = packTransposed(args.wGates_DE2E + 2 * square, 2 * E, E, 2 * E);
    const wCandidateT = packTransposed(args.wCandidate_DEE + square, E, E, E);
    const size = blockSize(b1 - b0);
    for (let b = b0; b < b1; b += size) {
      const rows = min(size, b1 - b);
      sweepBackward(args, B, direction, b, rows, wGatesT, wCandidateT, dState, dReset);
    }
  }
}

function sweepBackward(
  args: EncoderBackwardArgs, B: i32, direction: i32, b: i32, rows: i32,
  wGatesT: usize, wCandidateT: usize, dState: usize, dReset: usize,
): void {
  const T = args.T, E = args.E, bytes = <usize>E << 2;
  const states = direction ? args.backward_HBE : args.forward_HBE;
  // ends = [backward at t = 0 ; forward at t = T-1]
  if (args.dEnds_B2E == 0) memory.fill(dState, 0, <usize>rows * bytes);
  for (let i = 0; i < rows && args.dEnds_B2E != 0; i++) {
    const end = args.dEnds_B2E + (<usize>(((b + i) * 2 + 1 - direction) * E) << 2);
    memory.copy(dState + <usize>i * bytes, end, bytes);
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? i : T - 1 - i;
    const before = direction ? t + 1 : t;
    const row = t * B + b;
    if (args.dEnc_TB2E) {
      addRows(dState, args.dEnc_TB2E + (<usize>((row * 2 + direction) * E) << 2), 2 * E, rows, E);
    }
    gruRowsBackward(
      rows, E, wGatesT, wCandidateT,
      states + (<usize>((before * B + b) * E) << 2), E,
      args.gates_TBD3E + (<usize>((row * 2 + direction) * 3 * E) << 2), 6 * E,
      dState, dReset,
    );
  }
  for (let i = 0; i < rows; i++) {
    const start = args.dStart_BDE + (<usize>(((b + i) * 2 + direction) * E) << 2);
    memory.copy(start, dState + <usize>i * bytes, bytes);
  }
}

/** target [rows][n] += source, whose rows are `stride` floats apart. `target` is scratch memory. */
export function addRows(target: usize, source: usize, stride: i32, rows: i32, n: i32): void {
  for (let i = 0; i < rows; i++) {
    let from = source;
    // whole vectors first: what a last vector would write past its row belongs to the next row
    let j = 0;
    for (; j + 4 <= n; j += 4, from += 16, target += 16) {
      v128.store(target, f32x4.add(v128.load(target), v128.load(from)));
    }
    for (; j < n; j++, from += 4, target += 4) {
      store<f32>(target, load<f32>(target) + load<f32>(from));
    }
    source += <usize>stride << 2;
  }
}
