// The counter-based generator of src/random.ts, bit for bit: Philox4x32-10.

fn multiply_high(a: u32, b: u32) -> u32 {
  let aLo = a & 0xffffu;
  let aHi = a >> 16u;
  let bLo = b & 0xffffu;
  let bHi = b >> 16u;
  let middle = aHi * bLo + ((aLo * bLo) >> 16u);
  let middle2 = aLo * bHi + (middle & 0xffffu);
  return aHi * bHi + (middle >> 16u) + (middle2 >> 16u);
}

fn philox(start: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  var c = start;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    c = vec4<u32>(
      multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
      0xcd9e8d57u * c.z,
      multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x,
    );
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// The four words of columns 4 * block … 4 * block + 3 of a row, in this run.
fn draw(stream: u32, sample: u32, row: u32, block: u32) -> vec4<u32> {
  let last = stream | (s.purpose << 6u) | (sample << 8u);
  return philox(vec4<u32>(block, row, s.step, last), vec2<u32>(s.seedLo, s.seedHi));
}

// A uniform number in (0, 1): the top 23 bits, centred.
fn uniform_(word: u32) -> f32 {
  return (f32(word >> 9u) + 0.5) * 1.1920928955078125e-07;
}

// The standard normal of a row's column.
fn normal_at(stream: u32, sample: u32, row: u32, column: u32) -> f32 {
  let w = draw(stream, sample, row, column >> 2u);
  let pair = select(w.xy, w.zw, (column & 2u) == 2u);
  let radius = sqrt(-2.0 * log_(uniform_(pair.x)));
  let v = uniform_(pair.y);
  return radius * select(cos_turn(v), sin_turn(v), (column & 1u) == 1u);
}

// The dropout mask, 0 or 1, of a row's column from its block's words: half a word each.
fn keep_of(w: vec4<u32>, column: u32, threshold: u32) -> f32 {
  let word = w[(column >> 1u) & 3u];
  let half = select(word & 0xffffu, word >> 16u, (column & 1u) == 1u);
  return select(0.0, 1.0, half < threshold);
}

fn keep_at(stream: u32, sample: u32, row: u32, column: u32, threshold: u32) -> f32 {
  return keep_of(draw(stream, sample, row, column >> 3u), column, threshold);
}

// See `keepThreshold` in src/random.ts.
fn keep_threshold(keepRate: f32) -> u32 {
  return u32(clamp(floor(keepRate * 65536.0 + 0.5), 1.0, 65536.0));
}

// The masks of a block's eight columns as bits: see `fillKeep` in src/random.ts.
fn mask_byte(w: vec4<u32>, threshold: u32) -> u32 {
  let low = select(vec4<u32>(), vec4<u32>(1u, 4u, 16u, 64u), (w & vec4<u32>(0xffffu)) < vec4<u32>(threshold));
  let high = select(vec4<u32>(), vec4<u32>(2u, 8u, 32u, 128u), (w >> vec4<u32>(16u)) < vec4<u32>(threshold));
  let both = low | high;
  return both.x | both.y | both.z | both.w;
}
