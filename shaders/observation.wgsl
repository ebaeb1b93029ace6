// Outputs of the readout for real numbers, their loss and its gradients: `readout` with OUTPUTS numbers
// for each neuron, of which those of all neurons stand side by side.

// The loss of one number, in a tile that may be larger than the data; it also stores the outputs or their
// gradients, and returns those. `o` are the outputs of neuron n0 + column in bin t0 + row of the row r.
fn number_loss(
  o: Outputs, at: LossEntries, r: u32, R: u32, t0: u32, row: u32, n0: u32, column: u32,
) -> NumberLoss {
  let N = observation.N;
  let t = t0 + row;
  let n = n0 + column;
  var found = NumberLoss(0.0, Outputs(0.0, 0.0, 0.0));
  if (t >= observation.T || n >= N) {
    return found;
  }
  let x = value_at(observation.values, at.trial + t * N + n);
  let weight = loss_weight(at, x, t0, row, n0, column);
  if (weight > 0.0) {
    found = family_loss(x, o, observation.varMin, observation.floor);
    found.loss *= weight;
  }
  let out = observation.outputs_TRQ + (t * R + r) * OUTPUTS * N + n;
  var stored = o;
  for (var k = 0u; k < OUTPUTS; k++) {
    if (observation.gradient == 1u) {
      found.gradient[k] = weight * found.gradient[k] / f32(s.B);
      stored[k] = found.gradient[k];
    }
    put(out + k * N, stored[k]);
  }
  return found;
}

fn observation_entries(r: u32) -> LossEntries {
  let b = r / s.S;
  let trial = trial_at(observation.trials_B, observation.trialsSlot, b);
  return LossEntries(
    ELEMENT_real,
    trial * observation.T * observation.N,
    observation.encoded,
    observation.keepSpikes_BTN,
    observation.T,
    observation.N,
    b,
    observation.keepRate,
  );
}

fn observation_run(group: vec3<u32>, lane: u32) {
  let R = runs[group.z].B * runs[group.z].S;
  let r = group.x;
  if (r >= R) {
    return;
  }
  let T = observation.T;
  let N = observation.N;
  let F = observation.F;
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, (T + LOG_RATE_ROWS - 1u) / LOG_RATE_ROWS);
  let at = observation_entries(r);
  let row = 8u * (lane / LOG_RATE_COLUMNS);
  let column = lane % LOG_RATE_COLUMNS;
  let place = column * LOG_RATE_STRIDE + row / 4u;
  let factorGradients = FactorGradients(
    observation.w_FQ_T, observation.dFactors_HRF + R * F, T, F,
  );
  var nll = 0.0;
  if (first > 0u) {
    nll = real(observation.nll_R + r);
  }
  for (var tile = first; tile < end; tile++) {
    let t0 = tile * LOG_RATE_ROWS;
    // slot 0 of the factors stands before the first bin
    let factors = observation.factors_HRF + ((t0 + 1u) * R + r) * F;
    var loss = 0.0;
    for (var n0 = 0u; n0 < N; n0 += LOG_RATE_COLUMNS) {
      // outputs, then their gradients
      var o: array<LogRates, OUTPUTS>;
      for (var k = 0u; k < OUTPUTS; k++) {
        o[k] = log_rates(
          factors, R * F, min(LOG_RATE_ROWS, T - t0), observation.w_FQ + k * N, OUTPUTS * N,
          observation.b_Q + k * N, N, F, n0, lane,
        );
      }
      loss_draw(lane, at, t0, n0);
      var tileLoss = 0.0;
      for (var i = 0u; i < 8u; i++) {
        var own = Outputs(0.0, 0.0, 0.0);
        for (var k = 0u; k < OUTPUTS; k++) {
          own[k] = log_rate_of(o[k], i);
        }
        let a = number_loss(own, at, r, R, t0, row + i, n0, column);
        tileLoss += a.loss;
        for (var k = 0u; k < OUTPUTS; k++) {
          if (i < 4u) {
            o[k].low[i] = a.gradient[k];
          } else {
            o[k].high[i - 4u] = a.gradient[k];
          }
        }
      }
      loss += tileLoss;
      if (observation.gradient == 1u) {
        let columns = min(LOG_RATE_COLUMNS, N - n0);
        for (var k = 0u; k < OUTPUTS; k++) {
          // all have read the last output's gradients
          workgroupBarrier();
          gradientTile[place] = o[k].low;
          gradientTile[place + 1u] = o[k].high;
          workgroupBarrier();
          let start = n0 == 0u && k == 0u;
          factor_gradients(factorGradients, t0, r, R, k * N + n0, columns, start, lane);
        }
      }
    }
    nll += sum_all(lane, loss);
  }
  if (lane == 0u) {
    put(observation.nll_R + r, nll);
  }
}
