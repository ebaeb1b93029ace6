// ln Γ and its derivative ψ of positive normal numbers, by Stirling's series of y >= 4: of α + 4 below 4,
// less what Γ(α + 4) = α (α + 1) (α + 2) (α + 3) Γ(α) makes of it. The polynomials are those of
// wasm/gamma.ts, and so are their bounds, with u = 2^-24:
//
// - the series end where the next term is below 4e-9 for ln Γ, and below 8e-9 for ψ;
// - what rounds makes at most u (14 y ln y + 3 y + 5 |ln product| + 10) of ln Γ, and
//   u (8 ln y + 16 Σ 1/(α + i) + 2) of ψ. A quotient may be off by 5 u here, wasm's by 1: of Σ, which is one,
//   12 + 4 u where α is small, and where it is not the logarithm's share has room; 1/y is at most 1/4.

const GAMMA_SHIFT = 4.0;

// y: α, or α + 4 where that is too small for the series.
fn gamma_shifted(alpha: f32) -> f32 {
  return alpha + select(0.0, GAMMA_SHIFT, alpha < GAMMA_SHIFT);
}

// α (α + 3): the product of all four is that times itself plus 2.
fn gamma_quadratic(alpha: f32) -> f32 {
  return alpha * (alpha + 3.0);
}

fn ln_gamma(alpha: f32) -> f32 {
  let y = gamma_shifted(alpha);
  let inverse = 1.0 / y;
  let z = inverse * inverse;
  var p = fma(z, -0.0005952380952380953, 0.0007936507936507937);
  p = fma(z, p, -0.002777777777777778);
  p = fma(z, p, 0.08333333333333333);
  // ½ ln 2π
  let rest = fma(inverse, p, 0.9189385332046727);
  let main = (y - 0.5) * log_(y) - y;
  let q = gamma_quadratic(alpha);
  let excess = select(0.0, log_(q * (q + 2.0)), alpha < GAMMA_SHIFT);
  return (main + rest) - excess;
}

fn digamma(alpha: f32) -> f32 {
  let y = gamma_shifted(alpha);
  let inverse = 1.0 / y;
  let z = inverse * inverse;
  var p = fma(z, 0.004166666666666667, -0.003968253968253968);
  p = fma(z, p, 0.008333333333333333);
  p = fma(z, p, -0.08333333333333333);
  let main = fma(z, p, log_(y) - 0.5 * inverse);
  // Σ 1 / (α + i) is the derivative of the product over the product
  let q = gamma_quadratic(alpha);
  let slope = (alpha + alpha + 3.0) * (q + 1.0);
  let excess = select(0.0, 2.0 * slope / (q * (q + 2.0)), alpha < GAMMA_SHIFT);
  return main - excess;
}
