/**
 * The decoder (docs/model.md, section 2): initial condition, then for each bin controller, inferred inputs,
 * generator and factors, with both KL terms along the sampled path.
 */
import type { Args, Scalars } from "../compute/kernels.ts";
import { fillNormal, STREAMS } from "../random.ts";
import { keepFactors } from "./dropout.ts";
import { autoregression, kl } from "./gaussian.ts";
import { gru } from "./gru.ts";
import { vanilla } from "./vanilla.ts";

type A = Args<"decoder">;

/** `ends = [backward at t = 0 ; forward at the last bin]` with dropout, and `[mean ; logVar] = ends W + b`. */
function initialCondition(a: A, s: Scalars, b: number): void {
  const { E, I, ends_B2E, ic_B2I } = a;
  const ends = b * 2 * E, ic = b * 2 * I;
  for (let e = 0; e < E; e++) {
    ends_B2E[ends + e] = a.backward_HBE[b * E + e];
    ends_B2E[ends + E + e] = a.forward_HBE[(a.encoderT * s.B + b) * E + e];
  }
  const keep_2E = new Float64Array(2 * E);
  keepFactors(a, s, STREAMS.keepEnds, a.keepEnds_B2E, ends, s.firstTrial + b, keep_2E);
  for (let i = 0; i < 2 * E; i++) ends_B2E[ends + i] *= keep_2E[i];
  for (let j = 0; j < 2 * I; j++) {
    let sum = a.bInitial_2I[j];
    for (let i = 0; i < 2 * E; i++) sum += ends_B2E[ends + i] * a.wInitial_2E2I[i * 2 * I + j];
    ic_B2I[ic + j] = sum;
  }
}

/**
 * `z = mean + sqrt(var) * eps`; into slot 0 of the states `g0 = z wStart + bStart`, or z itself; the
 * row's KL.
 */
function sampleInitialCondition(a: A, s: Scalars, b: number, r: number): void {
  const { I, G, ic_B2I, epsIc_RI, gen_HRG, wStart_IG, varMin } = a;
  const direct = wStart_IG.length === 0;
  const z_RI = direct ? gen_HRG : a.z_RI;
  if (a.draw) {
    const at = { ...s, stream: STREAMS.epsIc, sample: r % s.S };
    fillNormal(at, s.firstTrial + b, epsIc_RI.subarray(r * I, (r + 1) * I));
  }
  let sum = 0;
  for (let i = 0; i < I; i++) {
    const mean = ic_B2I[b * 2 * I + i];
    const variance = Math.exp(ic_B2I[b * 2 * I + I + i]) + varMin;
    z_RI[r * I + i] = mean + (a.sample ? Math.sqrt(variance) * epsIc_RI[r * I + i] : 0);
    sum += kl(mean, variance, a.icPriorMean_I[i], Math.exp(a.icPriorLogVar_I[i]) + varMin);
  }
  a.klIc_R[r] = sum;
  if (direct) return;
  for (let g = 0; g < G; g++) {
    let state = a.bStart_G[g];
    for (let i = 0; i < I; i++) state += z_RI[r * I + i] * wStart_IG[i * G + g];
    gen_HRG[r * G + g] = state;
  }
}

/** Controller and inferred inputs of one bin; adds the bin's KL. */
function inferInputs(a: A, s: Scalars, b: number, r: number, t: number): void {
  const { T, C, U, F, con_HRC, conGates_TR3C, inputParams_TR2U, inputs_TRU, epsInputs_TRU } = a;
  const R = s.B * s.S;
  const row = t * R + r, next = row + R;
  for (let j = 0; j < 3 * C; j++) {
    let sum = a.conInput_TB3C[(t * s.B + b) * 3 * C + j];
    for (let f = 0; f < F; f++) {
      sum += a.factors_HRF[row * F + f] * a.wConFactors_F3C[f * 3 * C + j];
    }
    conGates_TR3C[row * 3 * C + j] = sum;
  }
  gru(
    { n: C, wGates_n2n: a.wConGates_C2C, wCandidate_nn: a.wConCandidate_CC },
    [con_HRC, row * C],
    [conGates_TR3C, row * 3 * C],
    [a.conReset_TRC, row * C],
    [con_HRC, next * C],
  );
  for (let j = 0; j < 2 * U; j++) {
    let sum = a.bOut_2U[j];
    for (let c = 0; c < C; c++) sum += con_HRC[next * C + c] * a.wOut_C2U[c * 2 * U + j];
    inputParams_TR2U[row * 2 * U + j] = sum;
  }
  if (a.draw) {
    const at = { ...s, stream: STREAMS.epsInputs, sample: r % s.S };
    const eps = epsInputs_TRU.subarray(row * U, (row + 1) * U);
    fillNormal(at, (s.firstTrial + b) * T + t, eps);
  }
  for (let u = 0; u < U; u++) {
    const mean = inputParams_TR2U[row * 2 * U + u];
    const variance = Math.exp(inputParams_TR2U[row * 2 * U + U + u]) + a.varMin;
    inputs_TRU[row * U + u] = mean +
      (a.sample ? Math.sqrt(variance) * epsInputs_TRU[row * U + u] : 0);
    const { phi, noiseVar } = autoregression(
      a.inputPriorLogTau_U[u],
      a.inputPriorLogNoiseVar_U[u],
      a.varMin,
    );
    const m = a.inputPriorMean_U[u];
    a.klInputs_R[r] += t === 0
      ? kl(mean, variance, m, noiseVar / (1 - phi * phi))
      : kl(mean, variance, m + phi * inputs_TRU[(row - R) * U + u], noiseVar);
  }
}

