// Dropout on the encodings, then their part of the controller's gates: `enc · wEncoding + b`, a product
// of all rows (t, b) at once. The workgroups of the first columns store the encodings that were kept.
//
// CONTROLLER_INPUT_SHIFTED: a bin hears of other bins, and of some of them nothing.

// Where encodings and explicit masks of four rows start: both directions' states. Where the bins are
// shifted, also whether a row has anything of a direction.
struct ControllerInputRows {
  forward: vec4<u32>,
  backward: vec4<u32>,
  keep: vec4<u32>,
  hasForward: vec4<bool>,
  hasBackward: vec4<bool>,
}

// Rows line, line + 16 …; those beyond the batch repeat its last one.
fn controller_input_rows(line: u32, B: u32) -> ControllerInputRows {
  let T = controller_input.T;
  let E = controller_input.E;
  let rows = gemm_lines(line, T * B);
  let b = rows % vec4<u32>(B);
  let t = rows / vec4<u32>(B);
  let keep = controller_input.keepEnc_BT2E + (b * T + t) * 2u * E;
  if (CONTROLLER_INPUT_SHIFTED == 1u) {
    let lag = vec4<u32>(controller_input.lag);
    let bins = vec4<u32>(controller_input.encoderT);
    let hasForward = (t < bins) & (t >= lag);
    let hasBackward = (t < bins) & (t + lag < bins);
    // the state after a bin stands one slot later in the forward direction
    let forward = select(vec4<u32>(), t - lag + 1u, hasForward) * B + b;
    let backward = select(vec4<u32>(), t + lag, hasBackward) * B + b;
    return ControllerInputRows(
      controller_input.forward_HBE + forward * E,
      controller_input.backward_HBE + backward * E,
      keep,
      hasForward,
      hasBackward,
    );
  }
  return ControllerInputRows(
    controller_input.forward_HBE + (rows + B) * E,
    controller_input.backward_HBE + rows * E,
    keep,
    vec4<bool>(true),
    vec4<bool>(true),
  );
}

// Column i of the encodings in four rows, without those that are dropped.
fn controller_input_encodings(at: ControllerInputRows, p: u32, i: u32) -> vec4<f32> {
  let E = controller_input.E;
  if (i >= 2u * E) {
    return vec4<f32>();
  }
  var start = at.forward + i;
  if (i >= E) {
    start = at.backward + (i - E);
  }
  var encodings = gemm_gather(start);
  if (CONTROLLER_INPUT_SHIFTED == 1u) {
    var has = at.hasForward;
    if (i >= E) {
      has = at.hasBackward;
    }
    encodings = select(vec4<f32>(), encodings, has);
  }
  if (controller_input.dropout == 0u) {
    return encodings;
  }
  var keep: vec4<f32>;
  if (controller_input.keepEnc_BT2E != ABSENT) {
    keep = gemm_gather(at.keep + i);
  } else {
    keep = masks_at(p, i % MASK_COLUMNS);
  }
  return encodings * (keep / controller_input.keepRate);
}

fn controller_input_weights(i: u32, column: u32, width: u32) -> vec4<f32> {
  let end = select(0u, width, i < 2u * controller_input.E);
  return gemm_load(controller_input.wEncoding_2E3C + i * width, column, end);
}

fn controller_input_run(group: vec3<u32>, lane: u32) {
  let depth = 2u * controller_input.E;
  let width = 3u * controller_input.C;
  let B = runs[group.z].B;
  let rows = controller_input.T * B;
  let part = gemm_part(group.x, width, depth);
  if (part.line >= rows) {
    return;
  }
  // of each step a lane loads column x of the encodings in lines y, y + 16 …, and the weights of column y
  // in columns x, x + 16 …
  let y = lane / 16u;
  let x = lane % 16u;
  let at = controller_input_rows(part.line + y, B);
  let draws = controller_input.dropout == 1u && controller_input.keepEnc_BT2E == ABSENT;
  for (var tile = part.tile; tile < part.endTile; tile++) {
    let column = tile * GEMM_COLUMNS + x;
    var sums = gemm_start(gemm_load(controller_input.b_3C, column, width));
    // one round for as many columns as there is room for masks: mostly for all
    for (var first = 0u; first < depth; first += MASK_COLUMNS) {
      if (draws && (tile == part.tile || depth > MASK_COLUMNS)) {
        let keepRate = controller_input.keepRate;
        let T = controller_input.T;
        draw_masks(lane, STREAM_keepEnc, keepRate, T, T, B, part.line, first, depth);
      }
      let end = min(depth, first + MASK_COLUMNS);
      var left = controller_input_encodings(at, y, first + x);
      var right = controller_input_weights(first + y, column, width);
      for (var i = first; i < end; i += GEMM_STEP) {
        gemm_share(gemm_left_at(x, y), left, gemm_right_at(y, x), right);
        if (tile == 0u && i + x < depth) {
          gemm_scatter(controller_input.enc_TB2E + i + x, part.line + y, rows, depth, left);
        }
        let next = i + GEMM_STEP;
        if (next < end) {
          left = controller_input_encodings(at, y, next + x);
          right = controller_input_weights(next + y, column, width);
        }
        sums = gemm_products(lane, gemm_sixteens(tile, width), sums);
      }
    }
    gemm_store_sums(
      controller_input.conInput_TB3C,
      part.line + y,
      rows,
      column,
      width,
      sums,
    );
  }
}
