// Clip by the gradient's norm, then Adam.

fn adam_run(group: vec3<u32>, lane: u32) {
  var norm: f32;
  if (IN_TURN) {
    norm = finishedNorm;
  } else {
    norm = real(adam.losses + s.slot * adam.lossesSlot + LOSS_gradNorm);
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
  put(adam.params_P + p, real(adam.params_P + p) - step);
}
