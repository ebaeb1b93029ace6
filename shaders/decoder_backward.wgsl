// Back through the decoder (src/reference/decoder_backward.ts), one sample per trial: step i goes back
// through bin T - 1 - i. Between dispatches the gradient at the generator's state stands in the first
// half of `dIc_B2I` (or in `dStart_BG`), that at the controller's in `dStartCon_BC`, and that at the
// factors of the bin before in `dFactors_HRF`, whose slot t + 1 is that of bin t; what the inputs' prior contributes does not wait for the sweep and precedes it.

// Columns of the generator's recurrent weights.
fn decoder_back_gates() -> u32 {
  return select(decoder_backward.G, 2u * decoder_backward.G, DECODER_GRU == 1u);
}

// Pre-activations of the generator.
fn decoder_back_width() -> u32 {
  return select(decoder_backward.G, 3u * decoder_backward.G, DECODER_GRU == 1u);
}

// Gradients: at the generator's state; at its pre-activations; at the bin's factors. With inferred
// inputs: at the controller's state; at its pre-activations; at the inputs' parameters.
fn decoder_back_state() -> u32 {
  return DECODING_LANES;
}

fn decoder_back_generator() -> u32 {
  return DECODING_LANES + decoder_backward.G;
}

fn decoder_back_factors() -> u32 {
  return decoder_back_generator() + decoder_back_width();
}

fn decoder_back_con() -> u32 {
  return decoder_back_factors() + decoder_backward.F;
}

fn decoder_back_controller() -> u32 {
  return decoder_back_con() + decoder_backward.C;
}

fn decoder_back_params() -> u32 {
  return decoder_back_controller() + 3u * decoder_backward.C;
}

// After the last step: at the initial condition's mean and log-variance; at its sample, which is the
// generator's state unless DECODER_START.
fn decoder_back_posterior() -> u32 {
  return decoder_back_generator();
}

fn decoder_back_z() -> u32 {
  if (DECODER_START == 1u) {
    return decoder_back_posterior() + 2u * decoder_backward.I;
  }
  return decoder_back_state();
}

// What the forward sweep left of a GRU's unit; of a vanilla cell's, its activation only, in h.
struct DecoderBackUnit {
  h: Tile,
  r: Tile,
  u: Tile,
  c: Tile,
}

// Unit `lane` of each cell in this bin, read well before it is used.
var<private> decoder_back_gen_ahead: DecoderBackUnit;
var<private> decoder_back_con_ahead: DecoderBackUnit;

fn decoder_back_gru(here: DecodingRows, states: u32, gates: u32, n: u32, j: u32) -> DecoderBackUnit {
  return DecoderBackUnit(
    load_tile(states, here.rows, n, j),
    load_tile(gates, here.rows, 3u * n, j),
    load_tile(gates, here.rows, 3u * n, n + j),
    load_tile(gates, here.rows, 3u * n, 2u * n + j),
  );
}

fn decoder_back_gen_unit(here: DecodingRows, t: u32, j: u32) -> DecoderBackUnit {
  let G = decoder_backward.G;
  let row = t * here.R;
  if (DECODER_GRU == 1u) {
    let gates = decoder_backward.genGates + row * 3u * G;
    return decoder_back_gru(here, decoder_backward.gen_HRG + row * G, gates, G, j);
  }
  var unit: DecoderBackUnit;
  unit.h = load_tile(decoder_backward.genGates + row * G, here.rows, G, j);
  return unit;
}

fn decoder_back_con_unit(here: DecodingRows, t: u32, j: u32) -> DecoderBackUnit {
  let C = decoder_backward.C;
  let row = t * here.R;
  let gates = decoder_backward.conGates_TR3C + row * 3u * C;
  return decoder_back_gru(here, decoder_backward.con_HRC + row * C, gates, C, j);
}

fn decoder_back_load_factors(lane: u32, here: DecodingRows, t: u32) {
  let F = decoder_backward.F;
  let source = decoder_backward.dFactors_HRF + (t + 1u) * here.R * F;
  for (var f = lane; f < F; f += WORKGROUP) {
    held[decoder_back_factors() + f] = load_tile(source, here.rows, F, f);
  }
}

