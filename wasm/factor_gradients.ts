/** Back through the readout, for four rows at a time. */
import { paddedRow } from "./log_rates";
import { laneSum, madd4 } from "./math";

/** d = dLogRates Wᵀ for the four rows in `block`, which hold zeros from N on up to a whole vector. */
@inline
export function factorGradients4(
  w_FN: usize, N: i32, F: i32, block: usize, d0: usize, d1: usize, d2: usize, d3: usize,
): void {
  const row = (N as usize) << 2, stride = (paddedRow(N) as usize) << 2;
  const b1 = block + stride, b2 = b1 + stride, b3 = b2 + stride;
  let w = w_FN, f = 0;
  for (; f + 2 <= F; f += 2, w += 2 * row) {
    const v = w + row;
    let p0 = f32x4.splat(0), p1 = p0, p2 = p0, p3 = p0, q0 = p0, q1 = p0, q2 = p0, q3 = p0;
    for (let n: usize = 0; n < row; n += 16) {
      const wa = v128.load(w + n), wb = v128.load(v + n);
      const e0 = v128.load(block + n), e1 = v128.load(b1 + n);
      p0 = madd4(e0, wa, p0);
      q0 = madd4(e0, wb, q0);
      p1 = madd4(e1, wa, p1);
      q1 = madd4(e1, wb, q1);
      const e2 = v128.load(b2 + n), e3 = v128.load(b3 + n);
      p2 = madd4(e2, wa, p2);
      q2 = madd4(e2, wb, q2);
      p3 = madd4(e3, wa, p3);
      q3 = madd4(e3, wb, q3);
    }
    const at = (f as usize) << 2;
    store<f32>(d0 + at, laneSum(p0) as f32);
    store<f32>(d0 + at, laneSum(q0) as f32, 4);
    store<f32>(d1 + at, laneSum(p1) as f32);
    store<f32>(d1 + at, laneSum(q1) as f32, 4);
    store<f32>(d2 + at, laneSum(p2) as f32);
    store<f32>(d2 + at, laneSum(q2) as f32, 4);
    store<f32>(d3 + at, laneSum(p3) as f32);
    store<f32>(d3 + at, laneSum(q3) as f32, 4);
  }
  if (f < F) {
    let p0 = f32x4.splat(0), p1 = p0, p2 = p0, p3 = p0;
    for (let n: usize = 0; n < row; n += 16) {
      const wa = v128.load(w + n);
      p0 = madd4(v128.load(block + n), wa, p0);
      p1 = madd4(v128.load(b1 + n), wa, p1);
      p2 = madd4(v128.load(b2 + n), wa, p2);
      p3 = madd4(v128.load(b3 + n), wa, p3);
    }
    const at = (f as usize) << 2;
    store<f32>(d0 + at, laneSum(p0) as f32);
    store<f32>(d1 + at, laneSum(p1) as f32);
    store<f32>(d2 + at, laneSum(p2) as f32);
    store<f32>(d3 + at, laneSum(p3) as f32);
  }
}
