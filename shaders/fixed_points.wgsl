// Adam on the speed of every candidate (src/reference/fixed_points.ts). A workgroup keeps a tile of
// candidates for all iterations; their moments stay with the invocation that owns the unit.
//
// An invocation takes two columns of a layer at a time, so that a state that it loads serves both. Sums
// over a layer's units for its units are cut into FIXED_POINTS_PARTS parts; those for gates are whole.

const FIXED_POINTS_LANES = WORKGROUP / FIXED_POINTS_PARTS;
// where things stand in `held`: h; r*h; r and u, then their gradients (a vanilla cell's in place of
// r*h); the candidate's gradient
const FIXED_POINTS_RESET = FIXED_POINTS_UNITS;
const FIXED_POINTS_GATES = 2u * FIXED_POINTS_UNITS;
const FIXED_POINTS_CANDIDATE = 4u * FIXED_POINTS_UNITS;

var<workgroup> fixed_points_held: array<Tile, FIXED_POINTS_HELD>;
// the part of the pre-activations that is the same for all candidates and iterations
var<workgroup> fixed_points_constant: array<f32, FIXED_POINTS_WIDTH>;
var<workgroup> fixed_points_parts: array<Tile, WORKGROUP>;

// of the units that this invocation owns
var<private> fixed_points_m: array<Tile, 2u * FIXED_POINTS_PASSES>;
var<private> fixed_points_v: array<Tile, 2u * FIXED_POINTS_PASSES>;
var<private> fixed_points_residual: array<Tile, 2u * FIXED_POINTS_PASSES>;
var<private> fixed_points_dState: array<Tile, 2u * FIXED_POINTS_PASSES>;

struct Fixed_points_pair {
  a: Tile,
  b: Tile,
}

// Σ held[origin + k] w[k][a], and the same for b, over k = first … end - 1.
fn fixed_points_dot(
  origin: u32, w: u32, width: u32, a: u32, b: u32, first: u32, end: u32,
) -> Fixed_points_pair {
  var sum = Fixed_points_pair(Tile(), Tile());
  var k = first;
  for (; k + 4u <= end; k += 4u) {
    let at = w + k * width;
    let h0 = fixed_points_held[origin + k];
    sum.a += h0 * real(at + a);
    sum.b += h0 * real(at + b);
    let h1 = fixed_points_held[origin + k + 1u];
    sum.a += h1 * real(at + width + a);
    sum.b += h1 * real(at + width + b);
    let h2 = fixed_points_held[origin + k + 2u];
    sum.a += h2 * real(at + 2u * width + a);
    sum.b += h2 * real(at + 2u * width + b);
    let h3 = fixed_points_held[origin + k + 3u];
    sum.a += h3 * real(at + 3u * width + a);
    sum.b += h3 * real(at + 3u * width + b);
  }
  for (; k < end; k++) {
    let h = fixed_points_held[origin + k];
    sum.a += h * real(w + k * width + a);
    sum.b += h * real(w + k * width + b);
  }
  return sum;
}

// The sum over n for the units of a pass, whole in the invocations that own them. Control flow must be
// uniform.
fn fixed_points_sum(lane: u32, pass_: u32, origin: u32, w: u32, n: u32) -> Fixed_points_pair {
  let G = fixed_points.G;
  let part = lane / FIXED_POINTS_LANES;
  let a = fixed_points_unit(lane, 2u * pass_);
  let b = a + FIXED_POINTS_LANES;
  let share = 4u * ((n + 4u * FIXED_POINTS_PARTS - 1u) / (4u * FIXED_POINTS_PARTS));
  let last = min(n, (part + 1u) * share);
  var sum = Fixed_points_pair(Tile(), Tile());
  if (a < G) {
    sum = fixed_points_dot(origin, w, G, a, select(a, b, b < G), part * share, last);
  }
  if (FIXED_POINTS_PARTS > 1u) {
    // two parts: the second's invocations hand theirs to the first's
    if (part == 1u) {
      fixed_points_parts[lane - FIXED_POINTS_LANES] = sum.a;
      fixed_points_parts[lane] = sum.b;
    }
    workgroupBarrier();
    sum.a += fixed_points_parts[lane % FIXED_POINTS_LANES];
    sum.b += fixed_points_parts[lane % FIXED_POINTS_LANES + FIXED_POINTS_LANES];
  }
  return sum;
}

