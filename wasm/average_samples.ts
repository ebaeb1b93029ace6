/** Mean over the samples of each trial: `[T][R][n]` → `[T][B][n]`. */
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
import { storeLanes } from "./math";
import { Scalars } from "./scalars";

@unmanaged
export class AverageSamplesArgs {
  source: usize;
  mean: usize;
  T: i32;
  n: i32;
}

export function average_samples(
  args: AverageSamplesArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const n = args.n, S = s.S, row = <usize> n << 2;
  const divisor = f32x4.splat(<f32> S);
  // rows of `mean`: bins and trials alike
  for (let at = thread; at < args.T * s.B; at += threads) {
    const source = args.source + <usize> at * <usize> S * row;
    const mean = args.mean + <usize> at * row;
    for (let i = 0; i < n; i += 4) {
      const column = <usize> i << 2;
      let sum = v128.load(source + column);
      for (let sample = 1; sample < S; sample++) {
        sum = f32x4.add(sum, v128.load(source + <usize> sample * row + column));
      }
      const value = f32x4.div(sum, divisor);
      if (n - i >= 4) v128.store(mean + column, value);
      else storeLanes(mean + column, value, n - i);
    }
  }
}
