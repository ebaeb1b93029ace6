import { InputError } from "../errors.ts";
import { type Address, fillNormal, fillUniform, seedWords, STREAMS } from "../random.ts";
import { type Dataset, datasetFromArrays } from "./dataset.ts";
import { sampleCounts } from "./poisson.ts";
import { requireNumber, requirePositive, requireWhole } from "./simulate_options.ts";

/** Parts of a simulation that draw from stream `simulate`, told apart by the address's `sample`. */
const PARTS = { start: 0, readout: 1 } as const;

/** Options of {@link simulateRotation}. */
export interface RotationOptions {
  /** Trials, at least 1. Default 200. */
  readonly trials?: number;
  /** Time bins of a trial, at least 1. Default 50. */
  readonly T?: number;
  /** Neurons, at least 1. Default 100. */
  readonly N?: number;
  /** Sine of the angle turned in each bin, -1 to 1. Default 0.2: 0.2014 rad per bin. */
  readonly w?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Seconds per bin; null (the default): the tutorial gives none, and rates stay per bin. */
  readonly binWidth?: number | null;
}

/**
 * The tutorial's data: a point turning on the unit circle, seen through noisy neurons.
 *
 *     a ~ Uniform(-π, π) per trial      h = (sin a, cos a)
 *     for each bin:  h = A h,   A = [[√(1-w²), w], [-w, √(1-w²)]]
 *                    log-rates = W_NF h,  W_NF ~ N(0, 1), no bias;   counts ~ Poisson(exp(log-rates))
 *
 * A has eigenvalues √(1-w²) ± iw: modulus 1, angle asin(w) per bin. The truth keeps the expected
 * spikes per bin, the latents h and A; `condition` is the octant of `a`, 0 from -π, 7 up to π.
 *
 * @throws InputError naming the option that cannot be used.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 4, N: 10, seed: 3 });
 * assert.deepEqual([data.trials, data.T, data.N], [4, 50, 10]);
 * assert.equal(data.truth?.A?.length, 2);
 * ```
 */
export function simulateRotation(options: RotationOptions = {}): Dataset {
  const action = "simulate a rotation";
  const { trials = 200, T = 50, N = 100, w = 0.2, seed = 0, binWidth = null } = options;
  requireWhole(action, "trials", trials, 1);
  requireWhole(action, "T", T, 1);
  requireWhole(action, "N", N, 1);
  requireWhole(action, "seed", seed, 0);
  requireNumber(action, "w", w, "a number from -1 to 1", w >= -1 && w <= 1);
  if (binWidth !== null) requirePositive(action, "binWidth", binWidth);

  const cosine = Math.sqrt(1 - w * w);
  const A = [[cosine, w], [-w, cosine]];
  const W_NF = normals(simulateAddress(seed, PARTS.readout), N, 2);

  const latents_BTL = new Float64Array(trials * T * 2);
  const condition = new Int32Array(trials);
  const draw = new Float64Array(1);
  for (let b = 0; b < trials; b++) {
    const turn = fillUniform(simulateAddress(seed, PARTS.start), b, draw)[0];
    condition[b] = Math.floor(8 * turn);
    const angle = (2 * turn - 1) * Math.PI;
    let x = Math.sin(angle), y = Math.cos(angle);
    for (let t = 0; t < T; t++) {
      [x, y] = [A[0][0] * x + A[0][1] * y, A[1][0] * x + A[1][1] * y];
      latents_BTL[(b * T + t) * 2] = x;
      latents_BTL[(b * T + t) * 2 + 1] = y;
    }
  }

  const rates_BTN = readout(latents_BTL, 2, W_NF, 0);
  return datasetFromArrays({
    name: "rotation",
    spikes: { shape: [trials, T, N], data: sampleCounts(rates_BTN, { trials, T, N }, seed) },
    binWidth,
    condition: { shape: [trials], data: condition },
    rates: { shape: [trials, T, N], data: rates_BTN },
    latents: { shape: [trials, T, 2], data: latents_BTL },
    A: { shape: [2, 2], data: Float64Array.from(A.flat()) },
  }, { minTrials: 1, action: `Cannot ${action}` });
}