// A bin's prior of input u, and what its KL is taken of.
struct DecoderBackInput {
  mean: Tile,
  logVar: Tile,
  // u of the bin before; zeros for the first bin
  before: Tile,
  priorMean: Tile,
  priorVariance: f32,
}

fn decoder_back_input(here: DecodingRows, prior: InputPrior, t: u32, u: u32) -> DecoderBackInput {
  let U = decoder_backward.U;
  let params = decoder_backward.inputParams_TR2U + t * here.R * 2u * U;
  var x: DecoderBackInput;
  x.mean = load_tile(params, here.rows, 2u * U, u);
  x.logVar = load_tile(params, here.rows, 2u * U, U + u);
  if (t > 0u) {
    let before = decoder_backward.inputs_TRU + (t - 1u) * here.R * U;
    x.before = load_tile(before, here.rows, U, u);
  }
  x.priorMean = real(decoder_backward.inputPriorMean_U + u) + prior.phi * x.before;
  x.priorVariance = select(prior.noiseVar, prior.startVar, t == 0u);
  return x;
}

fn decoder_back_prior(u: u32) -> InputPrior {
  return input_prior(
    real(decoder_backward.inputPriorLogTau_U + u),
    real(decoder_backward.inputPriorLogNoiseVar_U + u),
    decoder_backward.varMin,
  );
}

// Per unit of the gradient at an input: the gradient at its log-variance, half ε √(spread² / var).
fn decoder_back_noise(here: DecodingRows, t: u32, u: u32, logVar: Tile) -> Tile {
  if (decoder_backward.sample == 0u) {
    return Tile();
  }
  let U = decoder_backward.U;
  let eps = load_tile(decoder_backward.epsInputs_TRU + t * here.R * U, here.rows, U, u);
  let spread = exp_tile(logVar);
  return 0.5 * eps * spread / sqrt(spread + decoder_backward.varMin);
}

// The KL's part of the gradients at the inputs' parameters, of all bins.
fn decoder_back_inputs_kl(lane: u32, here: DecodingRows) {
  let U = decoder_backward.U;
  let T = decoder_backward.T;
  let scale = s.klInputsScale / f32(here.R);
  for (var i = lane; i < T * U; i += WORKGROUP) {
    let t = i / U;
    let u = i % U;
    let prior = decoder_back_prior(u);
    let x = decoder_back_input(here, prior, t, u);
    let spread = exp_tile(x.logVar);
    let variance = spread + decoder_backward.varMin;
    var dInput = Tile();
    if (t + 1u < T) {
      let next = decoder_back_input(here, prior, t + 1u, u);
      dInput = scale * prior.phi * kl_d_prior_mean(next.mean, next.priorMean, next.priorVariance);
    }
    let dMean = -scale * kl_d_prior_mean(x.mean, x.priorMean, x.priorVariance);
    let dLogVar = scale * kl_d_variance(variance, x.priorVariance) * spread;
    let out = decoder_backward.dInputParams_TB2U + t * here.R * 2u * U;
    store_tile(out, here.rows, 2u * U, u, dInput + dMean);
    let noise = decoder_back_noise(here, t, u, x.logVar);
    store_tile(out, here.rows, 2u * U, U + u, dLogVar + dInput * noise);
  }
}

// The gradients at the inputs' prior: mean, log τ, log noise variance, one after the other. Each sum
// over bins is split as a layer's over its products.
fn decoder_back_input_prior(lane: u32, here: DecodingRows) {
  let U = decoder_backward.U;
  let T = decoder_backward.T;
  let scale = s.klInputsScale / f32(here.R);
  let width = 3u * U;
  let parts = decoding_parts(width, T);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < width && part < parts) {
      let u = j % U;
      let prior = decoder_back_prior(u);
      for (var t = part; t < T; t += parts) {
        let x = decoder_back_input(here, prior, t, u);
        if (j < 2u * U) {
          let d = kl_d_prior_mean(x.mean, x.priorMean, x.priorVariance);
          sum += select(d, d * x.before * prior.dPhi, j >= U);
        }
        if (j >= U) {
          let variance = exp_tile(x.logVar) + decoder_backward.varMin;
          let d = kl_d_log_prior_variance(x.mean, variance, x.priorMean, x.priorVariance);
          let step = select(select(0.0, prior.dStart, t == 0u), prior.spread / prior.noiseVar, j >= 2u * U);
          sum += d * step;
        }
      }
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      store_tile(decoder_backward.dInputPrior_B3U, here.rows, width, j, scale * sum);
    }
  }
  workgroupBarrier();
}

