// One GRU forward and one backward in time, each from its own trainable h0. A workgroup carries a tile
// of trials through all bins: in one direction, or in both side by side where `decoder` follows.
//
// A layer's columns are those of one direction, then those of the other. Their sums are cut into a few
// parts where there are fewer columns than invocations; the units alone decide into how many, so that
// the bits are the same both ways. What a bin needs is loaded a step ahead.

const_assert !IN_TURN || ENCODER_DIRECTIONS == 2u;
const ENCODER_ALL = ENCODER_DIRECTIONS * ENCODER_UNITS;
// where r*h and the update gate stand in `held`, behind h
const ENCODER_RESET = ENCODER_ALL;
const ENCODER_UPDATE = 2u * ENCODER_ALL;

var<workgroup> encoder_held: array<Tile, 3u * ENCODER_ALL>;
var<workgroup> encoder_parts: array<Tile, ENCODER_PARTS>;

// Column i of a layer that has `width` in each direction.
struct Encoder_column {
  d: u32,
  // within the direction
  j: u32,
  // of the direction's units in `held`
  start: u32,
}

fn encoder_column(i: u32, width: u32, direction: u32) -> Encoder_column {
  let second = i >= width;
  return Encoder_column(
    direction + select(0u, 1u, second),
    select(i, i - width, second),
    select(0u, encoder.E, second),
  );
}

fn encoder_states(d: u32) -> u32 {
  return select(encoder.forward_HBE, encoder.backward_HBE, d == 1u);
}

// The bin of a direction's step, and where its gates start.
fn encoder_bin(d: u32, step: u32) -> u32 {
  return select(step, encoder.T - 1u - step, d == 1u);
}

fn encoder_gates(d: u32, step: u32) -> u32 {
  return encoder.gates_TBD3E + encoder_bin(d, step) * s.B * 6u * encoder.E + d * 3u * encoder.E;
}

// The pre-activations of columns j of the gates r, u, c at a step; none beyond the last one.
fn encoder_pre(rows: Rows, d: u32, step: u32, j: u32) -> Tile {
  return load_tile(encoder_gates(d, min(step, encoder.T - 1u)), rows, 6u * encoder.E, j);
}

// Part `part` of `parts` of the sum over a direction's units of held[start + k] w[k][j].
fn encoder_dot(start: u32, w: u32, width: u32, part: u32, parts: u32) -> Tile {
  let E = encoder.E;
  let share = 4u * ((E + 4u * parts - 1u) / (4u * parts));
  let end = min(E, (part + 1u) * share);
  var even = Tile();
  var odd = Tile();
  var k = part * share;
  for (; k + 4u <= end; k += 4u) {
    let at = w + k * width;
    even += encoder_held[start + k] * real(at);
    odd += encoder_held[start + k + 1u] * real(at + width);
    even += encoder_held[start + k + 2u] * real(at + 2u * width);
    odd += encoder_held[start + k + 3u] * real(at + 3u * width);
  }
  for (; k < end; k++) {
    even += encoder_held[start + k] * real(w + k * width);
  }
  return even + odd;
}

