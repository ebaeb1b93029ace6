// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** Dropout on the spikes, then their part of the encoder's gates: `spikes · wInput + b`. */
import { put } from "./cells";
import { elementAt, missing4, readElements } from "./data";
import { keepBin, multiplyRow } from "./dropout";
import { gemm, pack } from "./gemm";
import { dropRows, dropRowsBytes, KEEP_SPIKES } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";
import {
  ENTRY, listPair, packedWideBytes, packWide, SPARSE_COLUMNS, sumEntries,
} from "./sparse";

/** Rows whose spikes stay in the first cache between being drawn and being multiplied. */
const ROWS: i32 = 48;

/** `sparse` where nobody knows how many counts are zero: `LOOK` of choreography.ts. */
const LOOK: i32 = 2;

@unmanaged
export class EncoderInputArgs {
  counts: usize;
  trials_B: usize;
  keepSpikes_BTN: usize;
  wInput_ND3E: usize;
  b_D3E: usize;
  spikes_TBN: usize;
  gates_TBD3E: usize;
  T: i32;
  N: i32;
  E: i32;
  dataT: i32;
  element: i32;
  gaps: i32;
  sparse: i32;
  dropout: i32;
  keepRate: f32;
  scale: f32;
}

export function encoder_input(
  args: EncoderInputArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const B = s.B, N = args.N, width = 6 * args.E;
  const rows = args.T * B;
  const first = <i32> (<i64> rows * thread / threads);
  const last = <i32> (<i64> rows * (thread + 1) / threads);
  if (first == last) return;
  const sparse = width >= SPARSE_COLUMNS &&
    (args.sparse == LOOK ? mostAreZero(args, s, first, min(ROWS, last - first)) : args.sparse != 0);
  let packed: usize;
  if (sparse) {
    packed = scratch(packedWideBytes(N, width));
    packWide(packed, args.wInput_ND3E, N, width, <usize> width << 2);
  } else {
    packed = pack(args.wInput_ND3E, N, width, width);
  }
  const rowIds = scratch(<usize> ROWS << 2);
  const work = scratch(max(dropRowsBytes(ROWS, N), <usize> (ROWS * N) << 2));
  const entries = scratch((<usize> N + 1) * ENTRY);
  // where the companion of an odd last row goes
  const spare = scratch(<usize> width << 2);
  for (let row = first; row < last; row += ROWS) {
    const count = min(ROWS, last - row);
    const spikes = args.spikes_TBN + (<usize> (row * N) << 2);
    const gates = args.gates_TBD3E + (<usize> (row * width) << 2);
    for (let i = 0; i < count; i++) readInputs(args, s, row + i, spikes + (<usize> (i * N) << 2));
    if (args.dropout) drop(args, s, row, count, spikes, rowIds, work);
    if (sparse) {
      for (let i = 0; i < count; i += 2) {
        const x = spikes + (<usize> (i * N) << 2), out = gates + (<usize> (i * width) << 2);
        const paired = i + 1 < count;
        const end = listPair(x, paired ? x + (<usize> N << 2) : x, N, entries);
        const other = paired ? out + (<usize> width << 2) : spare;
        sumEntries(entries, end, packed, N, width, args.b_D3E, out, other, false);
      }
    } else {
      gemm(count, width, N, spikes, N, packed, gates, width, args.b_D3E, 0);
    }
  }
}

/** Whether more than half of the first rows' numbers are zero. */
function mostAreZero(args: EncoderInputArgs, s: Scalars, row: i32, count: i32): bool {
  const N = args.N;
  let something = 0;
  for (let i = 0; i < count; i++) {
    const spikes = args.spikes_TBN + (<usize> ((row + i) * N) << 2);
    readInputs(args, s, row + i, spikes);
    for (let n = 0; n < N; n++) something += i32(load<f32>(spikes + (<usize> n << 2)) != 0);
  }
  return 2 * something < count * N;
}

/** The data of bin t of trial b (`row = t * B + b`) as float32, scaled; 0 where nothing is known. */
function readInputs(args: EncoderInputArgs, s: Scalars, row: i32, dest: usize): void {
  const N = args.N, element = args.element;
  const t = row / s.B, b = row % s.B;
  const trial = load<u32>(args.trials_B + (<usize> b << 2));
  const from = elementAt(args.counts, <usize> (trial * args.dataT + t) * N, element);
  readElements(dest, from, N, element);
  if (!args.gaps && args.scale == 1) return;
  const scale = f32x4.splat(args.scale);
  for (let n = 0; n < N; n += 4, dest += 16) {
    let x = v128.load(dest);
    if (args.gaps) x = v128.andnot(x, missing4(x, element));
    put(dest, f32x4.mul(x, scale), N - n);
  }
}

/** Dropout on the spikes of rows `row … row + count - 1`, in place. */
function drop(
  args: EncoderInputArgs, s: Scalars, row: i32, count: i32, spikes: usize, rowIds: usize,
  work: usize,
): void {
  const T = args.dataT, N = args.N, B = s.B;
  // beside dense spikes nearly everything has to be drawn, and whole rows are drawn faster
  if (args.keepSpikes_BTN == 0 && args.sparse == 1) {
    for (let i = 0; i < count; i++) {
      const t = (row + i) / B, b = (row + i) % B;
      store<u32>(rowIds + (<usize> i << 2), <u32> ((s.firstTrial + b) * T + t));
    }
    dropRows(spikes, N, count, N, rowIds, args.keepRate, KEEP_SPIKES, s, 0, work);
    return;
  }
  for (let i = 0; i < count;) {
    // the trials of one bin
    const t = (row + i) / B, b = (row + i) % B, rows = min(count - i, B - b);
    const x = spikes + (<usize> (i * N) << 2);
    keepBin(work, rows, N, args.keepRate, args.keepSpikes_BTN, KEEP_SPIKES, b, t, T, s, 1);
    multiplyRow(x, x, work, rows * N);
    i += rows;
  }
}
