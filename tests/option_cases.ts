/**
 * The options of the element-wise kernels on random shapes and numbers, to run on a device and on their
 * float64 definitions: missing entries, coordinated dropout, observation models, penalties, weight
 * decay, parts of a batch.
 *
 * Bounds follow from float32's unit roundoff u = 2^-24, to first order; `e` is the bound on an output
 * of the readout, F products and a sum. Functions add what a device's own tests allow them: exp 4 u of
 * itself, ln 4 u, the sigmoid 12 u, ln Γ and its derivative what wasm/gamma.ts derives. All but exp
 * contain a quotient, which a GPU rounds to more than u.
 */
import fc from "fast-check";
import { scalars } from "../src/compute/executor.ts";
import {
  ELEMENT_CODES,
  FAMILIES,
  LOSSES,
  MAX_LOG_RATE,
  MISSING,
  OUTPUTS,
  partialsLength,
  type Scalars,
} from "../src/compute/kernels.ts";
import { PlanBuilder, type Ref } from "../src/compute/recording.ts";
import { fillKeep, fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { digamma, lnGamma } from "../src/reference/gamma.ts";
import { type KernelCase, near, type Outputs, U } from "./kernel_cases.ts";

type Element = keyof typeof ELEMENT_CODES;
type Family = Exclude<keyof typeof FAMILIES, "poisson">;

/** Random numbers that a seed decides, all exact in float32. */
class Source {
  #draws = 0;

  constructor(private readonly seed: number) {}

  #at() {
    return { ...seedWords(this.seed), stream: STREAMS.simulate, sample: this.#draws++ };
  }

  normal(length: number, scale = 1): Float64Array {
    return fillNormal(this.#at(), 0, new Float64Array(length)).map((x) => Math.fround(scale * x));
  }

  uniform(length: number): Float64Array {
    return fillUniform(this.#at(), 0, new Float64Array(length));
  }
}

const largest = (values: Float64Array) => values.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
const size = (most: number) => fc.integer({ min: 1, max: most });
const flag = fc.constantFrom(0 as const, 1 as const);
const seed = fc.integer({ min: 0, max: 2 ** 31 });

/** What the loss of a batch is read from. */
interface Batch {
  readonly B: number;
  readonly S: number;
  readonly T: number;
  readonly N: number;
  readonly F: number;
  readonly gradient: 0 | 1;
  readonly gaps: 0 | 1;
  readonly coordinated: 0 | 1;
  /** whether the encoder reads other data, in which more is missing */
  readonly encoded: boolean;
  /** whether masks are written, not drawn */
  readonly masks: boolean;
  readonly keepRate: number;
  readonly firstTrial: number;
  readonly seed: number;
}

const batch = {
  B: size(7),
  S: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, size(3)),
  T: size(4),
  N: fc.oneof(size(9), size(40)),
  F: size(9),
  gradient: flag,
  gaps: flag,
  coordinated: flag,
  encoded: fc.boolean(),
  masks: fc.boolean(),
  keepRate: fc.constantFrom(0.75, 0.5, Math.fround(0.9)),
  firstTrial: fc.constantFrom(0, 3),
  seed,
};

/** Buffers, numbers and weights that the two losses share. */
class Loss {
  readonly plan = new PlanBuilder();
  readonly inputs: Record<string, Float64Array>;
  readonly R: number;
  readonly Q: number;
  readonly s: Scalars;
  readonly source: Source;

  /** @param data of all trials, `[trials][T][N]`: nothing is missing yet */
  constructor(
    readonly given: Batch,
    readonly outputs: number,
    readonly element: Element,
    data: (source: Source, length: number) => Float64Array,
  ) {
    const { B, S, T, N, F, gaps, encoded, masks, keepRate, firstTrial, seed } = given;
    this.R = B * S;
    this.Q = outputs * N;
    this.source = new Source(seed);
    const trials = B + 2, length = trials * T * N;
    const hide = (values: Float64Array, share: number) => {
      const hidden = this.source.uniform(length);
      return values.map((x, i) => hidden[i] < share ? Math.fround(MISSING[element]) : x);
    };
    const all = data(this.source, length), known = gaps ? hide(all, 0.3) : all;
    const scale = 1 / Math.sqrt(Math.max(4, F));
    this.inputs = {
      factors: this.source.normal((T + 1) * this.R * F),
      w: this.source.normal(F * this.Q, scale),
      b: this.source.normal(this.Q, 0.5),
      data: known,
      trials: Float64Array.from({ length: B }, (_, b) => trials - 1 - b),
      ...(encoded && { encoded: hide(known, 0.3) }),
      ...(masks && { keep: this.source.uniform(B * T * N).map((x) => x < keepRate ? 1 : 0) }),
      // what a step must write over, or leave
      nll: this.source.normal(this.R),
    };
    this.s = scalars({ B, S, ...seedWords(seed), step: 5, firstTrial });
  }

  /** The buffers of the kernel's arguments, but those that carry its own names. */
  buffers() {
    const { B, T, F, N, encoded, masks } = this.given, { plan, R, Q, inputs } = this;
    const data = (name: string): Ref =>
      plan.buffer(name, inputs.data.length, this.element, { shared: true });
    return {
      factors_HRF: plan.buffer("factors", (T + 1) * R * F),
      w: plan.buffer("w", F * Q),
      b: plan.buffer("b", Q),
      data: data("data"),
      encoded: encoded ? data("encoded") : null,
      trials_B: plan.buffer("trials", B, "u32"),
      keepSpikes_BTN: masks ? plan.buffer("keep", B * T * N) : null,
      outputs: plan.buffer("outputs", T * R * Q),
      dFactors_HRF: plan.buffer("dFactors", (T + 1) * R * F),
      nll_R: plan.buffer("nll", R),
    };
  }

  /** The bound on an output: F products and a sum. */
  get outputBound(): number {
    const { F } = this.given, { factors, w, b } = this.inputs;
    return (F + 1) * U * (F * largest(factors) * largest(w) + largest(b));
  }

  /** Outputs in float64, `[T][R][Q]`. */
  plain(): Float64Array {
    const { T, F } = this.given, { R, Q } = this, { factors, w, b } = this.inputs;
    return Float64Array.from({ length: T * R * Q }, (_, i) => {
      const row = R + Math.floor(i / Q), q = i % Q;
      let sum = b[q];
      for (let f = 0; f < F; f++) sum += factors[row * F + f] * w[f * Q + q];
      return sum;
    });
  }

  /** The masks of one trial and bin. */
  #keeps(row: number): Float64Array {
    const at = { ...this.s, stream: STREAMS.keepSpikes }, { N, keepRate } = this.given;
    return fillKeep(at, row, keepRate, new Float64Array(N));
  }

  /** The number that row r predicts in bin t of neuron n, and what it counts; written anew from the words. */
  entry(r: number, t: number, n: number): { x: number; weight: number } {
    const { T, N, S, gaps, coordinated, keepRate } = this.given, { inputs, element } = this;
    const b = Math.floor(r / S), at = (inputs.trials[b] * T + t) * N + n;
    const x = inputs.data[at];
    if (gaps && x === Math.fround(MISSING[element])) return { x: 0, weight: 0 };
    if (!coordinated) return { x, weight: 1 };
    if (inputs.encoded?.[at] === Math.fround(MISSING[element])) return { x, weight: 1 };
    const kept = inputs.keep
      ? inputs.keep[(b * T + t) * N + n] === 1
      : this.#keeps((this.s.firstTrial + b) * T + t)[n] > 0;
    return { x, weight: kept ? 0 : 1 / (1 - keepRate) };
  }
}

/** What an entry's loss, its size before sums, and its gradients may be off by. */
interface Bounds {
  readonly loss: number;
  readonly terms: number;
  /** of each of the K outputs, before the batch's share */
  readonly slopes: readonly number[];
}

/** Checks a loss's outputs against the bounds of its entries. */
function checkLoss(
  loss: Loss,
  want: Outputs,
  got: Outputs,
  quotient: number,
  bounds: (x: number, outputs: readonly number[]) => Bounds,
): void {
  const { B, T, N, F, gradient } = loss.given, { R, Q } = loss, K = loss.outputs;
  const plain = loss.plain(), slopes = new Float64Array(T * R * Q), losses = new Float64Array(R);
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < R; r++) {
      for (let n = 0; n < N; n++) {
        const { x, weight } = loss.entry(r, t, n), row = (t * R + r) * Q;
        if (weight === 0) continue;
        const own = bounds(x, Array.from({ length: K }, (_, k) => plain[row + k * N + n]));
        // the weight's quotient and two products; a row of terms is added up one by one at worst
        const more = (quotient + 2) * U;
        losses[r] += weight * (own.loss + (more + (Math.max(N, 64) + 4) * U) * own.terms);
        own.slopes.forEach((slope, k) => {
          const at = row + k * N + n;
          slopes[at] = weight * slope / B +
            (more + (quotient + 2) * U) * Math.abs(want.outputs[at]);
        });
      }
    }
  }
  const e = loss.outputBound, w = largest(loss.inputs.w);
  near("outputs", got.outputs, want.outputs, (i) => gradient ? slopes[i] : e);
  near("dFactors", got.dFactors, want.dFactors, (i) => {
    // the slot before bin 0 is not the readout's
    if (!gradient || i < R * F) return 0;
    const row = (Math.floor(i / F) - R) * Q;
    let bound = 0;
    for (let q = 0; q < Q; q++) {
      bound += w * (slopes[row + q] + (Q + 1) * U * Math.abs(want.outputs[row + q]));
    }
    return bound;
  });
  near("nll", got.nll, want.nll, (r) => losses[r] + U * Math.abs(want.nll[r]));
}

