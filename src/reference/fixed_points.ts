/** Adam on the speed of every candidate, each point alone (docs/model.md, section 4). */
import type { Args, Scalars } from "../compute/kernels.ts";
import { gru, gruBackward } from "./gru.ts";
import { vanilla, vanillaBackward } from "./vanilla.ts";

/**
 * Makes `s.iterations` Adam iterations on each of the `K = s.B` rows of `points_KG`, in place, so as
 * to lower `q(h) = 1/G Σ (F(h, input) - h)²` (Sussillo and Barak 2013). With `r = F(h) - h` and
 * `J = dF/dh` its gradient is `dq = 2/G (Jᵀ r - r)`. Iteration `i` of a run counts as
 * `n = s.count + i`: the first run has `s.count = 1`, one after 100 iterations has 101.
 *
 *     m = b1 m + (1 - b1) dq            v = b2 v + (1 - b2) dq²
 *     h = h - stepSize decay^(n - 1) (m / (1 - b1ⁿ)) / (√(v / (1 - b2ⁿ)) + eps)
 *
 * The moments `m_KG` and `v_KG` start at zero and are kept from run to run. `speeds_K` is q before
 * the last update. Points never see each other: dq is the gradient of a point's own q. The reference
 * follows the mean of q over its K candidates instead, whose gradient is K times smaller; as `m` and
 * `√v` shrink alike, that is this path with `K * eps` for `eps`.
 */
export function fixed_points(args: Args<"fixed_points">, s: Scalars): void {
  const { G, U, wGenInput, wGenRecurrent, wGenCandidate_GG, bGen, input_U } = args;
  const { points_KG, m_KG, v_KG, speeds_K, b1, b2, eps, stepSize, decay } = args;
  const isGru = args.cell === 1;
  const width = isGru ? 3 * G : G;
  const w = { n: G, wGates_n2n: wGenRecurrent, wCandidate_nn: wGenCandidate_GG };

  // the input is held still: its part of the pre-activations is the same for all points
  const constant = bGen.slice();
  for (let x = 0; x < U; x++) {
    for (let j = 0; j < width; j++) constant[j] += input_U[x] * wGenInput[x * width + j];
  }

  const gates = new Float64Array(width),
    reset_G = new Float64Array(G),
    next_G = new Float64Array(G);
  const residual_G = new Float64Array(G), dState_G = new Float64Array(G);
  for (let k = 0; k < s.B; k++) {
    const h_G = points_KG.subarray(k * G, (k + 1) * G);
    for (let i = 0; i < s.iterations; i++) {
      gates.set(constant);
      if (isGru) gru(w, [h_G, 0], [gates, 0], [reset_G, 0], [next_G, 0]);
      else vanilla(G, args.nonlinearity, wGenRecurrent, [h_G, 0], [gates, 0]);
      const moved_G = isGru ? next_G : gates;

      let sum = 0;
      for (let g = 0; g < G; g++) {
        residual_G[g] = moved_G[g] - h_G[g];
        sum += residual_G[g] * residual_G[g];
      }
      speeds_K[k] = sum / G;

      dState_G.set(residual_G); // becomes Jᵀ r
      if (isGru) gruBackward(w, [h_G, 0], [gates, 0], dState_G);
      else vanillaBackward(G, args.nonlinearity, wGenRecurrent, [gates, 0], dState_G);

      const n = s.count + i;
      const step = stepSize * decay ** (n - 1);
      const correct1 = 1 - b1 ** n, correct2 = 1 - b2 ** n;
      for (let g = 0; g < G; g++) {
        const dq = 2 / G * (dState_G[g] - residual_G[g]), at = k * G + g;
        m_KG[at] = b1 * m_KG[at] + (1 - b1) * dq;
        v_KG[at] = b2 * v_KG[at] + (1 - b2) * dq * dq;
        h_G[g] -= step * (m_KG[at] / correct1) / (Math.sqrt(v_KG[at] / correct2) + eps);
      }
    }
  }
}
