// What every kernel sees: two arenas, the scalars of this run, and the fit that it works for.
//
// A program keeps all real numbers in one arena and all whole numbers in another. A kernel's arguments
// hold where each of its buffers starts; every fit has its own copy, `s.reals` elements further on, but
// of the data, which stand at the start of either arena for all fits.

// The scalars of one run of one fit: see `Scalars` in src/compute/kernels.ts.
struct Run {
  B: u32, S: u32, seedLo: u32, seedHi: u32,
  step: u32, purpose: u32, firstTrial: u32, count: u32,
  iterations: u32, accumulated: u32,
  klIcScale: f32, klInputsScale: f32, l2Scale: f32, learningRate: f32, share: f32,
  // which of several runs in a row this is: buffers that are written per run have a copy for each
  slot: u32,
  // where this fit's buffers start
  reals: u32, words: u32,
  // the steps of the kernel's loop that this dispatch makes: see `Range` in src/compute/webgpu/kernel.ts
  first: u32, end: u32,
}

@group(0) @binding(0) var<storage, read_write> reals: array<f32>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(4) var<storage, read> runs: array<Run>;

// Where an absent buffer starts.
const ABSENT = 0xffffffffu;

// The run of this invocation's fit, set before the kernel.
var<private> s: Run;

// `s` is private, so control flow that meets a barrier reads `runs[group.z]` instead: all invocations of
// a workgroup must be seen to agree.

fn real(at: u32) -> f32 {
  return reals[s.reals + at];
}

fn put(at: u32, x: f32) {
  reals[s.reals + at] = x;
}

// Which trial of the data set stands at place b of the batch. `slot` is the length of one run's copy.
fn trial_at(trials_B: u32, slot: u32, b: u32) -> u32 {
  return words[s.words + trials_B + s.slot * slot + b];
}

// Element i of counts, which are packed: u8 four to a word, u16 two.
fn count_at(counts: u32, element: u32, i: u32) -> f32 {
  if (element == ELEMENT_u16) {
    return f32((words[counts + (i >> 1u)] >> ((i & 1u) << 4u)) & 0xffffu);
  }
  return f32((words[counts + (i >> 2u)] >> ((i & 3u) << 3u)) & 0xffu);
}

// Element i of data that are real numbers.
fn value_at(values: u32, i: u32) -> f32 {
  return reals[values + i];
}

// Whether a number of the data was not observed, or is hidden.
fn is_missing(element: u32, x: f32) -> bool {
  if (element == ELEMENT_real) {
    return x < MISSING_BELOW;
  }
  return x == select(MISSING_u8, MISSING_u16, element == ELEMENT_u16);
}