/** Poisson counts with what may be missing, or is only seen by the loss. */
export const readouts: fc.Arbitrary<KernelCase> = fc.record({
  ...batch,
  element: fc.constantFrom<Element>("u8", "u16", "real"),
}).map(({ element, ...given }) => {
  const most = element === "u16" ? 300 : 200, { T, N, F, gaps, gradient, coordinated } = given;
  const loss = new Loss(
    given,
    1,
    element,
    (source, length) => source.uniform(length).map((x) => Math.floor(x * (most + 1))),
  );
  const { w, b, data, outputs, ...buffers } = loss.buffers();
  loss.plan.record("main").dispatch("readout", {
    ...buffers,
    w_FN: w,
    b_N: b,
    counts: data,
    logRates_TRN: outputs,
  }, {
    ...{ T, N, F, gaps, gradient, coordinated, keepRate: given.keepRate },
    element: ELEMENT_CODES[element],
  });
  return {
    name: "readout",
    plan: loss.plan,
    inputs: loss.inputs,
    outputs: ["outputs", "dFactors", "nll"],
    scalars: loss.s,
    check(want, got, { quotient }) {
      const e = loss.outputBound;
      checkLoss(loss, want, got, quotient, (x, [logRate]) => {
        const rate = Math.exp(Math.min(logRate, MAX_LOG_RATE)), off = rate * (e + 4 * U);
        return {
          loss: off + x * e + 2 * U * x * Math.abs(logRate),
          terms: rate + x * (Math.abs(logRate) + e),
          slopes: [off + U * (rate + x)],
        };
      });
    },
  };
});

