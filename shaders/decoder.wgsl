// The decoder (src/reference/decoder.ts): initial condition, then for each bin controller, inferred
// inputs, generator and factors. A workgroup carries a tile of rows through all bins.
//
// What does not wait for a bin's later parts is computed with its first: without inferred inputs the
// factors of the bin before, with them the recurrent part of the generator.
//
// DECODER_START: g0 is a function of the initial condition's sample z, and not z itself.
// DECODER_EXTERNAL: the generator's pre-activations start from the external inputs' part.
// DECODER_FIRST_FACTORS: the factors before the first bin are those of g0, and not zeros.

// Columns of the generator's recurrent weights.
fn decoder_gates() -> u32 {
  return select(decoder.G, 2u * decoder.G, DECODER_GRU == 1u);
}

// Pre-activations of the generator.
fn decoder_width() -> u32 {
  return select(decoder.G, 3u * decoder.G, DECODER_GRU == 1u);
}

// Where the generator's state before bin t stands. A GRU rewrites each unit in its place; a vanilla
// cell, all of whose units read all others, has two places in turn.
fn decoder_state(t: u32) -> u32 {
  return DECODING_LANES + select((t & 1u) * decoder.G, 0u, DECODER_GRU == 1u);
}

// r*h, then the update gate. With inferred inputs, first the recurrent part of their pre-activations.
fn decoder_reset() -> u32 {
  return DECODING_LANES + decoder.G;
}

fn decoder_recurrent(t: u32) -> u32 {
  return select(decoder_state(t + 1u), decoder_reset(), DECODER_GRU == 1u);
}

// Only with inferred inputs: factors; the controller's state, r*h, update gate; inputs and their
// parameters.
fn decoder_factors_held() -> u32 {
  return DECODING_LANES + select(2u, 3u, DECODER_GRU == 1u) * decoder.G;
}

fn decoder_con() -> u32 {
  return decoder_factors_held() + decoder.F;
}

fn decoder_params() -> u32 {
  return decoder_con() + 3u * decoder.C;
}

fn decoder_inputs() -> u32 {
  return decoder_params() + 2u * decoder.U;
}

// Before the first bin, behind the state: the encoder's ends, then the posterior's mean and log-variance.
fn decoder_ends() -> u32 {
  return DECODING_LANES + decoder.G;
}

// With DECODER_START the sample takes the mean's place.
fn decoder_posterior_held() -> u32 {
  return decoder_ends() + 2u * decoder.E;
}

// [backward at t = 0 ; forward at the last bin that the encoder sees] with dropout.
fn decoder_make_ends(lane: u32, here: DecodingRows) {
  let E = decoder.E;
  let drawn = decoder.dropout == 1u && decoder.keepEnds_B2E == ABSENT;
  if (drawn) {
    decoding_draw(lane, here, STREAM_keepEnds, false, 2u * E, 1u, 0u, 1u, decoder.keepRate);
    workgroupBarrier();
  }
  let forward = decoder.forward_HBE + decoder.encoderT * (here.R / here.S) * E;
  for (var i = lane; i < 2u * E; i += WORKGROUP) {
    let source = select(forward, decoder.backward_HBE, i < E);
    var end = load_tile(source, here.trials, E, select(i - E, i, i < E));
    if (drawn) {
      end *= decoding_keep(0u, 2u * E, i) / decoder.keepRate;
    } else if (decoder.dropout == 1u) {
      end *= load_tile(decoder.keepEnds_B2E, here.trials, 2u * E, i) / decoder.keepRate;
    }
    held[decoder_ends() + i] = end;
    store_trials_tile(decoder.ends_B2E, here.trials, here.samples, 2u * E, i, end);
  }
  workgroupBarrier();
}

// [mean ; logVar] = ends W + b.
fn decoder_posterior(lane: u32, here: DecodingRows) {
  let n = 2u * decoder.E;
  let width = 2u * decoder.I;
  let parts = decoding_parts(width, n);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < width && part < parts) {
      sum = decoding_dot(decoder_ends(), n, decoder.wInitial_2E2I + j, width, part, parts);
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      sum += real(decoder.bInitial_2I + j);
      held[decoder_posterior_held() + j] = sum;
      store_trials_tile(decoder.ic_B2I, here.trials, here.samples, width, j, sum);
    }
  }
  workgroupBarrier();
}

