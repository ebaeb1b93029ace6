/** The job table of a step: which activations and which gradients make each weight's gradient. */
import type { GradientJob, Ref } from "../compute/recording.ts";
import { slice } from "../compute/recording.ts";
import type { Activations, EncoderActivations } from "./activations.ts";
import { type Architecture, type Layout, readoutNames, shapeOf } from "./layout.ts";

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
  const { T, N, E, C, U, X, I, G, F, W, Q } = shapeOf(model);
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

  const encoder = (name: string, { T, E, ...e }: EncoderActivations) => {
    const gates: Columns = { ref: e.gates_TBD3E, stride: 6 * E };
    const spikes: Columns = { ref: e.spikes_TBN, stride: N };
    add(grad(`${name}.wInput_ND3E`), spikes, gates, N, 6 * E, { T, sparse });
    add(grad(`${name}.b_D3E`), null, gates, 1, 6 * E, { T });
    for (const d of [0, 1]) {
      const states: Columns = { ref: d ? e.backward_HBE : e.forward_HBE, stride: E };
      const reset: Columns = { ref: e.reset_TBDE, stride: 2 * E, first: d * E };
      const dGates: Columns = { ...gates, first: d * 3 * E };
      const dCandidate: Columns = { ...gates, first: d * 3 * E + 2 * E };
      const wGates = grad(`${name}.wGates_DE2E`, d * 2 * E * E, 2 * E * E);
      const wCandidate = grad(`${name}.wCandidate_DEE`, d * E * E, E * E);
      add(wGates, states, dGates, E, 2 * E, { T, aSlot: d });
      add(wCandidate, reset, dCandidate, E, E, { T });
    }
    add(grad(`${name}.h0_DE`), null, { ref: e.dStart_BDE, stride: 2 * E }, 1, 2 * E, { T: 1 });
  };
  encoder("encoder", x.encoder);

  const dIc: Columns = { ref: x.dIc_B2I, stride: 2 * I };
  add(grad("initialCondition.w_2E2I"), { ref: x.ends_B2E, stride: 2 * E }, dIc, 2 * E, 2 * I, {
    T: 1,
  });
  add(grad("initialCondition.b_2I"), null, dIc, 1, 2 * I, { T: 1 });
  const dIcPrior: Columns = { ref: x.dIcPrior_B2I, stride: 2 * I };
  add(grad("icPrior.mean_I"), null, dIcPrior, 1, I, { T: 1 });
  add(grad("icPrior.logVar_I"), null, { ...dIcPrior, first: I }, 1, I, { T: 1 });
  if (x.start) {
    const dStart: Columns = { ref: x.start.dStart_BG, stride: G };
    add(grad("initialState.w_IG"), { ref: x.start.z_RI, stride: I }, dStart, I, G, { T: 1 });
    add(grad("initialState.b_G"), null, dStart, 1, G, { T: 1 });
  }

  if (x.controller) {
    const c = x.controller, E = c.encoder.E;
    if (c.encoder !== x.encoder) encoder("controllerEncoder", c.encoder);
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
  const gen: Columns = { ref: x.gen_HRG, stride: G };
  const dGen: Columns = { ref: x.genGates, stride: W };
  if (x.controller) {
    const inputs: Columns = { ref: x.controller.inputs_TRU, stride: U };
    add(grad(gru ? "generator.wInput_U3G" : "generator.wInput_UG"), inputs, dGen, U, W);
  }
  if (x.external) {
    const external: Columns = { ref: x.external.external_TBX, stride: X };
    const name = gru ? "generator.wExternal_X3G" : "generator.wExternal_XG";
    add(grad(name), external, dGen, X, W);
  }
  if (x.genReset_TRG) {
    const reset: Columns = { ref: x.genReset_TRG, stride: G };
    add(grad("generator.wGates_G2G"), gen, dGen, G, 2 * G);
    add(grad("generator.wCandidate_GG"), reset, { ...dGen, first: 2 * G }, G, G);
  } else {
    add(grad("generator.wRecurrent_GG"), gen, dGen, G, G);
  }
  add(grad(gru ? "generator.b_3G" : "generator.b_G"), null, dGen, 1, W);

  // LFADS samples g0, so the cell's own first state gets an empty sum: `reduce` adds its L2 part.
  add(grad("generator.h0_G"), null, dGen, 1, G, { T: 0 });

  const dOutputs: Columns = { ref: x.outputs_TRQ, stride: Q };
  const factors: Columns = { ref: x.factors_HRF, stride: F };
  add(grad("factors.w_GF"), gen, { ref: x.dFactors_HRF, stride: F }, G, F, { T: T + 1 });
  const { w, b } = readoutNames(model);
  add(grad(w), factors, dOutputs, F, Q, { aSlot: 1 });
  add(grad(b), null, dOutputs, 1, Q);
  return jobs;
}
