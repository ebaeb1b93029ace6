/** The job table of a step: which activations and which gradients make each weight's gradient. */
import type { GradientJob, Ref } from "../compute/recording.ts";
import { slice } from "../compute/recording.ts";
import type { Activations } from "./activations.ts";
import type { Architecture, Layout } from "./layout.ts";

/** A column range of a buffer whose rows are `stride` long. */
interface Columns {
  readonly ref: Ref;
  readonly stride: number;
  readonly first?: number;
}

/**
 * All weight gradients but the priors' part in `reduce`. `h_{t-1}` of the forward sweeps is the slot
 * of bin t (aSlot 0); of the backward-in-time encoder it is the slot after (aSlot 1).
 */
export function gradientJobs(
  model: Architecture,
  layout: Layout,
  grads_P: Ref,
  x: Activations,
  sparse: 0 | 1,
): GradientJob[] {
  const { T, N, E, C, U, G, F } = model.dims;
  const jobs: GradientJob[] = [];
  const at = ({ ref, first = 0 }: Columns) => slice(ref, first, ref.length - first);
  const add = (
    out: Ref,
    a: Columns | null,
    d: Columns,
    m: number,
    n: number,
    more: { T?: number; aSlot?: number; sparse?: 0 | 1 } = {},
  ) =>
    jobs.push({
      a: a && at(a),
      d: at(d),
      out,
      m,
      n,
      aStride: a?.stride ?? 0,
      dStride: d.stride,
      T: more.T ?? T,
      aSlot: more.aSlot ?? 0,
      sparse: more.sparse ?? 0,
    });
  const grad = (name: string, first = 0, length?: number) => {
    const s = layout.slice(name);
    return slice(grads_P, s.offset + first, length ?? s.length);
  };

  const gates: Columns = { ref: x.gates_TBD3E, stride: 6 * E };
  add(grad("encoder.wInput_ND3E"), { ref: x.spikes_TBN, stride: N }, gates, N, 6 * E, { sparse });
  add(grad("encoder.b_D3E"), null, gates, 1, 6 * E);
  for (const d of [0, 1]) {
    const states: Columns = { ref: d ? x.backward_HBE : x.forward_HBE, stride: E };
    const reset: Columns = { ref: x.reset_TBDE, stride: 2 * E, first: d * E };
    const dGates: Columns = { ...gates, first: d * 3 * E };
    const dCandidate: Columns = { ...gates, first: d * 3 * E + 2 * E };
    const wGates = grad("encoder.wGates_DE2E", d * 2 * E * E, 2 * E * E);
    const wCandidate = grad("encoder.wCandidate_DEE", d * E * E, E * E);
    add(wGates, states, dGates, E, 2 * E, { aSlot: d });
    add(wCandidate, reset, dCandidate, E, E);
  }
  add(grad("encoder.h0_DE"), null, { ref: x.dStart_BDE, stride: 2 * E }, 1, 2 * E, { T: 1 });

  const dIc: Columns = { ref: x.dIc_B2G, stride: 2 * G };
  add(grad("initialCondition.w_2E2G"), { ref: x.ends_B2E, stride: 2 * E }, dIc, 2 * E, 2 * G, {
    T: 1,
  });
  add(grad("initialCondition.b_2G"), null, dIc, 1, 2 * G, { T: 1 });
  const dIcPrior: Columns = { ref: x.dIcPrior_B2G, stride: 2 * G };
  add(grad("icPrior.mean_G"), null, dIcPrior, 1, G, { T: 1 });
  add(grad("icPrior.logVar_G"), null, { ...dIcPrior, first: G }, 1, G, { T: 1 });

  if (x.controller) {
    const c = x.controller;
    const con: Columns = { ref: c.con_HRC, stride: C };
    const dCon: Columns = { ref: c.conGates_TR3C, stride: 3 * C };
    const dOut: Columns = { ref: c.dInputParams_TB2U, stride: 2 * U };
    const dPrior: Columns = { ref: c.dInputPrior_B3U, stride: 3 * U };
    const enc: Columns = { ref: c.enc_TB2E, stride: 2 * E };
    add(grad("controller.wEncoding_2E3C"), enc, dCon, 2 * E, 3 * C);
    add(grad("controller.wFactors_F3C"), { ref: x.factors_HRF, stride: F }, dCon, F, 3 * C);
    add(grad("controller.b_3C"), null, dCon, 1, 3 * C);
    add(grad("controller.wGates_C2C"), con, dCon, C, 2 * C);
    add(
      grad("controller.wCandidate_CC"),
      { ref: c.conReset_TRC, stride: C },
      { ...dCon, first: 2 * C },
      C,
      C,
    );
    add(grad("controller.h0_C"), null, { ref: c.dStartCon_BC, stride: C }, 1, C, { T: 1 });
    add(grad("inputs.w_C2U"), con, dOut, C, 2 * U, { aSlot: 1 });
    add(grad("inputs.b_2U"), null, dOut, 1, 2 * U);
    ["inputPrior.mean_U", "inputPrior.logTau_U", "inputPrior.logNoiseVar_U"].forEach((name, i) =>
      add(grad(name), null, { ...dPrior, first: i * U }, 1, U, { T: 1 })
    );
  }

  const gru = model.cell === "gru";
  const width = gru ? 3 * G : G;
  const gen: Columns = { ref: x.gen_HRG, stride: G };
  const dGen: Columns = { ref: x.genGates, stride: width };
  if (x.controller) {
    const inputs: Columns = { ref: x.controller.inputs_TRU, stride: U };
    add(grad(gru ? "generator.wInput_U3G" : "generator.wInput_UG"), inputs, dGen, U, width);
  }
  if (x.genReset_TRG) {
    const reset: Columns = { ref: x.genReset_TRG, stride: G };
    add(grad("generator.wGates_G2G"), gen, dGen, G, 2 * G);
    add(grad("generator.wCandidate_GG"), reset, { ...dGen, first: 2 * G }, G, G);
  } else {
    add(grad("generator.wRecurrent_GG"), gen, dGen, G, G);
  }
  add(grad(gru ? "generator.b_3G" : "generator.b_G"), null, dGen, 1, width);

  // LFADS samples g0, so the cell's own first state gets an empty sum: `reduce` adds its L2 part.
  add(grad("generator.h0_G"), null, dGen, 1, G, { T: 0 });

  const dLogRates: Columns = { ref: x.logRates_TRN, stride: N };
  const factors: Columns = { ref: x.factors_HRF, stride: F };
  add(grad("factors.w_GF"), gen, { ref: x.dFactors_TRF, stride: F }, G, F, { aSlot: 1 });
  add(grad("readout.w_FN"), factors, dLogRates, F, N, { aSlot: 1 });
  add(grad("readout.b_N"), null, dLogRates, 1, N);
  return jobs;
}
