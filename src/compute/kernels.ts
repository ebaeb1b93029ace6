/**
 * What each kernel reads and writes: one signature per kernel, the same on every executor.
 *
 * A kernel called `encoder` lives in `src/reference/encoder.ts` (float64, plain loops, the
 * definition), in `wasm/encoder.ts` (AssemblyScript) and in `shaders/encoder.wgsl` where that exists.
 * Its arguments are buffers, then whole numbers, then real numbers, in the order given here; the wasm
 * executor lays them out as consecutive 4-byte fields, so the order is the ABI.
 *
 * Names carry shapes (see `dims.ts`). A name that ends in `?` may be absent. `keep…?` buffers hold
 * explicit dropout masks of 0 and 1; without one and with `dropout = 1` the mask is drawn from the
 * counter-based generator (`random.ts`) and is drawn again in the backward pass, never stored.
 */
import type { Nonlinearity } from "../dims.ts";

/** A vanilla cell's nonlinearity in the kernels' arguments. */
export const NONLINEARITY_CODES: Readonly<Record<Nonlinearity, number>> = {
  tanh: 0,
  relu: 1,
  identity: 2,
};

/** A kernel's arguments, in order. */
export interface Signature {
  readonly buffers: readonly string[];
  readonly ints: readonly string[];
  readonly floats: readonly string[];
}

function signature<
  const B extends readonly string[],
  const I extends readonly string[],
  const F extends readonly string[],
>(buffers: B, ints: I, floats: F): { readonly buffers: B; readonly ints: I; readonly floats: F } {
  return { buffers, ints, floats };
}

/** Buffers that the decoder's forward and backward pass share, in the order of a step. */
const decoderBuffers = [
  // initial condition: the encoder's ends → mean and log-variance → g0
  "forward_HBE",
  "backward_HBE",
  "keepEnds_B2E?",
  "ends_B2E",
  "wInitial_2E2I",
  "bInitial_2I",
  "icPriorMean_I",
  "icPriorLogVar_I",
  "epsIc_RI",
  "ic_B2I",
  // z → g0 = z wStart + bStart (absent where I = G and g0 = z)
  "z_RI?",
  "wStart_IG?",
  "bStart_G?",
  // controller (absent when U = 0)
  "conInput_TB3C?",
  "wConFactors_F3C?",
  "wConGates_C2C?",
  "wConCandidate_CC?",
  "h0Con_C?",
  "con_HRC?",
  "conGates_TR3C?",
  "conReset_TRC?",
  // inferred inputs (absent when U = 0)
  "wOut_C2U?",
  "bOut_2U?",
  "inputPriorMean_U?",
  "inputPriorLogTau_U?",
  "inputPriorLogNoiseVar_U?",
  "epsInputs_TRU?",
  "inputParams_TR2U?",
  "inputs_TRU?",
  // the external inputs' part of the generator's pre-activations, bias included (absent when X = 0)
  "genInput_TBW?",
  // generator: `wGenRecurrent` is wA [G][G] for vanilla, the gates [G][2G] for a GRU
  "wGenInput?",
  "wGenRecurrent",
  "wGenCandidate_GG?",
  "bGen",
  "keepGen_RTG?",
  "gen_HRG",
  "genGates",
  "genReset_TRG?",
  // factors
  "factorsHat_GF",
  "factors_HRF",
  // losses, one value per row
  "klIc_R",
  "klInputs_R?",
] as const;

const decoderInts = [
  "T",
  "E",
  "I",
  "C",
  "U",
  "G",
  "F",
  /** 0 vanilla, 1 GRU. */
  "cell",
  /** see `NONLINEARITY_CODES` */
  "nonlinearity",
  /** 1: sample g0 and u from the posterior; 0: use the posterior means. */
  "sample",
  /** 1: draw the noise into `eps…`; 0: `eps…` already holds it. */
  "draw",
  /** on the encoder's ends */
  "dropout",
  /** on the generator's state */
  "dropoutGen",
  /** bins that the encoder of the initial condition sees: where its forward end stands */
  "encoderT",
  /** 1: the factors before bin 0 are Ŵ g0; 0: zeros */
  "firstFactors",
] as const;

