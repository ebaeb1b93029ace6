// The loss terms and the gradient's norm, from what `reduce` summed by workgroup. Before `adam` every
// workgroup finds the norm for itself, which spares a dispatch; the first one writes the losses.

fn mean_of(lane: u32, values: u32, n: u32) -> f32 {
  var sum = 0.0;
  for (var i = lane; i < n; i += WORKGROUP) {
    sum += real(values + i);
  }
  return sum_all(lane, sum) / f32(n);
}

fn finish_run(group: vec3<u32>, lane: u32) {
  let groups = 1u + (finish.P + SLICE - 1u) / SLICE;
  var parameters = 0.0;
  var gradients = 0.0;
  for (var i = lane; i < groups; i += WORKGROUP) {
    parameters += real(finish.partials + 2u * i);
    gradients += real(finish.partials + 2u * i + 1u);
  }
  let norm = sqrt(sum_all(lane, gradients));
  finishedNorm = norm;
  if (group.x > 0u) {
    return;
  }
  let l2 = s.l2Scale * sum_all(lane, parameters);
  let R = s.B * s.S;
  let nll = mean_of(lane, finish.nll_R, R);
  let klIc = mean_of(lane, finish.klIc_R, R);
  var klInputs = 0.0;
  if (finish.klInputs_R != ABSENT) {
    klInputs = mean_of(lane, finish.klInputs_R, R);
  }
  if (lane == 0u) {
    let losses = finish.losses + s.slot * finish.lossesSlot;
    put(losses + LOSS_nll, nll);
    put(losses + LOSS_klIc, klIc);
    put(losses + LOSS_klInputs, klInputs);
    put(losses + LOSS_l2, l2);
    put(losses + LOSS_total, nll + s.klIcScale * klIc + s.klInputsScale * klInputs + l2);
    put(losses + LOSS_gradNorm, norm);
  }
}