// z = mean + sqrt(var) * eps, which is g0 in slot 0 of the states unless DECODER_START; the rows' KL.
fn decoder_sample(lane: u32, here: DecodingRows) {
  let I = decoder.I;
  let posterior = decoder_posterior_held();
  var kl = Tile();
  if (lane < DECODING_LANES) {
    for (var i = lane; i < I; i += DECODING_LANES) {
      let mean = held[posterior + i];
      let variance = exp_tile(held[posterior + I + i]) + decoder.varMin;
      var z = mean;
      if (decoder.draw == 1u) {
        let eps = normal_tile(STREAM_epsIc, here.samples, here.trials + s.firstTrial, i);
        store_tile(decoder.epsIc_RI, here.rows, I, i, eps);
        z += sqrt(variance) * eps;
      } else if (decoder.sample == 1u) {
        z += sqrt(variance) * load_tile(decoder.epsIc_RI, here.rows, I, i);
      }
      if (DECODER_START == 1u) {
        held[posterior + i] = z;
        store_tile(decoder.z_RI, here.rows, I, i, z);
      } else {
        held[decoder_state(0u) + i] = z;
        store_tile(decoder.gen_HRG, here.rows, I, i, z);
      }
      let priorVariance = exp_(real(decoder.icPriorLogVar_I + i)) + decoder.varMin;
      kl += kl_tile(mean, variance, Tile(real(decoder.icPriorMean_I + i)), priorVariance);
    }
  }
  let sum = decoding_sum(lane, kl);
  if (lane == 0u) {
    store_tile(decoder.klIc_R, here.rows, 1u, 0u, sum);
  }
}

// g0 = z wStart + bStart into slot 0 of the states.
fn decoder_start(lane: u32, here: DecodingRows) {
  let I = decoder.I;
  let G = decoder.G;
  let parts = decoding_parts(G, I);
  let across = decoding_pass(G, parts);
  for (var base = 0u; base < G; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < G && part < parts) {
      sum = decoding_dot(decoder_posterior_held(), I, decoder.wStart_IG + j, G, part, parts);
    }
    sum = decoding_total(lane, G, parts, sum);
    if (j < G && part == 0u) {
      sum += real(decoder.bStart_G + j);
      held[decoder_state(0u) + j] = sum;
      store_tile(decoder.gen_HRG, here.rows, G, j, sum);
    }
  }
  workgroupBarrier();
}

// The state before bin `first`: the first one's, or what an earlier dispatch left.
fn decoder_begin(lane: u32, here: DecodingRows, first: u32) {
  let C = decoder.C;
  let G = decoder.G;
  let F = decoder.F;
  let slot = first * here.R;
  if (first == 0u) {
    decoder_make_ends(lane, here);
    decoder_posterior(lane, here);
    decoder_sample(lane, here);
    if (DECODER_START == 1u) {
      decoder_start(lane, here);
    }
  } else {
    for (var g = lane; g < G; g += WORKGROUP) {
      held[decoder_state(first) + g] = load_tile(decoder.gen_HRG + slot * G, here.rows, G, g);
    }
  }
  if (DECODER_INPUTS == 1u) {
    for (var f = lane; f < F; f += WORKGROUP) {
      var factor = Tile();
      if (first == 0u) {
        if (DECODER_FIRST_FACTORS == 0u) {
          store_tile(decoder.factors_HRF, here.rows, F, f, factor);
        }
      } else {
        factor = load_tile(decoder.factors_HRF + slot * F, here.rows, F, f);
      }
      held[decoder_factors_held() + f] = factor;
    }
    for (var c = lane; c < C; c += WORKGROUP) {
      var h = Tile(real(decoder.h0Con_C + c));
      if (first == 0u) {
        store_tile(decoder.con_HRC, here.rows, C, c, h);
      } else {
        h = load_tile(decoder.con_HRC + slot * C, here.rows, C, c);
      }
      held[decoder_con() + c] = h;
    }
  }
  workgroupBarrier();
  if (DECODER_INPUTS == 1u && DECODER_FIRST_FACTORS == 1u && first == 0u) {
    decoder_factors(lane, here, 0u);
  }
}

// Noise of the inputs of all bins from `first` on.
fn decoder_draw_inputs(lane: u32, here: DecodingRows, first: u32, end: u32) {
  let U = decoder.U;
  for (var i = lane; i < (end - first) * U; i += WORKGROUP) {
    let t = first + i / U;
    let draws = (here.trials + s.firstTrial) * decoder.T + t;
    let eps = normal_tile(STREAM_epsInputs, here.samples, draws, i % U);
    store_tile(decoder.epsInputs_TRU + t * here.R * U, here.rows, U, i % U, eps);
  }
  storageBarrier();
}

