// Adds up the partial sums of `weight_gradients`, where no `reduce` follows that would.
fn fold_run(group: vec3<u32>, lane: u32) {
  let p = group.x * WORKGROUP + lane;
  if (p >= fold.P) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < fold.splits; k++) {
    sum += real(fold.scratch + k * fold.scratchLength + p);
  }
  put(fold.grads_P + p, sum);
}
