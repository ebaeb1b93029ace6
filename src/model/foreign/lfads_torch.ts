/**
 * Models of lfads-torch (https://github.com/arsedler9/lfads-torch), from their state dictionaries.
 *
 * There, `h' = z*h + (1-z)*n` with `z = sigmoid(W_z [x; h] + b)`, and gates stand in the order z, r, n:
 * ours are r, u = z, c = n, and u has a bias of +0.5 that is not a parameter. A GRU of lfads-torch applies
 * r before the product with W_n, as ours do; that of PyTorch does not. Everything else is a question of
 * order, and of the floor of variances; `names.ts` says where each array goes.
 */
import { InputError } from "../../errors.ts";
import {
  architecture,
  type Hyperparameters,
  type HyperparametersInput,
  parseHyperparameters,
} from "../hyperparameters.ts";
import { parameterLayout } from "../layout.ts";
import type { LfadsTorchReconstruction } from "./options.ts";
import { Checked, type ForeignTensors, MOST_PARAMETERS, requireParameters } from "./tensors.ts";

/** What a state dictionary does not tell: lfads-torch's hyperparameters, under its own defaults. */
export interface LfadsTorchOptions {
  /** `recon_seq_len`: bins of a trial */
  readonly bins: number;
  /** `encod_seq_len`: bins that the encoders see; default `bins` */
  readonly encodedBins?: number;
  /** `ic_enc_seq_len`; anything but 0 is refused; default 0 */
  readonly icEncSeqLen?: number;
  /** `ci_lag`; default 1 */
  readonly ciLag?: number;
  /** `cell_clip`; default 5 */
  readonly cellClip?: number;
  /** `ic_post_var_min`; default 1e-4 */
  readonly icPostVarMin?: number;
  /** the class of `reconstruction`; default `poisson`, of which PoissonBPS is one */
  readonly reconstruction?: LfadsTorchReconstruction;
  /** which session's `readin` and `readout`; needed where there are several */
  readonly session?: number;
  /** most parameters of the model */
  readonly maxParameters?: number;
}

/** A model, and what is not the same as it was there. */
export interface ForeignModel {
  readonly hyperparameters: Hyperparameters;
  readonly N: number;
  readonly T: number;
  readonly params_P: Float64Array;
  /** neurons that the encoders never see */
  readonly heldOut: readonly number[];
  /** sentences */
  readonly warnings: readonly string[];
}

/** Our gates r, u, c by their places there: z, r, n. */
const PLACES = [1, 0, 2] as const;

/** Added to u's pre-activation, and no parameter: docs/model.md, section 1. */
const UPDATE_BIAS = 0.5;

/** The logarithm of a variance that has a floor here and none there. */
function withoutFloor(variance: number, floor: number): number {
  return Math.log(Math.max(variance - floor, floor * 1e-6));
}

/** One GRU cell, by our gates. */
interface Cell {
  readonly input: (gate: number, unit: number, from: number) => number;
  readonly recurrent: (gate: number, unit: number, from: number) => number;
  readonly bias: (gate: number, unit: number) => number;
}

function cellOf(checked: Checked, name: string, n: number, inputs: number): Cell {
  const input = checked.take(`${name}.weight_ih`, [3 * n, inputs]);
  const recurrent = checked.take(`${name}.weight_hh`, [3 * n, n]);
  const inputBias = checked.take(`${name}.bias_ih`, [3 * n]);
  const recurrentBias = checked.take(`${name}.bias_hh`, [3 * n]);
  const row = (gate: number, unit: number) => PLACES[gate] * n + unit;
  return {
    input: (gate, unit, from) => input[row(gate, unit) * inputs + from],
    recurrent: (gate, unit, from) => recurrent[row(gate, unit) * n + from],
    bias: (gate, unit) =>
      inputBias[row(gate, unit)] + recurrentBias[row(gate, unit)] - (gate === 1 ? UPDATE_BIAS : 0),
  };
}

/** What stands between the neurons and the encoders: nothing, or a linear map. */
interface ReadIn {
  readonly neurons: number;
  /** of the weights `w(feature)`: what they are for a neuron */
  readonly compose: (w: (feature: number) => number, neuron: number) => number;
  /** and what the map's bias adds */
  readonly bias: (w: (feature: number) => number) => number;
}

