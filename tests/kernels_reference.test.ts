/**
 * Every kernel of the reference alone: its backward pass against differences of its forward pass in
 * float64, on random shapes with sizes of 1 and non-multiples of 4.
 *
 * Each test makes a scalar L of the kernel's outputs by a random weighting (the cotangent), hands the
 * weights to the backward pass as incoming gradients, and compares the derivative of L along a random
 * direction through each input with the gradient that the backward pass gives. The bound comes from
 * the differences alone (see
 * `smoothDerivative`); a direction whose bound is no use fails.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { smoothDerivative } from "../src/check/differences.ts";
import { scalars } from "../src/compute/executor.ts";
import {
  type Args,
  type KernelName,
  KERNELS,
  LOSSES,
  MAX_LOG_RATE,
} from "../src/compute/kernels.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { adam } from "../src/reference/adam.ts";
import { average_samples } from "../src/reference/average_samples.ts";
import { controller_input, controller_input_backward } from "../src/reference/controller_input.ts";
import { decoder } from "../src/reference/decoder.ts";
import { decoder_backward } from "../src/reference/decoder_backward.ts";
import { encoder, encoder_backward } from "../src/reference/encoder.ts";
import { encoder_input } from "../src/reference/encoder_input.ts";
import { fixed_points } from "../src/reference/fixed_points.ts";
import { gru, gruBackward } from "../src/reference/gru.ts";
import { posterior_rates } from "../src/reference/posterior_rates.ts";
import { prepare } from "../src/reference/prepare.ts";
import { readout } from "../src/reference/readout.ts";
import { reduce } from "../src/reference/reduce.ts";
import { vanilla, vanillaBackward } from "../src/reference/vanilla.ts";
import { type LoadedJob, weight_gradients } from "../src/reference/weight_gradients.ts";

const RUNS = 12;
const size = fc.integer({ min: 1, max: 6 });
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

/** Draws that follow from a seed alone. */
class Draws {
  #row = 0;
  constructor(readonly seed: number) {}

  normals(length: number, scale = 1, shift = 0): Float64Array {
    const at = { ...seedWords(this.seed), stream: STREAMS.initialise };
    return fillNormal(at, this.#row++, new Float64Array(length)).map((x) => x * scale + shift);
  }

  /** 0 or 1, mostly 1 */
  mask(length: number): Float64Array {
    return this.normals(length).map((x) => x > -0.7 ? 1 : 0);
  }

  /** whole numbers from 0 to about 4 */
  counts(length: number): Float64Array {
    return this.normals(length).map((x) => Math.floor(Math.abs(2 * x)));
  }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

type Arrays = Readonly<Record<string, Float64Array>>;

/**
 * Asserts that `gradients` are the derivatives of `L` by each of `inputs`.
 *
 * A value of L errs by at most `steps` roundings of its terms, whose magnitudes sum to about 1 + |L| +
 * the largest change over the directions' reach; ten times that is allowed for terms that cancel.
 *
 * @param L null where a kink lies between `inputs` and the place: the direction is left out
 * @param steps dependent operations in one evaluation
 * @returns how many directions were compared
 */
async function assertGradients(
  inputs: Arrays,
  L: (inputs: Arrays) => number | null,
  gradients: Arrays,
  steps: number,
  draws: Draws,
): Promise<number> {
  const here = Math.abs(L(inputs)!);
  const rounding = 10 * steps * Number.EPSILON * (1 + here);
  assert.deepEqual(Object.keys(gradients).sort(), Object.keys(inputs).sort());
  let compared = 0;
  for (const [name, values] of Object.entries(inputs)) {
    const raw = draws.normals(values.length);
    const length = Math.sqrt(dot(raw, raw));
    const direction = raw.map((x) => x / length);
    const along = (s: number) =>
      L({ ...inputs, [name]: values.map((x, i) => x + s * direction[i]) });
    const found = await smoothDerivative(along, rounding);
    if (!found) continue;
    compared++;
    const scale = 1 + here + Math.sqrt(dot(gradients[name], gradients[name]));
    assert.ok(found.bound <= 1e-5 * scale, `${name}: differences say nothing, ±${found.bound}`);
    const ours = dot(gradients[name], direction);
    assert.ok(
      Math.abs(ours - found.value) <= found.bound,
      `${name}: gradient ${ours}, differences ${found.value} ± ${found.bound}`,
    );
  }
  return compared;
}

/** `Σ_rows a[row]ᵀ d[row]`: the gradient of a matrix `[m][n]` in front of pre-activations. */
function outer(rows: number, a: Float64Array, m: number, d: Float64Array, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) out[i * n + j] += a[row * m + i] * d[row * n + j];
    }
  }
  return out;
}

/** Columns `first … first + n` of rows of `stride`. */
function columns(a: Float64Array, stride: number, first: number, n: number): Float64Array {
  return Float64Array.from(
    { length: a.length / stride * n },
    (_, i) => a[Math.floor(i / n) * stride + first + i % n],
  );
}

function columnSums(a: Float64Array, n: number): Float64Array {
  const sums = new Float64Array(n);
  a.forEach((x, i) => sums[i % n] += x);
  return sums;
}