const decoderFloats = ["keepRate", "keepRateGen", "varMin"] as const;

export const KERNELS = {
  /** Ŵ: each factor's weights divided by their L2 norm. */
  prepare: signature(["w_GF", "factorsHat_GF", "norms_F"], ["G", "F"], []),

  /**
   * Dropout on the spikes, then their part of the encoder's gate pre-activations, for all bins that
   * the encoder sees. What is missing is an input of 0.
   */
  encoder_input: signature(
    ["counts", "trials_B", "keepSpikes_BTN?", "wInput_ND3E", "b_D3E", "spikes_TBN", "gates_TBD3E"],
    [
      /** bins that the encoder sees */
      "T",
      "N",
      "E",
      /** bins of the data */
      "dataT",
      /** see `ELEMENT_CODES` */
      "element",
      /** 1: some may be missing; 0: none is */
      "gaps",
      /** 1: zeros may be skipped; 2: where most are zero; 0: none is */
      "sparse",
      "dropout",
    ],
    ["keepRate", /** multiplies every input */ "scale"],
  ),

  /** One GRU forward, one backward in time. `gates`: pre-activations in, r u c out. */
  encoder: signature(
    [
      "gates_TBD3E",
      "wGates_DE2E",
      "wCandidate_DEE",
      "h0_DE",
      "forward_HBE",
      "backward_HBE",
      "reset_TBDE",
    ],
    ["T", "E"],
    [],
  ),

  /** `gates`: r u c in, gradients of the pre-activations out. */
  encoder_backward: signature(
    [
      "gates_TBD3E",
      "wGates_DE2E",
      "wCandidate_DEE",
      "forward_HBE",
      "backward_HBE",
      "dEnds_B2E?",
      "dEnc_TB2E?",
      "dStart_BDE",
    ],
    ["T", "E"],
    [],
  ),

  /**
   * Dropout on the encodings, then their part of the controller's gate pre-activations. Bin t gets the
   * forward direction's state after bin t - lag, and the backward one's of bin t + lag; zeros where the
   * encoder sees no such bin, and in all bins from encoderT on.
   */
  controller_input: signature(
    [
      "forward_HBE",
      "backward_HBE",
      "keepEnc_BT2E?",
      "wEncoding_2E3C",
      "b_3C",
      "enc_TB2E",
      "conInput_TB3C",
    ],
    ["T", "E", "C", "encoderT", "lag", "dropout"],
    ["keepRate"],
  ),

  controller_input_backward: signature(
    ["conGates_TR3C", "keepEnc_BT2E?", "wEncoding_2E3C", "dEnc_TB2E"],
    ["T", "E", "C", "encoderT", "lag", "dropout"],
    ["keepRate"],
  ),

  /** The external inputs of the batch, and their part of the generator's pre-activations. */
  external_input: signature(
    ["external", "trials_B", "wExternal_XW", "b_W", "external_TBX", "genInput_TBW"],
    ["T", "X", "W"],
    [],
  ),

  /** Initial condition, sampling, controller, generator, factors, and both KL terms. */
  decoder: signature(decoderBuffers, decoderInts, decoderFloats),

  /** `gates`: activations in, gradients of the pre-activations out. One sample per trial. */
  decoder_backward: signature(
    [
      ...decoderBuffers,
      /** slots 1…T in: from the readout; out: with the controller's part, and slot 0 */
      "dFactors_HRF",
      "dIc_B2I",
      /** the gradient at g0, where it is not z itself */
      "dStart_BG?",
      "dEnds_B2E",
      /** mean, then log-variance */
      "dIcPrior_B2I",
      "dInputParams_TB2U?",
      /** mean, log τ, log noise variance */
      "dInputPrior_B3U?",
      "dStartCon_BC?",
    ],
    decoderInts,
    decoderFloats,
  ),

  /**
   * Log-rates, Poisson loss, and (gradient = 1) its gradients: `logRates` then holds d logRates, and
   * slots 1…T of `dFactors` are written. What is missing has no loss. With coordinated dropout, what
   * the encoder saw has none either; what was dropped counts `1 / (1 - keepRate)` times, and what is
   * missing in `encoded` once.
   */
  readout: signature(
    [
      "factors_HRF",
      "w_FN",
      "b_N",
      "counts",
      /** what the encoder reads, where that differs and dropout is coordinated */
      "encoded?",
      "trials_B",
      "keepSpikes_BTN?",
      "logRates_TRN",
      "dFactors_HRF?",
      "nll_R",
    ],
    ["T", "N", "F", "element", "gaps", "gradient", "coordinated"],
    ["keepRate"],
  ),

  /**
   * The same for real numbers in place of counts: `outputs` has K numbers for each neuron (see
   * `FAMILIES`), all neurons' first, and becomes their gradient.
   */
  observation: signature(
    [
      "factors_HRF",
      "w_FQ",
      "b_Q",
      "values",
      "encoded?",
      "trials_B",
      "keepSpikes_BTN?",
      "outputs_TRQ",
      "dFactors_HRF?",
      "nll_R",
    ],
    ["T", "N", "F", /** see `FAMILIES` */ "family", "gaps", "gradient", "coordinated"],
    ["keepRate", "varMin", /** the least value above 0 (zero-inflated gamma) */ "floor"],
  ),

  /** The job table of all `out[m][n] = Σ_rows a[row][m] · d[row][n]`; see `GradientJob`. */
  weight_gradients: signature(["jobs"], ["count"], []),

  /** Loss terms summed over the batch; L2, the gradient through Ŵ, and the gradient's norm. */
  reduce: signature(
    [
      "params_P",
      /** the L2 penalty of each parameter's square, times `l2Scale` */
      "l2_P",
      "grads_P?",
      "w_GF?",
      "dw_GF?",
      "norms_F?",
      "nll_R",
      "klIc_R",
      "klInputs_R?",
      "partials",
      /** see `LOSSES` */
      "losses",
    ],
    ["P", "G", "F", "gradient"],
    [],
  ),

  /** Clip by global norm, then Adam with decoupled weight decay (AdamW). */
  adam: signature(["params_P", "grads_P", "m_P", "v_P", "losses"], ["P"], [
    "b1",
    "b2",
    "eps",
    "maxNorm",
    "weightDecay",
  ]),

  /** Adds a part of a batch to the sums of its gradient and losses; the norm is that of the sum. */
  accumulate: signature(["grads_P", "sum_P", "losses", "sums", "partials"], ["P"], []),

  /** Mean over the samples of each trial: [T][R][n] → [T][B][n]. */
  average_samples: signature(["source", "mean"], ["T", "n"], []),

  /** Mean over samples of exp(logRate) and of logRate, without storing a sample's rates. */
  posterior_rates: signature(["factors_HRF", "w_FN", "b_N", "rates_TBN", "logRates_TBN"], [
    "T",
    "N",
    "F",
  ], []),

  /** Mean over samples of the expected value, and of the outputs' log-mean (gaussian: mean). */
  posterior_observations: signature(["factors_HRF", "w_FQ", "b_Q", "rates_TBN", "logRates_TBN"], [
    "T",
    "N",
    "F",
    "family",
  ], ["floor"]),

  /** Adam on q(h) = mean over units of (F(h, u*) - h)², `iterations` at a time, each point alone. */
  fixed_points: signature(
    [
      "wGenInput?",
      "wGenRecurrent",
      "wGenCandidate_GG?",
      "bGen",
      "input_U?",
      "points_KG",
      "m_KG",
      "v_KG",
      /** q before the last update */
      "speeds_K",
    ],
    ["U", "G", "cell", "nonlinearity"],
    ["b1", "b2", "eps", "stepSize", "decay"],
  ),
} as const;

