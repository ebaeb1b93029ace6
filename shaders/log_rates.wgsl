// Log-rates of 32 decoder rows and 64 neurons at a time: factors · W + b. An invocation has one neuron
// and eight rows, so that a weight that is loaded serves eight products.
//
// Workgroups have 256 invocations: four groups of 64 neurons.

const LOG_RATE_ROWS = 32u;
const LOG_RATE_COLUMNS = 64u;
// factors at a time
const LOG_RATE_DEPTH = 32u;
// vectors of four rows, and one that spreads a column over the memory's banks
const LOG_RATE_STRIDE = 9u;

// [factor][row / 4]
var<workgroup> factorTile: array<vec4<f32>, 288>;

// Rows 8 * (lane / 64) … + 7 of one neuron.
struct LogRates {
  low: vec4<f32>,
  high: vec4<f32>,
}

// That of the i-th of the rows.
fn log_rate_of(l: LogRates, i: u32) -> f32 {
  return select(l.high[i & 3u], l.low[i & 3u], i < 4u);
}

// A factor of row `row`, or 0 beyond the tile's rows and the model's factors.
fn factor_at(factors: u32, stride: u32, row: u32, rows: u32, f: u32, F: u32) -> f32 {
  if (row >= rows || f >= F) {
    return 0.0;
  }
  return real(factors + row * stride + f);
}

// The tile's rows start at `factors`, `stride` apart; `rows` of them are there. The neuron is n0 + lane % 64
// of N; rows of the weights are `width` apart. Control flow must be uniform.
fn log_rates(
  factors: u32, stride: u32, rows: u32, w_FN: u32, width: u32, b_N: u32, N: u32, F: u32, n0: u32,
  lane: u32,
) -> LogRates {
  // neurons and factors that are not there repeat the last one
  let n = min(n0 + lane % LOG_RATE_COLUMNS, N - 1u);
  let group = 2u * (lane / LOG_RATE_COLUMNS);
  var low = vec4<f32>(real(b_N + n));
  var high = low;
  for (var f0 = 0u; f0 < F; f0 += LOG_RATE_DEPTH) {
    workgroupBarrier();
    let f = f0 + lane % LOG_RATE_DEPTH;
    let row = 4u * (lane / LOG_RATE_DEPTH);
    factorTile[(lane % LOG_RATE_DEPTH) * LOG_RATE_STRIDE + lane / LOG_RATE_DEPTH] = vec4<f32>(
      factor_at(factors, stride, row, rows, f, F),
      factor_at(factors, stride, row + 1u, rows, f, F),
      factor_at(factors, stride, row + 2u, rows, f, F),
      factor_at(factors, stride, row + 3u, rows, f, F),
    );
    workgroupBarrier();
    let depth = min(LOG_RATE_DEPTH, F - f0);
    for (var k = 0u; k < depth; k += 4u) {
      let w0 = real(w_FN + (f0 + k) * width + n);
      let w1 = real(w_FN + min(f0 + k + 1u, F - 1u) * width + n);
      let w2 = real(w_FN + min(f0 + k + 2u, F - 1u) * width + n);
      let w3 = real(w_FN + min(f0 + k + 3u, F - 1u) * width + n);
      let at = k * LOG_RATE_STRIDE + group;
      low = fma(factorTile[at], vec4<f32>(w0), low);
      high = fma(factorTile[at + 1u], vec4<f32>(w0), high);
      low = fma(factorTile[at + LOG_RATE_STRIDE], vec4<f32>(w1), low);
      high = fma(factorTile[at + LOG_RATE_STRIDE + 1u], vec4<f32>(w1), high);
      low = fma(factorTile[at + 2u * LOG_RATE_STRIDE], vec4<f32>(w2), low);
      high = fma(factorTile[at + 2u * LOG_RATE_STRIDE + 1u], vec4<f32>(w2), high);
      low = fma(factorTile[at + 3u * LOG_RATE_STRIDE], vec4<f32>(w3), low);
      high = fma(factorTile[at + 3u * LOG_RATE_STRIDE + 1u], vec4<f32>(w3), high);
    }
  }
  return LogRates(low, high);
}

// e^l, where l is read as at most MAX_LOG_RATE.
fn rate_of(l: f32) -> f32 {
  return select(exp_within(clamp(l, -87.0, MAX_LOG_RATE)), l, is_nan(l));
}