/** A kernel's arguments; the buffers that are not given are absent. */
function args<K extends KernelName>(kernel: K, given: Partial<Args<K>>): Args<K> {
  const none = Object.fromEntries(
    KERNELS[kernel].buffers.map((name) => [name.replace("?", ""), new Float64Array(0)]),
  );
  return { ...none, ...given } as Args<K>;
}

Deno.test("the gradient of a GRU step is its derivative", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, size, async (seed, n) => {
      const draws = new Draws(seed);
      const inputs = {
        h: draws.normals(n),
        pre: draws.normals(3 * n),
        wGates: draws.normals(n * 2 * n, 0.7),
        wCandidate: draws.normals(n * n, 0.7),
      };
      const dNext = draws.normals(n);
      const forward = ({ h, pre, wGates, wCandidate }: Arrays) => {
        const gates = pre.slice(), reset = new Float64Array(n), next = new Float64Array(n);
        const w = { n, wGates_n2n: wGates, wCandidate_nn: wCandidate };
        gru(w, [h, 0], [gates, 0], [reset, 0], [next, 0]);
        return { w, gates, reset, next };
      };
      const { w, gates, reset } = forward(inputs);
      const dState = dNext.slice();
      gruBackward(w, [inputs.h, 0], [gates, 0], dState);
      await assertGradients(
        inputs,
        (x) => dot(dNext, forward(x).next),
        {
          h: dState,
          pre: gates,
          wGates: outer(1, inputs.h, n, gates.subarray(0, 2 * n), 2 * n),
          wCandidate: outer(1, reset, n, gates.subarray(2 * n), n),
        },
        8 * n,
        draws,
      );
    }),
    { numRuns: RUNS },
  );
});

Deno.test("the gradient of a vanilla step is its derivative, for every nonlinearity", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, size, fc.constantFrom(0, 1, 2), async (seed, n, nonlinearity) => {
      const draws = new Draws(seed);
      // A relu at least 0.3 from its kink stays on its side: a unit direction's reach is 4 · 2^-7.
      const w = draws.normals(n * n, 0.1);
      const h = draws.normals(n, 0.1);
      const pre = draws.normals(n).map((x) => x + Math.sign(x) * (0.3 + 0.1 * n));
      const inputs = { h, pre, w };
      const dNext = draws.normals(n);
      const forward = ({ h, pre, w }: Arrays) => {
        const gates = pre.slice();
        vanilla(n, nonlinearity, w, [h, 0], [gates, 0]);
        return gates;
      };
      const gates = forward(inputs);
      const dState = dNext.slice();
      vanillaBackward(n, nonlinearity, w, [gates, 0], dState);
      await assertGradients(
        inputs,
        (x) => dot(dNext, forward(x)),
        { h: dState, pre: gates, w: outer(1, h, n, gates, n) },
        4 * n,
        draws,
      );
    }),
    { numRuns: 3 * RUNS },
  );
});