export type KernelName = keyof typeof KERNELS;

type Plain<S extends string> = S extends `${infer Name}?` ? Name : S;

/** A kernel's arguments on the reference executor: an absent buffer has length 0. */
export type Args<K extends KernelName> =
  & { readonly [B in Plain<typeof KERNELS[K]["buffers"][number]>]: Float64Array }
  & { readonly [I in typeof KERNELS[K]["ints"][number]]: number }
  & { readonly [F in typeof KERNELS[K]["floats"][number]]: number };

/** Where each number stands in the `losses` buffer. All are averages over the batch but the last two. */
export const LOSSES = ["total", "nll", "klIc", "klInputs", "l2", "gradNorm"] as const;

/** Numbers that `reduce` leaves of each block of parameters, in the smallest blocks of any executor. */
export function partialsLength(P: number): number {
  return 2 * (Math.ceil(P / 256) + 1);
}

/** The gate bias that the GRU adds to its update gate (docs/model.md, section 1). */
export const UPDATE_BIAS = 0.5;

/** Log-rates are read as at most this in the loss and in its gradient, so that exp cannot overflow. */
export const MAX_LOG_RATE = 30;

/** How the data are stored, in the kernels' arguments. */
export const ELEMENT_CODES = { u8: 0, u16: 1, real: 2 } as const;