const limited = (x: number) => Math.exp(Math.min(x, MAX_LOG_RATE));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** What ln and the sigmoid may be off by, in u of themselves, where a quotient may be by q u. */
const lnOff = (q: number) => 3 + q;
const sigmoidOff = (q: number) => 11 + q;

/** Of ½ (ln 2π + ln var + d² / var). */
function gaussianBounds(
  e: number,
  q: number,
  varMin: number,
  x: number,
  [m, v]: readonly number[],
) {
  const spread = limited(v), variance = spread + varMin, d = Math.abs(x - m);
  // relative: exp and a sum
  const var_ = e + 6 * U, d_ = e + U * d, squares = d * d / variance;
  const squares_ = 2 * d * d_ / variance + squares * (var_ + (q + 1) * U);
  const log = Math.abs(Math.log(variance)), terms = 0.5 * (Math.log(2 * Math.PI) + log + squares);
  const share = 0.5 * spread / variance;
  return {
    loss: 0.5 * (squares_ + var_ + lnOff(q) * U * log) + 4 * U * terms,
    terms,
    slopes: [
      d_ / variance + d / variance * (var_ + q * U),
      share * (squares_ + (2 * var_ + (q + 2) * U) * (1 + squares)),
    ],
  };
}

/** Of the gamma's, where x itself has `rounded` roundings. */
function gammaBounds(
  e: number,
  q: number,
  rounded: number,
  x: number,
  [a, b]: readonly number[],
) {
  const alpha = limited(a), beta = limited(b), betaX = beta * x, exp_ = e + 4 * U;
  const logX = Math.log(x), logs = Math.min(b, MAX_LOG_RATE) + logX;
  const logX_ = U * (rounded + lnOff(q) * Math.abs(logX)), logs_ = e + logX_ + U * Math.abs(logs);
  const small = alpha < 4, y = small ? alpha + 4 : alpha, four = [0, 1, 2, 3].map((i) => alpha + i);
  const product = small ? Math.log(four.reduce((p, x) => p * x)) : 0;
  const sum = small ? four.reduce((s, x) => s + 1 / x, 0) : 0;
  const lnGamma_ = U *
      ((10 + lnOff(q)) * y * Math.log(y) + 3 * y + (1 + lnOff(q)) * Math.abs(product) + 10) + 4e-9;
  const digamma_ = U * ((4 + lnOff(q)) * Math.log(y) + 16 * sum + 2) + 8e-9;
  const psi = digamma(alpha), ln = lnGamma(alpha);
  const terms = Math.abs(ln) + alpha * Math.abs(logs) + Math.abs(logX) + betaX;
  // α² ψ'(α) is below α + 1
  const slope = alpha * Math.abs(psi - logs);
  return {
    loss: lnGamma_ + alpha * Math.abs(psi) * exp_ + alpha * logs_ + alpha * Math.abs(logs) * exp_ +
      logX_ + betaX * (exp_ + rounded * U) + 4 * U * terms,
    terms,
    slopes: [
      slope * (exp_ + 2 * U) + (alpha + 1) * exp_ +
      alpha * (digamma_ + logs_ + U * (Math.abs(psi) + Math.abs(logs))),
      betaX * (exp_ + (rounded + 1) * U) + alpha * exp_ + U * (betaX + alpha),
    ],
  };
}