/** Options of {@link simulateLorenz}. */
export interface LorenzOptions {
  /** Trials of all conditions together, at least one each. Default 1300: the paper's 20 of each. */
  readonly trials?: number;
  /** Conditions: starting states. Trial b is of condition b % conditions. Default 65 (paper). */
  readonly conditions?: number;
  /** Time bins of a trial. Default 100: with the default bins, the paper's 1 s. */
  readonly T?: number;
  /** Neurons. Default 30 (paper). */
  readonly N?: number;
  /** Seconds per bin. Default 0.01. */
  readonly binWidth?: number;
  /** Euler step in the system's own time. Default 0.006 (paper). */
  readonly dt?: number;
  /**
   * The system's own time per second. Default 6: one Euler step of 0.006 per millisecond, our reading
   * of the paper, in which the step and the trial's 1 s are given. `binWidth * speed / dt` Euler steps
   * make a bin and must be whole.
   */
  readonly speed?: number;
  /** Rate of a neuron at the mean state, spikes per second. Default 5 (paper). */
  readonly baseRate?: number;
  /**
   * Length of each neuron's readout vector: the log-rate's deviation per standard deviation of the
   * state. Default 1, which with the other defaults gives a mean of 8 and peaks of about 220 spikes
   * per second.
   */
  readonly gain?: number;
  /** Euler steps before a trial starts, so that every start lies on the attractor. Default 1000. */
  readonly burnIn?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Lorenz's parameters (E. Lorenz, Deterministic nonperiodic flow, 1963), those of the paper. */
const SIGMA = 10, RHO = 28, BETA = 8 / 3;

/**
 * The Lorenz system seen through noisy neurons, after Sussillo, Jozefowicz, Abbott and Pandarinath,
 * LFADS (arXiv 1608.06315) and Pandarinath et al. (Nature Methods 15, 2018):
 *
 *     dx = 10 (y - x)      dy = x (28 - z) - y      dz = x y - 8/3 z        (Euler)
 *     log-rates = C_NL h + ln(baseRate * binWidth),   counts ~ Poisson(exp(log-rates))
 *
 * h is the state at the end of a bin, each of its three variables brought to mean 0 and standard
 * deviation 1 over all conditions and bins. Rows of C_NL point in random directions and have length
 * `gain`. A condition starts at (10 ε₁, 10 ε₂, 25 + 10 ε₃), ε ~ N(0, 1), before the burn-in; its trials
 * share their latents and rates and differ in their spikes.
 *
 * @throws InputError naming the option that cannot be used, also when `dt` is too coarse for Euler's
 * method and the state runs away.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateLorenz } from "latentd";
 *
 * const data = simulateLorenz({ trials: 8, conditions: 2, T: 20, seed: 1 });
 * assert.deepEqual([data.trials, data.T, data.truth?.L], [8, 20, 3]);
 * ```
 */
export function simulateLorenz(options: LorenzOptions = {}): Dataset {
  const action = "simulate a Lorenz system";
  const { conditions = 65, T = 100, N = 30, binWidth = 0.01, dt = 0.006, speed = 6 } = options;
  const { trials = 1300, baseRate = 5, gain = 1, burnIn = 1000, seed = 0 } = options;
  requireWhole(action, "conditions", conditions, 1);
  requireWhole(action, "trials", trials, conditions);
  requireWhole(action, "T", T, 2);
  requireWhole(action, "N", N, 1);
  requireWhole(action, "burnIn", burnIn, 0);
  requireWhole(action, "seed", seed, 0);
  requirePositive(action, "binWidth", binWidth);
  requirePositive(action, "dt", dt);
  requirePositive(action, "speed", speed);
  requirePositive(action, "baseRate", baseRate);
  requireNumber(action, "gain", gain, "a finite number of at least 0", gain >= 0);
  const stepsPerBin = Math.round(binWidth * speed / dt);
  const exact = binWidth * speed / dt;
  requireNumber(
    action,
    "binWidth * speed / dt",
    exact,
    "a whole number of Euler steps per bin",
    stepsPerBin >= 1 && Math.abs(exact - stepsPerBin) < 1e-9 * exact,
  );

  const paths_KTL = lorenzPaths(conditions, T, { dt, stepsPerBin, burnIn, seed });
  standardise(paths_KTL, 3);

  const C_NL = normals(simulateAddress(seed, PARTS.readout), N, 3);
  for (let n = 0; n < N; n++) {
    const row = C_NL.subarray(3 * n, 3 * n + 3);
    const scale = gain / Math.hypot(...row);
    for (let l = 0; l < 3; l++) row[l] *= scale;
  }

  const latents_BTL = new Float64Array(trials * T * 3);
  const condition = Int32Array.from({ length: trials }, (_, b) => b % conditions);
  for (let b = 0; b < trials; b++) {
    const k = condition[b];
    latents_BTL.set(paths_KTL.subarray(k * T * 3, (k + 1) * T * 3), b * T * 3);
  }
  const rates_BTN = readout(latents_BTL, 3, C_NL, Math.log(baseRate * binWidth));
  return datasetFromArrays({
    name: "lorenz",
    spikes: { shape: [trials, T, N], data: sampleCounts(rates_BTN, { trials, T, N }, seed) },
    binWidth,
    condition: { shape: [trials], data: condition },
    rates: { shape: [trials, T, N], data: rates_BTN },
    latents: { shape: [trials, T, 3], data: latents_BTL },
  }, { minTrials: 1, action: `Cannot ${action}` });
}

/** The states at the end of every bin, from a random start for each condition. */
function lorenzPaths(
  conditions: number,
  T: number,
  how: { dt: number; stepsPerBin: number; burnIn: number; seed: number },
): Float64Array {
  const { dt, stepsPerBin, burnIn, seed } = how;
  const paths_KTL = new Float64Array(conditions * T * 3);
  const start = new Float64Array(3);
  for (let k = 0; k < conditions; k++) {
    fillNormal(simulateAddress(seed, PARTS.start), k, start);
    let x = 10 * start[0], y = 10 * start[1], z = 25 + 10 * start[2];
    const advance = (steps: number) => {
      for (let i = 0; i < steps; i++) {
        const dx = SIGMA * (y - x), dy = x * (RHO - z) - y, dz = x * y - BETA * z;
        x += dt * dx;
        y += dt * dy;
        z += dt * dz;
      }
    };
    advance(burnIn);
    for (let t = 0; t < T; t++) {
      advance(stepsPerBin);
      paths_KTL.set([x, y, z], (k * T + t) * 3);
    }
    if (!Number.isFinite(x + y + z)) {
      throw new InputError(
        `Cannot simulate a Lorenz system: expected a dt at which Euler's method stays finite ` +
          `(0.006 does), found ${dt}, at which condition ${k} runs away.`,
      );
    }
  }
  return paths_KTL;
}

/** Brings each of L interleaved variables to mean 0 and standard deviation 1, in place. */
function standardise(values_XL: Float64Array, L: number): void {
  const rows = values_XL.length / L;
  for (let l = 0; l < L; l++) {
    let mean = 0, square = 0;
    for (let i = l; i < values_XL.length; i += L) mean += values_XL[i] / rows;
    for (let i = l; i < values_XL.length; i += L) square += (values_XL[i] - mean) ** 2 / rows;
    const deviation = Math.sqrt(square);
    for (let i = l; i < values_XL.length; i += L) values_XL[i] = (values_XL[i] - mean) / deviation;
  }
}

/** Expected spikes per bin, exp(W h + bias), for every row of latents. */
function readout(
  latents_BTL: Float64Array,
  L: number,
  W_NL: Float64Array,
  bias: number,
): Float64Array {
  const rows = latents_BTL.length / L, N = W_NL.length / L;
  const rates_BTN = new Float64Array(rows * N);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < N; n++) {
      let logRate = bias;
      for (let l = 0; l < L; l++) logRate += W_NL[n * L + l] * latents_BTL[row * L + l];
      rates_BTN[row * N + n] = Math.exp(logRate);
    }
  }
  return rates_BTN;
}

function simulateAddress(seed: number, part: number): Address {
  return { ...seedWords(seed), stream: STREAMS.simulate, sample: part };
}

/** Standard normals, one row of the address for each row of the matrix. */
function normals(at: Address, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    fillNormal(at, i, out.subarray(i * columns, (i + 1) * columns));
  }
  return out;
}
