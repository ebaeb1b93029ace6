// The gradients at the factors from those at a tile's outputs: 32 bins of one row, 64 columns at a time.

// Gradients of a tile's outputs, [column][bin / 4].
var<workgroup> gradientTile: array<vec4<f32>, 576>;

// The transposed weights, [column][F]; where slot 1 of the factors' gradients starts; their bins.
struct FactorGradients {
  w: u32,
  out: u32,
  T: u32,
  F: u32,
}

// Adds the tile's gradients times Wᵀ to those of the factors (or stores them, if they are the `first`),
// FACTOR_PARTS invocations to an element. The tile has `columns` columns from `n0` on.
fn factor_gradients(
  at: FactorGradients, t0: u32, r: u32, R: u32, n0: u32, columns: u32, first: bool, lane: u32,
) {
  let F = at.F;
  for (var i = lane; i < F * 8u * FACTOR_PARTS; i += WORKGROUP) {
    let f = i % F;
    let quad = (i / F) & 7u;
    let w = at.w + n0 * F + f;
    var sum = vec4<f32>(0.0);
    var n = i / (F * 8u);
    for (; n + 3u * FACTOR_PARTS < columns; n += 4u * FACTOR_PARTS) {
      let tile = n * LOG_RATE_STRIDE + quad;
      let w0 = real(w + n * F);
      let w1 = real(w + (n + FACTOR_PARTS) * F);
      let w2 = real(w + (n + 2u * FACTOR_PARTS) * F);
      let w3 = real(w + (n + 3u * FACTOR_PARTS) * F);
      sum = fma(gradientTile[tile], vec4<f32>(w0), sum);
      sum = fma(gradientTile[tile + FACTOR_PARTS * LOG_RATE_STRIDE], vec4<f32>(w1), sum);
      sum = fma(gradientTile[tile + 2u * FACTOR_PARTS * LOG_RATE_STRIDE], vec4<f32>(w2), sum);
      sum = fma(gradientTile[tile + 3u * FACTOR_PARTS * LOG_RATE_STRIDE], vec4<f32>(w3), sum);
    }
    for (; n < columns; n += FACTOR_PARTS) {
      sum = fma(gradientTile[n * LOG_RATE_STRIDE + quad], vec4<f32>(real(w + n * F)), sum);
    }
    if (FACTOR_PARTS == 1u) {
      add_factor_gradients(at, sum, t0 + 4u * quad, r, R, f, first);
    } else {
      // the factors of the tile have served
      factorTile[i] = sum;
    }
  }
  if (FACTOR_PARTS > 1u) {
    workgroupBarrier();
    if (lane < F * 8u) {
      var sum = factorTile[lane];
      for (var part = 1u; part < FACTOR_PARTS; part++) {
        sum += factorTile[part * F * 8u + lane];
      }
      add_factor_gradients(at, sum, t0 + 4u * (lane / F), r, R, lane % F, first);
    }
  }
}

// Bins t … t + 3; the first columns' are stored, the others' are added by the same invocation.
fn add_factor_gradients(
  at: FactorGradients, sum: vec4<f32>, t: u32, r: u32, R: u32, f: u32, first: bool,
) {
  for (var i = 0u; i < 4u; i++) {
    if (t + i < at.T) {
      let out = at.out + ((t + i) * R + r) * at.F + f;
      var before = 0.0;
      if (!first) {
        before = real(out);
      }
      put(out, before + sum[i]);
    }
  }
}