function inflatedBounds(
  e: number,
  q: number,
  floor: number,
  x: number,
  [a, b, c]: readonly number[],
) {
  const more = sigmoid(x === 0 ? c : -c), plus = softplus(x === 0 ? c : -c);
  // exp's own error goes through z / (1 + z) ≤ ln(1 + z); a logarithm and three roundings
  const plus_ = e + (8 + lnOff(q)) * U * plus, more_ = more * (e + sigmoidOff(q) * U);
  if (x === 0) return { loss: plus_, terms: plus, slopes: [0, 0, more_] };
  const gamma = gammaBounds(e, q, 1, x - floor, [a, b]);
  return {
    loss: gamma.loss + plus_ + U * (gamma.terms + plus),
    terms: gamma.terms + plus,
    slopes: [...gamma.slopes, more_],
  };
}

const families = fc.constantFrom<Family>("gaussian", "gamma", "zero-inflated-gamma");

/** Real numbers under each family. */
export const observations: fc.Arbitrary<KernelCase> = fc.record({ ...batch, family: families }).map(
  ({ family, ...given }) => {
    const floor = family === "zero-inflated-gamma" ? 0.25 : 0, varMin = Math.fround(1e-3);
    const { T, N, F, gaps, gradient, coordinated, keepRate } = given;
    const loss = new Loss(given, OUTPUTS[family], "real", (source, length) => {
      const values = source.normal(length);
      if (family === "gaussian") return values;
      const zero = source.uniform(length).map((u) => family !== "gamma" && u < 0.4 ? 0 : 1);
      return values.map((x, i) => zero[i] && Math.fround(floor + Math.exp(1.5 * x)));
    });
    const { w, b, data, outputs, ...buffers } = loss.buffers();
    loss.plan.record("main").dispatch("observation", {
      ...buffers,
      w_FQ: w,
      b_Q: b,
      values: data,
      outputs_TRQ: outputs,
    }, { T, N, F, gaps, gradient, coordinated, keepRate, varMin, floor, family: FAMILIES[family] });
    return {
      name: `observation: ${family}`,
      plan: loss.plan,
      inputs: loss.inputs,
      outputs: ["outputs", "dFactors", "nll"],
      scalars: loss.s,
      check(want, got, { quotient }) {
        const e = loss.outputBound;
        checkLoss(loss, want, got, quotient, (x, outputs) => {
          if (family === "gaussian") return gaussianBounds(e, quotient, varMin, x, outputs);
          if (family === "gamma") return gammaBounds(e, quotient, 0, x, outputs);
          return inflatedBounds(e, quotient, floor, x, outputs);
        });
      },
    };
  },
);

