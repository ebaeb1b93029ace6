// The encoder's sweeps in reverse. Tiles, columns and parts of sums are those of `encoder`. The gradient
// at the state stands in `dStart_BDE` between dispatches, and in the end it is what belongs there.

const_assert !IN_TURN || ENCODER_DIRECTIONS == 2u;
const ENCODER_BACK_ALL = ENCODER_DIRECTIONS * ENCODER_UNITS;

// Gradients: at the state; at the pre-activations of r, u, c (side by side in each direction).
var<workgroup> encoder_back_state: array<Tile, ENCODER_BACK_ALL>;
var<workgroup> encoder_back_gates: array<Tile, 3u * ENCODER_BACK_ALL>;
var<workgroup> encoder_back_parts: array<Tile, ENCODER_PARTS>;

// Unit i of the workgroup's directions.
struct Encoder_back_unit {
  d: u32,
  e: u32,
  // of the direction's gates in `encoder_back_gates`
  start: u32,
}

fn encoder_back_unit(i: u32, direction: u32) -> Encoder_back_unit {
  let E = encoder_backward.E;
  let second = i >= E;
  return Encoder_back_unit(
    direction + select(0u, 1u, second),
    select(i, i - E, second),
    select(0u, 3u * E, second),
  );
}

// What a unit kept of a bin, and the gradient that comes from the controller.
struct Encoder_back_kept {
  h: Tile,
  r: Tile,
  u: Tile,
  c: Tile,
  d: Tile,
}

fn encoder_back_bin(d: u32, step: u32) -> u32 {
  return select(encoder_backward.T - 1u - step, step, d == 1u);
}

// Where the gates of a direction's step start.
fn encoder_back_at(d: u32, step: u32) -> u32 {
  let E = encoder_backward.E;
  return encoder_backward.gates_TBD3E + encoder_back_bin(d, step) * s.B * 6u * E + d * 3u * E;
}

// Of a step; none beyond the last one.
fn encoder_back_kept(rows: Rows, unit: Encoder_back_unit, step: u32) -> Encoder_back_kept {
  let E = encoder_backward.E;
  let near = min(step, encoder_backward.T - 1u);
  let bin = encoder_back_bin(unit.d, near);
  let gates = encoder_back_at(unit.d, near);
  let states = select(encoder_backward.forward_HBE, encoder_backward.backward_HBE, unit.d == 1u);
  var kept = Encoder_back_kept(
    load_tile(states + select(bin, bin + 1u, unit.d == 1u) * s.B * E, rows, E, unit.e),
    load_tile(gates, rows, 6u * E, unit.e),
    load_tile(gates, rows, 6u * E, E + unit.e),
    load_tile(gates, rows, 6u * E, 2u * E + unit.e),
    Tile(),
  );
  if (encoder_backward.dEnc_TB2E != ABSENT) {
    let dEnc = encoder_backward.dEnc_TB2E + bin * s.B * 2u * E;
    kept.d = load_tile(dEnc, rows, 2u * E, unit.d * E + unit.e);
  }
  return kept;
}

// Part `part` of the sum over n columns of back_gates[start + k] w[k][e].
fn encoder_back_dot(start: u32, w: u32, n: u32, part: u32) -> Tile {
  let E = encoder_backward.E;
  let parts = ENCODER_CANDIDATE_PARTS;
  let share = 4u * ((n + 4u * parts - 1u) / (4u * parts));
  let end = min(n, (part + 1u) * share);
  var even = Tile();
  var odd = Tile();
  var k = part * share;
  for (; k + 4u <= end; k += 4u) {
    let at = w + k * E;
    even += encoder_back_gates[start + k] * real(at);
    odd += encoder_back_gates[start + k + 1u] * real(at + E);
    even += encoder_back_gates[start + k + 2u] * real(at + 2u * E);
    odd += encoder_back_gates[start + k + 3u] * real(at + 3u * E);
  }
  for (; k < end; k++) {
    even += encoder_back_gates[start + k] * real(w + k * E);
  }
  return even + odd;
}

// `own` with the sum's other parts, in the first `lanes` invocations. Control flow must be uniform.
fn encoder_back_whole(lane: u32, lanes: u32, own: Tile) -> Tile {
  var sum = own;
  if (ENCODER_CANDIDATE_PARTS > 1u) {
    encoder_back_parts[lane] = own;
    workgroupBarrier();
    if (lane < lanes) {
      for (var part = 1u; part < ENCODER_CANDIDATE_PARTS; part++) {
        sum += encoder_back_parts[part * lanes + lane];
      }
    }
  }
  return sum;
}