Deno.test("encoder_backward gives the derivatives of both sweeps", async () => {
  const shape = fc.record({ seed: seeds, T: size, B: size, E: size, controlled: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(shape, async ({ seed, T, B, E, controlled }) => {
      const draws = new Draws(seed);
      const inputs = {
        pre: draws.normals(T * B * 6 * E),
        wGates: draws.normals(2 * E * 2 * E, 0.6),
        wCandidate: draws.normals(2 * E * E, 0.6),
        h0: draws.normals(2 * E),
      };
      const dEnds_B2E = draws.normals(B * 2 * E);
      const dEnc_TB2E = controlled ? draws.normals(T * B * 2 * E) : new Float64Array(0);
      const run = scalars({ B });
      const forward = ({ pre, wGates, wCandidate, h0 }: Arrays) => {
        const a = {
          T,
          E,
          gates_TBD3E: pre.slice(),
          wGates_DE2E: wGates,
          wCandidate_DEE: wCandidate,
          h0_DE: h0,
          forward_HBE: new Float64Array((T + 1) * B * E),
          backward_HBE: new Float64Array((T + 1) * B * E),
          reset_TBDE: new Float64Array(T * B * 2 * E),
        };
        encoder(a, run);
        return a;
      };
      const a = forward(inputs);
      const dStart_BDE = new Float64Array(B * 2 * E);
      encoder_backward({ ...a, dEnds_B2E, dEnc_TB2E, dStart_BDE }, run);
      // ends = [backward at bin 0 ; forward at bin T-1], enc_t = [forward after t ; backward from t]
      const L = (x: Arrays) => {
        const { forward_HBE, backward_HBE } = forward(x);
        let sum = 0;
        for (let b = 0; b < B; b++) {
          for (let e = 0; e < E; e++) {
            sum += dEnds_B2E[b * 2 * E + e] * backward_HBE[b * E + e];
            sum += dEnds_B2E[b * 2 * E + E + e] * forward_HBE[(T * B + b) * E + e];
            for (let t = 0; controlled && t < T; t++) {
              const row = t * B + b;
              sum += dEnc_TB2E[row * 2 * E + e] * forward_HBE[(row + B) * E + e];
              sum += dEnc_TB2E[row * 2 * E + E + e] * backward_HBE[row * E + e];
            }
          }
        }
        return sum;
      };
      const before = [a.forward_HBE.subarray(0, T * B * E), a.backward_HBE.subarray(B * E)];
      const wGates = [0, 1].flatMap((d) => [
        ...outer(T * B, before[d], E, columns(a.gates_TBD3E, 6 * E, d * 3 * E, 2 * E), 2 * E),
      ]);
      const wCandidate = [0, 1].flatMap((d) => [
        ...outer(
          T * B,
          columns(a.reset_TBDE, 2 * E, d * E, E),
          E,
          columns(a.gates_TBD3E, 6 * E, d * 3 * E + 2 * E, E),
          E,
        ),
      ]);
      await assertGradients(
        inputs,
        L,
        {
          pre: a.gates_TBD3E,
          wGates: Float64Array.from(wGates),
          wCandidate: Float64Array.from(wCandidate),
          h0: columnSums(dStart_BDE, 2 * E),
        },
        8 * E * T + 2 * T * B * E,
        draws,
      );
    }),
    { numRuns: RUNS },
  );
});

Deno.test("controller_input_backward gives the derivative by the encodings, through dropout", async () => {
  const shape = fc.record({ seed: seeds, T: size, B: size, E: size, C: size });
  await fc.assert(
    fc.asyncProperty(shape, async ({ seed, T, B, E, C }) => {
      const draws = new Draws(seed);
      const inputs = {
        states: draws.normals(2 * (T + 1) * B * E),
        wEncoding: draws.normals(2 * E * 3 * C),
        b: draws.normals(3 * C),
      };
      const keepEnc_BT2E = draws.mask(B * T * 2 * E);
      const dConInput = draws.normals(T * B * 3 * C);
      const run = scalars({ B });
      const H = (T + 1) * B * E;
      const forward = ({ states, wEncoding, b }: Arrays) => {
        const a = {
          T,
          E,
          C,
          encoderT: T,
          lag: 0,
          dropout: 1,
          keepRate: 0.8,
          keepEnc_BT2E,
          forward_HBE: states.subarray(0, H),
          backward_HBE: states.subarray(H),
          wEncoding_2E3C: wEncoding,
          b_3C: b,
          enc_TB2E: new Float64Array(T * B * 2 * E),
          conInput_TB3C: new Float64Array(T * B * 3 * C),
        };
        controller_input(a, run);
        return a;
      };
      const a = forward(inputs);
      const dEnc_TB2E = new Float64Array(T * B * 2 * E);
      controller_input_backward({ ...a, conGates_TR3C: dConInput, dEnc_TB2E }, run);
      const states = new Float64Array(2 * H);
      for (let row = 0; row < T * B; row++) {
        states.set(dEnc_TB2E.subarray(row * 2 * E, row * 2 * E + E), (row + B) * E);
        states.set(dEnc_TB2E.subarray(row * 2 * E + E, (row + 1) * 2 * E), H + row * E);
      }
      await assertGradients(
        inputs,
        (x) => dot(dConInput, forward(x).conInput_TB3C),
        {
          states,
          wEncoding: outer(T * B, a.enc_TB2E, 2 * E, dConInput, 3 * C),
          b: columnSums(dConInput, 3 * C),
        },
        2 * E + 3 * C * T * B,
        draws,
      );
    }),
    { numRuns: RUNS },
  );
});

interface DecoderShape {
  readonly seed: number;
  readonly T: number;
  readonly B: number;
  readonly E: number;
  readonly C: number;
  readonly U: number;
  readonly G: number;
  readonly F: number;
  readonly cell: number;
  readonly nonlinearity: number;
  readonly klScale: number;
  readonly dropout: number;
  /** dimensions of the initial condition; 0: it is g0 */
  readonly start: number;
  readonly external: boolean;
  readonly firstFactors: number;
}

/** A decoder with everything that it reads, and its loss: factors by a cotangent, and both KL terms. */
function decoderCase(shape: DecoderShape, draws: Draws) {
  const { T, B, E, U, G, F, cell, klScale } = shape;
  const C = U > 0 ? shape.C : 0;
  const I = shape.start || G, direct = shape.start === 0;
  const width = cell === 1 ? 3 * G : G;
  const H = T + 1;
  const controller: Arrays = U === 0 ? {} : {
    conInput_TB3C: draws.normals(T * B * 3 * C),
    wConFactors_F3C: draws.normals(F * 3 * C, 0.6),
    wConGates_C2C: draws.normals(C * 2 * C, 0.6),
    wConCandidate_CC: draws.normals(C * C, 0.6),
    h0Con_C: draws.normals(C),
    wOut_C2U: draws.normals(C * 2 * U, 0.6),
    bOut_2U: draws.normals(2 * U, 0.5, -0.5),
    inputPriorMean_U: draws.normals(U, 0.5),
    inputPriorLogTau_U: draws.normals(U, 0.5, 0.5),
    inputPriorLogNoiseVar_U: draws.normals(U, 0.5, -1),
    wGenInput: draws.normals(U * width, 0.6),
  };
  const inputs: Arrays = {
    ends: draws.normals(B * 2 * E),
    wInitial_2E2I: draws.normals(2 * E * 2 * I, 0.5),
    bInitial_2I: draws.normals(2 * I, 0.5, -0.5),
    icPriorMean_I: draws.normals(I, 0.5),
    icPriorLogVar_I: draws.normals(I, 0.5, -1),
    ...(direct ? {} : { wStart_IG: draws.normals(I * G, 0.6), bStart_G: draws.normals(G, 0.5) }),
    ...(shape.external ? { genInput_TBW: draws.normals(T * B * width, 0.5) } : {}),
    ...controller,
    wGenRecurrent: draws.normals(G * (cell === 1 ? 2 * G : G), 0.6),
    ...(cell === 1 && { wGenCandidate_GG: draws.normals(G * G, 0.6) }),
    // with external inputs the bias is part of their sum
    ...(shape.external ? {} : { bGen: draws.normals(width, 0.5) }),
    factorsHat_GF: draws.normals(G * F, 0.6),
  };
  const fixed = {
    ...shape,
    C,
    I,
    encoderT: T,
    sample: 1,
    draw: 0,
    dropoutGen: shape.dropout,
    keepRate: 0.8,
    keepRateGen: 0.9,
    varMin: 1e-3,
    keepEnds_B2E: draws.mask(B * 2 * E),
    keepGen_RTG: draws.mask(B * T * G),
    epsIc_RI: draws.normals(B * I),
    epsInputs_TRU: draws.normals(T * B * U),
  };
  const cotangent = draws.normals(T * B * F);
  const run = scalars({ B, klIcScale: klScale, klInputsScale: klScale });
  const forward = ({ ends, ...given }: Arrays) => {
    // the decoder reads the encoder's states only at the ends: backward at bin 0, forward at bin T-1
    const forward_HBE = new Float64Array(H * B * E), backward_HBE = new Float64Array(H * B * E);
    for (let b = 0; b < B; b++) {
      backward_HBE.set(ends.subarray(b * 2 * E, b * 2 * E + E), b * E);
      forward_HBE.set(ends.subarray(b * 2 * E + E, (b + 1) * 2 * E), (T * B + b) * E);
    }
    const a = args("decoder", {
      ...fixed,
      ...given,
      forward_HBE,
      backward_HBE,
      ends_B2E: new Float64Array(B * 2 * E),
      ic_B2I: new Float64Array(B * 2 * I),
      z_RI: new Float64Array(direct ? 0 : B * I),
      con_HRC: new Float64Array(H * B * C),
      conGates_TR3C: new Float64Array(T * B * 3 * C),
      conReset_TRC: new Float64Array(T * B * C),
      inputParams_TR2U: new Float64Array(T * B * 2 * U),
      inputs_TRU: new Float64Array(T * B * U),
      gen_HRG: new Float64Array(H * B * G),
      genGates: new Float64Array(T * B * width),
      genReset_TRG: new Float64Array(cell === 1 ? T * B * G : 0),
      factors_HRF: new Float64Array(H * B * F),
      klIc_R: new Float64Array(B),
      klInputs_R: new Float64Array(U > 0 ? B : 0),
    });
    decoder(a, run);
    return a;
  };
  const active = (a: Args<"decoder">) => a.genGates.map((x) => x > 0 ? 1 : 0).join("");
  const here = active(forward(inputs));
  const L = (x: Arrays) => {
    const a = forward(x);
    if (cell === 0 && shape.nonlinearity === 1 && active(a) !== here) return null;
    const kl = [...a.klIc_R, ...a.klInputs_R].reduce((sum, x) => sum + x, 0);
    return dot(cotangent, a.factors_HRF.subarray(B * F)) + klScale / B * kl;
  };
  return { inputs, forward, L, cotangent, run, C, I, width };
}

/** The gradients by every input of `decoderCase`, from decoder_backward's pre-activations. */
function decoderGradients(shape: DecoderShape, test: ReturnType<typeof decoderCase>): Arrays {
  const { T, B, E, U, G, F, cell } = shape;
  const { inputs, forward, cotangent, run, C, I, width } = test;
  const R = T * B;
  const a = args("decoder_backward", {
    ...forward(inputs),
    // whatever stood in slot 0 before
    dFactors_HRF: Float64Array.from([...new Float64Array(B * F).fill(7), ...cotangent]),
    dIc_B2I: new Float64Array(B * 2 * I),
    dStart_BG: new Float64Array(shape.start === 0 ? 0 : B * G),
    dEnds_B2E: new Float64Array(B * 2 * E),
    dIcPrior_B2I: new Float64Array(B * 2 * I),
    dInputParams_TB2U: new Float64Array(R * 2 * U),
    dInputPrior_B3U: new Float64Array(B * 3 * U).fill(7), // whatever stood there before
    dStartCon_BC: new Float64Array(B * C),
  });
  decoder_backward(a, run);
  const icPrior = columnSums(a.dIcPrior_B2I, 2 * I);
  const inputPrior = columnSums(a.dInputPrior_B3U, 3 * U);
  const states = a.gen_HRG.subarray(0, R * G);
  const factorsBefore = a.factors_HRF.subarray(0, R * F);
  const conBefore = a.con_HRC.subarray(0, R * C), conAfter = a.con_HRC.subarray(B * C);
  const gates = columns(a.genGates, width, 0, cell === 1 ? 2 * G : G);
  const conGates = columns(a.conGates_TR3C, 3 * C || 1, 0, 2 * C);
  return {
    ends: a.dEnds_B2E,
    wInitial_2E2I: outer(B, a.ends_B2E, 2 * E, a.dIc_B2I, 2 * I),
    bInitial_2I: columnSums(a.dIc_B2I, 2 * I),
    icPriorMean_I: icPrior.slice(0, I),
    icPriorLogVar_I: icPrior.slice(I),
    ...(shape.start > 0 && {
      wStart_IG: outer(B, a.z_RI, I, a.dStart_BG, G),
      bStart_G: columnSums(a.dStart_BG, G),
    }),
    ...(shape.external && { genInput_TBW: a.genGates }),
    ...(U > 0 && {
      conInput_TB3C: a.conGates_TR3C,
      wConFactors_F3C: outer(R, factorsBefore, F, a.conGates_TR3C, 3 * C),
      wConGates_C2C: outer(R, conBefore, C, conGates, 2 * C),
      wConCandidate_CC: outer(R, a.conReset_TRC, C, columns(a.conGates_TR3C, 3 * C, 2 * C, C), C),
      h0Con_C: columnSums(a.dStartCon_BC, C),
      wOut_C2U: outer(R, conAfter, C, a.dInputParams_TB2U, 2 * U),
      bOut_2U: columnSums(a.dInputParams_TB2U, 2 * U),
      inputPriorMean_U: inputPrior.slice(0, U),
      inputPriorLogTau_U: inputPrior.slice(U, 2 * U),
      inputPriorLogNoiseVar_U: inputPrior.slice(2 * U),
      wGenInput: outer(R, a.inputs_TRU, U, a.genGates, width),
    }),
    wGenRecurrent: outer(R, states, G, gates, cell === 1 ? 2 * G : G),
    ...(cell === 1 && {
      wGenCandidate_GG: outer(R, a.genReset_TRG, G, columns(a.genGates, 3 * G, 2 * G, G), G),
    }),
    ...(shape.external ? {} : { bGen: columnSums(a.genGates, width) }),
    factorsHat_GF: outer(R + B, a.gen_HRG, G, a.dFactors_HRF, F),
  };
}

Deno.test("decoder_backward gives the derivatives by everything the decoder reads, KL terms included", async () => {
  const shapes = fc.record({
    seed: seeds,
    T: size,
    B: fc.integer({ min: 1, max: 3 }),
    E: size,
    C: size,
    U: fc.integer({ min: 0, max: 5 }),
    G: size,
    F: size,
    cell: fc.constantFrom(0, 1),
    nonlinearity: fc.constantFrom(0, 1, 2),
    klScale: fc.constantFrom(0, 0.3, 1),
    dropout: fc.constantFrom(0, 1),
    start: fc.oneof(fc.constant(0), size),
    external: fc.boolean(),
    firstFactors: fc.constantFrom(0, 1),
  });
  let compared = 0, wanted = 0;
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const draws = new Draws(shape.seed);
      const test = decoderCase(shape, draws);
      const { T, E, U, G, F } = shape;
      const steps = T * (2 * E + 3 * test.C + 2 * U + 3 * G + F);
      const gradients = decoderGradients(shape, test);
      compared += await assertGradients(test.inputs, test.L, gradients, steps, draws);
      wanted += Object.keys(test.inputs).length;
    }),
    { numRuns: 4 * RUNS },
  );
  assert.ok(compared > wanted / 2, `only ${compared} of ${wanted} directions met no kink`);
});

