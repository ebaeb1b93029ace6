/**
 * Back through the decoder: from the readout's gradient at the factors to the gradients of every
 * pre-activation, of the posteriors, of the priors and of the encoder's ends. One sample per trial.
 */
import type { Args, Scalars } from "../compute/kernels.ts";
import { STREAMS } from "../random.ts";
import { keepGenerator } from "./decoder.ts";
import { keepFactors } from "./dropout.ts";
import { autoregression, klBackward } from "./gaussian.ts";
import { gruBackward } from "./gru.ts";
import { vanillaBackward } from "./vanilla.ts";

type A = Args<"decoder_backward">;

/** Gradients that one trial carries back from bin to bin. */
interface Carry {
  readonly gen: Float64Array;
  readonly con: Float64Array;
  readonly factors: Float64Array;
  readonly inputs: Float64Array;
}

/** Factors, dropout and the generator's cell. */
function generatorBackward(a: A, s: Scalars, b: number, t: number, carry: Carry): void {
  const { G, F, dFactors_HRF } = a;
  const row = t * s.B + b, next = row + s.B;
  for (let f = 0; f < F; f++) dFactors_HRF[next * F + f] += carry.factors[f];
  const keep_G = keepGenerator(a, s, b, b, t);
  for (let g = 0; g < G; g++) {
    for (let f = 0; f < F; f++) {
      carry.gen[g] += dFactors_HRF[next * F + f] * a.factorsHat_GF[g * F + f];
    }
    carry.gen[g] *= keep_G[g];
  }
  if (a.cell === 1) {
    gruBackward(
      { n: G, wGates_n2n: a.wGenRecurrent, wCandidate_nn: a.wGenCandidate_GG },
      [a.gen_HRG, row * G],
      [a.genGates, row * 3 * G],
      carry.gen,
    );
  } else {
    vanillaBackward(G, a.nonlinearity, a.wGenRecurrent, [a.genGates, row * G], carry.gen);
  }
}

/** Inferred inputs: the generator's gradient and the KL, through the sample to the controller. */
function inputsBackward(a: A, s: Scalars, b: number, t: number, carry: Carry): void {
  const { U, G, inputs_TRU, inputParams_TR2U, dInputParams_TB2U, dInputPrior_B3U } = a;
  const row = t * s.B + b, width = a.cell === 1 ? 3 * G : G;
  for (let u = 0; u < U; u++) {
    let du = carry.inputs[u];
    for (let j = 0; j < width; j++) du += a.genGates[row * width + j] * a.wGenInput[u * width + j];
    const mean = inputParams_TR2U[row * 2 * U + u];
    const spread = Math.exp(inputParams_TR2U[row * 2 * U + U + u]);
    const variance = spread + a.varMin;
    const logNoiseVar = a.inputPriorLogNoiseVar_U[u];
    const { tau, phi, noiseVar } = autoregression(a.inputPriorLogTau_U[u], logNoiseVar, a.varMin);
    const previous = t > 0 ? inputs_TRU[(row - s.B) * U + u] : 0;
    const stationary = 1 - phi * phi;
    const priorVariance = t > 0 ? noiseVar : noiseVar / stationary;
    const d = klBackward(
      s.klInputsScale / s.B,
      mean,
      variance,
      a.inputPriorMean_U[u] + phi * previous,
      priorVariance,
    );
    const dPhi = d.dPriorMean * previous +
      (t > 0 ? 0 : d.dPriorVariance * noiseVar * 2 * phi / stationary ** 2);
    const dNoiseVar = t > 0 ? d.dPriorVariance : d.dPriorVariance / stationary;
    dInputPrior_B3U[b * 3 * U + u] += d.dPriorMean;
    dInputPrior_B3U[b * 3 * U + U + u] += dPhi * phi / tau;
    dInputPrior_B3U[b * 3 * U + 2 * U + u] += dNoiseVar * Math.exp(logNoiseVar);
    carry.inputs[u] = d.dPriorMean * phi;
    const eps = a.sample ? a.epsInputs_TRU[row * U + u] : 0;
    const dVariance = d.dVariance + du * eps * 0.5 / Math.sqrt(variance);
    dInputParams_TB2U[row * 2 * U + u] = du + d.dMean;
    dInputParams_TB2U[row * 2 * U + U + u] = dVariance * spread;
  }
}

