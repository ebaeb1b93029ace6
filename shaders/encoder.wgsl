// One GRU forward and one backward in time, each from its own trainable h0. A workgroup carries a tile
// of trials through all bins: in one direction, or in both side by side where `decoder` follows.
//
// A unit's column is direction * E + e within a workgroup. A layer's sum over k is cut into a few parts
// where it has fewer columns than the workgroup has invocations; a model's units alone decide into how
// many, so that the bits are the same both ways.

const_assert !IN_TURN || ENCODER_DIRECTIONS == 2u;
const ENCODER_ALL = ENCODER_DIRECTIONS * ENCODER_UNITS;

// h, then r*h, then the update gate
var<workgroup> encoder_held: array<Tile, 3u * ENCODER_ALL>;
var<workgroup> encoder_parts: array<Tile, ENCODER_PARTS>;

// Part `part` of `parts` of the sum over a direction's units of held[origin + k] w[k][j].
fn encoder_dot(origin: u32, w: u32, width: u32, part: u32, parts: u32) -> Tile {
  let E = encoder.E;
  let share = 4u * ((E + 4u * parts - 1u) / (4u * parts));
  let end = min(E, (part + 1u) * share);
  var even = Tile();
  var odd = Tile();
  var k = part * share;
  for (; k + 4u <= end; k += 4u) {
    let at = w + k * width;
    even += encoder_held[origin + k] * real(at);
    odd += encoder_held[origin + k + 1u] * real(at + width);
    even += encoder_held[origin + k + 2u] * real(at + 2u * width);
    odd += encoder_held[origin + k + 3u] * real(at + 3u * width);
  }
  for (; k < end; k++) {
    even += encoder_held[origin + k] * real(w + k * width);
  }
  return even + odd;
}

fn encoder_run(group: vec3<u32>, lane: u32) {
  let E = encoder.E;
  let T = encoder.T;
  let B = runs[group.z].B;
  let directions = select(1u, 2u, IN_TURN);
  let direction = select(group.x & 1u, 0u, IN_TURN);
  let firstRow = TILE * select(group.x >> 1u, group.x, IN_TURN);
  if (firstRow >= B) {
    return;
  }
  let rows = rows_of(firstRow, B - 1u);
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, T);

  // the state before this dispatch's first bin
  for (var i = lane; i < directions * E; i += WORKGROUP) {
    let d = direction + select(0u, 1u, i >= E);
    let e = select(i, i - E, i >= E);
    let states = select(encoder.forward_HBE, encoder.backward_HBE, d == 1u);
    let slot = states + select(first, T - first, d == 1u) * B * E;
    if (first == 0u) {
      let h = Tile(real(encoder.h0_DE + d * E + e));
      encoder_held[i] = h;
      store_tile(slot, rows, E, e, h);
    } else {
      encoder_held[i] = load_tile(slot, rows, E, e);
    }
  }
  workgroupBarrier();

  for (var step = first; step < end; step++) {
    // r and u
    let gateLanes = WORKGROUP / ENCODER_GATE_PARTS;
    let gatePart = lane / gateLanes;
    for (var base = 0u; base < directions * 2u * E; base += gateLanes) {
      let i = base + lane % gateLanes;
      let second = i >= 2u * E;
      let d = direction + select(0u, 1u, second);
      let j = select(i, i - 2u * E, second);
      let origin = select(0u, E, second);
      let bin = select(step, T - 1u - step, d == 1u);
      let gates = encoder.gates_TBD3E + bin * B * 6u * E;
      let some = i < directions * 2u * E;
      let mine = some && gatePart == 0u;
      var sum = Tile();
      if (mine) {
        sum = load_tile(gates, rows, 6u * E, d * 3u * E + j);
      }
      if (some) {
        let w = encoder.wGates_DE2E + d * 2u * E * E + j;
        sum += encoder_dot(origin, w, 2u * E, gatePart, ENCODER_GATE_PARTS);
      }
      if (ENCODER_GATE_PARTS > 1u) {
        encoder_parts[lane] = sum;
        workgroupBarrier();
        if (mine) {
          for (var part = 1u; part < ENCODER_GATE_PARTS; part++) {
            sum += encoder_parts[part * gateLanes + lane];
          }
        }
      }
      if (mine) {
        if (j < E) {
          let r = gru_reset(sum);
          let reset = r * encoder_held[origin + j];
          encoder_held[ENCODER_ALL + origin + j] = reset;
          store_tile(gates, rows, 6u * E, d * 3u * E + j, r);
          store_tile(encoder.reset_TBDE + bin * B * 2u * E, rows, 2u * E, d * E + j, reset);
        } else {
          let u = gru_update(sum);
          encoder_held[2u * ENCODER_ALL + origin + j - E] = u;
          store_tile(gates, rows, 6u * E, d * 3u * E + j, u);
        }
      }
    }
    workgroupBarrier();

    // c and h'
    let lanes = WORKGROUP / ENCODER_CANDIDATE_PARTS;
    let ownPart = lane / lanes;
    for (var base = 0u; base < directions * E; base += lanes) {
      let i = base + lane % lanes;
      let second = i >= E;
      let d = direction + select(0u, 1u, second);
      let e = select(i, i - E, second);
      let origin = select(0u, E, second);
      let bin = select(step, T - 1u - step, d == 1u);
      let gates = encoder.gates_TBD3E + bin * B * 6u * E;
      let some = i < directions * E;
      let mine = some && ownPart == 0u;
      var sum = Tile();
      if (mine) {
        sum = load_tile(gates, rows, 6u * E, d * 3u * E + 2u * E + e);
      }
      if (some) {
        let w = encoder.wCandidate_DEE + d * E * E + e;
        sum += encoder_dot(ENCODER_ALL + origin, w, E, ownPart, ENCODER_CANDIDATE_PARTS);
      }
      if (ENCODER_CANDIDATE_PARTS > 1u) {
        encoder_parts[lane] = sum;
        workgroupBarrier();
        if (mine) {
          for (var part = 1u; part < ENCODER_CANDIDATE_PARTS; part++) {
            sum += encoder_parts[part * lanes + lane];
          }
        }
      }
      if (mine) {
        let c = gru_candidate(sum);
        let h = gru_next(encoder_held[i], encoder_held[2u * ENCODER_ALL + i], c);
        encoder_held[i] = h;
        store_tile(gates, rows, 6u * E, d * 3u * E + 2u * E + e, c);
        let states = select(encoder.forward_HBE, encoder.backward_HBE, d == 1u);
        store_tile(states + select(bin + 1u, bin, d == 1u) * B * E, rows, E, e, h);
      }
    }
    workgroupBarrier();
  }
}
