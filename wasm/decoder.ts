// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The decoder (docs/model.md, section 2): initial condition, then for each bin controller, inferred inputs,
 * generator and factors, with both KL terms along the sampled path. A thread carries a block of rows
 * through all bins.
 */
import { activateAll, gruRows, put } from "./cells";
import { keepBin, keepFactors, multiplyRow } from "./dropout";
import { blockSize, SWEEP_ROWS } from "./encoder";
import { InputPrior, inputPrior, kl4 } from "./gaussian";
import { gemm, pack } from "./gemm";
import { exp4, firstLanes, laneSum } from "./math";
import { isPair, PAIR_ROWS, pairDecoder, pairKeepScratch } from "./pair_decoder";
import { EPS_IC, EPS_INPUTS, KEEP_ENDS, KEEP_GEN, normalRow, normalRows } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

@unmanaged
export class DecoderArgs {
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

/** What a thread prepares once: packed weights, the inputs' prior, working memory. */
@unmanaged
export class Prepared {
  conFactors: usize;
  conGates: usize;
  conCandidate: usize;
  out: usize;
  prior: InputPrior;
  genInput: usize;
  genRecurrent: usize;
  genCandidate: usize;
  factorsHat: usize;
  /** dropout factors of a block's generator states */
  keep: usize;
  /** a block's KL of the inputs, f64 */
  kl: usize;
}

/** Address of `index` floats from `base`. */
@inline
export function floats(base: usize, index: i32): usize {
  return base + (<usize>index << 2);
}

export function decoder(args: DecoderArgs, s: Scalars, thread: i32, threads: i32): void {
  const R = s.B * s.S;
  const first = <i32>(<i64>R * thread / threads), last = <i32>(<i64>R * (thread + 1) / threads);
  if (first == last) return;
  initialConditions(args, s, first / s.S, (last - 1) / s.S + 1);
  sampleInitialConditions(args, s, first, last);
  if (isPair(args.U, args.G, args.F, args.cell, args.genInput_TBW)) {
    const keep = pairKeepScratch(args.T);
    for (let r = first; r < last; r += PAIR_ROWS) {
      pairDecoder(args, s, r, min(PAIR_ROWS, last - r), keep);
    }
    return;
  }
  const p = prepareSweep(args);
  const size = blockSize(last - first);
  for (let r = first; r < last; r += size) sweep(args, s, r, min(size, last - r), p);
}

/**
 * Trials b … end - 1: ends = [backward at t = 0 ; forward at the last bin] with dropout, and
 * [mean ; logVar] = ends W + b. Two threads that share a trial write the same numbers.
 */
function initialConditions(args: DecoderArgs, s: Scalars, b: i32, end: i32): void {
  const B = s.B, E = args.E, I = args.I;
  const half = <usize>E << 2;
  const joined = scratch(2 * half), keep = scratch(2 * half);
  for (let i = b; i < end; i++) {
    const ends = floats(args.ends_B2E, i * 2 * E);
    memory.copy(joined, floats(args.backward_HBE, i * E), half);
    memory.copy(joined + half, floats(args.forward_HBE, (args.encoderT * B + i) * E), half);
    if (args.dropout) {
      const masks = args.keepEnds_B2E;
      const explicit = masks ? floats(masks, i * 2 * E) : 0;
      keepFactors(keep, 2 * E, args.keepRate, explicit, KEEP_ENDS, <u32>(s.firstTrial + i), s, 0);
      multiplyRow(ends, joined, keep, 2 * E);
    } else {
      memory.copy(ends, joined, 2 * half);
    }
  }
  const packed = pack(args.wInitial_2E2I, 2 * E, 2 * I, 2 * I);
  const ends = floats(args.ends_B2E, b * 2 * E), ic = floats(args.ic_B2I, b * 2 * I);
  gemm(end - b, 2 * I, 2 * E, ends, 2 * E, packed, ic, 2 * I, args.bInitial_2I, 0);
}

/**
 * Rows r … end - 1: z = mean + √var · eps and the row's KL; into slot 0 of the states
 * g0 = z wStart + bStart, or z itself.
 */
function sampleInitialConditions(args: DecoderArgs, s: Scalars, first: i32, end: i32): void {
  const I = args.I, G = args.G, varMin = f32x4.splat(args.varMin);
  const z_RI = args.wStart_IG ? args.z_RI : args.gen_HRG;
  for (let r = first; r < end; r++) {
    const b = r / s.S;
    const mean = floats(args.ic_B2I, b * 2 * I), logVar = floats(mean, I);
    const eps = floats(args.epsIc_RI, r * I), z = floats(z_RI, r * I);
    if (args.draw) normalRow(eps, I, EPS_IC, <u32>(s.firstTrial + b), s, r % s.S);
    let sum: f64 = 0;
    for (let i = 0; i < I; i += 4) {
      const at = <usize>i << 2;
      const mean4 = v128.load(mean + at);
      const variance = f32x4.add(exp4(v128.load(logVar + at)), varMin);
      const priorVariance = f32x4.add(exp4(v128.load(args.icPriorLogVar_I + at)), varMin);
      let kl = kl4(mean4, variance, v128.load(args.icPriorMean_I + at), priorVariance);
      if (I - i < 4) kl = v128.and(kl, firstLanes(I - i));
      sum += laneSum(kl);
      put(z + at, args.sample ? sampled(mean4, variance, eps + at) : mean4, I - i);
    }
    store<f32>(floats(args.klIc_R, r), <f32>sum);
  }
  if (!args.wStart_IG) return;
  const packed = pack(args.wStart_IG, I, G, G), z = floats(args.z_RI, first * I);
  gemm(end - first, G, I, z, I, packed, floats(args.gen_HRG, first * G), G, args.bStart_G, 0);
}

/** mean + √variance · eps */
@inline
function sampled(mean: v128, variance: v128, eps: usize): v128 {
  return f32x4.add(mean, f32x4.mul(f32x4.sqrt(variance), v128.load(eps)));
}

function prepareSweep(args: DecoderArgs): Prepared {
  const C = args.C, U = args.U, G = args.G, F = args.F;
  const p = changetype<Prepared>(scratch(offsetof<Prepared>()));
  const width = args.cell ? 3 * G : G;
  if (U > 0) {
    p.conFactors = pack(args.wConFactors_F3C, F, 3 * C, 3 * C);
    p.conGates = pack(args.wConGates_C2C, C, 2 * C, 2 * C);
    p.conCandidate = pack(args.wConCandidate_CC, C, C, C);
    p.out = pack(args.wOut_C2U, C, 2 * U, 2 * U);
    p.prior = inputPrior(
      U, args.inputPriorLogTau_U, args.inputPriorLogNoiseVar_U, args.varMin,
    );
    p.genInput = pack(args.wGenInput, U, width, width);
    p.kl = scratch(<usize>SWEEP_ROWS << 3);
  }
  if (args.cell) {
    p.genRecurrent = pack(args.wGenRecurrent, G, 2 * G, 2 * G);
    p.genCandidate = pack(args.wGenCandidate_GG, G, G, G);
  } else {
    p.genRecurrent = pack(args.wGenRecurrent, G, G, G);
  }
  p.factorsHat = pack(args.factorsHat_GF, G, F, F);
  p.keep = scratch(<usize>(SWEEP_ROWS * G) << 2);
  return p;
}

/** All bins of a block of rows. */
function sweep(args: DecoderArgs, s: Scalars, r: i32, rows: i32, p: Prepared): void {
  const C = args.C, U = args.U, G = args.G, F = args.F;
  const first = floats(args.factors_HRF, r * F);
  if (args.firstFactors) {
    gemm(rows, F, G, floats(args.gen_HRG, r * G), G, p.factorsHat, first, F, 0, 0);
  } else {
    memory.fill(first, 0, <usize>(rows * F) << 2);
  }
  if (U > 0) {
    memory.fill(p.kl, 0, <usize>rows << 3);
    for (let i = 0; i < rows; i++) {
      memory.copy(floats(args.con_HRC, (r + i) * C), args.h0Con_C, <usize>C << 2);
    }
  }
  for (let t = 0; t < args.T; t++) {
    if (U > 0) {
      control(args, s, r, rows, t, p);
      inferInputs(args, s, r, rows, t, p);
    }
    generate(args, s, r, rows, t, p);
  }
  for (let i = 0; i < rows && U > 0; i++) {
    store<f32>(floats(args.klInputs_R, r + i), <f32>load<f64>(p.kl + (<usize>i << 3)));
  }
}

/** The controller's cell on [enc_t ; f_{t-1}], and the posterior of the inputs. */
function control(args: DecoderArgs, s: Scalars, r: i32, rows: i32, t: i32, p: Prepared): void {
  const C = args.C, U = args.U, F = args.F, R = s.B * s.S;
  const row = t * R + r;
  const gates = floats(args.conGates_TR3C, row * 3 * C);
  let input = floats(args.conInput_TB3C, (t * s.B + r) * 3 * C);
  if (s.S > 1) {
    // the samples of a trial share its encodings
    for (let i = 0; i < rows; i++) {
      const source = floats(args.conInput_TB3C, (t * s.B + (r + i) / s.S) * 3 * C);
      memory.copy(floats(gates, i * 3 * C), source, <usize>(3 * C) << 2);
    }
    input = gates;
  }
  const factors = floats(args.factors_HRF, row * F);
  gemm(rows, 3 * C, F, factors, F, p.conFactors, gates, 3 * C, input, 3 * C);
  const next = floats(args.con_HRC, (row + R) * C);
  gruRows(
    rows, C, p.conGates, p.conCandidate, floats(args.con_HRC, row * C), C,
    gates, 3 * C, floats(args.conReset_TRC, row * C), C, next, C,
  );
  const params = floats(args.inputParams_TR2U, row * 2 * U);
  gemm(rows, 2 * U, C, next, C, p.out, params, 2 * U, args.bOut_2U, 0);
}

/** u = mean + √var · eps, and the bin's KL given the inputs of the bin before. */
function inferInputs(args: DecoderArgs, s: Scalars, r: i32, rows: i32, t: i32, p: Prepared): void {
  const U = args.U, R = s.B * s.S, row = t * R + r;
  const varMin = f32x4.splat(args.varMin), prior = p.prior;
  drawInputNoise(args, s, r, rows, t);
  for (let i = 0; i < rows; i++) {
    const params = floats(args.inputParams_TR2U, (row + i) * 2 * U);
    const inputs = floats(args.inputs_TRU, (row + i) * U);
    const eps = floats(args.epsInputs_TRU, (row + i) * U);
    let sum: f64 = 0;
    for (let u = 0; u < U; u += 4) {
      const at = <usize>u << 2;
      const mean = v128.load(params + at);
      const variance = f32x4.add(exp4(v128.load(floats(params, U) + at)), varMin);
      put(inputs + at, args.sample ? sampled(mean, variance, eps + at) : mean, U - u);
      let priorMean = v128.load(args.inputPriorMean_U + at);
      let priorVariance = v128.load(prior.startVar + at);
      if (t > 0) {
        const previous = v128.load(floats(inputs, -R * U) + at);
        priorMean = f32x4.add(priorMean, f32x4.mul(v128.load(prior.phi + at), previous));
        priorVariance = v128.load(prior.noiseVar + at);
      }
      let kl = kl4(mean, variance, priorMean, priorVariance);
      if (U - u < 4) kl = v128.and(kl, firstLanes(U - u));
      sum += laneSum(kl);
    }
    const total = p.kl + (<usize>i << 3);
    store<f64>(total, load<f64>(total) + sum);
  }
}

function drawInputNoise(args: DecoderArgs, s: Scalars, r: i32, rows: i32, t: i32): void {
  if (!args.draw) return;
  const U = args.U, T = args.T, R = s.B * s.S;
  const eps = floats(args.epsInputs_TRU, (t * R + r) * U);
  if (s.S == 1) {
    const row = <u32>((s.firstTrial + r) * T + t);
    normalRows(eps, U, rows, U, EPS_INPUTS, row, <u32>T, s, 0);
    return;
  }
  for (let i = 0; i < rows; i++) {
    const row = <u32>((s.firstTrial + (r + i) / s.S) * T + t);
    normalRow(floats(eps, i * U), U, EPS_INPUTS, row, s, (r + i) % s.S);
  }
}

/** The external inputs' part of a bin's rows; samples of one trial share it, so they get copies in `gates`. */
function externalRows(
  args: DecoderArgs, s: Scalars, r: i32, rows: i32, t: i32, gates: usize,
): usize {
  const width = args.cell ? 3 * args.G : args.G;
  if (s.S == 1) return floats(args.genInput_TBW, (t * s.B + r) * width);
  for (let i = 0; i < rows; i++) {
    const source = floats(args.genInput_TBW, (t * s.B + (r + i) / s.S) * width);
    memory.copy(floats(gates, i * width), source, <usize>width << 2);
  }
  return gates;
}

/** The generator's cell, dropout on its state, and the factors. */
function generate(args: DecoderArgs, s: Scalars, r: i32, rows: i32, t: i32, p: Prepared): void {
  const U = args.U, G = args.G, F = args.F, R = s.B * s.S;
  const row = t * R + r, width = args.cell ? 3 * G : G;
  const gates = floats(args.genGates, row * width);
  const state = floats(args.gen_HRG, row * G), next = floats(args.gen_HRG, (row + R) * G);
  // where the pre-activations start from, `step` floats from row to row
  let start = args.bGen, step = 0;
  if (args.genInput_TBW) {
    start = externalRows(args, s, r, rows, t, gates);
    step = width;
  }
  if (U > 0) {
    const inputs = floats(args.inputs_TRU, row * U);
    gemm(rows, width, U, inputs, U, p.genInput, gates, width, start, step);
    start = gates;
    step = width;
  } else if (args.cell && start != gates) {
    for (let i = 0; i < rows; i++) {
      memory.copy(floats(gates, i * width), floats(start, i * step), <usize>width << 2);
    }
  }
  if (args.cell) {
    const reset = floats(args.genReset_TRG, row * G);
    gruRows(rows, G, p.genRecurrent, p.genCandidate, state, G, gates, width, reset, G, next, G);
  } else {
    gemm(rows, G, G, state, G, p.genRecurrent, gates, G, start, step);
    activateAll(gates, rows * G, args.nonlinearity);
    memory.copy(next, gates, <usize>(rows * G) << 2);
  }
  if (args.dropoutGen) {
    keepBin(p.keep, rows, G, args.keepRateGen, args.keepGen_RTG, KEEP_GEN, r, t, args.T, s, s.S);
    multiplyRow(next, next, p.keep, rows * G);
  }
  const factors = floats(args.factors_HRF, (row + R) * F);
  gemm(rows, F, G, next, G, p.factorsHat, factors, F, 0, 0);
}