/** The generator's cell, dropout on its state, and the factors. */
function generate(a: A, s: Scalars, b: number, r: number, t: number): void {
  const { U, G, gen_HRG, genGates } = a;
  const R = s.B * s.S;
  const row = t * R + r, next = row + R;
  const width = a.cell === 1 ? 3 * G : G;
  const external = a.genInput_TBW.length > 0;
  for (let j = 0; j < width; j++) {
    let sum = external ? a.genInput_TBW[(t * s.B + b) * width + j] : a.bGen[j];
    for (let u = 0; u < U; u++) sum += a.inputs_TRU[row * U + u] * a.wGenInput[u * width + j];
    genGates[row * width + j] = sum;
  }
  if (a.cell === 1) {
    gru(
      { n: G, wGates_n2n: a.wGenRecurrent, wCandidate_nn: a.wGenCandidate_GG },
      [gen_HRG, row * G],
      [genGates, row * width],
      [a.genReset_TRG, row * G],
      [gen_HRG, next * G],
    );
  } else {
    vanilla(G, a.nonlinearity, a.wGenRecurrent, [gen_HRG, row * G], [genGates, row * G]);
    gen_HRG.set(genGates.subarray(row * G, (row + 1) * G), next * G);
  }
  const keep_G = keepGenerator(a, s, b, r, t);
  for (let g = 0; g < G; g++) gen_HRG[next * G + g] *= keep_G[g];
  readFactors(a, next);
}

/** `f = Ŵ g` of one slot. */
function readFactors({ G, F, gen_HRG, factorsHat_GF, factors_HRF }: A, row: number): void {
  for (let f = 0; f < F; f++) {
    let sum = 0;
    for (let g = 0; g < G; g++) sum += gen_HRG[row * G + g] * factorsHat_GF[g * F + f];
    factors_HRF[row * F + f] = sum;
  }
}

/** Dropout factors of the generator's state in one bin. */
export function keepGenerator(
  a: Pick<A, "T" | "G" | "dropoutGen" | "keepRateGen" | "keepGen_RTG">,
  s: Scalars,
  b: number,
  r: number,
  t: number,
): Float64Array {
  const dropout = { dropout: a.dropoutGen, keepRate: a.keepRateGen };
  const at = { ...s, sample: r % s.S };
  const draw = (s.firstTrial + b) * a.T + t;
  const offset = (r * a.T + t) * a.G;
  const keep_G = new Float64Array(a.G);
  return keepFactors(dropout, at, STREAMS.keepGen, a.keepGen_RTG, offset, draw, keep_G);
}

export function decoder(a: A, s: Scalars): void {
  const { T, C, U } = a;
  const R = s.B * s.S;
  for (let b = 0; b < s.B; b++) initialCondition(a, s, b);
  for (let r = 0; r < R; r++) {
    const b = Math.floor(r / s.S);
    sampleInitialCondition(a, s, b, r);
    if (U > 0) {
      a.con_HRC.set(a.h0Con_C, r * C);
      a.klInputs_R[r] = 0;
    }
    if (a.firstFactors) readFactors(a, r);
    else a.factors_HRF.fill(0, r * a.F, (r + 1) * a.F);
    for (let t = 0; t < T; t++) {
      if (U > 0) inferInputs(a, s, b, r, t);
      generate(a, s, b, r, t);
    }
  }
}
