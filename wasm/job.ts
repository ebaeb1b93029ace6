/**
 * One weight gradient, `GradientJob` of recording.ts: `out[m][n] = Σ a[row][m] · d[row][n]` over the
 * `T` bins and the `B` rows of each. `a` is 0 for a column sum.
 */
@unmanaged
export class Job {
  a: usize;
  d: usize;
  out: usize;
  m: i32;
  n: i32;
  aStride: i32;
  dStride: i32;
  T: i32;
  /** rows of `a` to skip, in units of B rows; not in the pointer */
  aSlot: i32;
  sparse: i32;
}
