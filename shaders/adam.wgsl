// Clip by the gradient's norm, then Adam with decoupled weight decay.
//
// ADAM_SUMS: the gradient is a sum that `accumulate` made, whose losses stand in scratch memory; the first
// workgroup copies them to where this run's are.

fn adam_run(group: vec3<u32>, lane: u32) {
  var norm: f32;
  let losses = adam.losses + s.slot * adam.lossesSlot;
  if (IN_TURN) {
    norm = finishedNorm;
  } else if (ADAM_SUMS == 1u) {
    norm = real(adam.scratch + LOSS_gradNorm);
    if (group.x == 0u && lane < LOSS_COUNT) {
      put(losses + lane, real(adam.scratch + lane));
    }
  } else {
    norm = real(losses + LOSS_gradNorm);
  }
  let clip = select(adam.maxNorm / norm, 1.0, norm < adam.maxNorm);
  let correct1 = correction(adam.b1, s.count);
  let correct2 = correction(adam.b2, s.count);
  let p = group.x * WORKGROUP + lane;
  if (p >= adam.P) {
    return;
  }
  let g = clip * real(adam.grads_P + p);
  let m = adam.b1 * real(adam.m_P + p) + (1.0 - adam.b1) * g;
  let v = adam.b2 * real(adam.v_P + p) + (1.0 - adam.b2) * g * g;
  put(adam.m_P + p, m);
  put(adam.v_P + p, v);
  let step = s.learningRate * (m / correct1) / (sqrt(v / correct2) + adam.eps);
  let x = real(adam.params_P + p);
  let decay = s.learningRate * adam.weightDecay * s.l2Scale * x;
  put(adam.params_P + p, x - step - decay);
}
