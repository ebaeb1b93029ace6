// Adds up the partial sums of `weight_gradients`, where no `reduce` follows that would.
fn fold_run(group: vec3<u32>, lane: u32) {
  let p = group.x * WORKGROUP + lane;
  if (p >= fold.P) {
    return;
  }
  put(fold.grads_P + p, sum_partials(fold.scratch + p, fold.scratchLength, fold.splits));
}