Deno.test("readout gives the derivatives of the Poisson loss by factors, weights and biases", async () => {
  const shape = fc.record({ seed: seeds, T: size, B: size, N: size, F: size });
  await fc.assert(
    fc.asyncProperty(shape, async ({ seed, T, B, N, F }) => {
      const draws = new Draws(seed);
      const inputs = {
        factors: draws.normals(T * B * F),
        w: draws.normals(F * N, 0.5),
        b: draws.normals(N),
      };
      const trials = B + 1;
      const counts = draws.counts(trials * T * N);
      const trials_B = Float64Array.from({ length: B }, (_, b) => (b * 2 + seed) % trials);
      const run = scalars({ B });
      const forward = ({ factors, w, b }: Arrays, gradient: number) => {
        const a = args("readout", {
          T,
          N,
          F,
          element: 0,
          gradient,
          factors_HRF: Float64Array.from([...new Float64Array(B * F).fill(9), ...factors]),
          w_FN: w,
          b_N: b,
          counts,
          trials_B,
          logRates_TRN: new Float64Array(T * B * N),
          dFactors_HRF: new Float64Array(gradient ? (T + 1) * B * F : 0),
          nll_R: new Float64Array(B),
        });
        readout(a, run);
        return a;
      };
      const L = (x: Arrays) => columnSums(forward(x, 0).nll_R, 1)[0] / B;
      const a = forward(inputs, 1);
      assert.equal(columnSums(a.nll_R, 1)[0] / B, L(inputs), "the loss is the same with gradients");
      const d = a.logRates_TRN;
      await assertGradients(
        inputs,
        L,
        {
          factors: a.dFactors_HRF.subarray(B * F),
          w: outer(T * B, inputs.factors, F, d, N),
          b: columnSums(d, N),
        },
        // log-rates of a few e-folds: terms cancel, so 20 times as many
        20 * T * B * N,
        draws,
      );
    }),
    { numRuns: RUNS },
  );
});

