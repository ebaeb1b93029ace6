// Log-rates, the Poisson loss and its gradients (docs/model.md, section 2): nll = -Σ (x logRate - rate).
//
// A workgroup has one row (a sample of a trial) and goes through its bins, 32 at a time, and for these
// through the neurons, 64 at a time. The gradients of such a tile stay in workgroup memory until they
// are multiplied by Wᵀ. The loss is complete after each 32 bins, so that the loop over them can be cut.

// Gradients of a tile's log-rates, [neuron][row / 4].
var<workgroup> gradientTile: array<vec4<f32>, 576>;

// The loss of one count, in a tile that may be larger than the data; it also stores the log-rate or its
// gradient, and returns that in `y`.
struct CountLoss {
  loss: f32,
  gradient: f32,
}

fn count_loss(l: f32, t: u32, r: u32, R: u32, n: u32, counts: u32) -> CountLoss {
  if (t >= readout.T || n >= readout.N) {
    return CountLoss(0.0, 0.0);
  }
  let x = count_at(readout.counts, readout.wide, counts + t * readout.N + n);
  let rate = rate_of(l);
  let d = (rate - x) / f32(s.B);
  put(readout.logRates_TRN + (t * R + r) * readout.N + n, select(l, d, readout.gradient == 1u));
  return CountLoss(rate - x * l, d);
}

// Adds the tile's gradients times Wᵀ to those of the factors, PARTS invocations to an element.
fn factor_gradients(t0: u32, r: u32, R: u32, n0: u32, lane: u32) {
  let F = readout.F;
  let N = readout.N;
  let columns = min(LOG_RATE_COLUMNS, N - n0);
  for (var i = lane; i < F * 8u * PARTS; i += WORKGROUP) {
    let f = i % F;
    let quad = (i / F) & 7u;
    let w = readout.w_FN_T + n0 * F + f;
    var sum = vec4<f32>(0.0);
    var n = i / (F * 8u);
    for (; n + 3u * PARTS < columns; n += 4u * PARTS) {
      let at = n * LOG_RATE_STRIDE + quad;
      let w0 = real(w + n * F);
      let w1 = real(w + (n + PARTS) * F);
      let w2 = real(w + (n + 2u * PARTS) * F);
      let w3 = real(w + (n + 3u * PARTS) * F);
      sum = fma(gradientTile[at], vec4<f32>(w0), sum);
      sum = fma(gradientTile[at + PARTS * LOG_RATE_STRIDE], vec4<f32>(w1), sum);
      sum = fma(gradientTile[at + 2u * PARTS * LOG_RATE_STRIDE], vec4<f32>(w2), sum);
      sum = fma(gradientTile[at + 3u * PARTS * LOG_RATE_STRIDE], vec4<f32>(w3), sum);
    }
    for (; n < columns; n += PARTS) {
      sum = fma(gradientTile[n * LOG_RATE_STRIDE + quad], vec4<f32>(real(w + n * F)), sum);
    }
    if (PARTS == 1u) {
      add_factor_gradients(sum, t0 + 4u * quad, r, R, f, n0);
    } else {
      // the factors of the tile have served
      factorTile[i] = sum;
    }
  }
  if (PARTS > 1u) {
    workgroupBarrier();
    if (lane < F * 8u) {
      var sum = factorTile[lane];
      for (var part = 1u; part < PARTS; part++) {
        sum += factorTile[part * F * 8u + lane];
      }
      add_factor_gradients(sum, t0 + 4u * (lane / F), r, R, lane % F, n0);
    }
  }
}

// Bins t … t + 3; the first neurons' are stored, the others' are added by the same invocation.
fn add_factor_gradients(sum: vec4<f32>, t: u32, r: u32, R: u32, f: u32, n0: u32) {
  for (var i = 0u; i < 4u; i++) {
    if (t + i < readout.T) {
      let at = readout.dFactors_TRF + ((t + i) * R + r) * readout.F + f;
      var before = 0.0;
      if (n0 > 0u) {
        before = real(at);
      }
      put(at, before + sum[i]);
    }
  }
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
  let counts = trial_at(readout.trials_B, readout.trialsSlot, r / s.S) * T * N;
  let row = 8u * (lane / LOG_RATE_COLUMNS);
  let column = lane % LOG_RATE_COLUMNS;
  let place = column * LOG_RATE_STRIDE + row / 4u;
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
        factors, R * F, min(LOG_RATE_ROWS, T - t0), readout.w_FN, readout.b_N, N, F, n0, lane,
      );
      let n = n0 + column;
      var tileLoss = 0.0;
      var low: vec4<f32>;
      var high: vec4<f32>;
      for (var i = 0u; i < 4u; i++) {
        let a = count_loss(l.low[i], t0 + row + i, r, R, n, counts);
        low[i] = a.gradient;
        tileLoss += a.loss;
      }
      for (var i = 0u; i < 4u; i++) {
        let a = count_loss(l.high[i], t0 + row + 4u + i, r, R, n, counts);
        high[i] = a.gradient;
        tileLoss += a.loss;
      }
      loss += tileLoss;
      if (readout.gradient == 1u) {
        gradientTile[place] = low;
        gradientTile[place + 1u] = high;
        workgroupBarrier();
        factor_gradients(t0, r, R, n0, lane);
      }
    }
    nll += sum_all(lane, loss);
  }
  if (lane == 0u) {
    put(readout.nll_R + r, nll);
  }
}
