// Observation models (src/reference/families.ts): for each neuron OUTPUTS numbers are the parameters of a
// distribution. Value beside gradient, for the FAMILY that the shader is made for.

// Up to three outputs of a neuron, or their gradients.
alias Outputs = array<f32, 3>;

struct NumberLoss {
  loss: f32,
  gradient: Outputs,
}

// ln(1 + e^c)
fn softplus(c: f32) -> f32 {
  let size = log1p_within(exp_within(clamp(-abs(c), -87.0, 0.0)));
  return select(max(c, 0.0) + size, c, is_nan(c));
}

// -ln of the density of x > 0 with α = e^a, β = e^b.
fn gamma_loss(x: f32, a: f32, b: f32) -> NumberLoss {
  let alpha = rate_of(a);
  let beta = rate_of(b);
  let logs = min(b, MAX_LOG_RATE) + log_(x);
  // α ln β + (α - 1) ln x, without a difference of products
  let loss = beta * x + ln_gamma(alpha) + log_(x) - alpha * logs;
  return NumberLoss(loss, Outputs(alpha * (digamma(alpha) - logs), beta * x - alpha, 0.0));
}

fn family_loss(x: f32, o: Outputs, varMin: f32, least: f32) -> NumberLoss {
  if (FAMILY == FAMILY_gaussian) {
    let spread = rate_of(o[1]);
    let variance = spread + varMin;
    let error = x - o[0];
    let square = error * error / variance;
    return NumberLoss(
      0.5 * (1.8378770664093453 + log_(variance) + square),
      Outputs(-error / variance, 0.5 * (spread / variance) * (1.0 - square), 0.0),
    );
  }
  if (FAMILY == FAMILY_gamma) {
    return gamma_loss(x, o[0], o[1]);
  }
  if (x == 0.0) {
    return NumberLoss(softplus(o[2]), Outputs(0.0, 0.0, sigmoid(o[2])));
  }
  var found = gamma_loss(x - least, o[0], o[1]);
  found.loss += softplus(-o[2]);
  found.gradient[2] = -sigmoid(-o[2]);
  return found;
}

// The expected value.
fn family_mean(o: Outputs, least: f32) -> f32 {
  if (FAMILY == FAMILY_gaussian) {
    return o[0];
  }
  let mean = rate_of(o[0]) / rate_of(o[1]);
  if (FAMILY == FAMILY_gamma) {
    return mean;
  }
  return sigmoid(o[2]) * (mean + least);
}

// What is reported beside it: the logarithm of α/β, of a Gaussian its mean.
fn family_log_mean(o: Outputs) -> f32 {
  if (FAMILY == FAMILY_gaussian) {
    return o[0];
  }
  return o[0] - o[1];
}
