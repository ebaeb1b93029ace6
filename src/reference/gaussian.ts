/** `KL(N(mean, variance) ‖ N(priorMean, priorVariance))`, value beside gradient, per dimension. */

export function kl(
  mean: number,
  variance: number,
  priorMean: number,
  priorVariance: number,
): number {
  const squared = variance + (mean - priorMean) ** 2;
  return 0.5 * (Math.log(priorVariance) - Math.log(variance) + squared / priorVariance - 1);
}

/** Gradients of `kl` in its four arguments, times `scale`. */
export function klBackward(
  scale: number,
  mean: number,
  variance: number,
  priorMean: number,
  priorVariance: number,
): { dMean: number; dVariance: number; dPriorMean: number; dPriorVariance: number } {
  const squared = variance + (mean - priorMean) ** 2;
  const dMean = scale * (mean - priorMean) / priorVariance;
  return {
    dMean,
    dVariance: scale * 0.5 * (1 / priorVariance - 1 / variance),
    dPriorMean: -dMean,
    dPriorVariance: scale * 0.5 * (1 - squared / priorVariance) / priorVariance,
  };
}

/**
 * The prior of the inferred inputs (docs/model.md, section 2): `p(u_0) = N(m, s²/(1-φ²))`,
 * `p(u_t | u_{t-1}) = N(m + φ u_{t-1}, s²)`, `φ = exp(-1/τ)`, `s² = exp(logNoiseVar) + varMin`.
 */
export function autoregression(
  logTau: number,
  logNoiseVar: number,
  varMin: number,
): { tau: number; phi: number; noiseVar: number } {
  const tau = Math.exp(logTau);
  return { tau, phi: Math.exp(-1 / tau), noiseVar: Math.exp(logNoiseVar) + varMin };
}
