// Means over samples of the expected value and of the outputs' log-mean (of a Gaussian, the mean).

fn sampled(first: u32, rows: u32, n0: u32, lane: u32, R: u32) -> SampledTerms {
  let F = posterior_observations.F;
  let N = posterior_observations.N;
  // slot 0 of the factors stands before the first bin
  let factors = posterior_observations.factors_HRF + (R + first) * F;
  var o: array<LogRates, OUTPUTS>;
  for (var k = 0u; k < OUTPUTS; k++) {
    o[k] = log_rates(
      factors, F, rows, posterior_observations.w_FQ + k * N, OUTPUTS * N,
      posterior_observations.b_Q + k * N, N, F, n0, lane,
    );
  }
  var terms: SampledTerms;
  for (var i = 0u; i < 8u; i++) {
    var own = Outputs(0.0, 0.0, 0.0);
    for (var k = 0u; k < OUTPUTS; k++) {
      own[k] = log_rate_of(o[k], i);
    }
    let mean = family_mean(own, posterior_observations.floor);
    let logMean = family_log_mean(own);
    if (i < 4u) {
      terms.rates.low[i] = mean;
      terms.logRates.low[i] = logMean;
    } else {
      terms.rates.high[i - 4u] = mean;
      terms.logRates.high[i - 4u] = logMean;
    }
  }
  return terms;
}

fn posterior_observations_run(group: vec3<u32>, lane: u32) {
  let to = PosteriorMeans(
    posterior_observations.T,
    posterior_observations.N,
    posterior_observations.rates_TBN,
    posterior_observations.logRates_TBN,
  );
  posterior_means(to, group, lane);
}
