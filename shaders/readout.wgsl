// Log-rates, the Poisson loss and its gradients (docs/model.md, section 2): nll = -Σ (x logRate - rate).
//
// A workgroup has one row (a sample of a trial) and goes through its bins, 32 at a time, and for these
// through the neurons, 64 at a time. The gradients of such a tile stay in workgroup memory until they
// are multiplied by Wᵀ. The loss is complete after each 32 bins, so that the loop over them can be cut.

// The loss of one count, in a tile that may be larger than the data; it also stores the log-rate or its
// gradient, and returns that in `y`.
struct CountLoss {
  loss: f32,
  gradient: f32,
}

// The count of bin t0 + row of the row r, and of neuron n0 + column.
fn count_loss(
  l: f32, at: LossEntries, r: u32, R: u32, t0: u32, row: u32, n0: u32, column: u32,
) -> CountLoss {
  let t = t0 + row;
  let n = n0 + column;
  if (t >= readout.T || n >= readout.N) {
    return CountLoss(0.0, 0.0);
  }
  let x = loss_entry(readout.counts, readout.element, at.trial + t * readout.N + n);
  let rate = rate_of(l);
  var loss = rate - x * l;
  var d = (rate - x) / f32(s.B);
  if (LOSS_GAPS == 1u || LOSS_COORDINATED == 1u) {
    let weight = loss_weight(at, x, t0, row, n0, column);
    loss = select(0.0, weight * loss, weight > 0.0);
    d = select(0.0, weight * d, weight > 0.0);
  }
  put(readout.logRates_TRN + (t * R + r) * readout.N + n, select(l, d, readout.gradient == 1u));
  return CountLoss(loss, d);
}

fn readout_entries(r: u32) -> LossEntries {
  let b = r / s.S;
  let trial = trial_at(readout.trials_B, readout.trialsSlot, b);
  return LossEntries(
    readout.element,
    trial * readout.T * readout.N,
    readout.encoded,
    readout.keepSpikes_BTN,
    readout.T,
    readout.N,
    b,
    readout.keepRate,
  );
}

fn readout_run(group: vec3<u32>, lane: u32) {
  let R = runs[group.z].B * runs[group.z].S;
  let r = group.x;
  if (r >= R) {
    return;
  }
  let T = readout.T;
  let N = readout.N;
  let F = readout.F;
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, (T + LOG_RATE_ROWS - 1u) / LOG_RATE_ROWS);
  let at = readout_entries(r);
  let row = 8u * (lane / LOG_RATE_COLUMNS);
  let column = lane % LOG_RATE_COLUMNS;
  let place = column * LOG_RATE_STRIDE + row / 4u;
  let factorGradients = FactorGradients(
    readout.w_FN_T, readout.dFactors_HRF + R * F, T, F,
  );
  var nll = 0.0;
  if (first > 0u) {
    nll = real(readout.nll_R + r);
  }
  for (var tile = first; tile < end; tile++) {
    let t0 = tile * LOG_RATE_ROWS;
    // slot 0 of the factors stands before the first bin
    let factors = readout.factors_HRF + ((t0 + 1u) * R + r) * F;
    var loss = 0.0;
    for (var n0 = 0u; n0 < N; n0 += LOG_RATE_COLUMNS) {
      let l = log_rates(
        factors, R * F, min(LOG_RATE_ROWS, T - t0), readout.w_FN, N, readout.b_N, N, F, n0, lane,
      );
      loss_draw(lane, at, t0, n0);
      var tileLoss = 0.0;
      var low: vec4<f32>;
      var high: vec4<f32>;
      for (var i = 0u; i < 4u; i++) {
        let a = count_loss(l.low[i], at, r, R, t0, row + i, n0, column);
        low[i] = a.gradient;
        tileLoss += a.loss;
      }
      for (var i = 0u; i < 4u; i++) {
        let a = count_loss(l.high[i], at, r, R, t0, row + 4u + i, n0, column);
        high[i] = a.gradient;
        tileLoss += a.loss;
      }
      loss += tileLoss;
      if (readout.gradient == 1u) {
        gradientTile[place] = low;
        gradientTile[place + 1u] = high;
        workgroupBarrier();
        let columns = min(LOG_RATE_COLUMNS, N - n0);
        factor_gradients(factorGradients, t0, r, R, n0, columns, n0 == 0u, lane);
      }
    }
    nll += sum_all(lane, loss);
  }
  if (lane == 0u) {
    put(readout.nll_R + r, nll);
  }
}