/** What stands in the data for a number that was not observed, or is hidden. */
export const MISSING = { u8: 255, u16: 65_535, real: -3e38 } as const;

/** Real numbers below this are missing. */
export const MISSING_BELOW = -1e38;

/** What the readout's outputs are parameters of, in the kernels' arguments. */
export const FAMILIES = { poisson: 0, gaussian: 1, gamma: 2, "zero-inflated-gamma": 3 } as const;

/** Outputs for each neuron: log-rate; mean, log-variance; ln α, ln β; ln α, ln β, logit of x > 0. */
export const OUTPUTS = { poisson: 1, gaussian: 2, gamma: 2, "zero-inflated-gamma": 3 } as const;

/** What changes from one run of a recording to the next; 4-byte fields in this order. */
export interface Scalars {
  /** trials in this batch */
  B: number;
  /** posterior samples of each trial; R = B * S */
  S: number;
  /** 64-bit seed */
  seedLo: number;
  seedHi: number;
  /** noise of one step is unrelated to that of the next */
  step: number;
  /** 0 train, 1 evaluate, 2 posterior: unrelated noise for each */
  purpose: number;
  /** added to a trial's place in the batch when its noise is drawn */
  firstTrial: number;
  /** optimiser steps (fixed points: iterations) already made + 1: Adam's bias correction */
  count: number;
  /** fixed points: how many iterations to make; rows K in B */
  iterations: number;
  /** parts of the batch that are in the sums already */
  accumulated: number;
  klIcScale: number;
  klInputsScale: number;
  l2Scale: number;
  learningRate: number;
  /** this part's share of the batch's trials */
  share: number;
}

/** Order and kind of the scalars, as the executors lay them out. */
export const SCALARS = [
  ["B", "int"],
  ["S", "int"],
  ["seedLo", "int"],
  ["seedHi", "int"],
  ["step", "int"],
  ["purpose", "int"],
  ["firstTrial", "int"],
  ["count", "int"],
  ["iterations", "int"],
  ["accumulated", "int"],
  ["klIcScale", "float"],
  ["klInputsScale", "float"],
  ["l2Scale", "float"],
  ["learningRate", "float"],
  ["share", "float"],
] as const satisfies readonly (readonly [keyof Scalars, "int" | "float"])[];