/** The controller's cell; leaves the gradient at the factors of the bin before in the carry. */
function controllerBackward(a: A, s: Scalars, b: number, t: number, carry: Carry): void {
  const { C, U, F, conGates_TR3C } = a;
  const row = t * s.B + b;
  for (let c = 0; c < C; c++) {
    for (let j = 0; j < 2 * U; j++) {
      carry.con[c] += a.dInputParams_TB2U[row * 2 * U + j] * a.wOut_C2U[c * 2 * U + j];
    }
  }
  gruBackward(
    { n: C, wGates_n2n: a.wConGates_C2C, wCandidate_nn: a.wConCandidate_CC },
    [a.con_HRC, row * C],
    [conGates_TR3C, row * 3 * C],
    carry.con,
  );
  for (let f = 0; f < F; f++) {
    let sum = 0;
    for (let j = 0; j < 3 * C; j++) {
      sum += conGates_TR3C[row * 3 * C + j] * a.wConFactors_F3C[f * 3 * C + j];
    }
    carry.factors[f] = sum;
  }
}

/** Slot 0 of the factors: their gradient, and its part of the gradient at g0. */
function firstFactorsBackward(a: A, b: number, carry: Carry): void {
  const { G, F, dFactors_HRF } = a;
  for (let f = 0; f < F; f++) {
    const d = a.firstFactors ? carry.factors[f] : 0;
    dFactors_HRF[b * F + f] = d;
    for (let g = 0; g < G; g++) carry.gen[g] += d * a.factorsHat_GF[g * F + f];
  }
}

/** The gradient at z, from the gradient at g0. */
function startBackward(a: A, b: number, dg0_G: Float64Array): Float64Array {
  const { I, G, wStart_IG, dStart_BG } = a;
  if (wStart_IG.length === 0) return dg0_G;
  dStart_BG.set(dg0_G, b * G);
  const dz_I = new Float64Array(I);
  for (let i = 0; i < I; i++) {
    for (let g = 0; g < G; g++) dz_I[i] += dg0_G[g] * wStart_IG[i * G + g];
  }
  return dz_I;
}

/** From the gradient at z to the posterior, its prior, and the encoder's ends. */
function initialConditionBackward(a: A, s: Scalars, b: number, dz_I: Float64Array): void {
  const { E, I, ic_B2I, dIc_B2I, dIcPrior_B2I, dEnds_B2E } = a;
  const ic = b * 2 * I;
  for (let i = 0; i < I; i++) {
    const spread = Math.exp(ic_B2I[ic + I + i]), priorSpread = Math.exp(a.icPriorLogVar_I[i]);
    const variance = spread + a.varMin;
    const d = klBackward(
      s.klIcScale / s.B,
      ic_B2I[ic + i],
      variance,
      a.icPriorMean_I[i],
      priorSpread + a.varMin,
    );
    const eps = a.sample ? a.epsIc_RI[b * I + i] : 0;
    dIc_B2I[ic + i] = dz_I[i] + d.dMean;
    dIc_B2I[ic + I + i] = (d.dVariance + dz_I[i] * eps * 0.5 / Math.sqrt(variance)) * spread;
    dIcPrior_B2I[ic + i] = d.dPriorMean;
    dIcPrior_B2I[ic + I + i] = d.dPriorVariance * priorSpread;
  }
  const ends = b * 2 * E;
  const keep_2E = new Float64Array(2 * E);
  keepFactors(a, s, STREAMS.keepEnds, a.keepEnds_B2E, ends, s.firstTrial + b, keep_2E);
  for (let i = 0; i < 2 * E; i++) {
    let sum = 0;
    for (let j = 0; j < 2 * I; j++) sum += dIc_B2I[ic + j] * a.wInitial_2E2I[i * 2 * I + j];
    dEnds_B2E[ends + i] = sum * keep_2E[i];
  }
}

export function decoder_backward(a: A, s: Scalars): void {
  const { T, C, U, G, F } = a;
  for (let b = 0; b < s.B; b++) {
    const carry: Carry = {
      gen: new Float64Array(G),
      con: new Float64Array(C),
      factors: new Float64Array(F),
      inputs: new Float64Array(U),
    };
    if (U > 0) a.dInputPrior_B3U.fill(0, b * 3 * U, (b + 1) * 3 * U);
    for (let t = T - 1; t >= 0; t--) {
      generatorBackward(a, s, b, t, carry);
      if (U === 0) continue;
      inputsBackward(a, s, b, t, carry);
      controllerBackward(a, s, b, t, carry);
    }
    if (U > 0) a.dStartCon_BC.set(carry.con, b * C);
    firstFactorsBackward(a, b, carry);
    initialConditionBackward(a, s, b, startBackward(a, b, carry.gen));
  }
}