// The gradient at the generator's state between dispatches.
fn decoder_back_carried(here: DecodingRows, g: u32) -> Tile {
  if (DECODER_START == 1u) {
    return load_tile(decoder_backward.dStart_BG, here.rows, decoder_backward.G, g);
  }
  return load_tile(decoder_backward.dIc_B2I, here.rows, 2u * decoder_backward.I, g);
}

fn decoder_back_carry(here: DecodingRows, g: u32, d: Tile) {
  if (DECODER_START == 1u) {
    store_tile(decoder_backward.dStart_BG, here.rows, decoder_backward.G, g, d);
  } else {
    store_tile(decoder_backward.dIc_B2I, here.rows, 2u * decoder_backward.I, g, d);
  }
}

// The gradients that are carried back from bin to bin, before step `first`.
fn decoder_back_begin(lane: u32, here: DecodingRows, first: u32) {
  let C = decoder_backward.C;
  let G = decoder_backward.G;
  for (var g = lane; g < G; g += WORKGROUP) {
    var d = Tile();
    if (first > 0u) {
      d = decoder_back_carried(here, g);
    }
    held[decoder_back_state() + g] = d;
  }
  if (DECODER_INPUTS == 1u) {
    for (var c = lane; c < C; c += WORKGROUP) {
      var d = Tile();
      if (first > 0u) {
        d = load_tile(decoder_backward.dStartCon_BC, here.rows, C, c);
      }
      held[decoder_back_con() + c] = d;
    }
    if (first == 0u) {
      decoder_back_inputs_kl(lane, here);
      decoder_back_input_prior(lane, here);
      storageBarrier();
    }
  }
  decoder_back_load_factors(lane, here, decoder_backward.T - 1u - first);
  if (lane < G) {
    decoder_back_gen_ahead = decoder_back_gen_unit(here, decoder_backward.T - 1u - first, lane);
  }
  workgroupBarrier();
}

fn decoder_back_slope(y: Tile) -> Tile {
  if (decoder_backward.nonlinearity == NONLINEARITY_tanh) {
    return 1.0 - y * y;
  }
  if (decoder_backward.nonlinearity == NONLINEARITY_relu) {
    return select(Tile(), Tile(1.0), y > Tile());
  }
  return Tile(1.0);
}

// From the gradient at unit j's state behind the dropout to those at its pre-activations, but the reset
// gate's, and to what of it goes past the cell.
fn decoder_back_unit(lane: u32, here: DecodingRows, t: u32, j: u32, dKept: Tile) {
  let G = decoder_backward.G;
  var unit = decoder_back_gen_ahead;
  if (j != lane) {
    unit = decoder_back_gen_unit(here, t, j);
  }
  var d = dKept;
  if (decoder_backward.dropoutGen == 1u) {
    if (decoder_backward.keepGen_RTG == ABSENT) {
      d *= decoding_keep(t % decoding_bins(G), G, j) / decoder_backward.keepRateGen;
    } else {
      let mask = load_tile(decoder_backward.keepGen_RTG, here.rows * decoder_backward.T + t, G, j);
      d *= mask / decoder_backward.keepRateGen;
    }
  }
  let row = t * here.R;
  let gradients = decoder_back_generator();
  if (DECODER_GRU == 1u) {
    let gates = decoder_backward.genGates + row * 3u * G;
    let dUpdate = gru_d_update(d, unit.h, unit.u, unit.c);
    let dCandidate = gru_d_candidate(d, unit.u, unit.c);
    held[gradients + G + j] = dUpdate;
    held[gradients + 2u * G + j] = dCandidate;
    held[decoder_back_state() + j] = d * unit.u;
    store_tile(gates, here.rows, 3u * G, G + j, dUpdate);
    store_tile(gates, here.rows, 3u * G, 2u * G + j, dCandidate);
  } else {
    let gates = decoder_backward.genGates + row * G;
    let dGate = d * decoder_back_slope(unit.h);
    held[gradients + j] = dGate;
    held[decoder_back_state() + j] = Tile();
    store_tile(gates, here.rows, G, j, dGate);
  }
}

