// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Back through the decoder: from the readout's gradient at the factors to the gradients of every
 * pre-activation, of the posteriors, of the priors and of the encoder's ends. One sample per trial.
 */
import { gruRowsBackward, put, vanillaRowsBackward } from "./cells";
import { floats } from "./decoder";
import { keepBin, keepFactors, multiplyRow } from "./dropout";
import { blockSize, SWEEP_ROWS } from "./encoder";
import { dPriorMean4, dPriorVariance4, dVariance4, InputPrior, inputPrior } from "./gaussian";
import { gemm, packTransposed } from "./gemm";
import { exp4 } from "./math";
import { isPair, PAIR_ROWS, pairDecoderBackward, pairKeepScratch } from "./pair_decoder";
import { KEEP_ENDS, KEEP_GEN } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

@unmanaged
export class DecoderBackwardArgs {
  forward_HBE: usize;
  backward_HBE: usize;
  keepEnds_B2E: usize;
  ends_B2E: usize;
  wInitial_2E2I: usize;
  bInitial_2I: usize;
  icPriorMean_I: usize;
  icPriorLogVar_I: usize;
  epsIc_RI: usize;
  ic_B2I: usize;
  z_RI: usize;
  wStart_IG: usize;
  bStart_G: usize;
  conInput_TB3C: usize;
  wConFactors_F3C: usize;
  wConGates_C2C: usize;
  wConCandidate_CC: usize;
  h0Con_C: usize;
  con_HRC: usize;
  conGates_TR3C: usize;
  conReset_TRC: usize;
  wOut_C2U: usize;
  bOut_2U: usize;
  inputPriorMean_U: usize;
  inputPriorLogTau_U: usize;
  inputPriorLogNoiseVar_U: usize;
  epsInputs_TRU: usize;
  inputParams_TR2U: usize;
  inputs_TRU: usize;
  genInput_TBW: usize;
  wGenInput: usize;
  wGenRecurrent: usize;
  wGenCandidate_GG: usize;
  bGen: usize;
  keepGen_RTG: usize;
  gen_HRG: usize;
  genGates: usize;
  genReset_TRG: usize;
  factorsHat_GF: usize;
  factors_HRF: usize;
  klIc_R: usize;
  klInputs_R: usize;
  dFactors_HRF: usize;
  dIc_B2I: usize;
  dStart_BG: usize;
  dEnds_B2E: usize;
  dIcPrior_B2I: usize;
  dInputParams_TB2U: usize;
  dInputPrior_B3U: usize;
  dStartCon_BC: usize;
  T: i32;
  E: i32;
  I: i32;
  C: i32;
  U: i32;
  G: i32;
  F: i32;
  cell: i32;
  nonlinearity: i32;
  sample: i32;
  draw: i32;
  dropout: i32;
  dropoutGen: i32;
  encoderT: i32;
  firstFactors: i32;
  keepRate: f32;
  keepRateGen: f32;
  varMin: f32;
}

/** Transposed weights, the inputs' prior, and the gradients that a block carries from bin to bin. */
@unmanaged
export class Prepared {
  factorsHatT: usize;
  genRecurrentT: usize;
  genCandidateT: usize;
  genInputT: usize;
  outT: usize;
  conGatesT: usize;
  conCandidateT: usize;
  conFactorsT: usize;
  prior: InputPrior;
  /** dropout factors of a block's generator states */
  keep: usize;
  /** gradient at r*h, of either cell */
  dReset: usize;
  gen: usize;
  con: usize;
  factors: usize;
  inputs: usize;
}

export function decoder_backward(
  args: DecoderBackwardArgs, s: Scalars, thread: i32, threads: i32,
): void {
  const B = s.B, G = args.G, C = args.C;
  const first = <i32>(<i64>B * thread / threads), last = <i32>(<i64>B * (thread + 1) / threads);
  if (first == last) return;
  const dStates = scratch(<usize>((last - first) * G) << 2);
  if (isPair(args.U, G, args.F, args.cell, args.genInput_TBW)) {
    const keep = pairKeepScratch(args.T);
    for (let b = first; b < last; b += PAIR_ROWS) {
      const rows = min(PAIR_ROWS, last - b);
      pairDecoderBackward(args, s, b, rows, floats(dStates, (b - first) * G), keep);
    }
  } else {
    const p = prepareSweep(args);
    const size = blockSize(last - first);
    for (let b = first; b < last; b += size) {
      const rows = min(size, last - b);
      sweep(args, s, b, rows, p);
      memory.copy(floats(dStates, (b - first) * G), p.gen, <usize>(rows * G) << 2);
      if (args.U > 0) memory.copy(floats(args.dStartCon_BC, b * C), p.con, <usize>(rows * C) << 2);
    }
  }
  initialConditionsBackward(args, s, first, last, startBackward(args, first, last, dStates));
}

