/** Ŵ: each factor's weights divided by their L2 norm (docs/model.md, section 2). */
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
import { Scalars } from "./scalars";

@unmanaged
export class PrepareArgs {
  w_GF: usize;
  factorsHat_GF: usize;
  norms_F: usize;
  G: i32;
  F: i32;
}

export function prepare(args: PrepareArgs, _s: Scalars, thread: i32, threads: i32): void {
  const G = args.G, F = args.F, row = <usize> F << 2;
  for (let f = thread; f < F; f += threads) {
    const column = <usize> f << 2;
    let sum: f64 = 0;
    for (let g = 0, at = args.w_GF + column; g < G; g++, at += row) {
      const w = <f64> load<f32>(at);
      sum += w * w;
    }
    const norm = sqrt(sum);
    store<f32>(args.norms_F + column, <f32> norm);
    for (let g = 0, at = column; g < G; g++, at += row) {
      store<f32>(args.factorsHat_GF + at, <f32> (<f64> load<f32>(args.w_GF + at) / norm));
    }
  }
}
