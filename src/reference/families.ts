/**
 * Observation models: for each neuron K outputs are the parameters of a distribution. Value beside
 * gradient; `o` are the outputs, of which one neuron's stand N apart.
 *
 * | family | outputs | negative log-likelihood |
 * | --- | --- | --- |
 * | gaussian | mean m, log-variance v | `½ (ln 2π + ln var + (x - m)² / var)`, `var = exp(v) + varMin` |
 * | gamma | a, b: α = exp(a), β = exp(b) | `-(α ln β + (α - 1) ln x - β x - ln Γ(α))`, x > 0 |
 * | zero-inflated gamma | a, b, and c, the logit of x > 0 | x = 0: `softplus(c)`; else `softplus(-c)` and the gamma's of `x - floor` |
 *
 * Exponents are read as at most `MAX_LOG_RATE`, in value and gradient.
 */
import { FAMILIES, MAX_LOG_RATE, OUTPUTS } from "../compute/kernels.ts";
import { digamma, lnGamma } from "./gamma.ts";
import { sigmoid } from "./gru.ts";

/** What does not change from entry to entry. */
export interface Family {
  readonly family: number;
  readonly varMin: number;
  readonly floor: number;
}

const limited = (x: number) => Math.exp(Math.min(x, MAX_LOG_RATE));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

function gammaNll(x: number, a: number, b: number): { nll: number; da: number; db: number } {
  const alpha = limited(a), beta = limited(b);
  const logBeta = Math.min(b, MAX_LOG_RATE);
  return {
    nll: -(alpha * logBeta + (alpha - 1) * Math.log(x) - beta * x - lnGamma(alpha)),
    da: -alpha * (logBeta + Math.log(x) - digamma(alpha)),
    db: beta * x - alpha,
  };
}

/**
 * The negative log-likelihood of one number.
 *
 * @param o outputs; neuron's first at `at`, the others `N` apart
 * @param d gets the gradients in the same places, where given
 */
export function negativeLogLikelihood(
  f: Family,
  x: number,
  o: Float64Array,
  at: number,
  N: number,
  d: (k: number, gradient: number) => void,
): number {
  if (f.family === FAMILIES.gaussian) {
    const mean = o[at], spread = limited(o[at + N]), variance = spread + f.varMin;
    const error = x - mean;
    d(0, -error / variance);
    d(1, 0.5 * spread * (1 / variance - error * error / (variance * variance)));
    return 0.5 * (Math.log(2 * Math.PI) + Math.log(variance) + error * error / variance);
  }
  if (f.family === FAMILIES.gamma) {
    const { nll, da, db } = gammaNll(x, o[at], o[at + N]);
    d(0, da);
    d(1, db);
    return nll;
  }
  const c = o[at + 2 * N];
  if (x === 0) {
    d(0, 0);
    d(1, 0);
    d(2, sigmoid(c));
    return softplus(c);
  }
  const { nll, da, db } = gammaNll(x - f.floor, o[at], o[at + N]);
  d(0, da);
  d(1, db);
  d(2, -sigmoid(-c));
  return softplus(-c) + nll;
}

/** The expected value, and the number that is reported beside it (see `posterior_observations`). */
export function expected(
  f: Pick<Family, "family" | "floor">,
  outputs: readonly number[],
): { mean: number; logMean: number } {
  const [first, b, c] = outputs;
  if (f.family === FAMILIES.gaussian) return { mean: first, logMean: first };
  const mean = limited(first) / limited(b);
  if (f.family === FAMILIES.gamma) return { mean, logMean: first - b };
  return { mean: sigmoid(c) * (mean + f.floor), logMean: first - b };
}

/** Outputs for each neuron of a family by its number. */
export function outputsOf(family: number): number {
  const names = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[];
  return OUTPUTS[names.find((name) => FAMILIES[name] === family)!];
}