// Part of the gradient at unit j's state that comes from the factors.
fn decoder_back_readout(j: u32, part: u32, parts: u32) -> Tile {
  let F = decoder_backward.F;
  let w = decoder_backward.factorsHat_GF + j * F;
  return decoding_dot(decoder_back_factors(), F, w, 1u, part, parts);
}

// Adds the factors' part to the gradient at the generator's state, and goes on into the cell. Without
// inferred inputs the factors' part is there since the bin after.
fn decoder_back_cell(lane: u32, here: DecodingRows, t: u32) {
  let G = decoder_backward.G;
  if (DECODER_INPUTS == 0u) {
    for (var j = lane; j < G; j += WORKGROUP) {
      decoder_back_unit(lane, here, t, j, held[decoder_back_state() + j]);
    }
    if (t > 0u) {
      decoder_back_load_factors(lane, here, t - 1u);
    }
  } else {
    let parts = decoding_parts(G, decoder_backward.F);
    let across = decoding_pass(G, parts);
    for (var base = 0u; base < G; base += across) {
      let j = base + lane % across;
      let part = lane / across;
      var sum = Tile();
      if (j < G && part < parts) {
        sum = decoder_back_readout(j, part, parts);
      }
      sum = decoding_total(lane, G, parts, sum);
      if (j < G && part == 0u) {
        decoder_back_unit(lane, here, t, j, held[decoder_back_state() + j] + sum);
      }
    }
  }
  workgroupBarrier();
}

// Adds the held factors' part, which no sum of a bin has added.
fn decoder_back_add_readout(lane: u32) {
  for (var j = lane; j < decoder_backward.G; j += WORKGROUP) {
    held[decoder_back_state() + j] += decoder_back_readout(j, 0u, 1u);
  }
  workgroupBarrier();
}

// Through a GRU's candidate to its reset gate.
fn decoder_back_reset(lane: u32, here: DecodingRows, t: u32) {
  let G = decoder_backward.G;
  let gates = decoder_backward.genGates + t * here.R * 3u * G;
  let gradients = decoder_back_generator();
  let parts = decoding_parts(G, G);
  let across = decoding_pass(G, parts);
  for (var base = 0u; base < G; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var unit = decoder_back_gen_ahead;
    if (j != lane && j < G && part == 0u) {
      unit = decoder_back_gen_unit(here, t, j);
    }
    var dReset = Tile();
    if (j < G && part < parts) {
      let w = decoder_backward.wGenCandidate_GG_T + j;
      dReset = decoding_dot(gradients + 2u * G, G, w, G, part, parts);
    }
    dReset = decoding_total(lane, G, parts, dReset);
    if (j < G && part == 0u) {
      let dGate = gru_d_reset(dReset, unit.h, unit.r);
      held[gradients + j] = dGate;
      held[decoder_back_state() + j] += dReset * unit.r;
      store_tile(gates, here.rows, 3u * G, j, dGate);
    }
  }
  workgroupBarrier();
}

// What of the gradients at an input's parameters does not come from the generator, and how the
// generator's goes on to the log-variance.
struct DecoderBackParameters {
  dMean: Tile,
  dLogVar: Tile,
  noise: Tile,
}

fn decoder_back_parameters(here: DecodingRows, t: u32, u: u32) -> DecoderBackParameters {
  let U = decoder_backward.U;
  let row = t * here.R * 2u * U;
  let d = decoder_backward.dInputParams_TB2U + row;
  let logVar = load_tile(decoder_backward.inputParams_TR2U + row, here.rows, 2u * U, U + u);
  return DecoderBackParameters(
    load_tile(d, here.rows, 2u * U, u),
    load_tile(d, here.rows, 2u * U, U + u),
    decoder_back_noise(here, t, u, logVar),
  );
}

