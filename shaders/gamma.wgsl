// ln Γ and its derivative ψ for positive normal x: up to GAMMA_LARGE by Γ(x + 1) = x Γ(x), beyond by
// Stirling's series (Abramowitz and Stegun 6.1.41, 6.3.18), whose first term left out is below 3e-9
// there: 1/1680x⁷, and 1/240x⁸.
//
// With u = 2^-24, both to first order: ln Γ is off by at most 16 u times the sum of its terms' sizes
// (`x ln x`, x, 1 and, if shifted, the logarithm of 5040 or of 1/x), ψ by 16 u (|ln x| + 1 + 1/x).

const GAMMA_LARGE = 6.0;

fn ln_gamma(start: f32) -> f32 {
  var x = start;
  var product = 1.0;
  // six steps at most
  for (var i = 0u; i < 6u && x < GAMMA_LARGE; i++) {
    product *= x;
    x += 1.0;
  }
  let inverse = 1.0 / x;
  let z = inverse * inverse;
  let series = inverse * fma(z, fma(z, 0.0007936507936507937, -0.002777777777777778), 0.08333333333333333);
  let large = fma(x - 0.5, log_(x), -x) + (0.9189385332046727 + series);
  return large - log_(product);
}

fn digamma(start: f32) -> f32 {
  var x = start;
  var sum = 0.0;
  for (var i = 0u; i < 6u && x < GAMMA_LARGE; i++) {
    sum += 1.0 / x;
    x += 1.0;
  }
  let inverse = 1.0 / x;
  let z = inverse * inverse;
  let series = z * fma(z, fma(z, 0.003968253968253968, -0.008333333333333333), 0.08333333333333333);
  return (log_(x) - fma(0.5, inverse, series)) - sum;
}