/** What is expected under each family, over samples. */
export const posteriorObservations: fc.Arbitrary<KernelCase> = fc.record({
  B: size(5),
  S: fc.oneof(size(6), fc.constant(40)),
  T: size(4),
  N: fc.oneof(size(9), size(40)),
  F: size(9),
  family: families,
  seed,
}).map(({ B, S, T, N, F, family, seed }) => {
  const R = B * S, K = OUTPUTS[family], Q = K * N, plan = new PlanBuilder();
  const floor = family === "zero-inflated-gamma" ? 0.25 : 0, source = new Source(seed);
  const inputs = {
    factors: source.normal((T + 1) * R * F),
    w: source.normal(F * Q, 1 / Math.sqrt(Math.max(4, F))),
    b: source.normal(Q),
  };
  plan.record("main").dispatch("posterior_observations", {
    factors_HRF: plan.buffer("factors", (T + 1) * R * F),
    w_FQ: plan.buffer("w", F * Q),
    b_Q: plan.buffer("b", Q),
    rates_TBN: plan.buffer("rates", T * B * N),
    logRates_TBN: plan.buffer("logRates", T * B * N),
  }, { T, N, F, family: FAMILIES[family], floor });
  return {
    name: `posterior_observations: ${family}`,
    plan,
    inputs,
    outputs: ["rates", "logRates"],
    scalars: scalars({ B, S }),
    check(want, got, { quotient }) {
      const most = F * largest(inputs.factors) * largest(inputs.w) + largest(inputs.b);
      const e = (F + 1) * U * most, sums = (S + quotient) * U;
      const logs = 2 * e + (sums + U) * 2 * most;
      near("logRates", got.logRates, want.logRates, () => logs);
      near("rates", got.rates, want.rates, (i) => {
        if (family === "gaussian") return logs;
        // exp of a difference, or a quotient of two; the sigmoid, a sum and a product
        return Math.abs(want.rates[i]) * (3 * e + 2 * U * most + (8 + quotient + 14) * U + sums);
      });
    },
  };
});

