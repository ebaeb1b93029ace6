/**
 * A made-up fit for the tests of the report: shaped like the tutorial's (200 trials, 50 bins, 100
 * neurons, two latents that turn), every number from the counter-based generator.
 */
import { fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";
import type { HistoryEntry, ReportData } from "../src/report/data.ts";

const SEED = seedWords(7);

function normals(n: number, row: number): Float64Array {
  return fillNormal({ ...SEED, stream: STREAMS.simulate }, row, new Float64Array(n));
}

/** Sizes that a test may change. */
export interface ExampleSizes {
  readonly B?: number;
  readonly T?: number;
  readonly N?: number;
  readonly G?: number;
  readonly F?: number;
  readonly U?: number;
  readonly steps?: number;
}

/** h' = tanh(1.1 R h), R a turn by 0.23: what a fitted generator of the tutorial looks like. */
function next([x, y]: readonly [number, number]): [number, number] {
  const a = 1.1 * Math.cos(0.23), b = 1.1 * Math.sin(0.23);
  return [Math.tanh(a * x - b * y), Math.tanh(b * x + a * y)];
}

export function exampleReport(sizes: ExampleSizes = {}): ReportData {
  const { B = 200, T = 50, N = 100, G = 2, F = 2, U = 0, steps = 3000 } = sizes;
  const loadings_2G = normals(2 * G, 1), loadings_2F = normals(2 * F, 2);
  const loadings_2N = normals(2 * N, 3), bias_N = normals(N, 4);
  const embed = (at: readonly [number, number], loadings: Float64Array, n: number) =>
    Array.from(
      { length: n },
      (_, i) => n === 2 ? at[i] : (at[0] * loadings[i] + at[1] * loadings[n + i]) / Math.sqrt(2),
    );
  const states: number[] = [], factors: number[] = [], rates: number[] = [];
  const counts: number[] = [], truth: number[] = [];
  for (let b = 0; b < B; b++) {
    const start = normals(2, 100 + b);
    let at: [number, number] = [Math.tanh(0.5 * start[0]), Math.tanh(0.5 * start[1])];
    for (let t = 0; t < T; t++) {
      at = next(at);
      states.push(...embed(at, loadings_2G, G));
      factors.push(...embed(at, loadings_2F, F));
      if (b >= 3) continue;
      const u = fillUniform(
        { ...SEED, stream: STREAMS.poisson },
        b * T + t,
        new Float64Array(N),
      );
      for (let n = 0; n < N; n++) {
        const drive = loadings_2N[n] * at[0] + loadings_2N[N + n] * at[1];
        const rate = Math.exp(-2.2 + 0.3 * bias_N[n] + drive);
        truth.push(rate);
        rates.push(rate * Math.exp(0.12 * Math.sin(t / 6 + n)));
        let many = 0;
        for (let left = u[n], p = Math.exp(-rate); left > p; many++) {
          left -= p;
          p *= rate / (many + 1);
        }
        counts.push(many);
      }
    }
  }
  // The first trial; zeros where there is none.
  const head = (values: number[], n: number) =>
    Float64Array.from({ length: n }, (_, i) => values[i] ?? 0);
  return {
    title: "The tutorial: 200 trials of a turning latent state",
    created: "2025-01-31T12:00:00.000Z",
    device: {
      name: "WebAssembly",
      threads: 2,
      arithmetic: "float32 with relaxed SIMD",
      reason: "no GPU adapter was found and the module passed its self-check",
    },
    seed: 0,
    hyperparameters: {
      generator: { cell: "vanilla", nonlinearity: "tanh", units: G },
      encoderUnits: 2,
      factors: F,
      keepRate: 0.95,
      learningRate: { stepSize: 0.01, decay: 0.9998, decaySteps: 1 },
      kl: [0.1, 1],
      l2: 1e-5,
    },
    dataset: {
      name: "tutorial",
      trials: B,
      T,
      N,
      binWidth: 0.01,
      trainTrials: Math.ceil(0.8 * B),
      evalTrials: B - Math.ceil(0.8 * B),
      warnings: ["Neurons 17 and 63 spike fewer than 5 times in all trials."],
    },
    history: exampleHistory(steps, U),
    trial: {
      index: 3,
      T,
      F,
      G,
      U,
      factors_TF: head(factors, T * F),
      gen_TG: head(states, T * G),
      inputs_TU: U > 0 ? normals(T * U, 5) : null,
    },
    trajectories: {
      B,
      T,
      G,
      F,
      states_BTG: Float64Array.from(states),
      factors_BTF: Float64Array.from(factors),
      condition: null,
    },
    rates: {
      B: Math.min(3, B),
      T,
      N,
      rates_BTN: Float64Array.from(rates),
      counts_BTN: Float64Array.from(counts),
      truth_BTN: Float64Array.from(truth),
    },
    fixedPoints: [{
      point: Array.from({ length: G }, () => 0),
      q: 3.1e-17,
      class: "unstable focus",
      eigenvalues: [1, -1].map((sign) => ({
        re: 1.1 * Math.cos(0.23),
        im: sign * 1.1 * Math.sin(0.23),
        modulus: 1.1,
        angle: sign * 0.23,
        hz: 0.23 / (2 * Math.PI * 0.01),
        timeConstant: -0.01 / Math.log(1.1),
      })),
    }],
    field: G === 2 ? exampleField() : undefined,
    truth: {
      eigenvalues: [{ re: 0.98, im: 0.2 }, { re: 0.98, im: -0.2 }],
      modulus: Math.hypot(0.98, 0.2),
      angle: Math.atan2(0.2, 0.98),
    },
    scores: [
      {
        name: "mean rates",
        role: "null",
        nll: 1764.21,
        bitsPerSpike: 0,
        explained: 0,
        note: "each neuron’s mean rate on the training trials",
      },
      {
        name: "LFADS",
        role: "model",
        nll: 1523.9,
        bitsPerSpike: 0.612,
        explained: 0.934,
        note: "64 posterior samples",
      },
      {
        name: "true rates",
        role: "oracle",
        nll: 1506.87,
        bitsPerSpike: 0.655,
        explained: 1,
        note: "the rates that generated the spikes",
      },
    ],
    recipes: [
      {
        name: "N(0, 1/G), keep 0.95",
        explained: 0.05,
        fixedPoints: 0,
        angle: null,
        modulus: null,
        note: "real eigenvalues",
      },
      {
        name: "0.9·I + 0.2·N(0, 1/G), no dropout on the state",
        explained: 0.934,
        fixedPoints: 1,
        angle: 0.23,
        modulus: 1.1,
        note: "the default",
      },
    ],
    jacobianVsA: {
      A: [[1.071, -0.2508], [0.2508, 1.071]],
      J: [[1.071, -0.2508], [0.2508, 1.071]],
      difference: 2.1e-9,
      words: "At the origin tanh has slope 1, so the Jacobian there is A itself.",
    },
  };
}

function exampleHistory(steps: number, U: number): HistoryEntry[] {
  const noise = normals(4 * steps, 6);
  const terms = (i: number, jitter: number) => {
    const nll = 1490 + 600 * Math.exp(-i / 120) + 90 / (1 + Math.exp((i - 900) / 80)) + jitter;
    const klIc = 9 * (1 - Math.exp(-i / 500)) + 0.02 * jitter;
    const klInputs = U > 0 ? 4 * Math.exp(-i / 800) : 0;
    const klScale = Math.min(1, 0.1 + 0.9 * i / 1000);
    const l2 = 0.02 + 1e-5 * i;
    return { nll, klIc, klInputs, l2, total: nll + klScale * (klIc + klInputs) + l2, klScale };
  };
  return Array.from({ length: steps }, (_, i) => {
    const { klScale, ...train } = terms(i, 14 * noise[i]);
    const { klScale: _scale, ...evaluation } = terms(i, 0);
    return {
      step: i + 1,
      train: {
        ...train,
        klIcScale: klScale,
        klInputsScale: klScale,
        gradNorm: 300 * Math.exp(-i / 300) + 20 * Math.exp(noise[i]),
        learningRate: 0.01 * 0.9998 ** i,
      },
      evaluation: i % 100 === 99
        ? { ...evaluation, nll: evaluation.nll + 6, total: evaluation.total + 6 }
        : null,
    };
  });
}

function exampleField(): NonNullable<ReportData["field"]> {
  const arrows = [];
  for (let i = -8; i <= 8; i++) {
    for (let j = -8; j <= 8; j++) {
      const h0 = i / 8, h1 = j / 8;
      const [x, y] = next([h0, h1]);
      arrows.push({ h0, h1, dx: x - h0, dy: y - h1 });
    }
  }
  return arrows;
}
