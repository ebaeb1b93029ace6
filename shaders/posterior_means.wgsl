// Means over samples of a value and of its logarithm, without storing a sample's.
//
// A tile is 32 decoder rows and 64 neurons. With few samples it holds those of several means; with more
// than 32 it is gone through again for each 32 of one mean's samples, in blocks of SAMPLES: the sums are
// complete after each block, so that the loop over blocks can be cut.
//
// A kernel says what is averaged: `sampled(first, rows, n0, lane, R)`, of a tile whose rows start at row
// `first` of all.

// Where the means go, and of how many bins and neurons.
struct PosteriorMeans {
  T: u32,
  N: u32,
  rates: u32,
  logRates: u32,
}

// Eight rows of one neuron.
struct SampledTerms {
  rates: LogRates,
  logRates: LogRates,
}

// Terms of a tile, [row][neuron], while they are summed.
var<workgroup> termTile: array<f32, 2048>;


fn store_terms(row: u32, column: u32, x: LogRates) {
  var low = x.low;
  var high = x.high;
  for (var i = 0u; i < 4u; i++) {
    termTile[(row + i) * LOG_RATE_COLUMNS + column] = low[i];
    termTile[(row + 4u + i) * LOG_RATE_COLUMNS + column] = high[i];
  }
}

// Writes means of the tile's terms: `means` of them from mean `first` on, S rows each.
fn write_means(out: u32, N: u32, first: u32, means: u32, S: u32, n0: u32, lane: u32) {
  let n = n0 + lane % LOG_RATE_COLUMNS;
  for (var mean = lane / LOG_RATE_COLUMNS; mean < means && n < N; mean += 4u) {
    var sum = 0.0;
    for (var k = 0u; k < S; k++) {
      sum += termTile[(mean * S + k) * LOG_RATE_COLUMNS + lane % LOG_RATE_COLUMNS];
    }
    put(out + (first + mean) * N + n, sum / f32(S));
  }
}

// Several means of at most 32 samples each.
fn flat_means(
  to: PosteriorMeans, first: u32, means: u32, S: u32, n0: u32, lane: u32, R: u32,
) {
  let row = 8u * (lane / LOG_RATE_COLUMNS);
  let column = lane % LOG_RATE_COLUMNS;
  let terms = sampled(first * S, means * S, n0, lane, R);
  store_terms(row, column, terms.rates);
  workgroupBarrier();
  write_means(to.rates, to.N, first, means, S, n0, lane);
  workgroupBarrier();
  store_terms(row, column, terms.logRates);
  workgroupBarrier();
  write_means(to.logRates, to.N, first, means, S, n0, lane);
}

// The sum of the samples that are there, of one invocation's rows.
fn sum_rows(x: LogRates, row: u32, rows: u32) -> f32 {
  var low = x.low;
  var high = x.high;
  var sum = 0.0;
  for (var i = 0u; i < 4u; i++) {
    if (row + i < rows) {
      sum += low[i];
    }
  }
  for (var i = 4u; i < 8u; i++) {
    if (row + i < rows) {
      sum += high[i - 4u];
    }
  }
  return sum;
}

// The sum of the four groups' numbers for a neuron.
fn sum_groups(x: f32, lane: u32) -> f32 {
  workgroupBarrier();
  termTile[lane] = x;
  workgroupBarrier();
  let column = lane % LOG_RATE_COLUMNS;
  return (termTile[column] + termTile[column + LOG_RATE_COLUMNS]) +
    (termTile[column + 2u * LOG_RATE_COLUMNS] + termTile[column + 3u * LOG_RATE_COLUMNS]);
}

// One mean of many samples, or what blocks `firstBlock` … `endBlock` add to it.
fn deep_mean(
  to: PosteriorMeans, mean: u32, S: u32, n0: u32, firstBlock: u32, endBlock: u32, lane: u32, R: u32,
) {
  let row = 8u * (lane / LOG_RATE_COLUMNS);
  let n = n0 + lane % LOG_RATE_COLUMNS;
  let writes = lane < LOG_RATE_COLUMNS && n < to.N && firstBlock < endBlock;
  let at = mean * to.N + n;
  var rates = 0.0;
  var logRates = 0.0;
  if (firstBlock > 0u && writes) {
    rates = real(to.rates + at);
    logRates = real(to.logRates + at);
  }
  for (var block = firstBlock; block < endBlock; block++) {
    var blockRates = 0.0;
    var blockLogRates = 0.0;
    for (var k = block * SAMPLES; k < min(S, (block + 1u) * SAMPLES); k += LOG_RATE_ROWS) {
      let rows = min(LOG_RATE_ROWS, S - k);
      let terms = sampled(mean * S + k, rows, n0, lane, R);
      blockRates += sum_rows(terms.rates, row, rows);
      blockLogRates += sum_rows(terms.logRates, row, rows);
    }
    rates += sum_groups(blockRates, lane);
    logRates += sum_groups(blockLogRates, lane);
  }
  if (writes) {
    // the last block completes the sums
    let divisor = select(1.0, f32(S), endBlock * SAMPLES >= S);
    put(to.rates + at, rates / divisor);
    put(to.logRates + at, logRates / divisor);
  }
}

// The tiles of a workgroup.
fn posterior_means(to: PosteriorMeans, group: vec3<u32>, lane: u32) {
  let S = runs[group.z].S;
  let R = runs[group.z].B * S;
  let means = to.T * runs[group.z].B;
  let columns = (to.N + LOG_RATE_COLUMNS - 1u) / LOG_RATE_COLUMNS;
  let many = max(1u, LOG_RATE_ROWS / S);
  let blocks = (S + SAMPLES - 1u) / SAMPLES;
  let tiles = (means + many - 1u) / many * columns;
  for (var tile = group.x; tile < tiles; tile += GROUPS) {
    let n0 = tile % columns * LOG_RATE_COLUMNS;
    let first = tile / columns * many;
    if (S <= LOG_RATE_ROWS) {
      flat_means(to, first, min(many, means - first), S, n0, lane, R);
    } else {
      deep_mean(
        to, first, S, n0, runs[group.z].first, min(runs[group.z].end, blocks), lane, R,
      );
    }
  }
}
