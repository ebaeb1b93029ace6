/** logRate = f W + b for four rows at a time, shared by the readout and the posterior's rates. */
import { madd4 } from "./math";

/** Float32 to set aside for a row of N: whole vectors. */
export function paddedRow(N: i32): i32 {
  return (N + 3) & ~3;
}

/**
 * Writes four rows of log-rates, `paddedRow(N)` apart, from four rows of F factors. A row's bits do
 * not depend on the rows beside it, so a row may be given twice to fill a block. Lanes past N hold
 * nothing of use.
 */
export function logRates4(
  out: usize,
  x0: usize,
  x1: usize,
  x2: usize,
  x3: usize,
  w_FN: usize,
  b_N: usize,
  N: i32,
  F: i32,
): void {
  const row = <usize> N << 2, stride = <usize> paddedRow(N) << 2, end = <usize> F << 2;
  let n = 0;
  for (; n + 8 <= N; n += 8, out += 32, w_FN += 32, b_N += 32) {
    let a0 = v128.load(b_N), b0 = v128.load(b_N, 16);
    let a1 = a0, b1 = b0, a2 = a0, b2 = b0, a3 = a0, b3 = b0;
    for (let f: usize = 0, w = w_FN; f < end; f += 4, w += row) {
      const wa = v128.load(w), wb = v128.load(w, 16);
      const s0 = v128.load32_splat(x0 + f);
      a0 = madd4(s0, wa, a0);
      b0 = madd4(s0, wb, b0);
      const s1 = v128.load32_splat(x1 + f);
      a1 = madd4(s1, wa, a1);
      b1 = madd4(s1, wb, b1);
      const s2 = v128.load32_splat(x2 + f);
      a2 = madd4(s2, wa, a2);
      b2 = madd4(s2, wb, b2);
      const s3 = v128.load32_splat(x3 + f);
      a3 = madd4(s3, wa, a3);
      b3 = madd4(s3, wb, b3);
    }
    v128.store(out, a0);
    v128.store(out, b0, 16);
    v128.store(out + stride, a1);
    v128.store(out + stride, b1, 16);
    v128.store(out + 2 * stride, a2);
    v128.store(out + 2 * stride, b2, 16);
    v128.store(out + 3 * stride, a3);
    v128.store(out + 3 * stride, b3, 16);
  }
  for (; n < N; n += 4, out += 16, w_FN += 16, b_N += 16) {
    let a0 = v128.load(b_N);
    let a1 = a0, a2 = a0, a3 = a0;
    for (let f: usize = 0, w = w_FN; f < end; f += 4, w += row) {
      const wa = v128.load(w);
      a0 = madd4(v128.load32_splat(x0 + f), wa, a0);
      a1 = madd4(v128.load32_splat(x1 + f), wa, a1);
      a2 = madd4(v128.load32_splat(x2 + f), wa, a2);
      a3 = madd4(v128.load32_splat(x3 + f), wa, a3);
    }
    v128.store(out, a0);
    v128.store(out + stride, a1);
    v128.store(out + 2 * stride, a2);
    v128.store(out + 3 * stride, a3);
  }
}
