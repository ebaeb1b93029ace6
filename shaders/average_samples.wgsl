// Means over the samples of each trial: [T][R][n] → [T][B][n].
//
// A workgroup has WIDTH columns and as many lines of invocations as fit. With few samples each line has
// a mean of its own; otherwise the lines share one mean's samples, in blocks of LINES * SAMPLES: the sum
// is complete after each block, so that the loop over blocks can be cut.

const AVERAGE_LINES = WORKGROUP / WIDTH;

// What each invocation summed.
var<workgroup> averageTile: array<f32, WORKGROUP>;

// Samples first, first + step … below `end`.
fn sum_samples(source: u32, first: u32, end: u32, step: u32) -> f32 {
  let n = average_samples.n;
  var sum = 0.0;
  for (var k = first; k < end; k += step) {
    sum += real(source + k * n);
  }
  return sum;
}

// The sum of a column's lines, to all of them: a tree. Control flow must be uniform.
fn sum_lines(x: f32, lane: u32) -> f32 {
  workgroupBarrier();
  averageTile[lane] = x;
  for (var half = WORKGROUP / 2u; half >= WIDTH; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      averageTile[lane] += averageTile[lane + half];
    }
  }
  workgroupBarrier();
  return averageTile[lane % WIDTH];
}

// The mean of one row's column, of which this line has all samples.
fn own_mean(row: u32, i: u32, S: u32) {
  let n = average_samples.n;
  let sum = sum_samples(average_samples.source + row * S * n + i, 0u, S, 1u);
  put(average_samples.mean + row * n + i, sum / f32(S));
}

// The mean of one row's column, of which each line has a share.
fn shared_mean(row: u32, i: u32, S: u32, first: u32, end: u32, lane: u32) {
  let n = average_samples.n;
  let line = lane / WIDTH;
  let column = min(i, n - 1u);
  let source = average_samples.source + row * S * n + column;
  let at = average_samples.mean + row * n + column;
  let writes = line == 0u && i < n && first < end;
  var sum = 0.0;
  if (first > 0u && writes) {
    sum = real(at);
  }
  for (var block = first; block < end; block++) {
    let k = block * AVERAGE_LINES * SAMPLES;
    let share = sum_samples(
      source, k + line, min(S, k + AVERAGE_LINES * SAMPLES), AVERAGE_LINES,
    );
    sum += sum_lines(share, lane);
  }
  if (writes) {
    // the last block completes the sum
    put(at, sum / select(1.0, f32(S), end * AVERAGE_LINES * SAMPLES >= S));
  }
}

fn average_samples_run(group: vec3<u32>, lane: u32) {
  let S = runs[group.z].S;
  let rows = average_samples.T * runs[group.z].B;
  let n = average_samples.n;
  let columns = (n + WIDTH - 1u) / WIDTH;
  let own = S < AVERAGE_LINES;
  let lines = select(1u, AVERAGE_LINES, own);
  let tiles = (rows + lines - 1u) / lines * columns;
  let blocks = (S + AVERAGE_LINES * SAMPLES - 1u) / (AVERAGE_LINES * SAMPLES);
  for (var tile = group.x; tile < tiles; tile += GROUPS) {
    let i = tile % columns * WIDTH + lane % WIDTH;
    let row = tile / columns * lines;
    if (own) {
      if (row + lane / WIDTH < rows && i < n) {
        own_mean(row + lane / WIDTH, i, S);
      }
    } else {
      shared_mean(row, i, S, runs[group.z].first, min(runs[group.z].end, blocks), lane);
    }
  }
}