/** A penalty for each parameter, of which some are 0, beside two divergences with scales of their own. */
export const penalties: fc.Arbitrary<KernelCase> = fc.record({
  P: fc.oneof(size(40), fc.constantFrom(1024, 1025, 3000)),
  R: size(9),
  gradient: flag,
  scaled: flag,
  seed,
}).map(({ P, R, gradient, scaled, seed }) => {
  const plan = new PlanBuilder(), source = new Source(seed);
  // no factors: what their norms do to the gradient has cases of its own
  plan.record("main").dispatch("reduce", {
    params_P: plan.buffer("params", P),
    l2_P: plan.buffer("l2", P),
    grads_P: plan.buffer("grads", P),
    w_GF: { buffer: "params", offset: 0, length: 0 },
    dw_GF: { buffer: "grads", offset: 0, length: 0 },
    norms_F: plan.buffer("norms", 1),
    nll_R: plan.buffer("nll", R),
    klIc_R: plan.buffer("klIc", R),
    klInputs_R: plan.buffer("klInputs", R),
    partials: plan.buffer("partials", partialsLength(P)),
    losses: plan.buffer("losses", LOSSES.length),
  }, { P, G: 0, F: 0, gradient });
  const l2Scale = scaled ? 0.5 : 0, klIcScale = 0.25, klInputsScale = 0.75;
  const inputs = {
    params: source.normal(P),
    grads: source.normal(P),
    l2: source.uniform(P).map((u) => u < 0.5 ? 0 : Math.fround(u)),
    nll: source.normal(R, 100),
    klIc: source.normal(R),
    klInputs: source.normal(R),
  };
  return {
    name: "reduce",
    plan,
    inputs,
    outputs: ["grads", "losses"],
    scalars: scalars({ B: R, l2Scale, klIcScale, klInputsScale }),
    check(want, got, { quotient, root, chain }) {
      near("grads", got.grads, want.grads, (p) => {
        const pull = 2 * l2Scale * inputs.l2[p] * Math.abs(inputs.params[p]);
        return gradient ? U * (3 * pull + Math.abs(want.grads[p])) : 0;
      });
      const mean = (name: "nll" | "klIc" | "klInputs", i: number) => {
        const sizes = inputs[name].reduce((sum, x) => sum + Math.abs(x), 0) / R;
        return U * ((chain(16 + quotient) - 1) * sizes + Math.abs(want.losses[i]));
      };
      const [total, , , , l2, gradNorm] = want.losses;
      // sums of positive numbers: at most 256 to a chain in float32, a root and its square in between
      const squares = (256 + 6) * U;
      const [nll, klIc, klInputs] = [mean("nll", 1), mean("klIc", 2), mean("klInputs", 3)];
      const sizes = Math.abs(want.losses[1]) + Math.abs(want.losses[2]) + Math.abs(want.losses[3]);
      const own = [
        nll + klIcScale * klIc + klInputsScale * klInputs + squares * l2 +
        4 * U * (sizes + l2) + U * Math.abs(total),
        nll,
        klIc,
        klInputs,
        squares * l2,
        (squares / 2 + (4 + root) * U) * gradNorm,
      ];
      near("losses", got.losses, want.losses, (i) => own[i]);
    },
  };
});

/** AdamW, with the decay scaled as the penalties are. */
export const decays: fc.Arbitrary<KernelCase> = fc.record({
  P: fc.oneof(size(40), fc.constant(1027)),
  weightDecay: fc.constantFrom(0, 0.5, Math.fround(0.01)),
  l2Scale: fc.constantFrom(0, 0.5, 1),
  seed,
}).map(({ P, weightDecay, l2Scale, seed }) => {
  const plan = new PlanBuilder(), source = new Source(seed);
  const learningRate = Math.fround(0.01), b1 = 0.5, b2 = 0.75, eps = 0.125, maxNorm = 10;
  plan.record("main").dispatch("adam", {
    params_P: plan.buffer("params", P),
    grads_P: plan.buffer("grads", P),
    m_P: plan.buffer("m", P),
    v_P: plan.buffer("v", P),
    losses: plan.buffer("losses", LOSSES.length),
  }, { P, b1, b2, eps, maxNorm, weightDecay });
  const inputs = {
    params: source.normal(P),
    grads: source.normal(P),
    m: new Float64Array(P),
    v: new Float64Array(P),
    losses: Float64Array.of(0, 0, 0, 0, 0, 2),
  };
  return {
    name: "adam",
    plan,
    inputs,
    outputs: ["params"],
    scalars: scalars({ count: 1, learningRate, l2Scale }),
    check(want, got, { quotient, root, chain }) {
      // from zero, m / c1 is the gradient and v / c2 its square, to the roundings of products, of a root
      // and quotients, and of 1 - b^count where float32 makes it (see kernel_cases.ts)
      const roundings = 14 + 2 * (quotient - 1) + root + 1.5 * (chain(19) - chain(1));
      near("params", got.params, want.params, (p) => {
        const g = Math.abs(inputs.grads[p]), step = learningRate * g / (g + eps);
        const decay = learningRate * weightDecay * l2Scale * Math.abs(inputs.params[p]);
        return U * (roundings * step + 4 * decay + 2 * (Math.abs(inputs.params[p]) + step + decay));
      });
    },
  };
});

