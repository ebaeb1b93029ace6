/** Random models with data and noise: everything follows from a seed and an index. */
import { scalars } from "../compute/executor.ts";
import { MISSING, type Scalars } from "../compute/kernels.ts";
import type { Observation } from "../dims.ts";
import type { PlanSizes, StepOptions } from "../model/choreography.ts";
import { type Architecture, type Layout, parameterLayout } from "../model/layout.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../random.ts";

/** One random model with its data; all numbers are such that float32 holds them exactly. */
export interface Draw {
  readonly name: string;
  readonly model: Architecture;
  readonly layout: Layout;
  readonly options: StepOptions;
  readonly sizes: PlanSizes;
  readonly params_P: Float64Array;
  readonly l2_P: Float64Array;
  /** counts or real numbers, `[trials][T][N]` */
  readonly targets: Float64Array;
  /** the same, with what the encoders do not see missing; where the sizes say so */
  readonly encoded: Float64Array;
  readonly external: Float64Array;
  readonly trials_B: number[];
  readonly run: Scalars;
}

/** A model, its data and its noise: everything follows from the seed and the index. */
export function drawShape(seed: number, index: number, largest: number): Draw {
  const words = seedWords(seed);
  const uniforms = fillUniform(
    { ...words, stream: STREAMS.split, step: index },
    0,
    new Float64Array(64 + largest),
  );
  let next = 0;
  const whole = (least: number, most: number) =>
    least + Math.floor(uniforms[next++] * (most - least + 1));
  const one = <X>(...choices: X[]): X => choices[whole(0, choices.length - 1)];

  const controlled = one(true, false);
  // cells of two units, as the tutorial's, may have kernels of their own
  const pairs = whole(0, 3) === 0 && largest >= 2;
  const units = () => pairs ? 2 : whole(1, largest);
  // every other model is a plain one
  const plain = one(true, false);
  const option = <X>(some: () => X): X | null => !plain && one(true, false) ? some() : null;
  const ownEncoder = controlled && option(() => true) !== null;
  const X = option(() => whole(1, largest)), I = option(() => whole(1, largest));
  const T = whole(0, 4) === 0 ? 1 : whole(1, largest);
  const dims = {
    T,
    N: whole(1, largest),
    E: units(),
    C: controlled ? whole(1, largest) : 0,
    U: controlled ? whole(1, largest) : 0,
    G: units(),
    F: units(),
    ...(ownEncoder ? { V: units() } : {}),
    ...(X === null ? {} : { X }),
    ...(I === null ? {} : { I }),
  };
  const cell = one("vanilla", "gru");
  const nonlinearity = one("tanh", "relu", "identity");
  const observation = option(() => one("gaussian", "gamma", "zero-inflated-gamma")) ?? "poisson";
  const encodedBins = option(() => whole(1, T));
  const icBins = ownEncoder || !controlled ? option(() => whole(1, encodedBins ?? T)) : null;
  const lag = controlled ? option(() => whole(1, 2)) : null;
  const model: Architecture = {
    ...{ dims, cell, nonlinearity },
    ...(observation === "poisson" ? {} : { observation }),
    ...(controlled && option(() => true) ? { firstFactors: "generator" } : {}),
    ...(lag === null ? {} : { controllerLag: lag }),
    ...(encodedBins === null ? {} : { encodedBins }),
    ...(icBins === null ? {} : { initialConditionBins: icBins }),
  };
  const B = whole(1, largest), trials = B + 2;
  const element = observation !== "poisson" ? "real" : one("u8", "u16");
  const gaps = option(() => true) ?? false, hides = gaps && one(true, false);
  const options: StepOptions = {
    keepRate: one(1, 0.75),
    generatorKeepRate: one(1, 0.875),
    coordinatedDropout: option(() => 0.5) ?? 0,
    varMin: 2 ** -10,
    observationFloor: observation === "zero-inflated-gamma" ? one(0, 0.125) : 0,
    weightDecay: 0,
    adamB1: 0.9,
    adamB2: 0.999,
    adamEps: 1e-4,
    maxGradNorm: 10,
  };
  const run = scalars({
    B,
    ...words,
    step: whole(0, 1000),
    purpose: whole(0, 2),
    firstTrial: whole(0, 100),
    klIcScale: one(0, 0.25, 1),
    klInputsScale: one(0, 0.5, 1),
    l2Scale: one(0, 0.5, 1),
  });
  const density = one(0.125, 1);
  const layout = parameterLayout(model);
  const letters = Object.entries({ ...dims, B }).map(([letter, n]) => `${letter}${n}`).join(" ");
  const kind = cell === "gru" ? "gru" : nonlinearity;
  const said = [
    ...(observation === "poisson" ? [] : [observation]),
    ...(options.keepRate < 1 || options.generatorKeepRate < 1 ? ["dropout"] : []),
    ...(options.coordinatedDropout > 0 ? ["coordinated dropout"] : []),
    ...(model.firstFactors ? ["first factors"] : []),
    ...(lag === null ? [] : [`lag ${lag}`]),
    ...(encodedBins === null ? [] : [`${encodedBins} bins encoded`]),
    ...(icBins === null ? [] : [`${icBins} bins for the initial condition`]),
    ...(gaps ? ["gaps"] : []),
    ...(hides ? ["hidden from the encoders"] : []),
  ];
  const length = trials * dims.T * dims.N;
  const data = element === "real"
    ? drawNumbers(length, seed, index, observation, options.observationFloor)
    : drawCounts(length, seed, index, density, element === "u16");
  const without = (values: Float64Array, row: number) => {
    const share = fillUniform(
      { ...words, stream: STREAMS.candidates, step: index },
      row,
      new Float64Array(length),
    );
    return values.map((value, i) => share[i] < 0.25 ? Math.fround(MISSING[element]) : value);
  };
  const targets = gaps ? without(data, 100) : data;
  const at = { ...words, stream: STREAMS.simulate, step: index };
  const external = fillNormal(at, 0, new Float64Array(trials * T * (X ?? 0))).map(Math.fround);
  const l2 = one(0, 2 ** -9);
  const penalties = fillUniform(at, 1, new Float64Array(layout.length));
  return {
    name: [`seed ${seed} #${index}: ${kind} ${letters}`, ...said].join(", "),
    model,
    layout,
    options,
    sizes: {
      ...{ B, S: 1, trials, counts: element, density: element === "real" ? 1 : density },
      ...(gaps ? { gaps } : {}),
      ...(hides ? { encoded: true, inputScale: 1.25 } : {}),
    },
    params_P: drawParameters(layout, seed, index),
    l2_P: penalties.map((x) => l2 * Math.round(2 * x)),
    targets,
    encoded: hides ? without(targets, 101) : targets,
    external,
    trials_B: Array.from({ length: B }, () => whole(0, trials - 1)),
    run,
  };
}

