// The gradient at the encodings: dGates · wEncodingᵀ, a product of all rows (t, b) at once, without what
// the forward pass dropped.
//
// CONTROLLER_INPUT_SHIFTED: rows are stored where their encodings came from. Those that came from
// nowhere wrap around, and store zeros in the rows that went nowhere.

// Draws the masks of a tile's columns.
fn controller_input_backward_masks(lane: u32, B: u32, line: u32, first: u32) {
  let T = controller_input_backward.T;
  if (controller_input_backward.dropout == 1u && controller_input_backward.keepEnc_BT2E == ABSENT) {
    let keepRate = controller_input_backward.keepRate;
    let width = 2u * controller_input_backward.E;
    let bins = controller_input_backward.encoderT;
    draw_masks(lane, STREAM_keepEnc, keepRate, bins, T, B, line, first, width);
  }
}

// The sums of a column of the tile, without what was dropped in lines line, line + 16 …; `place` is the
// first one's in the tile.
fn controller_input_backward_dropped(
  place: u32,
  line: u32,
  B: u32,
  column: u32,
  sums: vec4<f32>,
) -> vec4<f32> {
  let T = controller_input_backward.T;
  let width = 2u * controller_input_backward.E;
  // beyond the width nothing is stored
  if (controller_input_backward.dropout == 0u || column >= width) {
    return sums;
  }
  var keep: vec4<f32>;
  if (controller_input_backward.keepEnc_BT2E != ABSENT) {
    let rows = gemm_lines(line, controller_input_backward.encoderT * B);
    let b = rows % vec4<u32>(B);
    let t = rows / vec4<u32>(B);
    keep = gemm_gather(controller_input_backward.keepEnc_BT2E + (b * T + t) * width + column);
  } else {
    keep = masks_at(place, column % MASK_COLUMNS);
  }
  return sums * (keep / controller_input_backward.keepRate);
}

// Column j of the gates' gradients in lines line, line + 16 …; lines beyond the batch repeat its last.
fn controller_input_backward_gates(line: u32, rows: u32, j: u32) -> vec4<f32> {
  let depth = 3u * controller_input_backward.C;
  if (j >= depth) {
    return vec4<f32>();
  }
  return gemm_gather(controller_input_backward.conGates_TR3C + gemm_lines(line, rows) * depth + j);
}

fn controller_input_backward_weights(j: u32, column: u32, width: u32) -> vec4<f32> {
  let end = select(0u, width, j < 3u * controller_input_backward.C);
  return gemm_load(controller_input_backward.wEncoding_2E3C_T + j * width, column, end);
}

// Stores column `column` of a row where it came from.
fn controller_input_backward_put(row: u32, rows: u32, B: u32, column: u32, x: f32) {
  let E = controller_input_backward.E;
  if (row >= rows || column >= 2u * E) {
    return;
  }
  let bins = controller_input_backward.encoderT;
  let lag = controller_input_backward.lag;
  let t = row / B;
  var has: bool;
  var from_: u32;
  if (column < E) {
    has = t >= lag;
    from_ = (t + bins - lag % bins) % bins;
  } else {
    has = t + lag < bins;
    from_ = (t + lag) % bins;
  }
  let at = controller_input_backward.dEnc_TB2E + (from_ * B + row % B) * 2u * E;
  put(at + column, select(0.0, x, has));
}

fn controller_input_backward_shifted(line: u32, rows: u32, B: u32, column: u32, x: mat4x4<f32>) {
  var sums = x;
  for (var j = 0u; j < 4u; j++) {
    for (var i = 0u; i < 4u; i++) {
      controller_input_backward_put(line + 16u * i, rows, B, column + 16u * j, sums[j][i]);
    }
  }
}

fn controller_input_backward_run(group: vec3<u32>, lane: u32) {
  let depth = 3u * controller_input_backward.C;
  let width = 2u * controller_input_backward.E;
  let B = runs[group.z].B;
  let rows = controller_input_backward.encoderT * B;
  let part = gemm_part(group.x, width, depth);
  if (part.line >= rows) {
    return;
  }
  // of each step a lane loads gate x's gradient in lines y, y + 16 …, and gate y's weights in columns x,
  // x + 16 …
  let y = lane / 16u;
  let x = lane % 16u;
  let line = part.line + y;
  for (var tile = part.tile; tile < part.endTile; tile++) {
    let first = tile * GEMM_COLUMNS;
    let column = first + x;
    controller_input_backward_masks(lane, B, part.line, first);
    var left = controller_input_backward_gates(line, rows, x);
    var right = controller_input_backward_weights(y, column, width);
    var sums = mat4x4<f32>();
    for (var j = 0u; j < depth; j += GEMM_STEP) {
      gemm_share(gemm_left_at(x, y), left, gemm_right_at(y, x), right);
      let next = j + GEMM_STEP;
      if (next < depth) {
        left = controller_input_backward_gates(line, rows, next + x);
        right = controller_input_backward_weights(next + y, column, width);
      }
      sums = gemm_products(lane, gemm_sixteens(tile, width), sums);
    }
    sums[0] = controller_input_backward_dropped(y, line, B, column, sums[0]);
    sums[1] = controller_input_backward_dropped(y, line, B, column + 16u, sums[1]);
    sums[2] = controller_input_backward_dropped(y, line, B, column + 32u, sums[2]);
    sums[3] = controller_input_backward_dropped(y, line, B, column + 48u, sums[3]);
    if (CONTROLLER_INPUT_SHIFTED == 1u) {
      controller_input_backward_shifted(line, rows, B, column, sums);
    } else {
      gemm_store_sums(
        controller_input_backward.dEnc_TB2E,
        line,
        rows,
        column,
        width,
        sums,
      );
    }
  }
}