/** The gradients at z, from those at g0. */
function startBackward(args: DecoderBackwardArgs, first: i32, last: i32, dStates: usize): usize {
  if (!args.wStart_IG) return dStates;
  const I = args.I, G = args.G, rows = last - first;
  memory.copy(floats(args.dStart_BG, first * G), dStates, <usize>(rows * G) << 2);
  const dz = scratch(<usize>(rows * I) << 2);
  gemm(rows, I, G, dStates, G, packTransposed(args.wStart_IG, G, I, G), dz, I, 0, 0);
  return dz;
}

function prepareSweep(args: DecoderBackwardArgs): Prepared {
  const C = args.C, U = args.U, G = args.G, F = args.F;
  const width = args.cell ? 3 * G : G;
  const p = changetype<Prepared>(scratch(offsetof<Prepared>()));
  p.factorsHatT = packTransposed(args.factorsHat_GF, F, G, F);
  if (args.cell) {
    p.genRecurrentT = packTransposed(args.wGenRecurrent, 2 * G, G, 2 * G);
    p.genCandidateT = packTransposed(args.wGenCandidate_GG, G, G, G);
  } else {
    p.genRecurrentT = packTransposed(args.wGenRecurrent, G, G, G);
  }
  if (U > 0) {
    p.genInputT = packTransposed(args.wGenInput, width, U, width);
    p.outT = packTransposed(args.wOut_C2U, 2 * U, C, 2 * U);
    p.conGatesT = packTransposed(args.wConGates_C2C, 2 * C, C, 2 * C);
    p.conCandidateT = packTransposed(args.wConCandidate_CC, C, C, C);
    p.conFactorsT = packTransposed(args.wConFactors_F3C, 3 * C, F, 3 * C);
    p.prior = inputPrior(
      U, args.inputPriorLogTau_U, args.inputPriorLogNoiseVar_U, args.varMin,
    );
  }
  p.keep = scratch(<usize>(SWEEP_ROWS * G) << 2);
  p.dReset = scratch(<usize>(SWEEP_ROWS * max(G, C)) << 2);
  p.gen = scratch(<usize>(SWEEP_ROWS * G) << 2);
  p.con = scratch(<usize>(SWEEP_ROWS * C) << 2);
  p.factors = scratch(<usize>(SWEEP_ROWS * F) << 2);
  p.inputs = scratch(<usize>(SWEEP_ROWS * U) << 2);
  return p;
}

/** Back through all bins of trials b … b + rows - 1. */
function sweep(args: DecoderBackwardArgs, s: Scalars, b: i32, rows: i32, p: Prepared): void {
  const C = args.C, U = args.U, G = args.G, F = args.F;
  memory.fill(p.gen, 0, <usize>(rows * G) << 2);
  memory.fill(p.con, 0, <usize>(rows * C) << 2);
  memory.fill(p.factors, 0, <usize>(rows * F) << 2);
  memory.fill(p.inputs, 0, <usize>(rows * U) << 2);
  if (U > 0) memory.fill(floats(args.dInputPrior_B3U, b * 3 * U), 0, <usize>(rows * 3 * U) << 2);
  for (let t = args.T - 1; t >= 0; t--) {
    generatorBackward(args, s, b, rows, t, p);
    if (U == 0) continue;
    inputsBackward(args, s, b, rows, t, p);
    controllerBackward(args, s, b, rows, t, p);
  }
  const dFirst = floats(args.dFactors_HRF, b * F), bytes = <usize>(rows * F) << 2;
  if (args.firstFactors) {
    memory.copy(dFirst, p.factors, bytes);
    gemm(rows, G, F, dFirst, F, p.factorsHatT, p.gen, G, p.gen, G);
  } else {
    memory.fill(dFirst, 0, bytes);
  }
}

