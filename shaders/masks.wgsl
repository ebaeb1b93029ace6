// Dropout masks of the lines of a tile, drawn once for all that read them: eight come from one draw. A
// line is row (t, b) of the batch, at t * B + b; its masks are those of trial b in bin t, of which
// `drawnT` have draws of their own.

// MASK_WORDS words of 32 masks for each of MASK_LINES lines.
const MASK_LINES = 64u;
const MASK_COLUMNS = 32u * MASK_WORDS;
var<workgroup> maskBits: array<u32, MASK_LINES * MASK_WORDS>;

// Draws MASK_COLUMNS masks (fewer where the rows of `width` masks end) from column `first` on, of lines
// `line` …; lines beyond the batch repeat its last one. Control flow must be uniform.
fn draw_masks(
  lane: u32,
  stream: u32,
  keepRate: f32,
  T: u32,
  drawnT: u32,
  B: u32,
  line: u32,
  first: u32,
  width: u32,
) {
  let threshold = keep_threshold(keepRate);
  let across = (min(width - first, MASK_COLUMNS) + 31u) / 32u;
  workgroupBarrier();
  for (var i = lane; i < MASK_LINES * across; i += WORKGROUP) {
    let row = min(line + i / across, T * B - 1u);
    let drawn = (s.firstTrial + row % B) * drawnT + row / B;
    let column = first + 32u * (i % across);
    var bits = 0u;
    for (var block = 0u; block < 4u && column + 8u * block < width; block++) {
      let byte = mask_byte(draw(stream, 0u, drawn, column / 8u + block), threshold);
      bits |= byte << (8u * block);
    }
    maskBits[i / across * MASK_WORDS + i % across] = bits;
  }
  workgroupBarrier();
}

// The mask, 0 or 1, of a line of the tile; columns count from the first that was drawn.
fn mask_at(line: u32, column: u32) -> f32 {
  return f32((maskBits[line * MASK_WORDS + column / 32u] >> (column % 32u)) & 1u);
}

// Those of lines line, line + 16, line + 32, line + 48.
fn masks_at(line: u32, column: u32) -> vec4<f32> {
  return vec4<f32>(
    mask_at(line, column),
    mask_at(line + 16u, column),
    mask_at(line + 32u, column),
    mask_at(line + 48u, column),
  );
}
