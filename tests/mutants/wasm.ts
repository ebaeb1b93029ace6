/** Mistakes in the AssemblyScript kernels: `wasm/`. */
import { type Change, mutations } from "./mutation.ts";

const STEP = ["tests/wasm_step.test.ts"], ELEMENTWISE = ["tests/wasm_kernels.test.ts"];
const OPTIONS = ["tests/wasm_options.test.ts"], MATH = ["tests/wasm_math.test.ts"];

function wasm(kernel: string, stem: string, tests: readonly string[], changes: readonly Change[]) {
  return mutations("wasm", kernel, `wasm/${stem}.ts`, tests, changes);
}

export const WASM = [
  ...wasm("prepare", "prepare", ELEMENTWISE, [
    ["a dropped square", "sum += w * w;", "sum += w;"],
    [
      "a bound one too low",
      "at = args.w_GF + column; g < G;",
      "at = args.w_GF + column; g < G - 1;",
    ],
    ["a thread's factors left out", "f += threads)", "f += threads + 1)"],
    [
      "a swapped index",
      "store<f32>(args.norms_F + column,",
      "store<f32>(args.norms_F + row - 4 - column,",
    ],
  ]),
  ...wasm("encoder_input", "encoder_input", STEP, [
    ["dropout left out", "if (args.dropout) drop(", "if (args.dropout && args.sparse) drop("],
    ["a bias left out", "width, args.b_D3E, 0);", "width, 0, 0);"],
    [
      "trials in the order of the batch",
      "(<usize> b << 2));\n  const from",
      "0);\n  const from",
    ],
    [
      "counts of the bin before",
      "<usize> (trial * args.dataT + t) * N",
      "<usize> (trial * args.dataT + max(t - 1, 0)) * N",
    ],
    [
      "trials as long as the encoder's",
      "<usize> (trial * args.dataT + t) * N",
      "<usize> (trial * args.T + t) * N",
    ],
    ["masks as long as the encoder's", "const T = args.dataT, N", "const T = args.T, N"],
    ["the scale left out", "put(dest, f32x4.mul(x, scale), N - n);", "put(dest, x, N - n);"],
    [
      "what is missing as spikes",
      "if (args.gaps) x = v128.andnot",
      "if (!args.gaps) x = v128.andnot",
    ],
    [
      "another size's mark",
      "element == U16 ? MISSING_U16 : MISSING_U8",
      "element == U16 ? MISSING_U8 : MISSING_U16",
      "wasm/data.ts",
    ],
    [
      "a row too few where spikes are sparse",
      "const paired = i + 1 < count;",
      "const paired = i + 2 < count;",
    ],
    [
      "a dropped factor where spikes are sparse",
      "w = v128.load(b, 16);\n    c1 = madd4(x, w, c1);\n    d1 = madd4(y, w, d1);\n    w = v128.load(b, 32);\n    c2 = madd4(x, w, c2);\n    d2 = madd4(y, w, d2);\n    w = v128.load(b, 48);\n    c3 = madd4(x, w, c3);\n    d3 = madd4(y, w, d3);\n    w = v128.load(b, 64);\n    c4 = madd4(x, w, c4);\n    d4 = madd4(y, w, d4);\n    w = v128.load(b, 80);\n    c5 = madd4(x, w, c5);\n    d5 = madd4(y, w, d5);\n  }\n  join(out0,",
      "w = v128.load(b, 16);\n    c1 = madd4(x, w, c1);\n    d1 = madd4(x, w, d1);\n    w = v128.load(b, 32);\n    c2 = madd4(x, w, c2);\n    d2 = madd4(y, w, d2);\n    w = v128.load(b, 48);\n    c3 = madd4(x, w, c3);\n    d3 = madd4(y, w, d3);\n    w = v128.load(b, 64);\n    c4 = madd4(x, w, c4);\n    d4 = madd4(y, w, d4);\n    w = v128.load(b, 80);\n    c5 = madd4(x, w, c5);\n    d5 = madd4(y, w, d5);\n  }\n  join(out0,",
      "wasm/sparse.ts",
    ],
  ]),
  ...wasm("encoder", "encoder", STEP, [
    ["the first state of the other direction", "h0_DE + (<usize>(direction * E) << 2);", "h0_DE;"],
    [
      "a bin too few",
      "for (let i = 0; i < T; i++) {\n    const t = direction ? T - 1 - i : i;",
      "for (let i = 0; i < T - 1; i++) {\n    const t = direction ? T - 1 - i : i;",
    ],
    [
      "the candidate of the other direction",
      "pack(args.wCandidate_DEE + square, E, E, E)",
      "pack(args.wCandidate_DEE, E, E, E)",
    ],
    [
      "the update gate's bias left out",
      "f32x4.add(v128.load(at), f32x4.splat(UPDATE_BIAS))",
      "v128.load(at)",
      "wasm/cells.ts",
    ],
    [
      "a dropped factor in the state",
      "f32x4.mul(f32x4.sub(f32x4.splat(1), u), c)",
      "c",
      "wasm/cells.ts",
    ],
    [
      "a swapped weight of two units",
      "cy = tanh4(madd4(rhy, c11, madd4(rhx, c01,",
      "cy = tanh4(madd4(rhy, c11, madd4(rhx, c10,",
      "wasm/pair_encoder.ts",
    ],
    [
      "the bias of two units left out",
      "uy = sigmoid4(f32x4.add(bias, ",
      "uy = sigmoid4(f32x4.add(f32x4.splat(0), ",
      "wasm/pair_encoder.ts",
    ],
  ]),
  ...wasm("encoder_backward", "encoder", STEP, [
    [
      "ends in each other's place",
      "(((b + i) * 2 + 1 - direction) * E)",
      "(((b + i) * 2 + direction) * E)",
    ],
    [
      "the controller's gradient left out",
      "if (args.dEnc_TB2E) {",
      "if (args.dEnc_TB2E && t > 0) {",
    ],
    ["a state of the bin after", "const before = direction ? t + 1 : t;", "const before = t;"],
    [
      "what stood there before, without ends",
      "if (args.dEnds_B2E == 0) memory.fill(dState, 0, <usize>rows * bytes);",
      "",
    ],
    [
      "a slope's dropped factor",
      "const dc = f32x4.mul(f32x4.mul(d, closed), f32x4.sub(one, f32x4.mul(c4, c4)));",
      "const dc = f32x4.mul(d, closed);",
      "wasm/cells.ts",
    ],
    [
      "weights not transposed",
      "packTransposed(args.wCandidate_DEE + square, E, E, E)",
      "pack(args.wCandidate_DEE + square, E, E, E)",
    ],
    [
      "a swapped weight of two units",
      "const dResetX = madd4(dcy, c01,",
      "const dResetX = madd4(dcy, c10,",
      "wasm/pair_encoder.ts",
    ],
    [
      "the reset gate's part of two units left out",
      "dy = madd4(dResetY, ry, f32x4.mul(dy, uy));",
      "dy = f32x4.mul(dy, uy);",
      "wasm/pair_encoder.ts",
    ],
  ]),
  ...wasm("controller_input", "controller_input", STEP, [
    [
      "a state of the bin before",
      "args.forward_HBE + <usize> (early + B) * half",
      "args.forward_HBE + <usize> early * half",
    ],
    [
      "directions in each other's place",
      "memory.copy(enc + half, args.backward_HBE + <usize> after * half, half);",
      "memory.copy(enc + half, args.forward_HBE + <usize> after * half, half);",
    ],
    [
      "a lag the other way",
      "const early = at - late, after = at + late;\n      if (isSeen",
      "const early = at + late, after = at - late;\n      if (isSeen",
    ],
    ["bins that the encoder does not see", "return at < seen && from >= 0", "return from >= 0"],
    ["what stood there before", "} else memory.fill(enc, 0, half);", "}"],
    ["a bias left out", "out, 3 * C, args.b_3C, 0);", "out, 3 * C, 0, 0);"],
    ["dropout of the bin after", "KEEP_ENC, b, t, T, s, 1);", "KEEP_ENC, b, t + 1, T, s, 1);"],
  ]),
  ...wasm("controller_input_backward", "controller_input", STEP, [
    [
      "weights not transposed",
      "packTransposed(args.wEncoding_2E3C, 3 * C, 2 * E, 3 * C)",
      "pack(args.wEncoding_2E3C, 3 * C, 2 * E, 2 * E)",
    ],
    ["dropout left out", "if (args.dropout) drop(dEnc,", "if (args.dropout > 1) drop(dEnc,"],
    ["a unit too few", "gemm(count, 2 * E, 3 * C, gates,", "gemm(count, 2 * E, 3 * C - 1, gates,"],
    ["halves in each other's place", "moved + half, half);", "moved, half);"],
    ["what stood there before", "if (!reaches) memory.fill(own + half, 0, half);", ""],
    ["a row of the other half", "if (!isReached) memory.fill(own", "if (!reaches) memory.fill(own"],
  ]),
  ...wasm("external_input", "external_input", STEP, [
    ["a bias left out", "out, W, args.b_W, 0);", "out, W, 0, 0);"],
    [
      "trials in the order of the batch",
      "args.external + <usize> (trial * T + t) * bytes",
      "args.external + <usize> (b * T + t) * bytes",
    ],
    ["an input too few", "gemm(count, W, X, block,", "gemm(count, W, X - 1, block,"],
    ["the bin before", "(trial * T + t) * bytes", "(trial * T + max(t - 1, 0)) * bytes"],
  ]),
  ...wasm("decoder", "decoder", STEP, [
    [
      "ends in each other's place",
      "memory.copy(joined, floats(args.backward_HBE, i * E), half);",
      "memory.copy(joined, floats(args.forward_HBE, (args.encoderT * B + i) * E), half);",
    ],
    [
      "a root left out",
      "f32x4.mul(f32x4.sqrt(variance), v128.load(eps))",
      "f32x4.mul(variance, v128.load(eps))",
    ],
    [
      "the variance's floor left out",
      "f32x4.add(exp4(v128.load(floats(params, U) + at)), varMin);\n      put(",
      "exp4(v128.load(floats(params, U) + at));\n      put(",
    ],
    [
      "the factors of the bin itself",
      "const factors = floats(args.factors_HRF, row * F);\n  gemm(rows, 3 * C",
      "const factors = floats(args.factors_HRF, (row + R) * F);\n  gemm(rows, 3 * C",
    ],
    [
      "the first bin's prior for the second",
      "if (t > 0) {\n        const previous",
      "if (t > 1) {\n        const previous",
    ],
    [
      "half of a divergence",
      "f32x4.mul(f32x4.splat(0.5), f32x4.add(log4",
      "f32x4.mul(f32x4.splat(1), f32x4.add(log4",
      "wasm/gaussian.ts",
    ],
    [
      "dropout of the bin after",
      "KEEP_GEN, r, t, args.T, s, s.S);\n    multiplyRow(next",
      "KEEP_GEN, r, t + 1, args.T, s, s.S);\n    multiplyRow(next",
    ],
    [
      "a swapped weight of two units",
      "preY = madd4(y, a11, madd4(x, a01, b1));",
      "preY = madd4(y, a11, madd4(x, a10, b1));",
      "wasm/pair_decoder.ts",
    ],
    [
      "a bias left out of g0",
      "floats(args.gen_HRG, first * G), G, args.bStart_G, 0);",
      "floats(args.gen_HRG, first * G), G, 0, 0);",
    ],
    ["first factors of zeros", "if (args.firstFactors) {", "if (!args.firstFactors) {"],
    [
      "first factors of two units of zeros",
      "if (args.firstFactors) {\n    const f0",
      "if (!args.firstFactors) {\n    const f0",
      "wasm/pair_decoder.ts",
    ],
    [
      "external inputs of two units left out",
      "F == 2 && cell == 0 && genInput == 0;",
      "F == 2 && cell == 0;",
      "wasm/pair_decoder.ts",
    ],
    [
      "samples for trials",
      "if (s.S == 1) return floats(args.genInput_TBW",
      "if (s.S > 0) return floats(args.genInput_TBW",
    ],
    ["external inputs left out", "  if (args.genInput_TBW) {", "  if (args.genInput_TBW == 1) {"],
    [
      "the bins of the trial, not of the encoder",
      "(args.encoderT * B + i) * E), half);",
      "(args.T * B + i) * E), half);",
    ],
    [
      "a controller unit too few",
      "args.wOut_C2U, C, 2 * U, 2 * U",
      "args.wOut_C2U, C - 1, 2 * U, 2 * U",
    ],
  ]),
  ...wasm("decoder_backward", "decoder_backward", STEP, [
    ["the factors' carry left out", "if (args.U > 0) addBlock(", "if (args.U > 1) addBlock("],
    ["dropout left out", "multiplyRow(p.gen, p.gen, p.keep, rows * G);", ""],
    [
      "the divergence's gradient left out",
      "put(dParams + at, f32x4.sub(du, dMean), room);",
      "put(dParams + at, du, room);",
    ],
    ["a dropped factor", "f32x4.mul(f32x4.splat(2), phi)", "f32x4.mul(f32x4.splat(1), phi)"],
    [
      "a bin too few",
      "for (let t = args.T - 1; t >= 0; t--)",
      "for (let t = args.T - 1; t > 0; t--)",
    ],
    [
      "a swapped stride",
      "packTransposed(args.factorsHat_GF, F, G, F)",
      "packTransposed(args.factorsHat_GF, F, G, G)",
    ],
    ["the first factors' part left out", "gemm(rows, G, F, dFirst, F,", "gemm(0, G, F, dFirst, F,"],
    [
      "a swapped stride of the start's weights",
      "packTransposed(args.wStart_IG, G, I, G)",
      "packTransposed(args.wStart_IG, G, I, I)",
    ],
    [
      "the inputs' scale for the start",
      "f32x4.splat(s.klIcScale / <f32>s.B)",
      "f32x4.splat(s.klInputsScale / <f32>s.B)",
    ],
    [
      "the start's scale for the inputs",
      "f32x4.splat(s.klInputsScale / <f32>B)",
      "f32x4.splat(s.klIcScale / <f32>B)",
    ],
    ["what stood in slot 0 before", "memory.fill(dFirst, 0, bytes);", ""],
    [
      "the prior's chain left out",
      "put(carried + at, f32x4.mul(dMean, phi), room);",
      "put(carried + at, none, room);",
    ],
    [
      "a swapped weight of two units",
      "dx = madd4(preY, a01, f32x4.mul(preX, a00));",
      "dx = madd4(preY, a10, f32x4.mul(preX, a00));",
      "wasm/pair_decoder.ts",
    ],
    [
      "the scale of a divergence left out",
      "f32x4.mul(scale, f32x4.div(f32x4.sub(priorMean, mean), priorVariance))",
      "f32x4.div(f32x4.sub(priorMean, mean), priorVariance)",
      "wasm/gaussian.ts",
    ],
  ]),
  ...wasm("readout", "readout", ELEMENTWISE, [
    [
      "the batch's size left out",
      "const inverseB: f32 = 1 / (s.B as f32);",
      "const inverseB: f32 = 1;",
    ],
    [
      "a factor too few",
      "end = <usize> F << 2;",
      "end = <usize> (F - 1) << 2;",
      "wasm/log_rates.ts",
    ],
    [
      "factors of the bin before",
      "args.factors_HRF + (bin + (R as usize)) * factorRow",
      "args.factors_HRF + bin * factorRow",
    ],
    [
      "the overflow's guard left out",
      "const rate = expRate4(f32x4.pmin(l, highest));\n    let loss",
      "const rate = expRate4(l);\n    let loss",
    ],
    [
      "a row for another",
      "q3 = madd4(e3, wb, q3);",
      "q3 = madd4(e2, wb, q3);",
      "wasm/factor_gradients.ts",
    ],
    [
      "trials in the order of the batch",
      "trial * ((args.T * args.N) as usize)",
      "((r / s.S) as usize) * ((args.T * args.N) as usize)",
    ],
  ]),
  ...wasm("readout", "readout", OPTIONS, [
    [
      "a weight left out of the loss",
      "f32x4.mul(weight, f32x4.sub(rate, f32x4.mul(counts, l)))",
      "f32x4.sub(rate, f32x4.mul(counts, l))",
    ],
    [
      "a weight left out of the gradient",
      "f32x4.mul(f32x4.mul(f32x4.sub(rate, counts), inverse), weight)",
      "f32x4.mul(f32x4.sub(rate, counts), inverse)",
    ],
    ["real numbers as counts", " || args.element == REAL;", ";"],
    [
      "kept and dropped in each other's place",
      "v128.andnot(dropped, f32x4.gt(",
      "v128.and(dropped, f32x4.gt(",
      "wasm/loss_weights.ts",
    ],
    [
      "what was dropped not scaled",
      "f32x4.splat(1 / (1 - w.keepRate))",
      "f32x4.splat(1)",
      "wasm/loss_weights.ts",
    ],
    [
      "what is never seen as dropped",
      "v128.bitselect(one, weight, missing4",
      "v128.bitselect(dropped, weight, missing4",
      "wasm/loss_weights.ts",
    ],
    [
      "the mask of another trial",
      "((s.firstTrial + b) * T + t)",
      "(b * T + t)",
      "wasm/loss_weights.ts",
    ],
    [
      "a loss of what is missing",
      "if (w.gaps) weight",
      "if (!w.gaps) weight",
      "wasm/loss_weights.ts",
    ],
  ]),
  ...wasm("observation", "observation", OPTIONS, [
    ["half of a likelihood", "f32x4.mul(half, terms)", "terms"],
    ["the variance's floor left out", "variance = f32x4.add(spread, varMin)", "variance = spread"],
    ["a sign", "shared(f32x4.neg(scaled), weight", "shared(scaled, weight"],
    [
      "a shape's factor left out",
      "f32x4.mul(alpha, f32x4.sub(digamma4",
      "f32x4.mul(one, f32x4.sub(digamma4",
    ],
    ["a logarithm left out", "f32x4.add(f32x4.add(fall, logX), betaX)", "f32x4.add(fall, betaX)"],
    ["the floor left out", "inflated ? f32x4.sub(given, floor) : given", "given"],
    ["zeros as numbers", "f32x4.ne(given, none) : ", "f32x4.eq(none, none) : "],
    [
      "a logit's sign",
      "v128.bitselect(f32x4.neg(c), c, isGamma)",
      "v128.bitselect(c, f32x4.neg(c), isGamma)",
    ],
    ["what a sum lost not put back", "f32x4.add(log4(sum), f32x4.div(lost, sum))", "log4(sum)"],
    ["what a last vector reads kept", "q < paddedRow(Q); q++", "q < Q; q++"],
  ]),
  ...wasm("observation", "gamma", MATH, [
    ["a term of a series", "-1.0 / 360", "1.0 / 360"],
    ["a term of a derivative", "1.0 / 120", "1.0 / 125"],
    [
      "a factor of a product",
      "f32x4.mul(q, f32x4.add(q, f32x4.splat(2)))",
      "f32x4.mul(q, f32x4.add(q, f32x4.splat(3)))",
    ],
    [
      "a shift left out",
      "v128.and(isSmall(alpha), f32x4.splat(SHIFT))",
      "v128.and(isSmall(alpha), f32x4.splat(0))",
    ],
  ]),
  ...wasm("weight_gradients", "weight_gradients", STEP, [
    ["the slot left out", "(<usize>(job.aSlot * B * job.aStride + m) << 2)", "(<usize>m << 2)"],
    [
      "a row too few",
      "const K = min(ROW_BLOCK, rows - row);\n    packSixes",
      "const K = min(ROW_BLOCK - 1, rows - row);\n    packSixes",
    ],
    [
      "a swapped output",
      "transpose(p.turned, nCount, mCount, out, outStep);",
      "transpose(p.turned, mCount, nCount, out, outStep);",
    ],
    [
      "a term left out",
      "x = v128.load32_splat(a, 44);\n    c50 = madd4(x, b0, c50);",
      "x = v128.load32_splat(a, 44);",
    ],
    ["sums that join what stood there", "  if (!first) {\n    low", "  if (first) {\n    low"],
  ]),
  ...wasm("reduce", "reduce", ELEMENTWISE, [
    ["a dropped factor", "f32x4.splat(2 * s.l2Scale)", "f32x4.splat(s.l2Scale)"],
    ["one penalty for all", "f32x4.mul(f32x4.mul(slope, l2), p)", "f32x4.mul(slope, p)"],
    ["a penalty without its own factor", "addProducts(penalty, l2, p)", "addSquares(penalty, p)"],
    [
      "the projection left out",
      "(<f64> load<f32>(args.dw_GF + at) - hat * along)",
      "(<f64> load<f32>(args.dw_GF + at))",
    ],
    [
      "the divergences not scaled",
      "nll + <f64> s.klIcScale * klIc + <f64> s.klInputsScale * klInputs",
      "nll + klIc + klInputs",
    ],
    [
      "a block too few",
      "block < blocks; block++, norms += 8",
      "block < blocks - 1; block++, norms += 8",
    ],
  ]),
  ...wasm("adam", "adam", ELEMENTWISE, [
    ["no clipping", "f32x4.splat(clip)", "f32x4.splat(1)"],
    [
      "eps inside the root",
      "f32x4.add(f32x4.sqrt(f32x4.mul(v, inverse2)), eps)",
      "f32x4.sqrt(f32x4.add(f32x4.mul(v, inverse2), eps))",
    ],
    ["a correction left out", "<f32> (<f64> s.learningRate / unbias1)", "s.learningRate"],
    [
      "the last numbers left out",
      "storeLanes(args.params_P + at, p, end - i);",
      "storeLanes(args.params_P + at, p, end - i - 1);",
    ],
  ]),
  ...wasm("adam", "adam", OPTIONS, [
    ["the decay not scaled", "<f64> args.weightDecay * <f64> s.l2Scale", "<f64> args.weightDecay"],
    [
      "the decay of what has moved",
      "f32x4.mul(decay, before)",
      "f32x4.mul(decay, f32x4.mul(p, f32x4.splat(2)))",
    ],
    ["the decay left out", "decays = shrink != 0;", "decays = false;"],
  ]),
  ...wasm("accumulate", "accumulate", OPTIONS, [
    ["the share left out", "const share = f32x4.splat(s.share)", "const share = f32x4.splat(1)"],
    ["a first part that joins what stood there", "if (accumulated) sum =", "sum ="],
    [
      "losses that join what stood there",
      "s.accumulated ? load<f32>(args.sums + at) : 0",
      "load<f32>(args.sums + at)",
    ],
    ["a loss too few", "at < GRAD_NORM; at += 4", "at < GRAD_NORM - 4; at += 4"],
    ["the last numbers left out", "storeLanes(args.sum_P + at, sum, room);", ""],
  ]),
  ...wasm("average_samples", "average_samples", ELEMENTWISE, [
    ["a sample too few", "sample < S; sample++", "sample < S - 1; sample++"],
    ["a dropped factor", "f32x4.div(sum, divisor)", "sum"],
    [
      "a swapped index",
      "args.source + <usize> at * <usize> S * row",
      "args.source + <usize> at * row",
    ],
  ]),
  ...wasm("posterior_rates", "posterior_rates", ELEMENTWISE, [
    [
      "factors of the bin before",
      "args.factors_HRF + <usize> (s.B * S) * factorRow",
      "args.factors_HRF",
    ],
    [
      "a sample too few",
      "if (sample != S - 1) continue;",
      "if (sample != max(S - 2, 0)) continue;",
    ],
    [
      "sums of the trial before kept",
      "memory.fill(rates, 0, stride), memory.fill(logs, 0, stride)",
      "memory.fill(logs, 0, stride)",
    ],
    ["the overflow's guard left out", "expRate4(f32x4.pmin(l, highest))", "expRate4(l)"],
  ]),
  ...wasm("posterior_observations", "posterior_observations", OPTIONS, [
    [
      "a mean for its inverse",
      "f32x4.sub(f32x4.pmin(mean, highest), f32x4.pmin(b, highest))",
      "f32x4.sub(f32x4.pmin(b, highest), f32x4.pmin(mean, highest))",
    ],
    ["the floor left out", "f32x4.add(mean, floor))", "mean)"],
    [
      "a sample too few",
      "if (sample != S - 1) continue;",
      "if (sample != max(S - 2, 0)) continue;",
    ],
    ["sums of the trial before kept", "memory.fill(rates, 0, bytes);", ""],
    ["a second output for the third", "third = <usize> N << 3", "third = <usize> N << 2"],
  ]),
  ...wasm("fixed_points", "fixed_points", ["tests/wasm_fixed_points.test.ts"], [
    ["a dropped factor", "f32x4.splat(2 / <f32>args.G)", "f32x4.splat(1 / <f32>args.G)"],
    ["an iteration off by one", "rows * G, s.count + i, p)", "rows * G, s.count + i + 1, p)"],
    [
      "the state's own part left out",
      "f32x4.mul(scale, f32x4.sub(v128.load(d), v128.load(residual)))",
      "f32x4.mul(scale, v128.load(d))",
    ],
    [
      "weights not transposed",
      "p.recurrentT = packTransposed(args.wGenRecurrent, G, G, G);",
      "p.recurrentT = pack(args.wGenRecurrent, G, G, G);",
    ],
    [
      "the input left out",
      "packed, p.constant, width, args.bGen, 0);",
      "packed, p.constant, width, 0, 0);",
    ],
  ]),
];
