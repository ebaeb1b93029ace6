/** Mistakes in the float64 kernels: `src/reference/`. */
import { type Change, mutations } from "./mutation.ts";

/** Golden files of models with options. */
const OPTIONS = ["tests/options_golden.test.ts"];
const TESTS = ["tests/kernels_reference.test.ts", "tests/equations.test.ts"];

function reference(kernel: string, stem: string, changes: readonly Change[], tests = TESTS) {
  return mutations("reference", kernel, `src/reference/${stem}.ts`, tests, changes);
}

export const REFERENCE = [
  ...reference("prepare", "prepare", [
    ["a dropped square", "w_GF[g * F + f] ** 2", "w_GF[g * F + f]"],
    [
      "a bound one too low",
      "for (let g = 0; g < G; g++) sum",
      "for (let g = 0; g < G - 1; g++) sum",
    ],
    ["a swapped index", "factorsHat_GF[g * F + f] =", "factorsHat_GF[f * G + g] ="],
  ]),
  ...reference("encoder_input", "encoder_input", [
    ["a dropped factor", "count * keep_N[n] * scale", "count * scale"],
    ["a missing entry as a spike", "missing ? 0 :", "false ? 0 :"],
    ["a bias left out", "let sum = b_D3E[j];", "let sum = 0;"],
    ["a bound one too low", "n < N; n++) sum +=", "n < N - 1; n++) sum +="],
    ["trials in the order of the batch", "counts[(trials_B[b] * dataT", "counts[(b * dataT"],
  ]),
  ...reference("encoder", "encoder", [
    ["the first state of the other direction", "= h0_DE[E + e];", "= h0_DE[e];"],
    [
      "a bin too few",
      "for (let t = 0; t < T; t++) {\n      const row = t * B + b;\n      gru(",
      "for (let t = 0; t < T - 1; t++) {\n      const row = t * B + b;\n      gru(",
    ],
    [
      "the gates of the other direction",
      "[gates_TBD3E, row * 6 * E + 3 * E],\n        [reset",
      "[gates_TBD3E, row * 6 * E],\n        [reset",
    ],
    [
      "a dropped factor in the state",
      "(1 - u) * gs[g0 + 2 * n + i];\n  }\n}",
      "gs[g0 + 2 * n + i];\n  }\n}",
      "src/reference/gru.ts",
    ],
    ["the update gate's bias left out", "(j < n ? 0 : UPDATE_BIAS)", "0", "src/reference/gru.ts"],
  ]),
  ...reference("encoder_backward", "encoder", [
    [
      "ends in each other's place",
      "fromEnds(b, 0);",
      "fromEnds(b, 1);",
    ],
    ["the controller's gradient left out", "fromController(row, 1);", ""],
    [
      "a state of the bin after",
      "[backward_HBE, (row + B) * E],\n        [gates_TBD3E, row * 6 * E + 3 * E],\n        dState,",
      "[backward_HBE, row * E],\n        [gates_TBD3E, row * 6 * E + 3 * E],\n        dState,",
    ],
    ["a slope's dropped factor", "* u * (1 - u);", "* u;", "src/reference/gru.ts"],
    [
      "weights not transposed",
      "dReset += gs[g0 + 2 * n + j] * wCandidate_nn[i * n + j]",
      "dReset += gs[g0 + 2 * n + j] * wCandidate_nn[j * n + i]",
      "src/reference/gru.ts",
    ],
    [
      "a bound one too low",
      "for (let j = 0; j < 2 * n; j++) sum +=",
      "for (let j = 0; j < 2 * n - 1; j++) sum +=",
      "src/reference/gru.ts",
    ],
  ]),
  ...reference("controller_input", "controller_input", [
    [
      "a dropped factor",
      "forward_HBE[forward + e] * keep_2E[e];",
      "forward_HBE[forward + e];",
    ],
    ["a state of the bin before", "((t - lag + 1) * B + b)", "((t - lag) * B + b)"],
    ["a lag the other way", "seen(a, t, t + lag) ? ((t + lag)", "seen(a, t, t + lag) ? ((t - lag)"],
    ["bins that the encoder does not see", "t < a.encoderT && ", ""],
    [
      "a bound one too low",
      "for (let i = 0; i < 2 * E; i++) {\n          sum += enc",
      "for (let i = 0; i < 2 * E - 1; i++) {\n          sum += enc",
    ],
  ]),
  ...reference("controller_input_backward", "controller_input", [
    ["a dropped factor", "= sum * keep_2E[i];", "= sum;"],
    ["a lag the other way", "[from + lag, from - lag]", "[from - lag, from + lag]"],
    [
      "a swapped index",
      "conGates_TR3C[row * 3 * C + j] * wEncoding_2E3C[i * 3 * C + j]",
      "conGates_TR3C[row * 3 * C + j] * wEncoding_2E3C[j * 2 * E + i]",
    ],
    [
      "a bound one too low",
      "for (let j = 0; j < 3 * C; j++) {\n            sum += conGates",
      "for (let j = 0; j < 3 * C - 1; j++) {\n            sum += conGates",
    ],
  ]),
  ...reference("decoder", "decoder", [
    [
      "ends in each other's place",
      "ends_B2E[ends + e] = a.backward_HBE[b * E + e];",
      "ends_B2E[ends + e] = a.forward_HBE[(a.encoderT * s.B + b) * E + e];",
    ],
    ["a root left out", "(a.sample ? Math.sqrt(variance) * epsIc", "(a.sample ? variance * epsIc"],
    ["the variance's floor left out", "+ I + i]) + varMin;", "+ I + i]);"],
    ["a bias left out of g0", "let state = a.bStart_G[g];", "let state = 0;"],
    ["first factors of zeros", "if (a.firstFactors) readFactors(a, r);\n    else ", ""],
    ["external inputs left out", "external ? a.genInput_TBW[(t * s.B + b) * width + j] : ", ""],
    [
      "the factors of the bin itself",
      "a.factors_HRF[row * F + f] * a.wConFactors",
      "a.factors_HRF[next * F + f] * a.wConFactors",
    ],
    ["the first bin's prior for all", "t === 0\n      ?", "t >= 0\n      ?"],
    [
      "dropout on the generator left out",
      "gen_HRG[next * G + g] *= keep_G[g];",
      "gen_HRG[next * G + g] *= 1;",
    ],
    [
      "a bound one too low",
      "for (let g = 0; g < G; g++) sum += gen_HRG[row",
      "for (let g = 0; g < G - 1; g++) sum += gen_HRG[row",
    ],
    [
      "half of a divergence",
      "return 0.5 * (Math.log",
      "return (Math.log",
      "src/reference/gaussian.ts",
    ],
  ]),
  ...reference("decoder_backward", "decoder_backward", [
    [
      "the factors' carry left out",
      "dFactors_HRF[next * F + f] += carry.factors[f];",
      "dFactors_HRF[next * F + f] += 0;",
    ],
    ["dropout left out", "carry.gen[g] *= keep_G[g];", "carry.gen[g] *= 1;"],
    ["the divergence's gradient left out", "= du + d.dMean;", "= du;"],
    ["a dropped factor", "+= dPhi * phi / tau;", "+= dPhi * phi;"],
    [
      "the noise's part left out",
      "const dVariance = d.dVariance + du * eps * 0.5 / Math.sqrt(variance);",
      "const dVariance = d.dVariance;",
    ],
    ["a bin too few", "for (let t = T - 1; t >= 0; t--)", "for (let t = T - 1; t > 0; t--)"],
    [
      "a swapped index",
      "dIc_B2I[ic + j] * a.wInitial_2E2I[i * 2 * I + j]",
      "dIc_B2I[ic + j] * a.wInitial_2E2I[j * 2 * E + i]",
    ],
    ["the prior's chain left out", "carry.inputs[u] = d.dPriorMean * phi;", "carry.inputs[u] = 0;"],
    [
      "the first factors' part left out",
      "carry.gen[g] += d * a.factorsHat_GF",
      "carry.gen[g] += 0 * a.factorsHat_GF",
    ],
    [
      "the start's weights not transposed",
      "dg0_G[g] * wStart_IG[i * G + g]",
      "dg0_G[g] * wStart_IG[g * I + i]",
    ],
  ]),
  ...reference("readout", "readout", [
    ["the batch's size left out", "weight * (rate - x) / B : 0", "weight * (rate - x) : 0"],
    [
      "a factor too few",
      "for (let f = 0; f < F; f++) logRate +=",
      "for (let f = 0; f < F - 1; f++) logRate +=",
    ],
    ["factors of the bin before", "const factors = (row + R) * F;", "const factors = row * F;"],
    [
      "the overflow's guard left out",
      "Math.exp(Math.min(logRate, MAX_LOG_RATE))",
      "Math.exp(logRate)",
    ],
    [
      "a swapped index",
      "sum += logRates_TRN[row * N + n] * w_FN[f * N + n]",
      "sum += logRates_TRN[row * N + n] * w_FN[n * F + f]",
    ],
  ]),
  ...reference("external_input", "external_input", [
    ["trials in the order of the batch", "(trials_B[b] * T + t) * X", "(b * T + t) * X"],
    ["a bias left out", "let sum = b_W[j];", "let sum = 0;"],
    ["an input too few", "for (let x = 0; x < X; x++)", "for (let x = 0; x < X - 1; x++)"],
  ], OPTIONS),
  ...reference("observation", "observation", [
    ["the batch's size left out", "weight * gradient_K[k] / B", "weight * gradient_K[k]"],
    ["factors of the bin before", "factors = (row + R) * F;", "factors = row * F;"],
    ["a weight left out of the loss", "nll += weight * negative", "nll += negative"],
    [
      "a dropped term",
      "0.5 * spread * (1 / variance - error",
      "0.5 * spread * (1 - error",
      "src/reference/families.ts",
    ],
    [
      "the digamma function left out",
      "+ Math.log(x) - digamma(alpha)",
      "+ Math.log(x)",
      "src/reference/families.ts",
    ],
    ["the floor left out", "gammaNll(x - f.floor,", "gammaNll(x,", "src/reference/families.ts"],
    [
      "what the encoder saw has a loss",
      "weights_N[n] > 0 ? 0 : 1 / (1 - keepRate)",
      "1 / (1 - keepRate)",
      "src/reference/loss_weights.ts",
    ],
    [
      "what is missing has a loss",
      "weights_N[n] = 0;",
      "weights_N[n] = 1;",
      "src/reference/loss_weights.ts",
    ],
  ], OPTIONS),
  ...reference("posterior_observations", "posterior_observations", [
    ["factors of the bin before", "(row * S + k + B * S) * F", "(row * S + k) * F"],
    ["a factor too few", "for (let f = 0; f < F; f++)", "for (let f = 0; f < F - 1; f++)"],
    ["a sum in place of a mean", "= rates / S;", "= rates;"],
  ], ["tests/wasm_options.test.ts"]),
  ...reference("accumulate", "accumulate", [
    ["the part's share left out", "s.share * grads_P[p]", "grads_P[p]"],
    ["the sum before left out", "(first ? 0 : sum_P[p]) +", ""],
    ["a root left out", "Math.sqrt(squares)", "squares"],
  ], ["tests/micro_batch.test.ts"]),
  ...reference("weight_gradients", "weight_gradients", [
    ["the slot left out", "a[(row + aSlot * s.B) * aStride + i]", "a[row * aStride + i]"],
    ["a row too few", "row < T * s.B; row++", "row < T * s.B - 1; row++"],
    ["a swapped index", "out[i * n + j] +=", "out[j * m + i] +="],
  ]),
  ...reference("reduce", "reduce", [
    ["a dropped factor", "grads_P[p] += 2 * s.l2Scale", "grads_P[p] += s.l2Scale"],
    ["the projection left out", "(dw_GF[g * F + f] - hat * along)", "(dw_GF[g * F + f])"],
    [
      "the divergences not scaled",
      "s.klIcScale * klIc + s.klInputsScale * klInputs",
      "klIc + klInputs",
    ],
    [
      "a parameter too few",
      "for (let p = 0; p < P; p++) gradNorm +=",
      "for (let p = 0; p < P - 1; p++) gradNorm +=",
    ],
  ]),
  ...reference("adam", "adam", [
    ["no clipping", "const g = clip * grads_P[p];", "const g = grads_P[p];"],
    ["eps inside the root", "(Math.sqrt(v_P[p] / c2) + eps)", "Math.sqrt(v_P[p] / c2 + eps)"],
    ["a correction left out", "(m_P[p] / c1)", "m_P[p]"],
    ["a moment for the other", "c2 = 1 - b2 ** s.count", "c2 = 1 - b1 ** s.count"],
  ]),
  ...reference("average_samples", "average_samples", [
    ["a dropped factor", "= sum / S;", "= sum;"],
    ["a sample too few", "k < S; k++", "k < S - 1; k++"],
    ["a swapped index", "source[(row * S + k) * n + i]", "source[(k * T * B + row) * n + i]"],
  ]),
  ...reference("posterior_rates", "posterior_rates", [
    ["factors of the bin before", "(row * S + k + B * S) * F", "(row * S + k) * F"],
    ["a factor too few", "for (let f = 0; f < F; f++)", "for (let f = 0; f < F - 1; f++)"],
    [
      "the overflow's guard left out",
      "Math.exp(Math.min(logRate, MAX_LOG_RATE))",
      "Math.exp(logRate)",
    ],
    [
      "the rate of the mean",
      "rates_TBN[row * N + n] = rates / S;",
      "rates_TBN[row * N + n] = Math.exp(logRates / S);",
    ],
  ]),
  ...reference("fixed_points", "fixed_points", [
    ["a dropped factor", "const dq = 2 / G *", "const dq = 1 / G *"],
    ["an iteration off by one", "const n = s.count + i;", "const n = s.count + i + 1;"],
    ["the state's own part left out", "(dState_G[g] - residual_G[g]), at", "(dState_G[g]), at"],
    ["an input too few", "for (let x = 0; x < U; x++)", "for (let x = 0; x < U - 1; x++)"],
    [
      "a swapped index",
      "dState[i] += gs[g0 + j] * w_nn[i * n + j]",
      "dState[i] += gs[g0 + j] * w_nn[j * n + i]",
      "src/reference/vanilla.ts",
    ],
  ], ["tests/kernels_reference.test.ts", "tests/fixed_points.test.ts"]),
];