// The gradient at input u from the generator, on to the input's parameters.
fn decoder_back_to_parameters(
  here: DecodingRows, t: u32, u: u32, known: DecoderBackParameters, dInput: Tile,
) {
  let U = decoder_backward.U;
  let out = decoder_backward.dInputParams_TB2U + t * here.R * 2u * U;
  let dMean = known.dMean + dInput;
  let dLogVar = known.dLogVar + dInput * known.noise;
  held[decoder_back_params() + u] = dMean;
  held[decoder_back_params() + U + u] = dLogVar;
  store_tile(out, here.rows, 2u * U, u, dMean);
  store_tile(out, here.rows, 2u * U, U + u, dLogVar);
}

// Through the generator's gates to the state before, and beside it to the inputs, or to the state's part
// from the factors of the bin before.
fn decoder_back_recurrent(lane: u32, here: DecodingRows, t: u32) {
  let G = decoder_backward.G;
  let gates = decoder_back_gates();
  let all = decoder_back_width();
  let width = G + select(0u, decoder_backward.U, DECODER_INPUTS == 1u);
  let parts = decoding_parts(width, gates);
  let across = decoding_pass(width, parts);
  if (lane < G && t > 0u) {
    decoder_back_gen_ahead = decoder_back_gen_unit(here, t - 1u, lane);
  }
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    let input = j >= G;
    var known: DecoderBackParameters;
    if (input && j < width && part == 0u) {
      known = decoder_back_parameters(here, t, j - G);
    }
    var sum = Tile();
    if (j < width && part < parts) {
      let w = select(
        decoder_backward.wGenRecurrent_T + j, decoder_backward.wGenInput + (j - G) * all, input,
      );
      let n = select(gates, all, input);
      sum = decoding_dot(decoder_back_generator(), n, w, select(G, 1u, input), part, parts);
      if (DECODER_INPUTS == 0u && t > 0u) {
        sum += decoder_back_readout(j, part, parts);
      }
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      if (input) {
        decoder_back_to_parameters(here, t, j - G, known, sum);
      } else {
        held[decoder_back_state() + j] += sum;
      }
    }
  }
  workgroupBarrier();
}

// Through the inputs' parameters to the controller's state, and into its cell.
fn decoder_back_con_cell(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder_backward.C;
  let U = decoder_backward.U;
  let gates = decoder_backward.conGates_TR3C + t * here.R * 3u * C;
  let gradients = decoder_back_controller();
  for (var j = lane; j < C; j += WORKGROUP) {
    var unit = decoder_back_con_ahead;
    if (j != lane) {
      unit = decoder_back_con_unit(here, t, j);
    }
    let w = decoder_backward.wOut_C2U_T + j;
    let d = held[decoder_back_con() + j] + decoding_dot(decoder_back_params(), 2u * U, w, C, 0u, 1u);
    let dUpdate = gru_d_update(d, unit.h, unit.u, unit.c);
    let dCandidate = gru_d_candidate(d, unit.u, unit.c);
    held[gradients + C + j] = dUpdate;
    held[gradients + 2u * C + j] = dCandidate;
    held[decoder_back_con() + j] = d * unit.u;
    store_tile(gates, here.rows, 3u * C, C + j, dUpdate);
    store_tile(gates, here.rows, 3u * C, 2u * C + j, dCandidate);
  }
  workgroupBarrier();
}

// Through the controller's candidate to its reset gate.
fn decoder_back_con_reset(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder_backward.C;
  let gates = decoder_backward.conGates_TR3C + t * here.R * 3u * C;
  let gradients = decoder_back_controller();
  let parts = decoding_parts(C, C);
  let across = decoding_pass(C, parts);
  for (var base = 0u; base < C; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var unit = decoder_back_con_ahead;
    if (j != lane && j < C && part == 0u) {
      unit = decoder_back_con_unit(here, t, j);
    }
    var dReset = Tile();
    if (j < C && part < parts) {
      let w = decoder_backward.wConCandidate_CC_T + j;
      dReset = decoding_dot(gradients + 2u * C, C, w, C, part, parts);
    }
    dReset = decoding_total(lane, C, parts, dReset);
    if (j < C && part == 0u) {
      let dGate = gru_d_reset(dReset, unit.h, unit.r);
      held[gradients + j] = dGate;
      held[decoder_back_con() + j] += dReset * unit.r;
      store_tile(gates, here.rows, 3u * C, j, dGate);
    }
  }
  workgroupBarrier();
}

