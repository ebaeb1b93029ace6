/**
 * ln Γ and its derivative ψ of positive float32, four at a time, by Stirling's series of y ≥ 4: of α + 4
 * below 4, less what Γ(α + 4) = α (α + 1) (α + 2) (α + 3) Γ(α) makes of it. u is half an ulp of 1.
 *
 * The series end where the next term, which bounds what is left out, is below 4e-9 for ln Γ, and below
 * 8e-9 for ψ. What rounds more:
 *
 * - ln Γ: ln y to 4 u of itself (`log4`: 2 ulp), y to u of itself, and two products make
 *   8 u y |ln y|; sums of up to 2 y ln y + y + 1 make 3 u times that. The product has six roundings, its
 *   logarithm 4 u of itself more. In all below u (14 y ln y + 3 y + 5 |ln product| + 10).
 * - ψ: ln y to 5 u of itself and u / y of y's rounding; the sum of 1/(α + i), a quotient of sums of
 *   positive numbers, to 13 u of itself; three sums. In all below u (8 ln y + 16 Σ 1/(α + i) + 2).
 */
import { put } from "./cells";
import { log4 } from "./math";

const SHIFT: f32 = 4;

/** y: α, or α + 4 where that is too small for the series. */
@inline
export function shifted4(alpha: v128): v128 {
  const shift = v128.and(isSmall(alpha), f32x4.splat(SHIFT));
  return f32x4.add(alpha, shift);
}

@inline
function isSmall(alpha: v128): v128 {
  return f32x4.lt(alpha, f32x4.splat(SHIFT));
}

/** α (α + 3): the product of all four is that times itself plus 2. */
@inline
function quadratic(alpha: v128): v128 {
  return f32x4.mul(alpha, f32x4.add(alpha, f32x4.splat(3)));
}

/**
 * ln Γ(α)
 *
 * @param y `shifted4(α)`, with its logarithm and its inverse
 */
@inline
export function lnGamma4(alpha: v128, y: v128, logY: v128, inverse: v128): v128 {
  const square = f32x4.mul(inverse, inverse);
  let p = f32x4.add(f32x4.mul(square, f32x4.splat(-1.0 / 1680)), f32x4.splat(1.0 / 1260));
  p = f32x4.add(f32x4.mul(square, p), f32x4.splat(-1.0 / 360));
  p = f32x4.add(f32x4.mul(square, p), f32x4.splat(1.0 / 12));
  // ½ ln 2π
  const rest = f32x4.add(f32x4.mul(inverse, p), f32x4.splat(0.9189385332046727));
  const main = f32x4.sub(f32x4.mul(f32x4.sub(y, f32x4.splat(0.5)), logY), y);
  const q = quadratic(alpha), product = f32x4.mul(q, f32x4.add(q, f32x4.splat(2)));
  const excess = v128.and(log4(product), isSmall(alpha));
  return f32x4.sub(f32x4.add(main, rest), excess);
}

/** ψ(α): see `lnGamma4`. */
@inline
export function digamma4(alpha: v128, logY: v128, inverse: v128): v128 {
  const square = f32x4.mul(inverse, inverse), one = f32x4.splat(1), two = f32x4.splat(2);
  let p = f32x4.add(f32x4.mul(square, f32x4.splat(1.0 / 240)), f32x4.splat(-1.0 / 252));
  p = f32x4.add(f32x4.mul(square, p), f32x4.splat(1.0 / 120));
  p = f32x4.add(f32x4.mul(square, p), f32x4.splat(-1.0 / 12));
  const half = f32x4.mul(inverse, f32x4.splat(0.5));
  const main = f32x4.add(f32x4.sub(logY, half), f32x4.mul(square, p));
  // Σ 1 / (α + i) is the derivative of the product over the product
  const q = quadratic(alpha);
  const slope = f32x4.mul(f32x4.add(f32x4.add(alpha, alpha), f32x4.splat(3)), f32x4.add(q, one));
  const product = f32x4.mul(q, f32x4.add(q, two));
  const excess = v128.and(f32x4.div(f32x4.mul(two, slope), product), isSmall(alpha));
  return f32x4.sub(main, excess);
}

/** ln Γ in place on `n` float32: for tests of it alone. */
export function lnGammaRow(address: usize, n: i32): void {
  for (let i = 0; i < n; i += 4, address += 16) {
    const alpha = v128.load(address), y = shifted4(alpha);
    const inverse = f32x4.div(f32x4.splat(1), y);
    put(address, lnGamma4(alpha, y, log4(y), inverse), n - i);
  }
}

/** ψ in place on `n` float32: for tests of it alone. */
export function digammaRow(address: usize, n: i32): void {
  for (let i = 0; i < n; i += 4, address += 16) {
    const alpha = v128.load(address), y = shifted4(alpha);
    put(address, digamma4(alpha, log4(y), f32x4.div(f32x4.splat(1), y)), n - i);
  }
}
