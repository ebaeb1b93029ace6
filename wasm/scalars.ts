/** What changes from one run of a recording to the next: the fields of `Scalars` in kernels.ts, in order. */
@unmanaged
export class Scalars {
  B: i32;
  S: i32;
  seedLo: u32;
  seedHi: u32;
  step: u32;
  purpose: u32;
  firstTrial: i32;
  count: i32;
  iterations: i32;
  accumulated: i32;
  klIcScale: f32;
  klInputsScale: f32;
  l2Scale: f32;
  learningRate: f32;
  share: f32;
}