// The unit that stands `own`-th with an invocation.
fn fixed_points_unit(lane: u32, own: u32) -> u32 {
  return own * FIXED_POINTS_LANES + lane % FIXED_POINTS_LANES;
}

fn fixed_points_owns(lane: u32, unit: u32) -> bool {
  return lane < FIXED_POINTS_LANES && unit < fixed_points.G;
}

fn fixed_points_gate(j: u32, pre: Tile) {
  let G = fixed_points.G;
  if (j < G) {
    let r = gru_reset(pre);
    fixed_points_held[FIXED_POINTS_GATES + j] = r;
    fixed_points_held[FIXED_POINTS_RESET + j] = r * fixed_points_held[j];
  } else if (j < 2u * G) {
    fixed_points_held[FIXED_POINTS_GATES + j] = gru_update(pre);
  }
}

// r and u of all units
fn fixed_points_gates(lane: u32) {
  let G = fixed_points.G;
  for (var a = lane; a < 2u * G; a += 2u * WORKGROUP) {
    let b = a + WORKGROUP;
    let column = select(a, b, b < 2u * G);
    let w = fixed_points.wGenRecurrent;
    let sum = fixed_points_dot(0u, w, 2u * G, a, column, 0u, G);
    fixed_points_gate(a, sum.a + fixed_points_constant[a]);
    if (b < 2u * G) {
      fixed_points_gate(b, sum.b + fixed_points_constant[b]);
    }
  }
}

// From the candidate's pre-activation to F(h) - h, and back through h' to u and c.
fn fixed_points_candidate(lane: u32, own: u32, sum: Tile) {
  let G = fixed_points.G;
  let g = fixed_points_unit(lane, own);
  if (!fixed_points_owns(lane, g)) {
    return;
  }
  let h = fixed_points_held[g];
  let u = fixed_points_held[FIXED_POINTS_GATES + G + g];
  let c = gru_candidate(sum + fixed_points_constant[2u * G + g]);
  let residual = gru_next(h, u, c) - h;
  fixed_points_residual[own] = residual;
  fixed_points_dState[own] = residual * u;
  fixed_points_held[FIXED_POINTS_GATES + G + g] = gru_d_update(residual, h, u, c);
  fixed_points_held[FIXED_POINTS_CANDIDATE + g] = gru_d_candidate(residual, u, c);
}

// Back through c to r.
fn fixed_points_reset(lane: u32, own: u32, dReset: Tile) {
  let g = fixed_points_unit(lane, own);
  if (!fixed_points_owns(lane, g)) {
    return;
  }
  let r = fixed_points_held[FIXED_POINTS_GATES + g];
  fixed_points_dState[own] += dReset * r;
  fixed_points_held[FIXED_POINTS_GATES + g] = gru_d_reset(dReset, fixed_points_held[g], r);
}

// From a vanilla cell's pre-activation to F(h) - h, and back through σ.
fn fixed_points_vanilla(lane: u32, own: u32, sum: Tile) {
  let g = fixed_points_unit(lane, own);
  if (!fixed_points_owns(lane, g)) {
    return;
  }
  let pre = sum + fixed_points_constant[g];
  var y = pre;
  var slope = Tile(1.0);
  if (fixed_points.nonlinearity == NONLINEARITY_tanh) {
    y = tanh_tile(pre);
    slope = 1.0 - y * y;
  } else if (fixed_points.nonlinearity == NONLINEARITY_relu) {
    y = max(pre, Tile());
    slope = select(Tile(), Tile(1.0), y > Tile());
  }
  let residual = y - fixed_points_held[g];
  fixed_points_residual[own] = residual;
  fixed_points_dState[own] = Tile();
  fixed_points_held[FIXED_POINTS_RESET + g] = residual * slope;
}

// Adam's step: `rate` and `root` hold its bias corrections.
fn fixed_points_update(lane: u32, own: u32, sum: Tile, rate: f32, root: f32) {
  let g = fixed_points_unit(lane, own);
  if (!fixed_points_owns(lane, g)) {
    return;
  }
  let b1 = fixed_points.b1;
  let b2 = fixed_points.b2;
  let moved = fixed_points_dState[own] + sum - fixed_points_residual[own];
  let dq = (2.0 / f32(fixed_points.G)) * moved;
  let m = b1 * fixed_points_m[own] + (1.0 - b1) * dq;
  let v = b2 * fixed_points_v[own] + (1.0 - b2) * dq * dq;
  fixed_points_m[own] = m;
  fixed_points_v[own] = v;
  fixed_points_held[g] -= rate * m / (sqrt(v * root) + fixed_points.eps);
}

