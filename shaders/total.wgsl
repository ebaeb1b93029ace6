// Completes `accumulate`: the sums of the losses, and the norm of the gradient's sum. They stand in scratch
// memory, from where the next part goes on, and where this run's losses are.
fn total_run(group: vec3<u32>, lane: u32) {
  let groups = (total.P + WORKGROUP - 1u) / WORKGROUP;
  var squares = 0.0;
  for (var i = lane; i < groups; i += WORKGROUP) {
    squares += real(total.partials + i);
  }
  let norm = sqrt(sum_all(lane, squares));
  if (lane >= LOSS_COUNT) {
    return;
  }
  var sum = s.share * real(total.losses + s.slot * total.lossesSlot + lane);
  if (s.accumulated > 0u) {
    sum += real(total.scratch + lane);
  }
  if (lane == LOSS_gradNorm) {
    sum = norm;
  }
  put(total.scratch + lane, sum);
  put(total.sums + s.slot * total.sumsSlot + lane, sum);
}