fn decoder_activate(x: Tile) -> Tile {
  if (decoder.nonlinearity == NONLINEARITY_tanh) {
    return tanh_tile(x);
  }
  if (decoder.nonlinearity == NONLINEARITY_relu) {
    return select(x, Tile(), x < Tile());
  }
  return x;
}

// The new state of unit j, with dropout.
fn decoder_keep(here: DecodingRows, t: u32, j: u32, h: Tile) {
  let G = decoder.G;
  var kept = h;
  if (decoder.dropoutGen == 1u) {
    if (decoder.keepGen_RTG == ABSENT) {
      kept *= decoding_keep(t % decoding_bins(G), G, j) / decoder.keepRateGen;
    } else {
      let mask = load_tile(decoder.keepGen_RTG, here.rows * decoder.T + t, G, j);
      kept *= mask / decoder.keepRateGen;
    }
  }
  held[decoder_state(t + 1u) + j] = kept;
  store_tile(decoder.gen_HRG + (t + 1u) * here.R * G, here.rows, G, j, kept);
}

// The bias (or the external inputs' part, which has it) and the inputs' part of the generator's
// pre-activation j.
fn decoder_driven(here: DecodingRows, t: u32, j: u32) -> Tile {
  var sum: Tile;
  if (DECODER_EXTERNAL == 1u) {
    let width = decoder_width();
    let row = decoder.genInput_TBW + t * (here.R / here.S) * width;
    sum = load_tile(row, here.trials, width, j);
  } else {
    sum = Tile(real(decoder.bGen + j));
  }
  if (DECODER_INPUTS == 1u) {
    sum += decoding_dot(
      decoder_inputs(), decoder.U, decoder.wGenInput + j, decoder_width(), 0u, 1u,
    );
  }
  return sum;
}

// Column j of the generator from its recurrent part: a GRU's gate, or the whole of a vanilla cell.
fn decoder_gate(here: DecodingRows, t: u32, j: u32, recurrent: Tile) {
  let G = decoder.G;
  let sum = recurrent + decoder_driven(here, t, j);
  let row = t * here.R;
  if (DECODER_GRU == 0u) {
    let y = decoder_activate(sum);
    store_tile(decoder.genGates + row * G, here.rows, G, j, y);
    decoder_keep(here, t, j, y);
  } else if (j < G) {
    let r = gru_reset(sum);
    let reset = r * held[decoder_state(t) + j];
    held[decoder_reset() + j] = reset;
    store_tile(decoder.genGates + row * 3u * G, here.rows, 3u * G, j, r);
    store_tile(decoder.genReset_TRG + row * G, here.rows, G, j, reset);
  } else {
    let u = gru_update(sum);
    held[decoder_reset() + j] = u;
    store_tile(decoder.genGates + row * 3u * G, here.rows, 3u * G, j, u);
  }
}

// The encodings' part of the controller's pre-activation j.
fn decoder_con_input(here: DecodingRows, t: u32, j: u32) -> Tile {
  let width = 3u * decoder.C;
  return load_tile(decoder.conInput_TB3C + t * (here.R / here.S) * width, here.trials, width, j);
}

// Gate j of the controller.
fn decoder_con_gate(here: DecodingRows, t: u32, j: u32, sum: Tile) {
  let C = decoder.C;
  let row = t * here.R;
  let gates = decoder.conGates_TR3C + row * 3u * C;
  let con = decoder_con();
  if (j < C) {
    let r = gru_reset(sum);
    let reset = r * held[con + j];
    held[con + C + j] = reset;
    store_tile(gates, here.rows, 3u * C, j, r);
    store_tile(decoder.conReset_TRC + row * C, here.rows, C, j, reset);
  } else {
    let u = gru_update(sum);
    held[con + C + j] = u;
    store_tile(gates, here.rows, 3u * C, j, u);
  }
}