/** Factors, dropout and the generator's cell. */
function generatorBackward(
  args: DecoderBackwardArgs, s: Scalars, b: i32, rows: i32, t: i32, p: Prepared,
): void {
  const G = args.G, F = args.F, row = t * s.B + b;
  const dFactors = floats(args.dFactors_HRF, (row + s.B) * F);
  if (args.U > 0) addBlock(dFactors, p.factors, rows * F);
  gemm(rows, G, F, dFactors, F, p.factorsHatT, p.gen, G, p.gen, G);
  if (args.dropoutGen) {
    keepBin(p.keep, rows, G, args.keepRateGen, args.keepGen_RTG, KEEP_GEN, b, t, args.T, s, s.S);
    multiplyRow(p.gen, p.gen, p.keep, rows * G);
  }
  if (args.cell) {
    gruRowsBackward(
      rows, G, p.genRecurrentT, p.genCandidateT, floats(args.gen_HRG, row * G), G,
      floats(args.genGates, row * 3 * G), 3 * G, p.gen, p.dReset,
    );
  } else {
    const gates = floats(args.genGates, row * G);
    vanillaRowsBackward(rows, G, args.nonlinearity, p.genRecurrentT, gates, p.gen);
  }
}

/** target[0 … count) += source */
function addBlock(target: usize, source: usize, count: i32): void {
  for (; count > 0; count -= 4, target += 16, source += 16) {
    put(target, f32x4.add(v128.load(target), v128.load(source)), count);
  }
}

/** Inferred inputs: the generator's gradient and the KL, through the sample to the controller. */
function inputsBackward(
  args: DecoderBackwardArgs, s: Scalars, b: i32, rows: i32, t: i32, p: Prepared,
): void {
  const U = args.U, G = args.G, B = s.B, row = t * B + b, width = args.cell ? 3 * G : G;
  gemm(
    rows, U, width, floats(args.genGates, row * width), width, p.genInputT,
    p.inputs, U, p.inputs, U,
  );
  const varMin = f32x4.splat(args.varMin), scale = f32x4.splat(s.klInputsScale / <f32>B);
  const half = f32x4.splat(0.5), none = f32x4.splat(0), prior = p.prior;
  for (let i = 0; i < rows; i++) {
    const params = floats(args.inputParams_TR2U, (row + i) * 2 * U);
    const inputs = floats(args.inputs_TRU, (row + i) * U);
    const dParams = floats(args.dInputParams_TB2U, (row + i) * 2 * U);
    const dPrior = floats(args.dInputPrior_B3U, (b + i) * 3 * U);
    const carried = floats(p.inputs, i * U);
    for (let u = 0; u < U; u += 4) {
      const at = <usize>u << 2, room = U - u;
      const du = v128.load(carried + at);
      const mean = v128.load(params + at), spread = exp4(v128.load(floats(params, U) + at));
      const variance = f32x4.add(spread, varMin);
      const phi = v128.load(prior.phi + at), gain = v128.load(prior.gain + at);
      let priorMean = v128.load(args.inputPriorMean_U + at), previous = none;
      let priorVariance = v128.load(prior.startVar + at);
      if (t > 0) {
        previous = v128.load(floats(inputs, -B * U) + at);
        priorMean = f32x4.add(priorMean, f32x4.mul(phi, previous));
        priorVariance = v128.load(prior.noiseVar + at);
      }
      const dMean = dPriorMean4(scale, mean, priorMean, priorVariance);
      const dVariance = dVariance4(scale, variance, priorVariance);
      let dNoiseVar = dPriorVariance4(scale, mean, variance, priorMean, priorVariance);
      let dPhi = f32x4.mul(dMean, previous);
      if (t == 0) {
        // the first input's variance is the noise's, times 1 / (1 - φ²)
        const slope = f32x4.mul(f32x4.mul(f32x4.splat(2), phi), f32x4.mul(gain, gain));
        dPhi = f32x4.mul(f32x4.mul(dNoiseVar, v128.load(prior.noiseVar + at)), slope);
        dNoiseVar = f32x4.mul(dNoiseVar, gain);
      }
      accumulate(dPrior + at, dMean, room);
      accumulate(floats(dPrior, U) + at, f32x4.mul(dPhi, v128.load(prior.dPhi + at)), room);
      const dSpread = f32x4.mul(dNoiseVar, v128.load(prior.spread + at));
      accumulate(floats(dPrior, 2 * U) + at, dSpread, room);
      put(carried + at, f32x4.mul(dMean, phi), room);
      let through = none;
      if (args.sample) {
        const eps = v128.load(floats(args.epsInputs_TRU, (row + i) * U) + at);
        through = f32x4.div(f32x4.mul(f32x4.mul(du, eps), half), f32x4.sqrt(variance));
      }
      put(dParams + at, f32x4.sub(du, dMean), room);
      put(floats(dParams, U) + at, f32x4.mul(f32x4.add(dVariance, through), spread), room);
    }
  }
}

