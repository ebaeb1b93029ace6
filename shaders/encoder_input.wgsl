// Dropout on the spikes, then their part of an encoder's gates: `spikes · wInput + b`, a product of all
// rows (t, b) at once. The workgroups of the first columns store the spikes that were kept.

// Where the counts, and the explicit masks, of four rows start.
struct EncoderInputRows {
  counts: vec4<u32>,
  keep: vec4<u32>,
}

// Rows line, line + 16 …; those beyond the batch repeat its last one.
fn encoder_input_rows(line: u32, B: u32) -> EncoderInputRows {
  let dataT = encoder_input.dataT;
  let N = encoder_input.N;
  let rows = gemm_lines(line, encoder_input.T * B);
  let b = rows % vec4<u32>(B);
  let t = rows / vec4<u32>(B);
  let trials = vec4<u32>(
    trial_at(encoder_input.trials_B, encoder_input.trialsSlot, b.x),
    trial_at(encoder_input.trials_B, encoder_input.trialsSlot, b.y),
    trial_at(encoder_input.trials_B, encoder_input.trialsSlot, b.z),
    trial_at(encoder_input.trials_B, encoder_input.trialsSlot, b.w),
  );
  return EncoderInputRows((trials * dataT + t) * N, (b * dataT + t) * N);
}

// What the data say at place i; 0 where it is missing.
fn encoder_input_count(i: u32) -> f32 {
  var x: f32;
  if (ENCODER_INPUT_REALS == 1u) {
    x = value_at(encoder_input.counts, i);
  } else {
    x = count_at(encoder_input.counts, encoder_input.element, i);
  }
  if (ENCODER_INPUT_GAPS == 1u) {
    return select(x, 0.0, is_missing(encoder_input.element, x));
  }
  return x;
}

fn encoder_input_counts(at: vec4<u32>, n: u32) -> vec4<f32> {
  return encoder_input.scale * vec4<f32>(
    encoder_input_count(at.x + n),
    encoder_input_count(at.y + n),
    encoder_input_count(at.z + n),
    encoder_input_count(at.w + n),
  );
}

// Masks of neuron n in lines p, p + 16 … of the tile.
fn encoder_input_keep(at: vec4<u32>, p: u32, n: u32) -> vec4<f32> {
  if (encoder_input.keepSpikes_BTN != ABSENT) {
    return gemm_gather(encoder_input.keepSpikes_BTN + at + n);
  }
  return masks_at(p, n % MASK_COLUMNS);
}

// The spikes of neuron n in four rows, without those that are dropped.
fn encoder_input_spikes(at: EncoderInputRows, p: u32, n: u32) -> vec4<f32> {
  if (n >= encoder_input.N) {
    return vec4<f32>();
  }
  let counts = encoder_input_counts(at.counts, n);
  if (encoder_input.dropout == 0u) {
    return counts;
  }
  return counts * (encoder_input_keep(at.keep, p, n) / encoder_input.keepRate);
}

fn encoder_input_weights(n: u32, column: u32, width: u32) -> vec4<f32> {
  let end = select(0u, width, n < encoder_input.N);
  return gemm_load(encoder_input.wInput_ND3E + n * width, column, end);
}

fn encoder_input_run(group: vec3<u32>, lane: u32) {
  let N = encoder_input.N;
  let width = 6u * encoder_input.E;
  let B = runs[group.z].B;
  let rows = encoder_input.T * B;
  let part = gemm_part(group.x, width, N);
  if (part.line >= rows) {
    return;
  }
  // of each step a lane loads neuron x's spikes in lines y, y + 16 …, and neuron y's weights in columns
  // x, x + 16 …
  let y = lane / 16u;
  let x = lane % 16u;
  let at = encoder_input_rows(part.line + y, B);
  let draws = encoder_input.dropout == 1u && encoder_input.keepSpikes_BTN == ABSENT;
  for (var tile = part.tile; tile < part.endTile; tile++) {
    let column = tile * GEMM_COLUMNS + x;
    var sums = gemm_start(gemm_load(encoder_input.b_D3E, column, width));
    // one round for as many neurons as there is room for masks: mostly for all
    for (var first = 0u; first < N; first += MASK_COLUMNS) {
      if (draws && (tile == part.tile || N > MASK_COLUMNS)) {
        let keepRate = encoder_input.keepRate;
        let T = encoder_input.T;
        let dataT = encoder_input.dataT;
        draw_masks(lane, STREAM_keepSpikes, keepRate, T, dataT, B, part.line, first, N);
      }
      let end = min(N, first + MASK_COLUMNS);
      var left = encoder_input_spikes(at, y, first + x);
      var right = encoder_input_weights(first + y, column, width);
      for (var n = first; n < end; n += GEMM_STEP) {
        gemm_share(gemm_left_at(x, y), left, gemm_right_at(y, x), right);
        if (tile == 0u && n + x < N) {
          gemm_scatter(encoder_input.spikes_TBN + n + x, part.line + y, rows, N, left);
        }
        let next = n + GEMM_STEP;
        if (next < end) {
          left = encoder_input_spikes(at, y, next + x);
          right = encoder_input_weights(next + y, column, width);
        }
        sums = gemm_products(lane, gemm_sixteens(tile, width), sums);
      }
    }
    gemm_store_sums(
      encoder_input.gates_TBD3E,
      part.line + y,
      rows,
      column,
      width,
      sums,
    );
  }
}