// The first sums of bin t: the generator's recurrent ones beside the factors of the bin before, or
// beside the controller's gates.
fn decoder_first(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder.C;
  let G = decoder.G;
  let F = decoder.F;
  let gates = decoder_gates();
  let width = gates + select(F, 2u * C, DECODER_INPUTS == 1u);
  let parts = decoding_parts(width, G);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    let other = j >= gates;
    let k = select(0u, j - gates, other);
    // read before the sum, which does not wait for it
    var input = Tile();
    if (DECODER_INPUTS == 1u && other && j < width && part == 0u) {
      input = decoder_con_input(here, t, k);
    }
    var sum = Tile();
    if (j < width && part < parts) {
      if (DECODER_INPUTS == 1u) {
        let x = select(decoder_state(t), decoder_con(), other);
        let w = select(decoder.wGenRecurrent + j, decoder.wConGates_C2C + k, other);
        let columns = select(gates, 2u * C, other);
        sum = decoding_dot(x, select(G, C, other), w, columns, part, parts);
        let fromFactors = select(0u, F, other);
        let wFactors = decoder.wConFactors_F3C + k;
        sum += decoding_dot(decoder_factors_held(), fromFactors, wFactors, 3u * C, part, parts);
      } else {
        let w = select(decoder.wGenRecurrent + j, decoder.factorsHat_GF + k, other);
        sum = decoding_dot(decoder_state(t), G, w, select(gates, F, other), part, parts);
      }
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      if (DECODER_INPUTS == 1u) {
        if (other) {
          decoder_con_gate(here, t, k, input + sum);
        } else {
          held[decoder_recurrent(t) + j] = sum;
        }
      } else if (other) {
        var factor = sum;
        if (DECODER_FIRST_FACTORS == 0u) {
          // zeros, not those of g0
          factor = select(sum, Tile(), t == 0u);
        }
        store_tile(decoder.factors_HRF + t * here.R * F, here.rows, F, k, factor);
      } else {
        decoder_gate(here, t, j, sum);
      }
    }
  }
  workgroupBarrier();
}

// The controller's candidate and new state.
fn decoder_con_candidate(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder.C;
  let F = decoder.F;
  let con = decoder_con();
  let row = t * here.R;
  let parts = decoding_parts(C, C);
  let across = decoding_pass(C, parts);
  for (var base = 0u; base < C; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var input = Tile();
    if (j < C && part == 0u) {
      input = decoder_con_input(here, t, 2u * C + j);
    }
    var sum = Tile();
    if (j < C && part < parts) {
      sum = decoding_dot(con + C, C, decoder.wConCandidate_CC + j, C, part, parts);
      let w = decoder.wConFactors_F3C + 2u * C + j;
      sum += decoding_dot(decoder_factors_held(), F, w, 3u * C, part, parts);
    }
    sum = decoding_total(lane, C, parts, sum);
    if (j < C && part == 0u) {
      let c = gru_candidate(input + sum);
      let h = gru_next(held[con + j], held[con + 2u * C + j], c);
      held[con + j] = h;
      store_tile(decoder.conGates_TR3C + row * 3u * C, here.rows, 3u * C, 2u * C + j, c);
      store_tile(decoder.con_HRC + (row + here.R) * C, here.rows, C, j, h);
    }
  }
  workgroupBarrier();
}

// The inputs' posterior from the controller's state, and the inputs.
fn decoder_infer(lane: u32, here: DecodingRows, t: u32) {
  let C = decoder.C;
  let U = decoder.U;
  let row = t * here.R;
  let width = 2u * U;
  let parts = decoding_parts(width, C);
  let across = decoding_pass(width, parts);
  for (var base = 0u; base < width; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < width && part < parts) {
      sum = decoding_dot(decoder_con(), C, decoder.wOut_C2U + j, width, part, parts);
    }
    sum = decoding_total(lane, width, parts, sum);
    if (j < width && part == 0u) {
      sum += real(decoder.bOut_2U + j);
      held[decoder_params() + j] = sum;
      store_tile(decoder.inputParams_TR2U + row * width, here.rows, width, j, sum);
    }
  }
  workgroupBarrier();
  for (var u = lane; u < U; u += WORKGROUP) {
    var x = held[decoder_params() + u];
    if (decoder.sample == 1u) {
      let variance = exp_tile(held[decoder_params() + U + u]) + decoder.varMin;
      x += sqrt(variance) * load_tile(decoder.epsInputs_TRU + row * U, here.rows, U, u);
    }
    held[decoder_inputs() + u] = x;
    store_tile(decoder.inputs_TRU + row * U, here.rows, U, u, x);
  }
  workgroupBarrier();
}

// With inferred inputs, the generator's columns wait for them.
fn decoder_driven_gates(lane: u32, here: DecodingRows, t: u32) {
  for (var j = lane; j < decoder_gates(); j += WORKGROUP) {
    decoder_gate(here, t, j, held[decoder_recurrent(t) + j]);
  }
  workgroupBarrier();
}

