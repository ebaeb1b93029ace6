// Means over samples of exp(logRate) and of logRate, without storing a sample's rates.

fn rates_of(l: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(rate_of(l.x), rate_of(l.y), rate_of(l.z), rate_of(l.w));
}

fn sampled(first: u32, rows: u32, n0: u32, lane: u32, R: u32) -> SampledTerms {
  let F = posterior_rates.F;
  let N = posterior_rates.N;
  // slot 0 of the factors stands before the first bin
  let l = log_rates(
    posterior_rates.factors_HRF + (R + first) * F, F, rows,
    posterior_rates.w_FN, N, posterior_rates.b_N, N, F, n0, lane,
  );
  return SampledTerms(LogRates(rates_of(l.low), rates_of(l.high)), l);
}

fn posterior_rates_run(group: vec3<u32>, lane: u32) {
  let to = PosteriorMeans(
    posterior_rates.T, posterior_rates.N, posterior_rates.rates_TBN, posterior_rates.logRates_TBN,
  );
  posterior_means(to, group, lane);
}