function readInOf(checked: Checked, features: number, session: number): ReadIn {
  const name = `readin.${session}`;
  if (!checked.has(`${name}.weight`)) {
    return { neurons: features, compose: (w, neuron) => w(neuron), bias: () => 0 };
  }
  const neurons = checked.shape(`${name}.weight`, 2)[1];
  const weight = checked.take(`${name}.weight`, [features, neurons]);
  const b = checked.take(`${name}.bias`, [features]);
  const sum = (term: (feature: number) => number) => {
    let total = 0;
    for (let d = 0; d < features; d++) total += term(d);
    return total;
  };
  return {
    neurons,
    compose: (w, neuron) => sum((d) => w(d) * weight[d * neurons + neuron]),
    bias: (w) => sum((d) => w(d) * b[d]),
  };
}

/** The sessions that arrays `readin.0.…`, `readout.1.…` are of. */
function sessionOf(tensors: ForeignTensors, asked: number | undefined, action: string): number {
  const found = new Set<number>();
  for (const name of tensors.keys()) {
    const match = /^read(?:in|out)\.(\d{1,6})\./.exec(name);
    if (match) found.add(Number(match[1]));
  }
  const sessions = [...found].sort((a, b) => a - b);
  if (asked === undefined) {
    if (sessions.length <= 1) return sessions[0] ?? 0;
    throw new InputError(
      `${action}: expected --session, as there are several and a model is of one, found sessions ` +
        `${sessions.join(", ")} and none chosen.`,
    );
  }
  if (sessions.length === 0 || found.has(asked)) return asked;
  throw new InputError(
    `${action}: expected a session among ${sessions.join(", ")}, found ${asked}.`,
  );
}

/** Refuses what would not be the same model. */
function requireSupported(
  tensors: ForeignTensors,
  options: LfadsTorchOptions,
  action: string,
): void {
  const { icEncSeqLen = 0, cellClip = 5, icPostVarMin = 1e-4, bins, encodedBins = bins } = options;
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`${action}: expected ${wanted}, found ${found}.`);
  };
  if (icEncSeqLen !== 0) {
    fail(
      "ic_enc_seq_len 0: otherwise lfads-torch's encoders see one part of a trial each, which no model " +
        "here does",
      String(icEncSeqLen),
    );
  }
  if (!(cellClip >= 1)) {
    fail("a cell_clip of at least 1, so that states within ±1 are not clipped", String(cellClip));
  }
  if (!(icPostVarMin > 0 && icPostVarMin <= 1)) {
    fail("an ic_post_var_min above 0 and at most 1", String(icPostVarMin));
  }
  if (!Number.isSafeInteger(bins) || bins < 1) {
    fail("bins of a trial (--bins, recon_seq_len there)", String(bins));
  }
  if (!Number.isSafeInteger(encodedBins) || encodedBins < 1 || encodedBins > bins) {
    fail(`encoded bins from 1 to ${bins} (encod_seq_len there)`, String(encodedBins));
  }
  for (const name of tensors.keys()) {
    if (!/^recon\.\d+\.scale$/.test(name)) continue;
    fail(
      "a reconstruction whose parameters are linear in the factors or exponentials of that, as here",
      `${JSON.stringify(name)}: ZeroInflatedGamma scales sigmoids`,
    );
  }
}

/**
 * A model from a state dictionary of lfads-torch: its posterior means are those that lfads-torch
 * computes from the same data, but for rounding.
 *
 * @param action names what is being done, for messages
 * @throws {InputError} naming the array or the option that cannot be imported
 */
