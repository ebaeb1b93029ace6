// The KL between Gaussians on tiles, value beside gradient, and the inferred inputs' prior
// (src/reference/gaussian.ts).

// KL(N(mean, variance) ‖ N(priorMean, priorVariance)).
fn kl_tile(mean: Tile, variance: Tile, priorMean: Tile, priorVariance: f32) -> Tile {
  let distance = mean - priorMean;
  let ratio = (variance + distance * distance) / priorVariance - 1.0;
  return 0.5 * (log_tile(priorVariance / variance) + ratio);
}

// d KL / d priorMean; d KL / d mean is its negative.
fn kl_d_prior_mean(mean: Tile, priorMean: Tile, priorVariance: f32) -> Tile {
  return (priorMean - mean) / priorVariance;
}

// d KL / d variance.
fn kl_d_variance(variance: Tile, priorVariance: f32) -> Tile {
  return 0.5 * (1.0 / priorVariance - 1.0 / variance);
}

// d KL / d ln priorVariance: times d ln priorVariance, which stays small where the variance is large.
fn kl_d_log_prior_variance(mean: Tile, variance: Tile, priorMean: Tile, priorVariance: f32) -> Tile {
  let distance = mean - priorMean;
  return 0.5 * (1.0 - (variance + distance * distance) / priorVariance);
}

// e^x - 1 for x <= 0, accurate relative to itself where x is small.
fn expm1_below(x: f32) -> f32 {
  let y = max(x, -87.0);
  let n = wholes(y);
  let scale = power2(i32(n));
  return select(fma(expm1_core(reduced(y, n)), scale, scale - 1.0), x, is_nan(x));
}

// p(u_0) = N(m, startVar), p(u_t | u_{t-1}) = N(m + φ u_{t-1}, noiseVar).
struct InputPrior {
  phi: f32,
  // s² = spread + varMin
  noiseVar: f32,
  // s² / (1-φ²)
  startVar: f32,
  // φ/τ = dφ / d ln τ
  dPhi: f32,
  // d ln startVar / d ln τ = 2φ/(1-φ²) · φ/τ
  dStart: f32,
  // exp(ln noise variance)
  spread: f32,
}

// 1-φ² would lose its digits where τ is long: it is -expm1(-2/τ).
fn input_prior(logTau: f32, logNoiseVar: f32, varMin: f32) -> InputPrior {
  let rate = exp_(-logTau);
  let phi = exp_(-rate);
  let stationary = -expm1_below(-2.0 * rate);
  let spread = exp_(logNoiseVar);
  let noiseVar = spread + varMin;
  let dPhi = phi * rate;
  return InputPrior(
    phi, noiseVar, noiseVar / stationary, dPhi, 2.0 * phi * (dPhi / stationary), spread,
  );
}
