// How much the loss of an entry counts: 0 where it is missing. With coordinated dropout, what the encoder
// saw weighs 0, and what was dropped 1 / (1 - keepRate), so that the loss is on average that of all
// entries; what the encoder never sees weighs 1.
//
// LOSS_GAPS: entries may be missing. LOSS_COORDINATED: dropout is coordinated. LOSS_REALS: data are real
// numbers.

// Masks of a tile of 32 bins and 64 neurons, eight to a word.
var<workgroup> lossMasks: array<u32, LOSS_MASKS>;

// What the weights of a row depend on.
struct LossEntries {
  element: u32,
  // where the row's trial starts in the data
  trial: u32,
  // what the encoder reads, and explicit masks, or ABSENT
  encoded: u32,
  keep: u32,
  T: u32,
  N: u32,
  // of the batch
  b: u32,
  keepRate: f32,
}

// Element i of data.
fn loss_entry(data: u32, element: u32, i: u32) -> f32 {
  if (LOSS_REALS == 1u) {
    return value_at(data, i);
  }
  return count_at(data, element, i);
}

// Draws the masks of a tile: one block of eight for each invocation. Control flow must be uniform.
fn loss_draw(lane: u32, at: LossEntries, t0: u32, n0: u32) {
  if (LOSS_COORDINATED == 1u) {
    if (at.keep == ABSENT) {
      let row = (s.firstTrial + at.b) * at.T + t0 + lane / 8u;
      let words = draw(STREAM_keepSpikes, 0u, row, n0 / 8u + lane % 8u);
      lossMasks[lane] = mask_byte(words, keep_threshold(at.keepRate));
    }
    workgroupBarrier();
  }
}

// Of neuron n0 + column in bin t0 + row, whose number is x.
fn loss_weight(at: LossEntries, x: f32, t0: u32, row: u32, n0: u32, column: u32) -> f32 {
  if (LOSS_GAPS == 1u) {
    if (is_missing(at.element, x)) {
      return 0.0;
    }
  }
  if (LOSS_COORDINATED == 1u) {
    let i = (t0 + row) * at.N + n0 + column;
    if (at.encoded != ABSENT) {
      if (is_missing(at.element, loss_entry(at.encoded, at.element, at.trial + i))) {
        return 1.0;
      }
    }
    var kept: bool;
    if (at.keep == ABSENT) {
      kept = ((lossMasks[row * 8u + column / 8u] >> (column % 8u)) & 1u) == 1u;
    } else {
      kept = real(at.keep + at.b * at.T * at.N + i) != 0.0;
    }
    return select(1.0 / (1.0 - at.keepRate), 0.0, kept);
  }
  return 1.0;
}