export function fromLfadsTorch(
  tensors: ForeignTensors,
  options: LfadsTorchOptions,
  action: string,
): ForeignModel {
  requireSupported(tensors, options, action);
  const { bins: T, encodedBins = T, ciLag = 1, cellClip = 5 } = options;
  const { icPostVarMin: floor = 1e-4, reconstruction = "poisson" } = options;
  const session = sessionOf(tensors, options.session, action);
  const t = new Checked(tensors, action);
  const warnings: string[] = [];

  const E = t.shape("encoder.ic_enc_h0", 3)[2];
  const features = t.shape("encoder.ic_enc.fwd_gru.cell.weight_ih", 2)[1];
  const readIn = readInOf(t, features, session);
  const [G, I] = t.shape("decoder.ic_to_g0.weight", 2);
  const F = t.shape("decoder.rnn.cell.fac_linear.weight", 2)[0];
  const controlled = t.has("encoder.ci_enc_h0");
  const V = controlled ? t.shape("encoder.ci_enc_h0", 3)[2] : 0;
  const C = controlled ? t.shape("decoder.con_h0", 2)[1] : 0;
  const U = controlled ? t.shape("decoder.rnn.cell.co_linear.weight", 2)[0] / 2 : 0;
  const X = t.shape("decoder.rnn.cell.gen_cell.weight_ih", 2)[1] - U;
  const K = { poisson: 1, mse: 1, gaussian: 2, gamma: 2 }[reconstruction];
  const readout = `readout.${session}`;
  const Q = t.has(`${readout}.weight`) ? t.shape(`${readout}.weight`, 2)[0] : F;
  const N = Q / K;
  if (!Number.isInteger(N) || N < readIn.neurons) {
    throw new InputError(
      `${action}: expected ${K} ${
        K === 1 ? "output" : "outputs"
      } of the readout for each of at least ` +
        `${readIn.neurons} encoded neurons, as with ${reconstruction}, found ${Q}.`,
    );
  }
  const given: HyperparametersInput = {
    cell: "gru",
    encoderUnits: E,
    initialConditionDims: I,
    controllerEncoderUnits: V,
    controllerLag: controlled ? ciLag : 0,
    firstFactors: "generator",
    controllerUnits: C,
    inferredInputs: U,
    generatorUnits: G,
    factors: F,
    observation: K === 2 || reconstruction === "mse"
      ? reconstruction === "gamma" ? "gamma" : "gaussian"
      : "poisson",
    externalInputs: X,
    encodedBins: encodedBins === T ? 0 : encodedBins,
    varMin: floor,
  };
  const hyperparameters = parseHyperparameters(given);
  const layout = parameterLayout(architecture(hyperparameters, T, N));
  requireParameters(layout.length, options.maxParameters ?? MOST_PARAMETERS, action);
  const params_P = new Float64Array(layout.length);
  /** Sets a slice, row by row: `[ins][outs]`. */
  const set = (
    name: string,
    [ins, outs]: readonly [number, number],
    at: (from: number, to: number) => number,
  ) => {
    const { offset, length } = layout.slice(name);
    if (length !== ins * outs) throw new Error(`${name} has ${length} numbers, not ${ins * outs}`);
    for (let i = 0; i < ins; i++) {
      for (let o = 0; o < outs; o++) params_P[offset + i * outs + o] = at(i, o);
    }
  };
  const vector = (name: string, n: number, at: (i: number) => number) =>
    set(name, [1, n], (_, i) => at(i));
  const linear = (theirs: string, w: string, b: string | null, [ins, outs]: [number, number]) => {
    const weight = t.take(`${theirs}.weight`, [outs, ins]);
    set(w, [ins, outs], (i, o) => weight[o * ins + i]);
    if (b === null) return;
    const bias = t.take(`${theirs}.bias`, [outs]);
    vector(b, outs, (i) => bias[i]);
  };
  const largest = (values: ArrayLike<number>) =>
    Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const requireUnclipped = (name: string, values: ArrayLike<number>) => {
    if (largest(values) <= cellClip) return;
    throw new InputError(
      `${action}: expected ${
        JSON.stringify(name)
      } within the cell_clip of ±${cellClip}, beyond which ` +
        `states are clipped there and not here, found ${largest(values)}.`,
    );
  };

  const encoder = (theirs: string, ours: string, n: number) => {
    const cells = ["fwd_gru", "bwd_gru"].map((direction) =>
      cellOf(t, `encoder.${theirs}_enc.${direction}.cell`, n, features)
    );
    const weights = (cell: Cell, column: number) => (feature: number) =>
      cell.input(Math.floor(column / n), column % n, feature);
    // neurons that are not encoded have weights of 0
    set(
      `${ours}.wInput_ND3E`,
      [N, 6 * n],
      (neuron, column) =>
        neuron < readIn.neurons
          ? readIn.compose(
            weights(cells[Math.floor(column / (3 * n))], column % (3 * n)),
            neuron,
          )
          : 0,
    );
    set(
      `${ours}.b_D3E`,
      [2, 3 * n],
      (d, column) =>
        cells[d].bias(Math.floor(column / n), column % n) +
        readIn.bias(weights(cells[d], column)),
    );
    set(
      `${ours}.wGates_DE2E`,
      [2 * n, 2 * n],
      (row, column) =>
        cells[Math.floor(row / n)].recurrent(Math.floor(column / n), column % n, row % n),
    );
    set(
      `${ours}.wCandidate_DEE`,
      [2 * n, n],
      (row, unit) => cells[Math.floor(row / n)].recurrent(2, unit, row % n),
    );
    const h0 = t.take(`encoder.${theirs}_enc_h0`, [2, 1, n]);
    requireUnclipped(`encoder.${theirs}_enc_h0`, h0);
    set(`${ours}.h0_DE`, [2, n], (d, unit) => h0[d * n + unit]);
  };

  encoder("ic", "encoder", E);
  // theirs are forward, backward; ours backward, forward
  const icWeight = t.take("encoder.ic_linear.weight", [2 * I, 2 * E]);
  const icBias = t.take("encoder.ic_linear.bias", [2 * I]);
  set(
    "initialCondition.w_2E2I",
    [2 * E, 2 * I],
    (end, o) => icWeight[o * 2 * E + (end + E) % (2 * E)],
  );
  vector("initialCondition.b_2I", 2 * I, (i) => icBias[i]);
  linear("decoder.ic_to_g0", "initialState.w_IG", "initialState.b_G", [I, G]);

  if (controlled) {
    encoder("ci", "controllerEncoder", V);
    const con = cellOf(t, "decoder.rnn.cell.con_cell", C, 2 * V + F);
    const gated = (from: number, column: number) =>
      con.input(Math.floor(column / C), column % C, from);
    set("controller.wEncoding_2E3C", [2 * V, 3 * C], gated);
    set("controller.wFactors_F3C", [F, 3 * C], (f, column) => gated(2 * V + f, column));
    vector("controller.b_3C", 3 * C, (column) => con.bias(Math.floor(column / C), column % C));
    set(
      "controller.wGates_C2C",
      [C, 2 * C],
      (from, column) => con.recurrent(Math.floor(column / C), column % C, from),
    );
    set("controller.wCandidate_CC", [C, C], (from, unit) => con.recurrent(2, unit, from));
    const h0 = t.take("decoder.con_h0", [1, C]);
    requireUnclipped("decoder.con_h0", h0);
    vector("controller.h0_C", C, (i) => h0[i]);
    linear("decoder.rnn.cell.co_linear", "inputs.w_C2U", "inputs.b_2U", [C, 2 * U]);
  } else if (t.has("decoder.con_h0")) {
    // lfads-torch makes one without a controller, too
    t.leave("decoder.con_h0");
  }

  const gen = cellOf(t, "decoder.rnn.cell.gen_cell", G, U + X);
  const driven = (from: number, column: number) =>
    gen.input(Math.floor(column / G), column % G, from);
  if (U > 0) set("generator.wInput_U3G", [U, 3 * G], driven);
  if (X > 0) set("generator.wExternal_X3G", [X, 3 * G], (x, column) => driven(U + x, column));
  set(
    "generator.wGates_G2G",
    [G, 2 * G],
    (from, column) => gen.recurrent(Math.floor(column / G), column % G, from),
  );
  set("generator.wCandidate_GG", [G, G], (from, unit) => gen.recurrent(2, unit, from));
  vector("generator.b_3G", 3 * G, (column) => gen.bias(Math.floor(column / G), column % G));
  linear("decoder.rnn.cell.fac_linear", "factors.w_GF", null, [G, F]);

  const [w, b] = K === 1 && reconstruction === "poisson"
    ? ["readout.w_FN", "readout.b_N"]
    : ["readout.w_FQ", "readout.b_Q"];
  const outputs = reconstruction === "mse" ? 2 * N : Q;
  const weight = t.has(`${readout}.weight`) ? t.take(`${readout}.weight`, [Q, F]) : null;
  const bias = weight && t.take(`${readout}.bias`, [Q]);
  // without a readout the factors are the outputs; the second half of an MSE is a fixed variance of 1/2
  set(w, [F, outputs], (f, q) => q >= Q ? 0 : weight ? weight[q * F + f] : f === q ? 1 : 0);
  vector(b, outputs, (q) => q >= Q ? withoutFloor(0.5, floor) : bias ? bias[q] : 0);

  priors();
  for (const name of tensors.keys()) {
    const match = /^read(?:in|out)\.(\d{1,6})\.(?:weight|bias)$/.exec(name);
    if (match && Number(match[1]) !== session) t.leave(name);
  }
  t.done();
  say();
  const heldOut = Array.from({ length: N - readIn.neurons }, (_, i) => readIn.neurons + i);
  return { hyperparameters, N, T, params_P, heldOut, warnings };

  function priors() {
    const { icPriorVar, inputPriorTau, inputPriorNoiseVar } = hyperparameters;
    const none: string[] = [];
    if (t.has("ic_prior.logvar")) {
      const mean = t.take("ic_prior.mean", [I]), logVar = t.take("ic_prior.logvar", [I]);
      vector("icPrior.mean_I", I, (i) => mean[i]);
      vector("icPrior.logVar_I", I, (i) => withoutFloor(Math.exp(logVar[i]), floor));
    } else if (t.has("ic_prior.logscale")) {
      const mean = t.take("ic_prior.loc", [I]), logScale = t.take("ic_prior.logscale", [I]);
      vector("icPrior.mean_I", I, (i) => mean[i]);
      vector("icPrior.logVar_I", I, (i) => withoutFloor(Math.exp(2 * logScale[i]), floor));
      warnings.push(
        "The initial condition has Student's t as its prior and posterior there, and a normal of the " +
          "same location and scale here: posterior means are the same, samples are not.",
      );
    } else {
      none.push("ic_prior");
      vector("icPrior.logVar_I", I, () => Math.log(icPriorVar));
    }
    if (!controlled) {
      for (const name of ["mean", "logvar", "logtaus", "lognvars", "loc", "logscale"]) {
        t.leave(`co_prior.${name}`);
      }
    } else if (t.has("co_prior.logtaus")) {
      const tau = t.take("co_prior.logtaus", [U]), noise = t.take("co_prior.lognvars", [U]);
      vector("inputPrior.logTau_U", U, (i) => tau[i]);
      vector("inputPrior.logNoiseVar_U", U, (i) => withoutFloor(Math.exp(noise[i]), floor));
    } else if (t.has("co_prior.logvar")) {
      const mean = t.take("co_prior.mean", [U]), logVar = t.take("co_prior.logvar", [U]);
      vector("inputPrior.mean_U", U, (i) => mean[i]);
      // φ = exp(-1/τ) below 1e-23: no correlation from bin to bin
      vector("inputPrior.logTau_U", U, () => -4);
      vector("inputPrior.logNoiseVar_U", U, (i) => withoutFloor(Math.exp(logVar[i]), floor));
    } else {
      none.push("co_prior");
      vector("inputPrior.logTau_U", U, () => Math.log(inputPriorTau));
      vector("inputPrior.logNoiseVar_U", U, () => Math.log(inputPriorNoiseVar));
    }
    if (none.length > 0) {
      warnings.push(
        `There is no ${
          none.join(" nor ")
        }: it is started afresh. Infer a model that is not variational ` +
          `with posterior means.`,
      );
    }
  }

  function say() {
    warnings.push(
      `There, states are clipped to ±${cellClip}; here they are not. A state passes ±1 only from a start ` +
        `beyond it: outputs differ for trials whose gen_init passes ±${cellClip}, and for no others.`,
    );
    if (controlled) {
      warnings.push(
        `The variances of inferred inputs have a floor of ${floor} here and none there: posterior means ` +
          `are the same, samples are wider.`,
      );
    }
    if (reconstruction === "gaussian") {
      warnings.push(
        `The variances of the data have a floor of ${floor} here, and of 1e-6 there: means are the same, ` +
          `likelihoods are not.`,
      );
    }
    if (reconstruction === "mse") {
      warnings.push("The squared error is a Gaussian of variance 1/2 here.");
    }
    if (t.has(`readin.${session}.weight`)) {
      warnings.push("The read-in is part of the encoders' input weights here.");
    }
  }
}
