// The gradient from its partial sums, through Ŵ and with the L2 penalty; the squares of parameters and
// gradient (the parameters' times their penalty), summed by workgroup into `partials`: `finish` adds those
// up.
//
// Workgroup 0 has the weights of the factors to itself, because the gradient through a norm wants all
// of a factor's column; the others have SLICE parameters each.

// Gradient p, from its partial sums where `weight_gradients` left some.
fn gradient_at(p: u32) -> f32 {
  if (reduce.splits == 0u) {
    return real(reduce.grads_P + p);
  }
  return sum_partials(reduce.scratch + p, reduce.scratchLength, reduce.splits);
}

// Adds the penalty, stores the gradient, and returns its square.
fn store_gradient(p: u32, g: f32) -> f32 {
  let d = g + 2.0 * s.l2Scale * real(reduce.l2_P + p) * real(reduce.params_P + p);
  put(reduce.grads_P + p, d);
  return d * d;
}

// From the gradient at Ŵ to the gradient at W: (dŴ - Ŵ (Ŵ·dŴ)) / |W|.
fn through_norms(lane: u32) -> f32 {
  let G = reduce.G;
  let F = reduce.F;
  let first = reduce.dw_GF - reduce.grads_P;
  for (var i = lane; i < G * F; i += WORKGROUP) {
    put(reduce.dw_GF + i, gradient_at(first + i));
  }
  storageBarrier();
  var squares = 0.0;
  for (var f = lane; f < F; f += WORKGROUP) {
    let norm = real(reduce.norms_F + f);
    var along = 0.0;
    for (var i = f; i < G * F; i += F) {
      along += real(reduce.dw_GF + i) * (real(reduce.w_GF + i) / norm);
    }
    for (var i = f; i < G * F; i += F) {
      let hat = real(reduce.w_GF + i) / norm;
      squares += store_gradient(first + i, (real(reduce.dw_GF + i) - hat * along) / norm);
    }
  }
  return squares;
}

fn reduce_run(group: vec3<u32>, lane: u32) {
  let P = reduce.P;
  let gradient = reduce.gradient == 1u;
  let first = reduce.dw_GF - reduce.grads_P;
  let end = first + reduce.G * reduce.F;
  var parameters = 0.0;
  var gradients = 0.0;
  if (group.x == 0u) {
    if (gradient) {
      gradients = through_norms(lane);
    }
  } else {
    for (var i = lane; i < SLICE; i += WORKGROUP) {
      let p = (group.x - 1u) * SLICE + i;
      if (p < P) {
        let x = real(reduce.params_P + p);
        parameters += real(reduce.l2_P + p) * x * x;
        if (gradient && (p < first || p >= end)) {
          gradients += store_gradient(p, gradient_at(p));
        }
      }
    }
  }
  let parameterSum = sum_all(lane, parameters);
  let gradientSum = sum_all(lane, gradients);
  if (lane == 0u) {
    put(reduce.partials + 2u * group.x, parameterSum);
    put(reduce.partials + 2u * group.x + 1u, gradientSum);
  }
}
