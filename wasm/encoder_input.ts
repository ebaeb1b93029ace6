// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** Dropout on the spikes, then their part of the encoder's gates: `spikes · wInput + b`. */
import { keepFactors } from "./dropout";
import { gemm, pack } from "./gemm";
import { storeLanes } from "./math";
import { KEEP_SPIKES } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";
import { ENTRY, list, packedWideBytes, packWide, sumEntries } from "./sparse";

/** Rows whose spikes stay in the first cache between being drawn and being multiplied. */
const ROWS: i32 = 48;

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
  wide: i32;
  sparse: i32;
  dropout: i32;
  keepRate: f32;
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
  let packed: usize;
  if (args.sparse) {
    packed = scratch(packedWideBytes(N, width));
    packWide(packed, args.wInput_ND3E, N, width, <usize> width << 2);
  } else {
    packed = pack(args.wInput_ND3E, N, width, width);
  }
  const keep_N = scratch((<usize> N << 2) + 16);
  const entries = scratch((<usize> N + 1) * ENTRY);
  for (let row = first; row < last; row += ROWS) {
    const count = min(ROWS, last - row);
    const spikes = args.spikes_TBN + (<usize> (row * N) << 2);
    const gates = args.gates_TBD3E + (<usize> (row * width) << 2);
    for (let i = 0; i < count; i++) {
      readSpikes(args, s, row + i, spikes + (<usize> (i * N) << 2), keep_N);
    }
    if (args.sparse) {
      for (let i = 0; i < count; i++) {
        const end = list(spikes + (<usize> (i * N) << 2), N, entries);
        const out = gates + (<usize> (i * width) << 2);
        sumEntries(entries, end, packed, N, width, args.b_D3E, out, false);
      }
    } else {
      gemm(count, width, N, spikes, N, packed, gates, width, args.b_D3E, 0);
    }
  }
}

/** The counts of bin t of trial b (`row = t * B + b`) as float32, with dropout. */
function readSpikes(
  args: EncoderInputArgs,
  s: Scalars,
  row: i32,
  dest: usize,
  keep_N: usize,
): void {
  const T = args.T, N = args.N;
  const t = row / s.B, b = row % s.B;
  const trial = load<u32>(args.trials_B + (<usize> b << 2));
  const counts = args.counts + ((<usize> (trial * T + t) * N) << args.wide);
  if (args.dropout) {
    const masks = args.keepSpikes_BTN;
    const explicit = masks ? masks + (<usize> ((b * T + t) * N) << 2) : 0;
    const draw = <u32> ((s.firstTrial + b) * T + t);
    keepFactors(keep_N, N, args.keepRate, explicit, KEEP_SPIKES, draw, s, 0);
  }
  for (let n = 0; n < N; n += 4) {
    let x = args.wide
      ? v128.load64_zero(counts + (<usize> n << 1))
      : i16x8.extend_low_i8x16_u(v128.load32_zero(counts + n));
    x = f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(x));
    if (args.dropout) x = f32x4.mul(x, v128.load(keep_N + (<usize> n << 2)));
    if (N - n >= 4) v128.store(dest + (<usize> n << 2), x);
    else storeLanes(dest + (<usize> n << 2), x, N - n);
  }
}
