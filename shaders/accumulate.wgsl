// Adds a part of a batch to the sum of its gradient; the sum's squares, by workgroup, into `partials`.
fn accumulate_run(group: vec3<u32>, lane: u32) {
  let p = group.x * WORKGROUP + lane;
  var square = 0.0;
  if (p < accumulate.P) {
    var sum = s.share * real(accumulate.grads_P + p);
    if (s.accumulated > 0u) {
      sum += real(accumulate.sum_P + p);
    }
    put(accumulate.sum_P + p, sum);
    square = sum * sum;
  }
  let squares = sum_all(lane, square);
  if (lane == 0u) {
    put(accumulate.partials + group.x, squares);
  }
}