@inline
function accumulate(address: usize, value: v128, room: i32): void {
  put(address, f32x4.add(v128.load(address), value), room);
}

/** The controller's cell; leaves the gradient at the factors of the bin before. */
function controllerBackward(
  args: DecoderBackwardArgs, s: Scalars, b: i32, rows: i32, t: i32, p: Prepared,
): void {
  const C = args.C, U = args.U, F = args.F, row = t * s.B + b;
  const dParams = floats(args.dInputParams_TB2U, row * 2 * U);
  gemm(rows, C, 2 * U, dParams, 2 * U, p.outT, p.con, C, p.con, C);
  const gates = floats(args.conGates_TR3C, row * 3 * C);
  gruRowsBackward(
    rows, C, p.conGatesT, p.conCandidateT, floats(args.con_HRC, row * C), C,
    gates, 3 * C, p.con, p.dReset,
  );
  gemm(rows, F, 3 * C, gates, 3 * C, p.conFactorsT, p.factors, F, 0, 0);
}

/** From the gradient at z of trials b … end - 1 to the posterior, its prior, and the encoder's ends. */
function initialConditionsBackward(
  args: DecoderBackwardArgs, s: Scalars, b: i32, end: i32, dz_BI: usize,
): void {
  const E = args.E, I = args.I;
  const varMin = f32x4.splat(args.varMin), scale = f32x4.splat(s.klIcScale / <f32>s.B);
  const half = f32x4.splat(0.5);
  for (let row = b; row < end; row++) {
    const mean = floats(args.ic_B2I, row * 2 * I), dMean = floats(args.dIc_B2I, row * 2 * I);
    const dPrior = floats(args.dIcPrior_B2I, row * 2 * I), dz = floats(dz_BI, (row - b) * I);
    for (let i = 0; i < I; i += 4) {
      const at = <usize>i << 2, room = I - i;
      const mean4 = v128.load(mean + at), spread = exp4(v128.load(floats(mean, I) + at));
      const variance = f32x4.add(spread, varMin);
      const priorMean = v128.load(args.icPriorMean_I + at);
      const priorSpread = exp4(v128.load(args.icPriorLogVar_I + at));
      const priorVariance = f32x4.add(priorSpread, varMin);
      const d = v128.load(dz + at);
      const dPriorMean = dPriorMean4(scale, mean4, priorMean, priorVariance);
      let dVariance = dVariance4(scale, variance, priorVariance);
      if (args.sample) {
        const eps = v128.load(floats(args.epsIc_RI, row * I) + at);
        const through = f32x4.div(f32x4.mul(f32x4.mul(d, eps), half), f32x4.sqrt(variance));
        dVariance = f32x4.add(dVariance, through);
      }
      put(dMean + at, f32x4.sub(d, dPriorMean), room);
      put(floats(dMean, I) + at, f32x4.mul(dVariance, spread), room);
      put(dPrior + at, dPriorMean, room);
      const dPriorVariance = dPriorVariance4(scale, mean4, variance, priorMean, priorVariance);
      put(floats(dPrior, I) + at, f32x4.mul(dPriorVariance, priorSpread), room);
    }
  }
  const packedT = packTransposed(args.wInitial_2E2I, 2 * I, 2 * E, 2 * I);
  const dEnds = floats(args.dEnds_B2E, b * 2 * E), dIc = floats(args.dIc_B2I, b * 2 * I);
  gemm(end - b, 2 * E, 2 * I, dIc, 2 * I, packedT, dEnds, 2 * E, 0, 0);
  if (!args.dropout) return;
  const keep = scratch(<usize>(2 * E) << 2);
  for (let i = b; i < end; i++) {
    const masks = args.keepEnds_B2E;
    const explicit = masks ? floats(masks, i * 2 * E) : 0;
    keepFactors(keep, 2 * E, args.keepRate, explicit, KEEP_ENDS, <u32>(s.firstTrial + i), s, 0);
    multiplyRow(floats(args.dEnds_B2E, i * 2 * E), floats(args.dEnds_B2E, i * 2 * E), keep, 2 * E);
  }
}