Deno.test("prepare and reduce: the gradient through the norms, the L2 term, and the sums of the loss", async () => {
  const shape = fc.record({
    seed: seeds,
    G: size,
    F: size,
    B: size,
    l2: fc.constantFrom(0, 0.1),
    rest: size,
    controlled: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ seed, G, F, B, l2, rest, controlled }) => {
      const draws = new Draws(seed);
      // the factors' weights stand in the middle of the parameters
      const P = G * F + 2 * rest;
      const params = draws.normals(P);
      // Ŵ of a short row turns fast: keep norms above the reach of the differences
      for (let f = 0; f < F; f++) params[rest + f] += Math.sign(params[rest + f]);
      const inputs = { params };
      const cotangent = draws.normals(G * F), others = draws.normals(P);
      others.fill(0, rest, rest + G * F);
      const hat = (params_P: Float64Array) => {
        const w_GF = params_P.subarray(rest, rest + G * F);
        const a = {
          G,
          F,
          w_GF,
          factorsHat_GF: new Float64Array(G * F),
          norms_F: new Float64Array(F),
        };
        prepare(a);
        return a;
      };
      const grads_P = others.slice();
      grads_P.set(cotangent, rest);
      const perTrial = () => draws.normals(B);
      const nll_R = perTrial(), klIc_R = perTrial();
      const klInputs_R = controlled ? perTrial() : new Float64Array(0);
      const run = scalars({ B, klIcScale: 0.4, klInputsScale: 0.3 });
      const { w_GF, norms_F } = hat(params);
      const losses = new Float64Array(LOSSES.length);
      const dw_GF = grads_P.subarray(rest, rest + G * F);
      reduce(
        args("reduce", {
          P,
          G,
          F,
          gradient: 1,
          params_P: params,
          l2_P: new Float64Array(P).fill(l2),
          grads_P,
          w_GF,
          dw_GF,
          norms_F,
          nll_R,
          klIc_R,
          klInputs_R,
          losses,
        }),
        run,
      );
      const L = ({ params }: Arrays) =>
        dot(cotangent, hat(params).factorsHat_GF) + dot(others, params) + l2 * dot(params, params);
      await assertGradients(inputs, L, { params: grads_P }, 4 * P, draws);

      const mean = (values: Float64Array) =>
        dot(values, new Float64Array(values.length).fill(1 / B));
      const [total, nll, klIc, klInputs, penalty, gradNorm] = losses;
      // sums of at most P or B terms in another order
      const near = (got: number, want: number, size: number) =>
        assert.ok(Math.abs(got - want) <= 4 * (P + B) * Number.EPSILON * size, `${got} ${want}`);
      const sizeOf = (values: Float64Array) => mean(values.map(Math.abs));
      near(nll, mean(nll_R), sizeOf(nll_R));
      near(klIc, mean(klIc_R), sizeOf(klIc_R));
      near(klInputs, mean(klInputs_R), sizeOf(klInputs_R));
      near(penalty, l2 * dot(params, params), penalty);
      near(gradNorm, Math.sqrt(dot(grads_P, grads_P)), gradNorm);
      const size = sizeOf(nll_R) + sizeOf(klIc_R) + sizeOf(klInputs_R) + penalty;
      near(total, nll + 0.4 * klIc + 0.3 * klInputs + penalty, size);
    }),
    { numRuns: 2 * RUNS },
  );
});

