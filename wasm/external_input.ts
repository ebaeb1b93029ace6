// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** The external inputs of the batch, and their part of the generator: `external · wExternal + b`. */
import { gemm, pack } from "./gemm";
import { Scalars } from "./scalars";

/** Rows that stay in the first cache while they are multiplied. */
const ROWS: i32 = 48;

@unmanaged
export class ExternalInputArgs {
  external: usize;
  trials_B: usize;
  wExternal_XW: usize;
  b_W: usize;
  external_TBX: usize;
  genInput_TBW: usize;
  T: i32;
  X: i32;
  W: i32;
}

export function external_input(
  args: ExternalInputArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const B = s.B, T = args.T, X = args.X, W = args.W, bytes = <usize> X << 2;
  const rows = T * B;
  const first = <i32> (<i64> rows * thread / threads);
  const last = <i32> (<i64> rows * (thread + 1) / threads);
  if (first == last) return;
  const packed = pack(args.wExternal_XW, X, W, W);
  for (let row = first; row < last; row += ROWS) {
    const count = min(ROWS, last - row);
    const block = args.external_TBX + <usize> row * bytes;
    for (let i = 0; i < count; i++) {
      const t = (row + i) / B, b = (row + i) % B;
      const trial = load<u32>(args.trials_B + (<usize> b << 2));
      memory.copy(block + <usize> i * bytes, args.external + <usize> (trial * T + t) * bytes, bytes);
    }
    const out = args.genInput_TBW + (<usize> (row * W) << 2);
    gemm(count, W, X, block, X, packed, out, W, args.b_W, 0);
  }
}