fn encoder_backward_run(group: vec3<u32>, lane: u32) {
  let E = encoder_backward.E;
  let T = encoder_backward.T;
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
  let columns = directions * E;
  let lanes = WORKGROUP / ENCODER_CANDIDATE_PARTS;
  let part = lane / lanes;

  for (var i = lane; i < columns; i += WORKGROUP) {
    let unit = encoder_back_unit(i, direction);
    if (first == 0u) {
      // ends = [backward at t = 0 ; forward at t = T - 1]
      let j = (1u - unit.d) * E + unit.e;
      var d = Tile();
      if (encoder_backward.dEnds_B2E != ABSENT) {
        d = load_tile(encoder_backward.dEnds_B2E, rows, 2u * E, j);
      }
      encoder_back_state[i] = d;
    } else {
      let j = unit.d * E + unit.e;
      encoder_back_state[i] = load_tile(encoder_backward.dStart_BDE, rows, 2u * E, j);
    }
  }
  // of this invocation's first unit: of this step, and of the next one
  var now: Encoder_back_kept;
  var next: Encoder_back_kept;
  if (lane < min(lanes, columns)) {
    next = encoder_back_kept(rows, encoder_back_unit(lane, direction), first);
  }
  workgroupBarrier();

  for (var step = first; step < end; step++) {
    // through h' to u and c, unit by unit
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane;
      if (part == 0u && i < columns) {
        let unit = encoder_back_unit(i, direction);
        var kept: Encoder_back_kept;
        if (base == 0u) {
          kept = next;
          now = next;
          next = encoder_back_kept(rows, unit, step + 1u);
        } else {
          kept = encoder_back_kept(rows, unit, step);
        }
        let d = encoder_back_state[i] + kept.d;
        let dUpdate = gru_d_update(d, kept.h, kept.u, kept.c);
        let dCandidate = gru_d_candidate(d, kept.u, kept.c);
        encoder_back_state[i] = d * kept.u;
        encoder_back_gates[unit.start + E + unit.e] = dUpdate;
        encoder_back_gates[unit.start + 2u * E + unit.e] = dCandidate;
        let gates = encoder_back_at(unit.d, step);
        store_tile(gates, rows, 6u * E, E + unit.e, dUpdate);
        store_tile(gates, rows, 6u * E, 2u * E + unit.e, dCandidate);
      }
    }
    workgroupBarrier();

    // through c to r
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane % lanes;
      let unit = encoder_back_unit(i, direction);
      let mine = i < columns && part == 0u;
      var h = now.h;
      var r = now.r;
      if (mine && base > 0u) {
        let kept = encoder_back_kept(rows, unit, step);
        h = kept.h;
        r = kept.r;
      }
      var own = Tile();
      if (i < columns) {
        let w = encoder_backward.wCandidate_DEE_T + unit.d * E * E + unit.e;
        own = encoder_back_dot(unit.start + 2u * E, w, E, part);
      }
      let dReset = encoder_back_whole(lane, lanes, own);
      if (mine) {
        let dGate = gru_d_reset(dReset, h, r);
        encoder_back_gates[unit.start + unit.e] = dGate;
        encoder_back_state[i] += dReset * r;
        store_tile(encoder_back_at(unit.d, step), rows, 6u * E, unit.e, dGate);
      }
    }
    workgroupBarrier();

    // through r and u to h
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane % lanes;
      let unit = encoder_back_unit(i, direction);
      var own = Tile();
      if (i < columns) {
        let w = encoder_backward.wGates_DE2E_T + unit.d * 2u * E * E + unit.e;
        own = encoder_back_dot(unit.start, w, 2u * E, part);
      }
      let sum = encoder_back_whole(lane, lanes, own);
      if (i < columns && part == 0u) {
        encoder_back_state[i] += sum;
      }
    }
    workgroupBarrier();
  }

  for (var i = lane; i < columns; i += WORKGROUP) {
    let unit = encoder_back_unit(i, direction);
    let j = unit.d * E + unit.e;
    store_tile(encoder_backward.dStart_BDE, rows, 2u * E, j, encoder_back_state[i]);
  }
}