Deno.test("every factor's weights of Ŵ have length 1 and keep their direction", () => {
  fc.assert(
    fc.property(seeds, size, size, (seed, G, F) => {
      const w_GF = new Draws(seed).normals(G * F);
      const factorsHat_GF = new Float64Array(G * F), norms_F = new Float64Array(F);
      prepare({ G, F, w_GF, factorsHat_GF, norms_F });
      for (let f = 0; f < F; f++) {
        const hat = columns(factorsHat_GF, F, f, 1), w = columns(w_GF, F, f, 1);
        // G squares, a root and G quotients: at most G + 3 roundings of relative size ε
        const bound = (G + 3) * Number.EPSILON;
        assert.ok(Math.abs(dot(hat, hat) - 1) <= 2 * bound);
        assert.ok(Math.abs(dot(hat, w) - norms_F[f]) <= 2 * bound * norms_F[f]);
      }
    }),
    { numRuns: RUNS },
  );
});

Deno.test("weight_gradients: each job is the derivative of Σ d · (a W), which is linear in W", () => {
  const shape = fc.record({
    seed: seeds,
    T: fc.integer({ min: 0, max: 5 }),
    B: size,
    m: size,
    n: size,
    aSlot: fc.constantFrom(0, 1),
    pad: fc.integer({ min: 0, max: 3 }),
    bias: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ seed, T, B, m, n, aSlot, pad, bias }) => {
      const draws = new Draws(seed);
      const rows = T * B, M = bias ? 1 : m;
      const aStride = M + pad, dStride = n + 2 * pad;
      const a = bias ? null : draws.normals((T + 1) * B * aStride);
      const d = draws.normals(Math.max(1, rows) * dStride);
      const out = new Float64Array(M * n).fill(NaN); // whatever stood there before
      const job: LoadedJob = { a, d, out, m: M, n, aStride, dStride, T, aSlot, sparse: 0 };
      weight_gradients([job], scalars({ B }));
      const W = draws.normals(M * n);
      let L = 0, magnitude = 0;
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < M; i++) {
          const left = a ? a[(row + aSlot * B) * aStride + i] : 1;
          for (let j = 0; j < n; j++) {
            const term = left * W[i * n + j] * d[row * dStride + j];
            L += term;
            magnitude += Math.abs(term);
          }
        }
      }
      const bound = (rows * m * n + 3) * Number.EPSILON * magnitude;
      assert.ok(Math.abs(dot(out, W) - L) <= bound, `${dot(out, W)} and ${L}`);
    }),
    { numRuns: 3 * RUNS },
  );
});

