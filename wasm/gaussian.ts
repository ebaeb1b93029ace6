/** The KL between Gaussians, four dimensions at a time, and the priors (docs/model.md, section 2). */
import { log4 } from "./math";
import { scratch } from "./scratch";

/** KL(N(mean, variance) ‖ N(priorMean, priorVariance)) of each dimension. */
@inline
export function kl4(mean: v128, variance: v128, priorMean: v128, priorVariance: v128): v128 {
  const distance = f32x4.sub(mean, priorMean);
  const squared = f32x4.add(variance, f32x4.mul(distance, distance));
  const ratio = f32x4.sub(f32x4.div(squared, priorVariance), f32x4.splat(1));
  return f32x4.mul(f32x4.splat(0.5), f32x4.add(log4(f32x4.div(priorVariance, variance)), ratio));
}

/** d KL / d priorMean, times `scale`; d KL / d mean is its negative. */
@inline
export function dPriorMean4(scale: v128, mean: v128, priorMean: v128, priorVariance: v128): v128 {
  return f32x4.mul(scale, f32x4.div(f32x4.sub(priorMean, mean), priorVariance));
}

/** d KL / d variance, times `scale`. */
@inline
export function dVariance4(scale: v128, variance: v128, priorVariance: v128): v128 {
  const one = f32x4.splat(1);
  const difference = f32x4.sub(f32x4.div(one, priorVariance), f32x4.div(one, variance));
  return f32x4.mul(f32x4.mul(scale, f32x4.splat(0.5)), difference);
}

/** d KL / d priorVariance, times `scale`. */
@inline
export function dPriorVariance4(
  scale: v128, mean: v128, variance: v128, priorMean: v128, priorVariance: v128,
): v128 {
  const distance = f32x4.sub(mean, priorMean);
  const squared = f32x4.add(variance, f32x4.mul(distance, distance));
  const rest = f32x4.sub(f32x4.splat(1), f32x4.div(squared, priorVariance));
  return f32x4.div(f32x4.mul(f32x4.mul(scale, f32x4.splat(0.5)), rest), priorVariance);
}

/**
 * The prior of the inferred inputs, each array [U]: p(u_0) = N(m, s²/(1-φ²)),
 * p(u_t | u_{t-1}) = N(m + φ u_{t-1}, s²), φ = exp(-1/τ), s² = spread + varMin.
 */
@unmanaged
export class InputPrior {
  phi: usize;
  noiseVar: usize;
  /** s² / (1-φ²) */
  startVar: usize;
  /** 1 / (1-φ²) */
  gain: usize;
  /** φ/τ = dφ / d ln τ */
  dPhi: usize;
  /** exp(ln noise variance) */
  spread: usize;
}

/** In float64: 1-φ² loses digits where τ is long. */
export function inputPrior(U: i32, logTau: usize, logNoiseVar: usize, varMin: f32): InputPrior {
  const prior = changetype<InputPrior>(scratch(offsetof<InputPrior>()));
  const bytes = <usize>(U + 3) << 2;
  prior.phi = scratch(bytes);
  prior.noiseVar = scratch(bytes);
  prior.startVar = scratch(bytes);
  prior.gain = scratch(bytes);
  prior.dPhi = scratch(bytes);
  prior.spread = scratch(bytes);
  for (let u = 0; u < U; u++) {
    const at = <usize>u << 2;
    const tau = Math.exp(load<f32>(logTau + at)), phi = Math.exp(-1 / tau);
    const spread = Math.exp(load<f32>(logNoiseVar + at));
    const noiseVar = spread + <f64>varMin;
    const gain = -1 / (Math.expm1(-2 / tau));
    store<f32>(prior.phi + at, <f32>phi);
    store<f32>(prior.noiseVar + at, <f32>noiseVar);
    store<f32>(prior.startVar + at, <f32>(noiseVar * gain));
    store<f32>(prior.gain + at, <f32>gain);
    store<f32>(prior.dPhi + at, <f32>(phi / tau));
    store<f32>(prior.spread + at, <f32>spread);
  }
  return prior;
}
