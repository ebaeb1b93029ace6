/** A simulated system that unseen inputs drive. */
import { type Address, fillNormal, fillUniform, seedWords, STREAMS } from "../random.ts";
import { type Dataset, datasetFromArrays } from "./dataset.ts";
import { sampleCounts } from "./poisson.ts";
import { requireNumber, requirePositive, requireWhole } from "./simulate_options.ts";

/** Parts of the simulation, told apart by the address's `sample`; those of other simulators are 0 and 1. */
const PARTS = { start: 2, readout: 3, pulses: 4 } as const;

/** Options of {@link simulateDriven}. */
export interface DrivenOptions {
  /** Trials, at least 1. Default 400. */
  readonly trials?: number;
  /** Time bins of a trial, at least 2. Default 60. */
  readonly T?: number;
  /** Neurons, at least 1. Default 40. */
  readonly N?: number;
  /** Seconds per bin. Default 0.01. */
  readonly binWidth?: number;
  /** Pulses of a trial. Default 2. */
  readonly pulses?: number;
  /** Size of a pulse, of either sign. Default 1.5. */
  readonly pulse?: number;
  /** What is left of the latents' length after a bin, above 0 and at most 1. Default 0.95. */
  readonly damping?: number;
  /** Radians that the latents turn in a bin. Default 0.2. */
  readonly angle?: number;
  /** Rate of a neuron where the latents are 0, spikes per second. Default 10. */
  readonly baseRate?: number;
  /** Length of each neuron's readout vector. Default 1. */
  readonly gain?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A damped rotation that is pushed at times which nothing else in the trial tells:
 *
 *     h = damping R(angle) h + (u, 0),   u = ±pulse in `pulses` bins of a trial, 0 in the others
 *     log-rates = C_NL h + ln(baseRate * binWidth),   counts ~ Poisson(exp(log-rates))
 *
 * h starts at ε / 2, ε ~ N(0, 1). Pulses are drawn among the bins from an eighth to seven eighths of
 * the trial; two that meet add up. Rows of C_NL point in random directions and have length `gain`. The
 * truth keeps rates, latents and A; the inputs are kept beside them as behaviour `inputs`.
 *
 * @throws InputError naming the option that cannot be used.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateDriven } from "latentd";
 *
 * const data = simulateDriven({ trials: 4, T: 20, N: 5, pulses: 1 });
 * const pushed = data.behaviour_BTD!.inputs.data.filter((u) => u !== 0);
 * assert.deepEqual([data.truth?.L, pushed.length], [2, 4]);
 * ```
 */
export function simulateDriven(options: DrivenOptions = {}): Dataset {
  const action = "simulate a driven system";
  const { trials = 400, T = 60, N = 40, binWidth = 0.01, pulses = 2, pulse = 1.5 } = options;
  const { damping = 0.95, angle = 0.2, baseRate = 10, gain = 1, seed = 0 } = options;
  requireWhole(action, "trials", trials, 1);
  requireWhole(action, "T", T, 2);
  requireWhole(action, "N", N, 1);
  requireWhole(action, "pulses", pulses, 0);
  requireWhole(action, "seed", seed, 0);
  requirePositive(action, "binWidth", binWidth);
  requirePositive(action, "baseRate", baseRate);
  requireNumber(action, "pulse", pulse, "a finite number", true);
  requireNumber(action, "angle", angle, "a finite number", true);
  requireNumber(action, "gain", gain, "a finite number of at least 0", gain >= 0);
  requireNumber(action, "damping", damping, "above 0 and at most 1", damping > 0 && damping <= 1);

  const address = (sample: number): Address => ({
    ...seedWords(seed),
    stream: STREAMS.simulate,
    sample,
  });
  const C_NL = new Float64Array(2 * N);
  for (let n = 0; n < N; n++) {
    const row = fillNormal(address(PARTS.readout), n, C_NL.subarray(2 * n, 2 * n + 2));
    const scale = gain / Math.hypot(...row);
    row[0] *= scale;
    row[1] *= scale;
  }
  const cosine = damping * Math.cos(angle), sine = damping * Math.sin(angle);
  const A = [[cosine, sine], [-sine, cosine]];
  const inputs_BT = new Float64Array(trials * T), latents_BTL = new Float64Array(trials * T * 2);
  const rates_BTN = new Float64Array(trials * T * N);
  const first = Math.floor(T / 8), bins = Math.max(1, Math.floor(7 * T / 8) - first);
  const start = new Float64Array(2), draws = new Float64Array(2 * pulses);
  for (let b = 0; b < trials; b++) {
    const inputs_T = inputs_BT.subarray(b * T, (b + 1) * T);
    fillUniform(address(PARTS.pulses), b, draws);
    for (let p = 0; p < pulses; p++) {
      inputs_T[first + Math.floor(draws[2 * p] * bins)] += draws[2 * p + 1] < 0.5 ? -pulse : pulse;
    }
    fillNormal(address(PARTS.start), b, start);
    let x = start[0] / 2, y = start[1] / 2;
    for (let t = 0; t < T; t++) {
      [x, y] = [A[0][0] * x + A[0][1] * y + inputs_T[t], A[1][0] * x + A[1][1] * y];
      latents_BTL.set([x, y], (b * T + t) * 2);
      for (let n = 0; n < N; n++) {
        rates_BTN[(b * T + t) * N + n] = baseRate * binWidth *
          Math.exp(C_NL[2 * n] * x + C_NL[2 * n + 1] * y);
      }
    }
  }
  return datasetFromArrays({
    name: "driven",
    spikes: { shape: [trials, T, N], data: sampleCounts(rates_BTN, { trials, T, N }, seed) },
    binWidth,
    rates: { shape: [trials, T, N], data: rates_BTN },
    latents: { shape: [trials, T, 2], data: latents_BTL },
    A: { shape: [2, 2], data: Float64Array.from(A.flat()) },
    behaviour: { inputs: { shape: [trials, T, 1], data: inputs_BT } },
  }, { minTrials: 1, action: `Cannot ${action}` });
}