Deno.test("adam is Kingma and Ba's formula with eps outside the root, on the clipped gradient", () => {
  const shape = fc.record({
    seed: seeds,
    P: size,
    steps: fc.integer({ min: 1, max: 5 }),
    maxNorm: fc.constantFrom(0.5, 1e6),
  });
  fc.assert(
    fc.property(shape, ({ seed, P, steps, maxNorm }) => {
      const draws = new Draws(seed);
      const [b1, b2, eps] = [0.9, 0.999, 1e-4];
      const start_P = draws.normals(P);
      const params_P = start_P.slice(), m_P = new Float64Array(P), v_P = new Float64Array(P);
      const gradients = Array.from({ length: steps }, () => draws.normals(P));
      const rates = gradients.map((_, i) => 0.1 / (i + 1));
      const losses = new Float64Array(LOSSES.length);
      gradients.forEach((grads_P, i) => {
        losses[LOSSES.indexOf("gradNorm")] = Math.sqrt(dot(grads_P, grads_P));
        const a = {
          ...{ P, params_P, grads_P: grads_P.slice(), m_P, v_P, losses },
          ...{ b1, b2, eps, maxNorm, weightDecay: 0 },
        };
        adam(a, scalars({ count: i + 1, learningRate: rates[i] }));
      });
      // the moments as weighted sums over all gradients so far, unrolled
      const clipped = gradients.map((g) => {
        const norm = Math.sqrt(dot(g, g));
        return norm < maxNorm ? g : g.map((x) => x * maxNorm / norm);
      });
      for (let p = 0; p < P; p++) {
        let want = start_P[p];
        for (let t = 1; t <= steps; t++) {
          let m = 0, v = 0;
          for (let i = 1; i <= t; i++) {
            m += (1 - b1) * b1 ** (t - i) * clipped[i - 1][p];
            v += (1 - b2) * b2 ** (t - i) * clipped[i - 1][p] ** 2;
          }
          want -= rates[t - 1] * (m / (1 - b1 ** t)) / (Math.sqrt(v / (1 - b2 ** t)) + eps);
        }
        // 1 - 0.999 loses three digits, and m may cancel among its terms
        assert.ok(Math.abs(params_P[p] - want) <= 1e-12 * (1 + Math.abs(want)));
      }
    }),
    { numRuns: RUNS },
  );
});

Deno.test("fixed_points follows the derivative of q, for both cells", async () => {
  const shape = fc.record({
    seed: seeds,
    K: size,
    G: size,
    U: fc.integer({ min: 0, max: 3 }),
    cell: fc.constantFrom(0, 1),
    nonlinearity: fc.constantFrom(0, 2),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ seed, K, G, U, cell, nonlinearity }) => {
      const draws = new Draws(seed);
      const width = cell === 1 ? 3 * G : G;
      const weights = {
        wGenInput: draws.normals(U * width),
        wGenRecurrent: draws.normals(G * (cell === 1 ? 2 * G : G)),
        wGenCandidate_GG: draws.normals(cell === 1 ? G * G : 0),
        bGen: draws.normals(width),
        input_U: draws.normals(U),
      };
      const weighting = draws.normals(K);
      const once = (points: Float64Array) => {
        const a = args("fixed_points", {
          ...weights,
          U,
          G,
          cell,
          nonlinearity,
          b1: 0, // so that m is the gradient itself
          b2: 0.999,
          eps: 1e-5,
          stepSize: 0.1,
          decay: 1,
          points_KG: points.slice(),
          m_KG: new Float64Array(K * G),
          v_KG: new Float64Array(K * G),
          speeds_K: new Float64Array(K),
        });
        fixed_points(a, scalars({ B: K, count: 1, iterations: 1 }));
        return a;
      };
      const inputs = { points: draws.normals(K * G) };
      const gradient = once(inputs.points).m_KG.map((x, i) => x * weighting[Math.floor(i / G)]);
      const L = ({ points }: Arrays) => dot(weighting, once(points).speeds_K);
      await assertGradients(inputs, L, { points: gradient }, 20 * (G + U) * G, draws);
    }),
    { numRuns: 2 * RUNS },
  );
});