// Through the controller's gates to its state before, and to the factors of the bin before: before the
// first bin only where they are a function of g0.
fn decoder_back_con_recurrent(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder_backward.C;
  let F = decoder_backward.F;
  let width = C + F;
  let parts = decoding_parts(width, 2u * C);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    let factor = j >= C;
    var sum = Tile();
    if (j < width && part < parts) {
      let w = select(
        decoder_backward.wConGates_C2C_T + j, decoder_backward.wConFactors_F3C_T + j - C, factor,
      );
      let n = select(2u, 3u, factor) * C;
      sum = decoding_dot(decoder_back_controller(), n, w, select(C, F, factor), part, parts);
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      if (!factor) {
        held[decoder_back_con() + j] += sum;
      } else if (t > 0u || DECODER_FIRST_FACTORS == 1u) {
        let before = decoder_backward.dFactors_HRF + t * here.R * F;
        var d = sum;
        if (t > 0u) {
          d += load_tile(before, here.rows, F, j - C);
        }
        held[decoder_back_factors() + j - C] = d;
        store_tile(before, here.rows, F, j - C, d);
      }
    }
  }
  workgroupBarrier();
}

// What the next dispatch goes on from; after the last step, the gradient at the controller's first state.
fn decoder_back_leave(lane: u32, here: DecodingRows, last: bool) {
  let C = decoder_backward.C;
  let G = decoder_backward.G;
  if (DECODER_INPUTS == 1u) {
    for (var c = lane; c < C; c += WORKGROUP) {
      store_tile(decoder_backward.dStartCon_BC, here.rows, C, c, held[decoder_back_con() + c]);
    }
  }
  if (!last) {
    for (var g = lane; g < G; g += WORKGROUP) {
      decoder_back_carry(here, g, held[decoder_back_state() + g]);
    }
  } else if (DECODER_INPUTS == 0u || DECODER_FIRST_FACTORS == 0u) {
    // nothing reads the factors before the first bin, or they are no function of anything
    let F = decoder_backward.F;
    for (var f = lane; f < F; f += WORKGROUP) {
      store_tile(decoder_backward.dFactors_HRF, here.rows, F, f, Tile());
    }
  }
  workgroupBarrier();
}

// From the gradient at g0 to that at the sample z.
fn decoder_back_start(lane: u32, here: DecodingRows) {
  let I = decoder_backward.I;
  let G = decoder_backward.G;
  for (var g = lane; g < G; g += WORKGROUP) {
    store_tile(decoder_backward.dStart_BG, here.rows, G, g, held[decoder_back_state() + g]);
  }
  let parts = decoding_parts(I, G);
  let across = decoding_pass(I, parts);
  for (var base = 0u; base < I; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < I && part < parts) {
      let w = decoder_backward.wStart_IG_T + j;
      sum = decoding_dot(decoder_back_state(), G, w, I, part, parts);
    }
    sum = decoding_total(lane, I, parts, sum);
    if (j < I && part == 0u) {
      held[decoder_back_z() + j] = sum;
    }
  }
  workgroupBarrier();
}

// From the gradient at the sample to the posterior and its prior.
fn decoder_back_sample(lane: u32, here: DecodingRows) {
  let I = decoder_backward.I;
  let scale = s.klIcScale / f32(here.R);
  for (var i = lane; i < I; i += WORKGROUP) {
    let mean = load_tile(decoder_backward.ic_B2I, here.rows, 2u * I, i);
    let spread = exp_tile(load_tile(decoder_backward.ic_B2I, here.rows, 2u * I, I + i));
    let variance = spread + decoder_backward.varMin;
    let priorMean = Tile(real(decoder_backward.icPriorMean_I + i));
    let priorSpread = exp_(real(decoder_backward.icPriorLogVar_I + i));
    let priorVariance = priorSpread + decoder_backward.varMin;
    let dz = held[decoder_back_z() + i];
    let dPriorMean = scale * kl_d_prior_mean(mean, priorMean, priorVariance);
    var dVariance = scale * kl_d_variance(variance, priorVariance);
    if (decoder_backward.sample == 1u) {
      let eps = load_tile(decoder_backward.epsIc_RI, here.rows, I, i);
      dVariance += dz * eps * 0.5 / sqrt(variance);
    }
    let dMean = dz - dPriorMean;
    let dLogVar = dVariance * spread;
    held[decoder_back_posterior() + i] = dMean;
    held[decoder_back_posterior() + I + i] = dLogVar;
    store_tile(decoder_backward.dIc_B2I, here.rows, 2u * I, i, dMean);
    store_tile(decoder_backward.dIc_B2I, here.rows, 2u * I, I + i, dLogVar);
    let dPrior = kl_d_log_prior_variance(mean, variance, priorMean, priorVariance);
    store_tile(decoder_backward.dIcPrior_B2I, here.rows, 2u * I, i, dPriorMean);
    let dPriorLogVar = scale * dPrior * (priorSpread / priorVariance);
    store_tile(decoder_backward.dIcPrior_B2I, here.rows, 2u * I, I + i, dPriorLogVar);
  }
  workgroupBarrier();
}