// `own` with the sum's other parts, in the first `lanes` invocations. Control flow must be uniform.
fn encoder_whole(lane: u32, lanes: u32, parts: u32, own: Tile) -> Tile {
  var sum = own;
  if (parts > 1u) {
    encoder_parts[lane] = own;
    workgroupBarrier();
    if (lane < lanes) {
      for (var part = 1u; part < parts; part++) {
        sum += encoder_parts[part * lanes + lane];
      }
    }
  }
  return sum;
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

  // the state before this dispatch's first step
  for (var i = lane; i < directions * E; i += WORKGROUP) {
    let column = encoder_column(i, E, direction);
    let slot = encoder_states(column.d) + select(first, T - first, column.d == 1u) * B * E;
    if (first == 0u) {
      let h = Tile() + real(encoder.h0_DE + column.d * E + column.j);
      encoder_held[i] = h;
      store_tile(slot, rows, E, column.j, h);
    } else {
      encoder_held[i] = load_tile(slot, rows, E, column.j);
    }
  }

  let gateLanes = WORKGROUP / ENCODER_GATE_PARTS;
  let gatePart = lane / gateLanes;
  let gateColumns = directions * 2u * E;
  let lanes = WORKGROUP / ENCODER_CANDIDATE_PARTS;
  let part = lane / lanes;
  let columns = directions * E;
  // the pre-activations of the first columns, of the next step
  var nextGate = Tile();
  var nextCandidate = Tile();
  if (lane < min(gateLanes, gateColumns)) {
    let column = encoder_column(lane, 2u * E, direction);
    nextGate = encoder_pre(rows, column.d, first, column.j);
  }
  if (lane < min(lanes, columns)) {
    let column = encoder_column(lane, E, direction);
    nextCandidate = encoder_pre(rows, column.d, first, 2u * E + column.j);
  }
  workgroupBarrier();

  for (var step = first; step < end; step++) {
    // r and u
    for (var base = 0u; base < gateColumns; base += gateLanes) {
      let i = base + lane % gateLanes;
      let column = encoder_column(i, 2u * E, direction);
      let mine = i < gateColumns && gatePart == 0u;
      var sum = Tile();
      if (mine) {
        if (base == 0u) {
          sum = nextGate;
          nextGate = encoder_pre(rows, column.d, step + 1u, column.j);
        } else {
          sum = encoder_pre(rows, column.d, step, column.j);
        }
      }
      if (i < gateColumns) {
        let w = encoder.wGates_DE2E + column.d * 2u * E * E + column.j;
        sum += encoder_dot(column.start, w, 2u * E, gatePart, ENCODER_GATE_PARTS);
      }
      sum = encoder_whole(lane, gateLanes, ENCODER_GATE_PARTS, sum);
      if (mine) {
        let gates = encoder_gates(column.d, step);
        if (column.j < E) {
          let r = gru_reset(sum);
          let reset = r * encoder_held[column.start + column.j];
          encoder_held[ENCODER_RESET + column.start + column.j] = reset;
          store_tile(gates, rows, 6u * E, column.j, r);
          let resets = encoder.reset_TBDE + encoder_bin(column.d, step) * B * 2u * E;
          store_tile(resets, rows, 2u * E, column.d * E + column.j, reset);
        } else {
          let u = gru_update(sum);
          encoder_held[ENCODER_UPDATE + column.start + column.j - E] = u;
          store_tile(gates, rows, 6u * E, column.j, u);
        }
      }
    }
    workgroupBarrier();

    // c and h'
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane % lanes;
      let column = encoder_column(i, E, direction);
      let mine = i < columns && part == 0u;
      var sum = Tile();
      if (mine) {
        if (base == 0u) {
          sum = nextCandidate;
          nextCandidate = encoder_pre(rows, column.d, step + 1u, 2u * E + column.j);
        } else {
          sum = encoder_pre(rows, column.d, step, 2u * E + column.j);
        }
      }
      if (i < columns) {
        let w = encoder.wCandidate_DEE + column.d * E * E + column.j;
        sum += encoder_dot(ENCODER_RESET + column.start, w, E, part, ENCODER_CANDIDATE_PARTS);
      }
      sum = encoder_whole(lane, lanes, ENCODER_CANDIDATE_PARTS, sum);
      if (mine) {
        let c = gru_candidate(sum);
        let h = gru_next(encoder_held[i], encoder_held[ENCODER_UPDATE + i], c);
        encoder_held[i] = h;
        store_tile(encoder_gates(column.d, step), rows, 6u * E, 2u * E + column.j, c);
        let bin = encoder_bin(column.d, step);
        let slot = select(bin + 1u, bin, column.d == 1u);
        store_tile(encoder_states(column.d) + slot * B * E, rows, E, column.j, h);
      }
    }
    workgroupBarrier();
  }
}