Deno.test("encoder_input is dropped spikes times weights plus bias", () => {
  const shape = fc.record({ seed: seeds, T: size, B: size, N: size, E: size });
  fc.assert(
    fc.property(shape, ({ seed, T, B, N, E }) => {
      const draws = new Draws(seed);
      const counts = draws.counts((B + 1) * T * N);
      const trials_B = Float64Array.from({ length: B }, (_, b) => B - b);
      const keepSpikes_BTN = draws.mask(B * T * N), keepRate = 0.8;
      const wInput_ND3E = draws.normals(N * 6 * E), b_D3E = draws.normals(6 * E);
      const spikes_TBN = new Float64Array(T * B * N), gates_TBD3E = new Float64Array(T * B * 6 * E);
      encoder_input({
        T,
        N,
        E,
        dataT: T,
        element: 0,
        gaps: 0,
        sparse: 0,
        dropout: 1,
        keepRate,
        scale: 1,
        counts,
        trials_B,
        keepSpikes_BTN,
        wInput_ND3E,
        b_D3E,
        spikes_TBN,
        gates_TBD3E,
      }, scalars({ B }));
      for (let b = 0; b < B; b++) {
        for (let t = 0; t < T; t++) {
          const spikes_N = Array.from(
            { length: N },
            (_, n) =>
              counts[((B - b) * T + t) * N + n] * keepSpikes_BTN[(b * T + t) * N + n] / keepRate,
          );
          for (let j = 0; j < 6 * E; j++) {
            const terms = spikes_N.map((x, n) => x * wInput_ND3E[n * 6 * E + j]);
            const want = terms.reduce((sum, x) => sum + x, b_D3E[j]);
            const size = terms.reduce((sum, x) => sum + Math.abs(x), Math.abs(b_D3E[j]));
            const got = gates_TBD3E[(t * B + b) * 6 * E + j];
            assert.ok(Math.abs(got - want) <= (N + 3) * Number.EPSILON * size);
          }
          const at = (t * B + b) * N;
          for (let n = 0; n < N; n++) {
            assert.ok(
              Math.abs(spikes_TBN[at + n] - spikes_N[n]) <= 2 * Number.EPSILON * spikes_N[n],
            );
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
});

Deno.test("samples are averaged trial by trial: states, log-rates, and rates after exp", () => {
  const shape = fc.record({ seed: seeds, T: size, B: size, S: size, N: size, F: size });
  fc.assert(
    fc.property(shape, ({ seed, T, B, S, N, F }) => {
      const draws = new Draws(seed);
      const R = B * S;
      const factors_HRF = draws.normals((T + 1) * R * F);
      const w_FN = draws.normals(F * N, 0.5), b_N = draws.normals(N);
      const run = scalars({ B, S });
      const rates_TBN = new Float64Array(T * B * N), logRates_TBN = new Float64Array(T * B * N);
      posterior_rates({ T, N, F, factors_HRF, w_FN, b_N, rates_TBN, logRates_TBN }, run);
      const mean = new Float64Array((T + 1) * B * F);
      average_samples({ T: T + 1, n: F, source: factors_HRF, mean }, run);
      const bound = (size: number) => 4 * (S + F + 2) * Number.EPSILON * size;
      for (let t = 0; t < T; t++) {
        for (let b = 0; b < B; b++) {
          const rows = Array.from({ length: S }, (_, k) => ((t + 1) * R + b * S + k) * F);
          for (let n = 0; n < N; n++) {
            const terms = rows.map((row) =>
              Array.from({ length: F }, (_, f) => factors_HRF[row + f] * w_FN[f * N + n])
            );
            const logRates = terms.map((xs) => xs.reduce((sum, x) => sum + x, b_N[n]));
            const size = Math.abs(b_N[n]) +
              Math.max(...terms.map((xs) => xs.reduce((sum, x) => sum + Math.abs(x), 0)));
            const average = (xs: number[]) => xs.reduce((sum, x) => sum + x, 0) / S;
            const at = (t * B + b) * N + n;
            assert.ok(Math.abs(logRates_TBN[at] - average(logRates)) <= bound(size));
            const rates = average(logRates.map(Math.exp));
            // exp passes the error of a log-rate on as a relative one
            assert.ok(Math.abs(rates_TBN[at] - rates) <= bound(1 + size) * rates);
          }
          for (let f = 0; f < F; f++) {
            const values = rows.map((row) => factors_HRF[row + f]);
            const size = values.reduce((sum, x) => sum + Math.abs(x), 0);
            const want = values.reduce((sum, x) => sum + x, 0) / S;
            assert.ok(Math.abs(mean[((t + 1) * B + b) * F + f] - want) <= bound(size));
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
});

Deno.test("a log-rate above its bound counts as the bound in every rate, and as itself beside a spike", () => {
  const beyond = MAX_LOG_RATE + 5, rate = Math.exp(MAX_LOG_RATE);
  const one = { T: 1, N: 1, F: 1, w_FN: Float64Array.of(1), b_N: Float64Array.of(beyond) };
  const factors_HRF = Float64Array.of(0, 0);
  const logRates_TRN = new Float64Array(1), dFactors_HRF = new Float64Array(2);
  const nll_R = new Float64Array(1);
  const read = { counts: Float64Array.of(2), trials_B: Float64Array.of(0), gradient: 1 };
  const written = { logRates_TRN, dFactors_HRF, nll_R };
  readout(args("readout", { ...one, ...read, factors_HRF, ...written }), scalars({ B: 1 }));
  assert.equal(nll_R[0], rate - 2 * beyond);
  assert.deepEqual([logRates_TRN[0], dFactors_HRF[1]], [rate - 2, rate - 2]);

  const rates_TBN = new Float64Array(1), logRates_TBN = new Float64Array(1);
  posterior_rates({ ...one, factors_HRF, rates_TBN, logRates_TBN }, scalars({ B: 1 }));
  assert.deepEqual([rates_TBN[0], logRates_TBN[0]], [rate, beyond]);
});