// A GRU's candidate and new state.
fn decoder_candidate(lane: u32, here: DecodingRows, t: u32) {
  let G = decoder.G;
  let gates = decoder.genGates + t * here.R * 3u * G;
  let parts = decoding_parts(G, G);
  let across = decoding_pass(G, parts);
  for (var base = 0u; base < G; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < G && part < parts) {
      sum = decoding_dot(decoder_reset(), G, decoder.wGenCandidate_GG + j, G, part, parts);
    }
    sum = decoding_total(lane, G, parts, sum);
    if (j < G && part == 0u) {
      let c = gru_candidate(sum + decoder_driven(here, t, 2u * G + j));
      let h = gru_next(held[decoder_state(t) + j], held[decoder_reset() + G + j], c);
      store_tile(gates, here.rows, 3u * G, 2u * G + j, c);
      decoder_keep(here, t, j, h);
    }
  }
  workgroupBarrier();
}

// The factors of a slot from its state.
fn decoder_factors(lane: u32, here: DecodingRows, slot: u32) {
  let G = decoder.G;
  let F = decoder.F;
  let parts = decoding_parts(F, G);
  let across = decoding_pass(F, parts);
  for (var base = 0u; base < F; base += across) {
    let j = base + lane % across;
    let part = lane / across;
    var sum = Tile();
    if (j < F && part < parts) {
      sum = decoding_dot(decoder_state(slot), G, decoder.factorsHat_GF + j, F, part, parts);
    }
    sum = decoding_total(lane, F, parts, sum);
    if (j < F && part == 0u) {
      store_tile(decoder.factors_HRF + slot * here.R * F, here.rows, F, j, sum);
      if (DECODER_INPUTS == 1u) {
        held[decoder_factors_held() + j] = sum;
      }
    }
  }
  workgroupBarrier();
}

// The KL of the inputs of all bins, from what the bins stored.
fn decoder_inputs_kl(lane: u32, here: DecodingRows) {
  let U = decoder.U;
  storageBarrier();
  var kl = Tile();
  if (lane < DECODING_LANES) {
    for (var i = lane; i < decoder.T * U; i += DECODING_LANES) {
      let t = i / U;
      let u = i % U;
      let params = decoder.inputParams_TR2U + t * here.R * 2u * U;
      let mean = load_tile(params, here.rows, 2u * U, u);
      let variance = exp_tile(load_tile(params, here.rows, 2u * U, U + u)) + decoder.varMin;
      let prior = input_prior(
        real(decoder.inputPriorLogTau_U + u), real(decoder.inputPriorLogNoiseVar_U + u),
        decoder.varMin,
      );
      var priorMean = Tile(real(decoder.inputPriorMean_U + u));
      if (t > 0u) {
        let before = decoder.inputs_TRU + (t - 1u) * here.R * U;
        priorMean += prior.phi * load_tile(before, here.rows, U, u);
      }
      kl += kl_tile(mean, variance, priorMean, select(prior.noiseVar, prior.startVar, t == 0u));
    }
  }
  let sum = decoding_sum(lane, kl);
  if (lane == 0u) {
    store_tile(decoder.klInputs_R, here.rows, 1u, 0u, sum);
  }
}

fn decoder_run(group: vec3<u32>, lane: u32) {
  let B = runs[group.z].B;
  let S = runs[group.z].S;
  if (TILE * group.x >= B * S) {
    return;
  }
  let here = decoding_rows(TILE * group.x, B, S);
  let T = decoder.T;
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, T);
  if (DECODER_INPUTS == 1u && decoder.draw == 1u) {
    decoder_draw_inputs(lane, here, first, end);
  }
  decoder_begin(lane, here, first);
  let drawn = decoder.dropoutGen == 1u && decoder.keepGen_RTG == ABSENT;
  let bins = decoding_bins(decoder.G);
  for (var t = first; t < end; t++) {
    if (drawn && (t == first || t % bins == 0u)) {
      let bin = t - t % bins;
      decoding_draw(lane, here, STREAM_keepGen, true, decoder.G, T, bin, bins, decoder.keepRateGen);
      workgroupBarrier();
    }
    decoder_first(lane, here, t);
    if (DECODER_INPUTS == 1u) {
      decoder_con_candidate(lane, here, t);
      decoder_infer(lane, here, t);
      decoder_driven_gates(lane, here, t);
    }
    if (DECODER_GRU == 1u) {
      decoder_candidate(lane, here, t);
    }
    if (DECODER_INPUTS == 1u) {
      decoder_factors(lane, here, t + 1u);
    }
  }
  if (end == T) {
    if (DECODER_INPUTS == 1u) {
      decoder_inputs_kl(lane, here);
    } else {
      decoder_factors(lane, here, T);
    }
  }
}