/** A part of a batch: the first is written over what stood there, NaN too. */
export const parts: fc.Arbitrary<KernelCase> = fc.record({
  P: fc.oneof(size(40), fc.constantFrom(1024, 1025, 3000)),
  accumulated: fc.constantFrom(0, 1, 3),
  share: fc.constantFrom(1, 0.25, Math.fround(0.3)),
  seed,
}).map(({ P, accumulated, share, seed }) => {
  const plan = new PlanBuilder(), source = new Source(seed);
  plan.record("main").dispatch("accumulate", {
    grads_P: plan.buffer("grads", P),
    sum_P: plan.buffer("sum", P),
    losses: plan.buffer("losses", LOSSES.length),
    sums: plan.buffer("sums", LOSSES.length),
    partials: plan.buffer("partials", partialsLength(P)),
  }, { P });
  const before = (length: number) =>
    accumulated ? source.normal(length) : new Float64Array(length).fill(NaN);
  const inputs = {
    grads: source.normal(P),
    sum: before(P),
    losses: source.normal(LOSSES.length, 10),
    sums: before(LOSSES.length),
  };
  return {
    name: "accumulate",
    plan,
    inputs,
    outputs: ["grads", "sum", "sums", "losses"],
    scalars: scalars({ accumulated, share }),
    check(want, got, { root }) {
      const off = (sum: number, part: number) => U * (Math.abs(sum) + Math.abs(share * part));
      near("sum", got.sum, want.sum, (p) => off(want.sum[p], inputs.grads[p]));
      const roundings = Math.hypot(...want.sum.map((sum, p) => off(sum, inputs.grads[p])));
      near("sums", got.sums, want.sums, (i) => {
        if (LOSSES[i] !== "gradNorm") return off(want.sums[i], inputs.losses[i]);
        // squares in blocks, at most 256 to a chain
        return roundings + (128 + 4 + root) * U * want.sums[i];
      });
      near("grads", got.grads, inputs.grads, () => 0);
      near("losses", got.losses, inputs.losses, () => 0);
    },
  };
});

/** Zeros that are all but certain: their losses are small beside 1, and none is lost. */
export function certainZeros(): KernelCase {
  const N = 6, plan = new PlanBuilder();
  plan.record("main").dispatch("observation", {
    factors_HRF: plan.buffer("factors", 2),
    w_FQ: plan.buffer("w", 3 * N),
    b_Q: plan.buffer("b", 3 * N),
    values: plan.buffer("data", N, "real", { shared: true }),
    trials_B: plan.buffer("trials", 1, "u32"),
    outputs_TRQ: plan.buffer("outputs", 3 * N),
    nll_R: plan.buffer("nll", 1),
  }, {
    ...{ T: 1, N, F: 1, family: FAMILIES["zero-inflated-gamma"], gaps: 0, gradient: 0 },
    ...{ coordinated: 0, keepRate: 1, varMin: 0, floor: 0 },
  });
  const logits = [-18, -19, -20, -25, -40, -80];
  return {
    name: "zeros that are all but certain cost next to nothing, but something",
    plan,
    inputs: { b: Float64Array.of(...new Array(2 * N).fill(0), ...logits) },
    outputs: ["nll"],
    scalars: scalars({ B: 1 }),
    check(want, got) {
      // each to exp's 4 u, a logarithm's and a quotient's; a sum of six
      near("nll", got.nll, want.nll, () => 20 * U * want.nll[0]);
    },
  };
}