fn fixed_points_run(group: vec3<u32>, lane: u32) {
  let G = fixed_points.G;
  let K = runs[group.z].B;
  let firstRow = TILE * group.x;
  if (firstRow >= K) {
    return;
  }
  let rows = rows_of(firstRow, K - 1u);
  let isGru = fixed_points.cell == 1u;
  let first = runs[group.z].first;
  let end = min(runs[group.z].end, runs[group.z].iterations);
  if (first >= end) {
    return;
  }

  let width = select(G, 3u * G, isGru);
  for (var j = lane; j < width; j += WORKGROUP) {
    var sum = real(fixed_points.bGen + j);
    for (var x = 0u; x < fixed_points.U; x++) {
      sum += real(fixed_points.input_U + x) * real(fixed_points.wGenInput + x * width + j);
    }
    fixed_points_constant[j] = sum;
  }
  for (var own = 0u; own < 2u * FIXED_POINTS_PASSES; own++) {
    let g = fixed_points_unit(lane, own);
    if (fixed_points_owns(lane, g)) {
      fixed_points_held[g] = load_tile(fixed_points.points_KG, rows, G, g);
      fixed_points_m[own] = load_tile(fixed_points.m_KG, rows, G, g);
      fixed_points_v[own] = load_tile(fixed_points.v_KG, rows, G, g);
    }
  }
  workgroupBarrier();

  for (var i = first; i < end; i++) {
    let n = s.count + i;
    let decayed = exp_(f32(n - 1u) * log_(fixed_points.decay));
    let rate = fixed_points.stepSize * decayed / correction(fixed_points.b1, n);
    let root = 1.0 / correction(fixed_points.b2, n);
    if (isGru) {
      fixed_points_gates(lane);
      workgroupBarrier();
      for (var p = 0u; p < FIXED_POINTS_PASSES; p++) {
        let w = fixed_points.wGenCandidate_GG;
        let sum = fixed_points_sum(lane, p, FIXED_POINTS_RESET, w, G);
        fixed_points_candidate(lane, 2u * p, sum.a);
        fixed_points_candidate(lane, 2u * p + 1u, sum.b);
      }
      workgroupBarrier();
      for (var p = 0u; p < FIXED_POINTS_PASSES; p++) {
        let w = fixed_points.wGenCandidate_GG_T;
        let sum = fixed_points_sum(lane, p, FIXED_POINTS_CANDIDATE, w, G);
        fixed_points_reset(lane, 2u * p, sum.a);
        fixed_points_reset(lane, 2u * p + 1u, sum.b);
      }
    } else {
      for (var p = 0u; p < FIXED_POINTS_PASSES; p++) {
        let sum = fixed_points_sum(lane, p, 0u, fixed_points.wGenRecurrent, G);
        fixed_points_vanilla(lane, 2u * p, sum.a);
        fixed_points_vanilla(lane, 2u * p + 1u, sum.b);
      }
    }
    workgroupBarrier();
    let origin = select(FIXED_POINTS_RESET, FIXED_POINTS_GATES, isGru);
    for (var p = 0u; p < FIXED_POINTS_PASSES; p++) {
      let w = fixed_points.wGenRecurrent_T;
      let sum = fixed_points_sum(lane, p, origin, w, select(G, 2u * G, isGru));
      fixed_points_update(lane, 2u * p, sum.a, rate, root);
      fixed_points_update(lane, 2u * p + 1u, sum.b, rate, root);
    }
    workgroupBarrier();
  }

  var squares = Tile();
  for (var own = 0u; own < 2u * FIXED_POINTS_PASSES; own++) {
    let g = fixed_points_unit(lane, own);
    if (fixed_points_owns(lane, g)) {
      store_tile(fixed_points.points_KG, rows, G, g, fixed_points_held[g]);
      store_tile(fixed_points.m_KG, rows, G, g, fixed_points_m[own]);
      store_tile(fixed_points.v_KG, rows, G, g, fixed_points_v[own]);
      let residual = fixed_points_residual[own];
      squares += residual * residual;
    }
  }
  fixed_points_parts[lane] = squares;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      fixed_points_parts[lane] += fixed_points_parts[lane + half];
    }
  }
  if (lane == 0u) {
    let speeds = fixed_points.speeds_K + s.slot * fixed_points.speedsSlot;
    store_tile(speeds, rows, 1u, 0u, fixed_points_parts[0] / f32(G));
  }
}
