/** How `shaders/average_samples.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/average_samples.wgsl" with { type: "text" };
import type { Scalars } from "../../kernels.ts";
import type { Numbers, Shader } from "../kernel.ts";

const WORKGROUP = 256;
/** Samples of a block that one invocation sums. */
const SAMPLES = 64;
/** The most workgroups that any adapter takes; they share what is left. */
const GROUPS = 65_535;

/** Columns of a workgroup. */
const widthOf = (n: number) => n <= 4 ? 4 : n <= 16 ? 16 : 64;

/** Parts of the work that are a workgroup's, and over how many invocations a mean's samples go. */
function shares({ T, n }: Numbers, { B, S }: Scalars): { tiles: number; lines: number } {
  const width = widthOf(n), lines = WORKGROUP / width;
  const rows = S < lines ? Math.ceil(T * B / lines) : T * B;
  return { tiles: rows * Math.ceil(n / width), lines };
}

export const average_samples: Shader = {
  source,
  uses: [],
  variant: ({ n }, { tile }) => ({
    workgroup: WORKGROUP,
    tile,
    constants: { WIDTH: widthOf(n), SAMPLES, GROUPS },
    workgroupMemory: 4 * WORKGROUP,
  }),
  groups: (numbers, s) => Math.min(GROUPS, shares(numbers, s).tiles),
  range: (numbers, s) => {
    const { tiles, lines } = shares(numbers, s), rounds = Math.ceil(tiles / GROUPS);
    return s.S < lines ? { steps: 1, iterations: rounds * (1 + s.S) } : {
      steps: Math.ceil(s.S / (lines * SAMPLES)),
      iterations: rounds * (2 + Math.min(SAMPLES, Math.ceil(s.S / lines)) + Math.log2(lines)),
    };
  },
  cost: ({ T, n }, { B, S }) => ({ flops: T * B * (S + 1) * n, bytes: 4 * T * B * (S + 1) * n }),
};
