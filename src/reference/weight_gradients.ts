/** All weight gradients of a step: `out[m][n] = Σ_row a[row][m] · d[row][n]` for each job. */
import type { Scalars } from "../compute/kernels.ts";
import type { GradientJob } from "../compute/recording.ts";

/** A job with its arrays. `a` is null for a column sum. */
export interface LoadedJob extends Omit<GradientJob, "a" | "d" | "out"> {
  readonly a: Float64Array | null;
  readonly d: Float64Array;
  readonly out: Float64Array;
}

export function weight_gradients(jobs: readonly LoadedJob[], s: Scalars): void {
  for (const { a, d, out, m, n, aStride, dStride, T, aSlot } of jobs) {
    out.fill(0, 0, m * n);
    for (let row = 0; row < T * s.B; row++) {
      for (let i = 0; i < m; i++) {
        const left = a ? a[(row + aSlot * s.B) * aStride + i] : 1;
        for (let j = 0; j < n; j++) out[i * n + j] += left * d[row * dStride + j];
      }
    }
  }
}
