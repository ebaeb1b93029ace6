// The encoder's sweeps in reverse. Tiles, columns and parts of sums are those of `encoder`. The gradient
// at the state stands in `dStart_BDE` between dispatches, and in the end it is what belongs there.

const_assert !IN_TURN || ENCODER_DIRECTIONS == 2u;
const ENCODER_BACK_ALL = ENCODER_DIRECTIONS * ENCODER_UNITS;

// Gradients: at the state; at the pre-activations of r, u (side by side in each direction) and c.
var<workgroup> encoder_back_state: array<Tile, ENCODER_BACK_ALL>;
var<workgroup> encoder_back_gates: array<Tile, 3u * ENCODER_BACK_ALL>;
var<workgroup> encoder_back_parts: array<Tile, ENCODER_PARTS>;

// Part `part` of the sum over n columns of back_gates[origin + k] w[k][e].
fn encoder_back_dot(origin: u32, w: u32, n: u32, part: u32) -> Tile {
  let E = encoder_backward.E;
  let parts = ENCODER_CANDIDATE_PARTS;
  let share = 4u * ((n + 4u * parts - 1u) / (4u * parts));
  let end = min(n, (part + 1u) * share);
  var even = Tile();
  var odd = Tile();
  var k = part * share;
  for (; k + 4u <= end; k += 4u) {
    let at = w + k * E;
    even += encoder_back_gates[origin + k] * real(at);
    odd += encoder_back_gates[origin + k + 1u] * real(at + E);
    even += encoder_back_gates[origin + k + 2u] * real(at + 2u * E);
    odd += encoder_back_gates[origin + k + 3u] * real(at + 3u * E);
  }
  for (; k < end; k++) {
    even += encoder_back_gates[origin + k] * real(w + k * E);
  }
  return even + odd;
}

// The sum's other parts, which invocations further on have made. Control flow must be uniform.
fn encoder_back_sum(lane: u32, lanes: u32, own: Tile) -> Tile {
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
    let d = direction + select(0u, 1u, i >= E);
    let e = select(i, i - E, i >= E);
    if (first == 0u) {
      // ends = [backward at t = 0 ; forward at t = T - 1]
      encoder_back_state[i] = load_tile(encoder_backward.dEnds_B2E, rows, 2u * E, (1u - d) * E + e);
    } else {
      encoder_back_state[i] = load_tile(encoder_backward.dStart_BDE, rows, 2u * E, d * E + e);
    }
  }
  workgroupBarrier();

  for (var step = first; step < end; step++) {
    // through h' to u and c, unit by unit
    for (var i = lane; i < columns; i += WORKGROUP) {
      let second = i >= E;
      let d = direction + select(0u, 1u, second);
      let e = select(i, i - E, second);
      let bin = select(T - 1u - step, step, d == 1u);
      let gates = encoder_backward.gates_TBD3E + bin * B * 6u * E;
      let states = select(encoder_backward.forward_HBE, encoder_backward.backward_HBE, d == 1u);
      let h = load_tile(states + select(bin, bin + 1u, d == 1u) * B * E, rows, E, e);
      let u = load_tile(gates, rows, 6u * E, (3u * d + 1u) * E + e);
      let c = load_tile(gates, rows, 6u * E, (3u * d + 2u) * E + e);
      var dState = encoder_back_state[i];
      if (encoder_backward.dEnc_TB2E != ABSENT) {
        dState += load_tile(encoder_backward.dEnc_TB2E + bin * B * 2u * E, rows, 2u * E, d * E + e);
      }
      let dUpdate = gru_d_update(dState, h, u, c);
      let dCandidate = gru_d_candidate(dState, u, c);
      let origin = select(0u, 3u * E, second);
      encoder_back_gates[origin + E + e] = dUpdate;
      encoder_back_gates[origin + 2u * E + e] = dCandidate;
      encoder_back_state[i] = dState * u;
      store_tile(gates, rows, 6u * E, (3u * d + 1u) * E + e, dUpdate);
      store_tile(gates, rows, 6u * E, (3u * d + 2u) * E + e, dCandidate);
    }
    workgroupBarrier();

    // through c to r
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane % lanes;
      let second = i >= E;
      let d = direction + select(0u, 1u, second);
      let e = select(i, i - E, second);
      let origin = select(0u, 3u * E, second);
      let bin = select(T - 1u - step, step, d == 1u);
      let gates = encoder_backward.gates_TBD3E + bin * B * 6u * E;
      let mine = i < columns && part == 0u;
      var h = Tile();
      var r = Tile();
      if (mine) {
        let states = select(encoder_backward.forward_HBE, encoder_backward.backward_HBE, d == 1u);
        h = load_tile(states + select(bin, bin + 1u, d == 1u) * B * E, rows, E, e);
        r = load_tile(gates, rows, 6u * E, 3u * d * E + e);
      }
      var own = Tile();
      if (i < columns) {
        let w = encoder_backward.wCandidate_DEE_T + d * E * E + e;
        own = encoder_back_dot(origin + 2u * E, w, E, part);
      }
      let dReset = encoder_back_sum(lane, lanes, own);
      if (mine) {
        let dGate = gru_d_reset(dReset, h, r);
        encoder_back_gates[origin + e] = dGate;
        encoder_back_state[i] += dReset * r;
        store_tile(gates, rows, 6u * E, 3u * d * E + e, dGate);
      }
    }
    workgroupBarrier();

    // through r and u to h
    for (var base = 0u; base < columns; base += lanes) {
      let i = base + lane % lanes;
      let second = i >= E;
      let d = direction + select(0u, 1u, second);
      let e = select(i, i - E, second);
      var own = Tile();
      if (i < columns) {
        let w = encoder_backward.wGates_DE2E_T + d * 2u * E * E + e;
        own = encoder_back_dot(select(0u, 3u * E, second), w, 2u * E, part);
      }
      let sum = encoder_back_sum(lane, lanes, own);
      if (i < columns && part == 0u) {
        encoder_back_state[i] += sum;
      }
    }
    workgroupBarrier();
  }

  for (var i = lane; i < columns; i += WORKGROUP) {
    let d = direction + select(0u, 1u, i >= E);
    let e = select(i, i - E, i >= E);
    store_tile(encoder_backward.dStart_BDE, rows, 2u * E, d * E + e, encoder_back_state[i]);
  }
}
