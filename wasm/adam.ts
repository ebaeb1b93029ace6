/** Clip by global norm, then Adam with decoupled weight decay (docs/model.md, section 2, Train). */
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
import { storeLanes } from "./math";
import { GRAD_NORM } from "./reduce";
import { Scalars } from "./scalars";

@unmanaged
export class AdamArgs {
  params_P: usize;
  grads_P: usize;
  m_P: usize;
  v_P: usize;
  losses: usize;
  P: i32;
  b1: f32;
  b2: f32;
  eps: f32;
  maxNorm: f32;
  weightDecay: f32;
}

export function adam(args: AdamArgs, s: Scalars, thread: i32, threads: i32): void {
  const P = args.P;
  const gradNorm = load<f32>(args.losses + GRAD_NORM);
  const clip: f32 = gradNorm < args.maxNorm ? 1 : args.maxNorm / gradNorm;
  const unbias1 = 1 - power(<f64> args.b1, s.count), unbias2 = 1 - power(<f64> args.b2, s.count);
  const scale = f32x4.splat(clip);
  const b1 = f32x4.splat(args.b1), rest1 = f32x4.splat(1 - args.b1);
  const b2 = f32x4.splat(args.b2), rest2 = f32x4.splat(1 - args.b2);
  const eps = f32x4.splat(args.eps);
  const rate = f32x4.splat(<f32> (<f64> s.learningRate / unbias1));
  const inverse2 = f32x4.splat(<f32> (1 / unbias2));

  const shrink = <f32> (<f64> s.learningRate * <f64> args.weightDecay * <f64> s.l2Scale);
  const decay = f32x4.splat(shrink), decays = shrink != 0;

  // whole vectors for each thread, so that only the last thread meets the remainder
  const vectors = (P + 3) >> 2, share = (vectors + threads - 1) / threads;
  const first = thread * share << 2, end = min(first + (share << 2), P);
  for (let i = first; i < end; i += 4) {
    const at = <usize> i << 2;
    const g = f32x4.mul(v128.load(args.grads_P + at), scale);
    const m = f32x4.add(f32x4.mul(b1, v128.load(args.m_P + at)), f32x4.mul(rest1, g));
    const v = f32x4.add(
      f32x4.mul(b2, v128.load(args.v_P + at)),
      f32x4.mul(rest2, f32x4.mul(g, g)),
    );
    const step = f32x4.div(
      f32x4.mul(rate, m),
      f32x4.add(f32x4.sqrt(f32x4.mul(v, inverse2)), eps),
    );
    const before = v128.load(args.params_P + at);
    let p = f32x4.sub(before, step);
    if (decays) p = f32x4.sub(p, f32x4.mul(decay, before));
    if (end - i >= 4) {
      v128.store(args.m_P + at, m);
      v128.store(args.v_P + at, v);
      v128.store(args.params_P + at, p);
    } else {
      storeLanes(args.m_P + at, m, end - i);
      storeLanes(args.v_P + at, v, end - i);
      storeLanes(args.params_P + at, p, end - i);
    }
  }
}

/** base^exponent by squaring. */
function power(base: f64, exponent: i32): f64 {
  let result: f64 = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) {
    if (exponent & 1) result *= base;
  }
  return result;
}
