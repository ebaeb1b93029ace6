// The GRU cell on tiles, unit by unit, forward beside backward (src/reference/gru.ts). The sums over a
// layer's units are the kernels' own; `pre` is such a sum with the input's part and the bias.

fn gru_reset(pre: Tile) -> Tile {
  return sigmoid_tile(pre);
}

fn gru_update(pre: Tile) -> Tile {
  return sigmoid_tile(pre + UPDATE_BIAS);
}

fn gru_candidate(pre: Tile) -> Tile {
  return tanh_tile(pre);
}

// h'
fn gru_next(h: Tile, u: Tile, c: Tile) -> Tile {
  return u * h + (1.0 - u) * c;
}

// From the gradient d at h' to that at the update gate's pre-activation.
fn gru_d_update(d: Tile, h: Tile, u: Tile, c: Tile) -> Tile {
  return d * (h - c) * u * (1.0 - u);
}

// From the gradient d at h' to that at the candidate's pre-activation.
fn gru_d_candidate(d: Tile, u: Tile, c: Tile) -> Tile {
  return d * (1.0 - u) * (1.0 - c * c);
}

// From the gradient at r*h to that at the reset gate's pre-activation.
fn gru_d_reset(dReset: Tile, h: Tile, r: Tile) -> Tile {
  return dReset * h * r * (1.0 - r);
}