/**
 * Random parameters that float32 holds exactly. Weights N(0, 1 / 2 inputs), so that a linear generator
 * does not run away within 9 bins, and of the readout a third of that: a log-rate of 15 has a float32
 * error of 1e-6 or more, which exp passes on as a relative one. Log-variances around -1; the rest
 * N(0, 0.3²).
 *
 * @param index another one, other parameters of the same seed
 */
export function drawParameters(layout: Layout, seed: number, index: number): Float64Array {
  const params_P = new Float64Array(layout.length);
  const at = { ...seedWords(seed), stream: STREAMS.initialise, step: index };
  layout.slices.forEach(({ name, shape, offset, length }, row) => {
    const values = fillNormal(at, row, params_P.subarray(offset, offset + length));
    const inputs = name.includes("_ND") ? shape[0] : shape.at(-2) ?? 1;
    const weight = Math.SQRT1_2 / Math.sqrt(inputs);
    const scale = name.startsWith("readout.w_") ? weight / 3 : /\.w/.test(name) ? weight : 0.3;
    const shift = /logVar|logNoiseVar/.test(name) ? -1 : 0;
    for (let i = 0; i < length; i++) values[i] = Math.fround(values[i] * scale + shift);
  });
  return params_P;
}

/** A share `density` of the bins holds 1 to 4 spikes (up to 300 where counts are wide). */
function drawCounts(
  length: number,
  seed: number,
  index: number,
  density: number,
  wide: boolean,
): Float64Array {
  const at = { ...seedWords(seed), stream: STREAMS.poisson, step: index };
  const share = fillUniform(at, 0, new Float64Array(length));
  const most = wide ? 300 : 4;
  const size = fillUniform(at, 1, new Float64Array(length));
  // Wide counts are rare, or their rates would drown all other terms.
  return share.map((x, i) =>
    x > density ? 0 : 1 + Math.floor(size[i] ** (wide ? 8 : 1) * (most - 1e-9))
  );
}

/** Real numbers around 1; positive where the observation wants it, half of them 0 where it may be. */
function drawNumbers(
  length: number,
  seed: number,
  index: number,
  observation: Observation,
  floor: number,
): Float64Array {
  const at = { ...seedWords(seed), stream: STREAMS.poisson, step: index };
  const share = fillUniform(at, 0, new Float64Array(length));
  const values = fillNormal(at, 2, new Float64Array(length));
  return values.map((x, i) => {
    if (observation === "gaussian") return Math.fround(x);
    const positive = Math.fround(Math.exp(0.5 * x) + floor);
    return observation === "zero-inflated-gamma" && share[i] < 0.5 ? 0 : positive;
  });
}
