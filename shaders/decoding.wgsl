// What `decoder` and `decoder_backward` share: a workgroup's rows and memory, sums that are split over
// its invocations, and dropout masks.

// The first DECODING_LANES hold parts of sums; each kernel says what stands behind them.
var<workgroup> held: array<Tile, DECODING_TILES>;
// Masks of eight columns of one row, a bit each: [bin][block of columns][row of the tile].
var<workgroup> heldMasks: array<u32, DECODING_MASKS>;

// The rows of a workgroup's tile: row r decodes sample r % S of trial r / S.
struct DecodingRows {
  first: u32,
  // of the whole batch
  R: u32,
  S: u32,
  rows: Rows,
  trials: Rows,
  samples: Rows,
}

fn decoding_rows(first: u32, B: u32, S: u32) -> DecodingRows {
  let R = B * S;
  let rows = rows_of(first, R - 1u);
  return DecodingRows(first, R, S, rows, rows / S, rows % S);
}

// Into how many parts a layer's sums over n are split: few columns keep all invocations busy, but each
// part has at least eight products. The model alone decides, so that the bits do not depend on who
// shares the workgroup.
fn decoding_parts(width: u32, n: u32) -> u32 {
  return clamp(min(DECODING_LANES / width, n / 8u), 1u, DECODING_PARTS);
}

// Columns of one pass over a layer. In the pass from column `base` on, an invocation has column
// base + lane % across, and of its sum part lane / across.
fn decoding_pass(width: u32, parts: u32) -> u32 {
  return select(WORKGROUP, width, parts > 1u);
}

// Part `part` of the sum over n of held[x + k] w[k * step].
fn decoding_dot(x: u32, n: u32, w: u32, step: u32, part: u32, parts: u32) -> Tile {
  var even = Tile();
  var odd = Tile();
  var k = part;
  for (; k + 3u * parts < n; k += 4u * parts) {
    let origin = x + k;
    let at = w + k * step;
    let stride = parts * step;
    even += held[origin] * real(at);
    odd += held[origin + parts] * real(at + stride);
    even += held[origin + 2u * parts] * real(at + 2u * stride);
    odd += held[origin + 3u * parts] * real(at + 3u * stride);
  }
  for (; k < n; k += parts) {
    even += held[x + k] * real(w + k * step);
  }
  return even + odd;
}

// From the parts of all invocations to a column's sum, in the invocations with part 0. Control flow must
// be uniform.
fn decoding_total(lane: u32, width: u32, parts: u32, own: Tile) -> Tile {
  if (parts == 1u) {
    return own;
  }
  if (lane < width * parts) {
    held[lane] = own;
  }
  workgroupBarrier();
  var sum = own;
  if (lane < width) {
    for (var part = 1u; part < parts; part++) {
      sum += held[part * width + lane];
    }
  }
  return sum;
}

// The sum over the first DECODING_LANES invocations, a tree, in invocation 0. Control flow must be
// uniform.
fn decoding_sum(lane: u32, x: Tile) -> Tile {
  if (lane < DECODING_LANES) {
    held[lane] = x;
  }
  for (var half = DECODING_LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      held[lane] += held[lane + half];
    }
  }
  let sum = held[0];
  workgroupBarrier();
  return sum;
}

// Bins whose masks are drawn at once, so that all invocations draw.
fn decoding_bins(width: u32) -> u32 {
  return max(1u, DECODING_LANES / (TILE * ((width + 7u) / 8u)));
}

// The masks of eight columns as bits, from their block's words: see `fillKeep` in src/random.ts.
fn decoding_mask(w: vec4<u32>, threshold: u32) -> u32 {
  let none = vec4<u32>(0u);
  let low = select(none, vec4<u32>(1u), (w & vec4<u32>(0xffffu)) < vec4<u32>(threshold));
  let high = select(none, vec4<u32>(2u), (w >> vec4<u32>(16u)) < vec4<u32>(threshold));
  let pairs = low | high;
  return pairs.x | (pairs.y << 2u) | (pairs.z << 4u) | (pairs.w << 6u);
}

// Draws the masks of the bins from `bin` on, of all rows' `width` columns; `T` bins have draws of their
// own. The caller sees to barriers.
fn decoding_draw(
  lane: u32, here: DecodingRows, stream: u32, sampled: bool, width: u32, T: u32, bin: u32, bins: u32,
  keepRate: f32,
) {
  let blocks = (width + 7u) / 8u;
  let threshold = keep_threshold(keepRate);
  for (var i = lane; i < bins * blocks * TILE; i += WORKGROUP) {
    let row = min(here.first + i % TILE, here.R - 1u);
    let sample = select(0u, row % here.S, sampled);
    let address = (s.firstTrial + row / here.S) * T + bin + i / (TILE * blocks);
    heldMasks[i] = decoding_mask(draw(stream, sample, address, (i / TILE) % blocks), threshold);
  }
}

// The masks of column j in the bin that is the n-th of those drawn.
fn decoding_keep(n: u32, width: u32, j: u32) -> Tile {
  let at = TILE * (n * ((width + 7u) / 8u) + (j >> 3u));
  var bits = 0u;
  for (var i = 0u; i < TILE; i++) {
    bits |= heldMasks[at + i] << (8u * i);
  }
  return bits_tile(bits, j & 7u);
}
