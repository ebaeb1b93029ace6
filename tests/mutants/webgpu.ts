/** Mistakes in the WGSL kernels: `shaders/`. */
import { type Change, mutations } from "./mutation.ts";

const ELEMENTWISE = ["tests/webgpu_kernels.test.ts"], PRODUCTS = ["tests/webgpu_products.test.ts"];
const ENCODER = ["tests/webgpu_encoder.test.ts"], DECODER = ["tests/webgpu_decoder.test.ts"];
const OPTIONS = ["tests/webgpu_options.test.ts"];
const FIXED_POINTS = ["tests/webgpu_fixed_points.test.ts"];

function webgpu(kernel: string, tests: readonly string[], changes: readonly Change[]) {
  return mutations("webgpu", kernel, `shaders/${kernel}.wgsl`, tests, changes);
}

export const WEBGPU = [
  ...webgpu("prepare", ELEMENTWISE, [
    ["a dropped square", "sum += w * w;", "sum += w;"],
    [
      "a bound one too low",
      "for (var g = 0u; g < G; g++) {\n      let w",
      "for (var g = 0u; g + 1u < G; g++) {\n      let w",
    ],
    [
      "a swapped index",
      "put(prepare.factorsHat_GF + g * F + f,",
      "put(prepare.factorsHat_GF + f * G + g,",
    ],
  ]),
  ...webgpu("transpose", ENCODER, [
    [
      "rows for columns",
      "(i % rows) * columns + i / rows",
      "(i % columns) * rows + i / columns",
      "shaders/transposes.wgsl",
    ],
    [
      "an element too few",
      "i < end; i += WORKGROUP) {\n    put(copy",
      "i + 1u < end; i += WORKGROUP) {\n    put(copy",
      "shaders/transposes.wgsl",
    ],
    ["the entry of another", "transpose.table + 6u * group.x", "transpose.table"],
  ]),
  ...webgpu("encoder_input", PRODUCTS, [
    ["the keep rate left out", "/ encoder_input.keepRate);", ");"],
    [
      "a bias left out",
      "gemm_start(gemm_load(encoder_input.b_D3E, column, width))",
      "mat4x4<f32>()",
    ],
    [
      "trials in the order of the batch",
      "EncoderInputRows((trials * dataT + t)",
      "EncoderInputRows((b * dataT + t)",
    ],
    ["counts of another neuron", "count(at.w + n)", "count(at.w + n + 1u)"],
    [
      "a product too few",
      "fma(a[3], vec4<f32>(b.w), fma(a[2], vec4<f32>(b.z), first))",
      "fma(a[2], vec4<f32>(b.z), first)",
      "shaders/gemm.wgsl",
    ],
    [
      "the masks of another line",
      "mask_at(line + 32u, column)",
      "mask_at(line + 16u, column)",
      "shaders/masks.wgsl",
    ],
    [
      "a bound one too low",
      "select(0u, width, line + 16u < rows)",
      "select(0u, width, line + 17u < rows)",
      "shaders/gemm.wgsl",
    ],
  ]),
  ...webgpu("encoder", ENCODER, [
    [
      "the first state of the other direction",
      "real(encoder.h0_DE + column.d * E + column.j)",
      "real(encoder.h0_DE + column.j)",
    ],
    [
      "a part of a sum left out",
      "for (var part = 1u; part < parts; part++)",
      "for (var part = 2u; part < parts; part++)",
    ],
    [
      "the candidate of the other direction",
      "encoder.wCandidate_DEE + column.d * E * E + column.j",
      "encoder.wCandidate_DEE + column.j",
    ],
    [
      "the update gate's bias left out",
      "sigmoid_tile(pre + UPDATE_BIAS)",
      "sigmoid_tile(pre)",
      "shaders/gru.wgsl",
    ],
    ["a dropped factor in the state", "u * h + (1.0 - u) * c", "u * h + c", "shaders/gru.wgsl"],
    [
      "a bin too few",
      "step < end; step++) {\n    // r and u",
      "step + 1u < end; step++) {\n    // r and u",
    ],
    [
      "the tail of a sum left out",
      "for (; k < end; k++) {\n    even",
      "for (; k + 1u < end; k++) {\n    even",
    ],
  ]),
  ...webgpu("encoder_backward", ENCODER, [
    ["ends in each other's place", "(1u - unit.d) * E + unit.e", "unit.d * E + unit.e"],
    [
      "the controller's gradient left out",
      "encoder_back_state[i] + kept.d",
      "encoder_back_state[i]",
    ],
    ["a state of the bin after", "select(bin, bin + 1u, unit.d == 1u)", "bin"],
    [
      "a slope's dropped factor",
      "d * (1.0 - u) * (1.0 - c * c)",
      "d * (1.0 - u)",
      "shaders/gru.wgsl",
    ],
    [
      "weights of the other direction",
      "wGates_DE2E_T + unit.d * 2u * E * E + unit.e",
      "wGates_DE2E_T + unit.e",
    ],
    [
      "a column too few",
      "encoder_back_dot(unit.start, w, 2u * E, part)",
      "encoder_back_dot(unit.start, w, 2u * E - 1u, part)",
    ],
    ["the reset gate's part left out", "encoder_back_state[i] += dReset * r;", ""],
  ]),
  ...webgpu("controller_input", PRODUCTS, [
    [
      "a state of the bin before",
      "controller_input.forward_HBE + (rows + B) * E",
      "controller_input.forward_HBE + rows * E",
    ],
    [
      "the keep rate left out",
      "encodings * (keep / controller_input.keepRate)",
      "encodings * keep",
    ],
    [
      "directions in each other's place",
      "start = at.backward + (i - E);",
      "start = at.forward + (i - E);",
    ],
    [
      "a weight too few",
      "select(0u, width, i < 2u * controller_input.E)",
      "select(0u, width, i + 1u < 2u * controller_input.E)",
    ],
  ]),
  ...webgpu("controller_input_backward", PRODUCTS, [
    [
      "dropout left out",
      "return sums * (keep / controller_input_backward.keepRate);",
      "return sums;",
    ],
    [
      "a swapped index",
      "wEncoding_2E3C_T + j * width",
      "wEncoding_2E3C_T + j * 3u * controller_input_backward.C",
    ],
    ["a gate too few", "if (j >= depth) {", "if (j + 1u >= depth) {"],
    [
      "the masks of other columns",
      "dropped(y, line, B, column + 32u, sums[2])",
      "dropped(y, line, B, column + 16u, sums[2])",
    ],
  ]),
  ...webgpu("decoder", DECODER, [
    [
      "ends in each other's place",
      "select(forward, decoder.backward_HBE, i < E)",
      "select(decoder.backward_HBE, forward, i < E)",
    ],
    ["a root left out", "z += sqrt(variance) * eps;", "z += variance * eps;"],
    [
      "the variance's floor left out",
      "exp_tile(held[decoder_params() + U + u]) + decoder.varMin",
      "exp_tile(held[decoder_params() + U + u])",
    ],
    ["factors of g0 in the first bin", "select(sum, Tile(), t == 0u)", "sum"],
    [
      "the first bin's prior for the second",
      "select(prior.noiseVar, prior.startVar, t == 0u));",
      "select(prior.noiseVar, prior.startVar, t <= 1u));",
    ],
    [
      "half of a divergence",
      "return 0.5 * (log_tile(",
      "return (log_tile(",
      "shaders/gaussian.wgsl",
    ],
    [
      "the masks of another bin",
      "decoding_keep(t % decoding_bins(G), G, j) / decoder.keepRateGen",
      "decoding_keep(0u, G, j) / decoder.keepRateGen",
    ],
    [
      "a part of a sum left out",
      "for (var part = 1u; part < parts; part++) {\n      sum += held",
      "for (var part = 2u; part < parts; part++) {\n      sum += held",
      "shaders/decoding.wgsl",
    ],
    [
      "the state's place not turned",
      "let h = gru_next(held[con + j], held[con + 2u * C + j], c);",
      "let h = gru_next(held[con + j], held[con + C + j], c);",
    ],
  ]),
  ...webgpu("decoder_backward", DECODER, [
    [
      "the factors' carry left out",
      "d += load_tile(before, here.rows, F, j - C);",
      "",
    ],
    [
      "dropout left out",
      "d *= decoding_keep(t % decoding_bins(G), G, j) / decoder_backward.keepRateGen;",
      "",
    ],
    ["the divergence's gradient left out", "let dMean = dz - dPriorMean;", "let dMean = dz;"],
    [
      "a dropped factor",
      "select(d, d * x.before * prior.dPhi, j >= U)",
      "select(d, d * x.before, j >= U)",
    ],
    [
      "a bin too few",
      "for (var step = first; step < end; step++) {\n    let t = T - 1u - step;",
      "for (var step = first; step + 1u < end; step++) {\n    let t = T - 1u - step;",
    ],
    [
      "a swapped index",
      "decoder_backward.wInitial_2E2I_T + j;\n      sum = decoding_dot(decoder_back_posterior(), n, w, width, part, parts);",
      "decoder_backward.wInitial_2E2I_T + j * n;\n      sum = decoding_dot(decoder_back_posterior(), n, w, 1u, part, parts);",
    ],
    ["the prior's chain left out", "if (t + 1u < T) {", "if (t + 1u < T && t > 0u) {"],
    ["the noise's part left out", "known.dLogVar + dInput * known.noise", "known.dLogVar"],
    [
      "a product too few",
      "decoding_dot(decoder_back_factors(), F, w, 1u, part, parts)",
      "decoding_dot(decoder_back_factors(), F - 1u, w, 1u, part, parts)",
    ],
    [
      "what is carried over a cut left out",
      "held[decoder_back_state() + g] = d;",
      "held[decoder_back_state() + g] = Tile();",
    ],
  ]),
  ...webgpu("readout", ELEMENTWISE, [
    ["the batch's size left out", "var d = (rate - x) / f32(s.B);", "var d = rate - x;"],
    [
      "factors of the bin before",
      "readout.factors_HRF + ((t0 + 1u) * R + r) * F",
      "readout.factors_HRF + (t0 * R + r) * F",
    ],
    [
      "the overflow's guard left out",
      "exp_within(clamp(l, -87.0, MAX_LOG_RATE))",
      "exp_(l)",
      "shaders/log_rates.wgsl",
    ],
    [
      "a row for another",
      "high = fma(factorTile[at + 2u * LOG_RATE_STRIDE + 1u], vec4<f32>(w2), high);",
      "high = fma(factorTile[at + 2u * LOG_RATE_STRIDE], vec4<f32>(w2), high);",
      "shaders/log_rates.wgsl",
    ],
    [
      "a neuron too few",
      "for (; n < columns; n += FACTOR_PARTS) {",
      "for (; n + 1u < columns; n += FACTOR_PARTS) {",
      "shaders/factor_gradients.wgsl",
    ],
    [
      "bins of the next tile",
      "at, r, R, t0, row + 4u + i, n0, column",
      "at, r, R, t0, row + i, n0, column",
    ],
  ]),
  ...webgpu("weight_gradients", PRODUCTS, [
    ["the slot left out", "job.left + job.leftSlot * B * job.leftStride;", "job.left;"],
    [
      "a row too few",
      "let end = min(rows, first + share);",
      "let end = min(rows - 1u, first + share);",
    ],
    [
      "a swapped output",
      "job.out + line * job.outLine + column * job.outColumn, gradientSums",
      "job.out + column * job.outLine + line * job.outColumn, gradientSums",
    ],
    ["a block left out", "total += sums;\n      leftTotal += leftSum;", "leftTotal += leftSum;"],
    [
      "another's partial sums kept",
      "let end = select(0u, weight_gradients.splits, job.split + 1u == job.splits);",
      "let end = 0u;",
    ],
  ]),
  ...webgpu("fold", PRODUCTS, [
    [
      "a partial sum too few",
      "fold.scratchLength, fold.splits)",
      "fold.scratchLength, fold.splits - 1u)",
    ],
    [
      "partial sums of another length",
      "sum_partials(fold.scratch + p, fold.scratchLength,",
      "sum_partials(fold.scratch + p, fold.P + 1u,",
    ],
    ["a gradient too few", "if (p >= fold.P) {", "if (p + 1u >= fold.P) {"],
  ]),
  ...webgpu("reduce", ELEMENTWISE, [
    ["a dropped factor", "g + 2.0 * s.l2Scale", "g + s.l2Scale"],
    [
      "the projection left out",
      "(real(reduce.dw_GF + i) - hat * along)",
      "(real(reduce.dw_GF + i))",
    ],
    ["a parameter too few", "if (p < P) {", "if (p + 1u < P) {"],
    ["the factors' weights twice", "(p < first || p >= end)", "(p < first || p + 1u >= end)"],
  ]),
  ...webgpu("finish", ELEMENTWISE, [
    ["a workgroup's sums left out", "let groups = 1u + (finish.P", "let groups = (finish.P"],
    [
      "the divergences not scaled",
      "nll + s.klIcScale * klIc + s.klInputsScale * klInputs + l2",
      "nll + klIc + klInputs + l2",
    ],
    ["the means' divisor left out", "sum_all(lane, sum) / f32(n)", "sum_all(lane, sum)"],
    [
      "a root left out",
      "let norm = sqrt(sum_all(lane, gradients));",
      "let norm = sum_all(lane, gradients);",
    ],
  ]),
  ...webgpu("adam", ELEMENTWISE, [
    ["no clipping", "let g = clip * real(adam.grads_P + p);", "let g = real(adam.grads_P + p);"],
    ["eps inside the root", "(sqrt(v / correct2) + adam.eps)", "sqrt(v / correct2 + adam.eps)"],
    ["a correction left out", "(m / correct1)", "m"],
    ["the last number left out", "if (p >= adam.P) {", "if (p + 1u >= adam.P) {"],
  ]),
  ...webgpu("adam", ["tests/webgpu_golden.test.ts"], [
    ["a norm that another workgroup finished", "norm = finishedNorm;", "norm = f32(group.x);"],
  ]),
  ...webgpu("average_samples", ELEMENTWISE, [
    [
      "a sample too few",
      "for (var k = first; k < end; k += step)",
      "for (var k = first; k + 1u < end; k += step)",
    ],
    [
      "a dropped factor",
      "put(average_samples.mean + row * n + i, sum / f32(S));",
      "put(average_samples.mean + row * n + i, sum);",
    ],
    [
      "a swapped index",
      "average_samples.source + row * S * n + i, 0u",
      "average_samples.source + row * n + i, 0u",
    ],
    ["a half of the lines left out", "half >= WIDTH; half /= 2u", "half > WIDTH; half /= 2u"],
  ]),
  ...webgpu("posterior_rates", ELEMENTWISE, [
    [
      "factors of the bin before",
      "posterior_rates.factors_HRF + (R + first) * F",
      "posterior_rates.factors_HRF + first * F",
    ],
    [
      "a sample too few",
      "for (var k = 0u; k < S; k++) {\n      sum += termTile",
      "for (var k = 0u; k + 1u < S; k++) {\n      sum += termTile",
      "shaders/posterior_means.wgsl",
    ],
    [
      "a group of rows left out",
      "(termTile[column + 2u * LOG_RATE_COLUMNS] + termTile[column + 3u * LOG_RATE_COLUMNS])",
      "termTile[column + 2u * LOG_RATE_COLUMNS]",
      "shaders/posterior_means.wgsl",
    ],
    [
      "the rate of the mean",
      "SampledTerms(LogRates(rates_of(l.low), rates_of(l.high)), l)",
      "SampledTerms(l, l)",
    ],
  ]),
  ...webgpu("encoder_input", OPTIONS, [
    [
      "what is missing read as a number",
      "select(x, 0.0, is_missing(encoder_input.element, x))",
      "x",
    ],
    ["the scale left out", "return encoder_input.scale * vec4<f32>(", "return vec4<f32>("],
    [
      "the encoder's bins for the data's",
      "let drawn = (s.firstTrial + row % B) * drawnT + row / B;",
      "let drawn = (s.firstTrial + row % B) * T + row / B;",
      "shaders/masks.wgsl",
    ],
  ]),
  ...webgpu("encoder_backward", OPTIONS, [
    [
      "ends that are absent",
      "if (encoder_backward.dEnds_B2E != ABSENT) {",
      "if (encoder_backward.dEnds_B2E == ABSENT) {",
    ],
  ]),
  ...webgpu("controller_input", OPTIONS, [
    [
      "a bin too late",
      "select(vec4<u32>(), t - lag + 1u, hasForward)",
      "select(vec4<u32>(), t - lag, hasForward)",
    ],
    ["bins that the encoder never sees", "(t < bins) & (t >= lag)", "(t >= lag)"],
    ["the lag of the other direction", "t + lag, hasBackward)", "t, hasBackward)"],
    [
      "what is not there is not left out",
      "select(vec4<f32>(), encodings, has)",
      "encodings",
    ],
  ]),
  ...webgpu("controller_input_backward", OPTIONS, [
    ["what went nowhere", "select(0.0, x, has)", "x"],
    ["directions in each other's place", "if (column < E) {", "if (column >= E) {"],
    ["no wrap", "(t + lag) % bins", "t + lag"],
    [
      "masks of the encoder's bins",
      "keepRate, bins, T, B, line, first, width",
      "keepRate, bins, bins, B, line, first, width",
    ],
  ]),
  ...webgpu("external_input", OPTIONS, [
    ["the bias left out", "var sum = real(external_input.b_W + i % W);", "var sum = 0.0;"],
    ["an input too few", "x < X; x++", "x + 1u < X; x++"],
    [
      "trials in the order of the batch",
      "(trial * external_input.T",
      "((row % B) * external_input.T",
    ],
    ["another bin's", "+ row / B) * external_input.X", "+ row % B) * external_input.X"],
  ]),
  ...webgpu("decoder", OPTIONS, [
    ["the first state's bias left out", "sum += real(decoder.bStart_G + j);", ""],
    ["the mean in place of the sample", "held[posterior + i] = z;", ""],
    [
      "external inputs of another trial",
      "sum = load_tile(row, here.trials, width, j);",
      "sum = load_tile(row, here.trials + 1u, width, j);",
    ],
    [
      "a forward end of the data's bins",
      "decoder.forward_HBE + decoder.encoderT *",
      "decoder.forward_HBE + decoder.T *",
    ],
    ["the first factors left out", "decoder_factors(lane, here, 0u);", ""],
  ]),
  ...webgpu("decoder_backward", OPTIONS, [
    [
      "the first factors' part left out",
      "decoder_back_add_readout(lane);\n    }\n    if (DECODER_START",
      "}\n    if (DECODER_START",
    ],
    [
      "a swapped index",
      "decoder_backward.wStart_IG_T + j;",
      "decoder_backward.wStart_IG_T + j * G;",
    ],
    [
      "a product too few",
      "decoding_dot(decoder_back_state(), G, w, I,",
      "decoding_dot(decoder_back_state(), G - 1u, w, I,",
    ],
    ["one scale for both divergences", "let scale = s.klIcScale", "let scale = s.klInputsScale"],
    [
      "the factors before the first bin as they were",
      "store_tile(decoder_backward.dFactors_HRF, here.rows, F, f, Tile());",
      "",
    ],
  ]),
  ...webgpu("readout", OPTIONS, [
    [
      "a loss for what is missing",
      "if (is_missing(at.element, x)) {",
      "if (false) {",
      "shaders/loss_weights.wgsl",
    ],
    [
      "what was kept for what was dropped",
      "select(1.0 / (1.0 - at.keepRate), 0.0, kept)",
      "select(0.0, 1.0 / (1.0 - at.keepRate), kept)",
      "shaders/loss_weights.wgsl",
    ],
    [
      "what the encoder never sees as dropped",
      "if (at.encoded != ABSENT) {",
      "if (at.encoded == ABSENT) {",
      "shaders/loss_weights.wgsl",
    ],
    ["masks of other neurons", "n0 / 8u + lane % 8u", "lane / 8u", "shaders/loss_weights.wgsl"],
    ["a gradient without weight", "d = select(0.0, weight * d, weight > 0.0);", ""],
  ]),
  ...webgpu("observation", OPTIONS, [
    [
      "outputs of one kind only",
      "own[k] = log_rate_of(o[k], i);",
      "own[k] = log_rate_of(o[0], i);",
    ],
    ["the batch's size left out", "found.gradient[k] / f32(s.B)", "found.gradient[k]"],
    ["the loss without its weight", "found.loss *= weight;", ""],
    ["gradients stored, not added", "n0 == 0u && k == 0u", "n0 == 0u"],
    ["the weights of one kind only", "k * N + n0, columns", "n0, columns"],
    ["the variance's floor left out", "spread + varMin;", "spread;", "shaders/families.wgsl"],
    ["the floor left out", "gamma_loss(x - least,", "gamma_loss(x,", "shaders/families.wgsl"],
    [
      "a factor of a slope",
      "(1.0 - square), 0.0)",
      "(1.0 + square), 0.0)",
      "shaders/families.wgsl",
    ],
    [
      "a shift left out",
      "return (main + rest) - excess;",
      "return main + rest;",
      "shaders/gamma.wgsl",
    ],
    ["a slope's shift left out", "return main - excess;", "return main;", "shaders/gamma.wgsl"],
  ]),
  ...webgpu("posterior_observations", OPTIONS, [
    ["factors of the bin before", "factors_HRF + (R + first) * F", "factors_HRF + first * F"],
    [
      "outputs of one kind only",
      "own[k] = log_rate_of(o[k], i);",
      "own[k] = log_rate_of(o[0], i);",
    ],
    [
      "the floor left out",
      "sigmoid(o[2]) * (mean + least)",
      "sigmoid(o[2]) * mean",
      "shaders/families.wgsl",
    ],
    [
      "rates for their logarithms",
      "terms.logRates.low[i] = logMean;",
      "terms.logRates.low[i] = mean;",
    ],
  ]),
  ...webgpu("reduce", OPTIONS, [
    [
      "one penalty for all",
      "parameters += real(reduce.l2_P + p) * x * x;",
      "parameters += real(reduce.l2_P) * x * x;",
    ],
  ]),
  ...webgpu("adam", OPTIONS, [
    ["no decay", "x - step - decay", "x - step"],
    [
      "the norm of another run",
      "norm = real(adam.scratch + LOSS_gradNorm);",
      "norm = real(losses + LOSS_gradNorm);",
    ],
  ]),
  ...webgpu("accumulate", OPTIONS, [
    ["the share left out", "var sum = s.share * real(", "var sum = real("],
    ["what stood there before the first part", "if (s.accumulated > 0u) {", "if (true) {"],
    ["a number too few", "if (p < accumulate.P) {", "if (p + 1u < accumulate.P) {"],
  ]),
  ...webgpu("total", OPTIONS, [
    ["the share left out", "var sum = s.share * real(", "var sum = real("],
    ["a root left out", "sqrt(sum_all(lane, squares))", "sum_all(lane, squares)"],
    ["only this run's", "sum += real(total.scratch + lane);", ""],
    ["only the running sums", "put(total.sums + s.slot * total.sumsSlot + lane, sum);", ""],
  ]),
  ...webgpu("fixed_points", FIXED_POINTS, [
    [
      "a dropped factor",
      "(2.0 / f32(fixed_points.G)) * moved",
      "(1.0 / f32(fixed_points.G)) * moved",
    ],
    ["an iteration off by one", "let n = s.count + i;", "let n = s.count + i + 1u;"],
    [
      "the state's own part left out",
      "fixed_points_dState[own] + sum - fixed_points_residual[own]",
      "fixed_points_dState[own] + sum",
    ],
    [
      "an input too few",
      "for (var x = 0u; x < fixed_points.U; x++)",
      "for (var x = 0u; x + 1u < fixed_points.U; x++)",
    ],
    [
      "a part of a sum left out",
      "sum.b += fixed_points_parts[lane % FIXED_POINTS_LANES + FIXED_POINTS_LANES];",
      "",
    ],
  ]),
];