// From the posterior to the encoder's ends.
fn decoder_back_ends(lane: u32, here: DecodingRows) {
  let n = 2u * decoder_backward.I;
  let width = 2u * decoder_backward.E;
  let drawn = decoder_backward.dropout == 1u && decoder_backward.keepEnds_B2E == ABSENT;
  let keepRate = decoder_backward.keepRate;
  if (drawn) {
    decoding_draw(lane, here, STREAM_keepEnds, false, width, 1u, 0u, 1u, keepRate);
    workgroupBarrier();
  }
  let parts = decoding_parts(width, n);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < width && part < parts) {
      let w = decoder_backward.wInitial_2E2I_T + j;
      sum = decoding_dot(decoder_back_posterior(), n, w, width, part, parts);
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      if (drawn) {
        sum *= decoding_keep(0u, width, j) / keepRate;
      } else if (decoder_backward.dropout == 1u) {
        sum *= load_tile(decoder_backward.keepEnds_B2E, here.rows, width, j) / keepRate;
      }
      store_tile(decoder_backward.dEnds_B2E, here.rows, width, j, sum);
    }
  }
}

fn decoder_backward_run(group: vec3<u32>, lane: u32) {
  let B = runs[group.z].B;
  if (TILE * group.x >= B) {
    return;
  }
  let here = decoding_rows(TILE * group.x, B, 1u);
  let G = decoder_backward.G;
  let T = decoder_backward.T;
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, T);
  decoder_back_begin(lane, here, first);
  if (DECODER_INPUTS == 0u && first == 0u) {
    // those of the last bin
    decoder_back_add_readout(lane);
  }
  let drawn = decoder_backward.dropoutGen == 1u && decoder_backward.keepGen_RTG == ABSENT;
  let bins = decoding_bins(G);
  for (var step = first; step < end; step++) {
    let t = T - 1u - step;
    if (drawn && (step == first || (t + 1u) % bins == 0u)) {
      let bin = t - t % bins;
      let keepRate = decoder_backward.keepRateGen;
      decoding_draw(lane, here, STREAM_keepGen, true, G, T, bin, bins, keepRate);
      workgroupBarrier();
    }
    if (DECODER_INPUTS == 1u && lane < decoder_backward.C) {
      decoder_back_con_ahead = decoder_back_con_unit(here, t, lane);
    }
    decoder_back_cell(lane, here, t);
    if (DECODER_GRU == 1u) {
      decoder_back_reset(lane, here, t);
    }
    decoder_back_recurrent(lane, here, t);
    if (DECODER_INPUTS == 1u) {
      decoder_back_con_cell(lane, here, t);
      decoder_back_con_reset(lane, here, t);
      decoder_back_con_recurrent(lane, here, t);
    }
  }
  let last = end == T;
  decoder_back_leave(lane, here, last);
  if (last) {
    if (DECODER_INPUTS == 1u && DECODER_FIRST_FACTORS == 1u) {
      // the factors before the first bin
      decoder_back_add_readout(lane);
    }
    if (DECODER_START == 1u) {
      decoder_back_start(lane, here);
    }
    decoder_back_sample(lane, here);
    decoder_back_ends(lane, here);
  }
}
