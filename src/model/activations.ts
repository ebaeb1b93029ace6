/** The buffers of a step: every activation that the backward pass or the user reads again. */
import type { PlanBuilder, Ref } from "../compute/recording.ts";
import type { Architecture } from "./layout.ts";

/** What only a model with a controller has. */
export interface ControllerActivations {
  readonly enc_TB2E: Ref;
  readonly conInput_TB3C: Ref;
  readonly con_HRC: Ref;
  readonly conGates_TR3C: Ref;
  readonly conReset_TRC: Ref;
  readonly epsInputs_TRU: Ref;
  readonly inputParams_TR2U: Ref;
  readonly inputs_TRU: Ref;
  readonly klInputs_R: Ref;
  readonly dEnc_TB2E: Ref;
  readonly dInputParams_TB2U: Ref;
  readonly dInputPrior_B3U: Ref;
  readonly dStartCon_BC: Ref;
}

export interface Activations {
  readonly trials_B: Ref;
  readonly spikes_TBN: Ref;
  readonly gates_TBD3E: Ref;
  readonly forward_HBE: Ref;
  readonly backward_HBE: Ref;
  readonly reset_TBDE: Ref;
  readonly ends_B2E: Ref;
  readonly epsIc_RG: Ref;
  readonly ic_B2G: Ref;
  readonly klIc_R: Ref;
  readonly gen_HRG: Ref;
  readonly genGates: Ref;
  readonly genReset_TRG: Ref | null;
  readonly factors_HRF: Ref;
  readonly controller: ControllerActivations | null;
  /** Backward pass only: absent (length 0) in a plan that only infers. */
  readonly logRates_TRN: Ref;
  readonly dFactors_TRF: Ref;
  readonly nll_R: Ref;
  readonly dStart_BDE: Ref;
  readonly dEnds_B2E: Ref;
  readonly dIc_B2G: Ref;
  readonly dIcPrior_B2G: Ref;
}

/**
 * Adds the activations for up to `B` trials of `S` samples.
 *
 * @param training adds what the loss and the backward pass need; it wants S = 1
 */
export function addActivations(
  plan: PlanBuilder,
  model: Architecture,
  B: number,
  S: number,
  training: boolean,
): Activations {
  const { T, N, E, C, U, G, F } = model.dims;
  const R = B * S, H = T + 1;
  const real = (name: string, length: number) => plan.buffer(name, length);
  const train = (name: string, length: number) => plan.buffer(name, training ? length : 0);
  const gru = model.cell === "gru";
  return {
    trials_B: plan.buffer("trials_B", B, "u32", { perRun: true }),
    spikes_TBN: real("spikes_TBN", T * B * N),
    gates_TBD3E: real("gates_TBD3E", T * B * 6 * E),
    forward_HBE: real("forward_HBE", H * B * E),
    backward_HBE: real("backward_HBE", H * B * E),
    reset_TBDE: real("reset_TBDE", T * B * 2 * E),
    ends_B2E: real("ends_B2E", B * 2 * E),
    epsIc_RG: real("epsIc_RG", R * G),
    ic_B2G: real("ic_B2G", B * 2 * G),
    klIc_R: real("klIc_R", R),
    gen_HRG: real("gen_HRG", H * R * G),
    genGates: real(gru ? "genGates_TR3G" : "genGates_TRG", T * R * (gru ? 3 * G : G)),
    genReset_TRG: gru ? real("genReset_TRG", T * R * G) : null,
    factors_HRF: real("factors_HRF", H * R * F),
    controller: U === 0 ? null : {
      enc_TB2E: real("enc_TB2E", T * B * 2 * E),
      conInput_TB3C: real("conInput_TB3C", T * B * 3 * C),
      con_HRC: real("con_HRC", H * R * C),
      conGates_TR3C: real("conGates_TR3C", T * R * 3 * C),
      conReset_TRC: real("conReset_TRC", T * R * C),
      epsInputs_TRU: real("epsInputs_TRU", T * R * U),
      inputParams_TR2U: real("inputParams_TR2U", T * R * 2 * U),
      inputs_TRU: real("inputs_TRU", T * R * U),
      klInputs_R: real("klInputs_R", R),
      dEnc_TB2E: train("dEnc_TB2E", T * B * 2 * E),
      dInputParams_TB2U: train("dInputParams_TB2U", T * B * 2 * U),
      dInputPrior_B3U: train("dInputPrior_B3U", B * 3 * U),
      dStartCon_BC: train("dStartCon_BC", B * C),
    },
    logRates_TRN: train("logRates_TRN", T * R * N),
    dFactors_TRF: train("dFactors_TRF", T * R * F),
    nll_R: train("nll_R", R),
    dStart_BDE: train("dStart_BDE", B * 2 * E),
    dEnds_B2E: train("dEnds_B2E", B * 2 * E),
    dIc_B2G: train("dIc_B2G", B * 2 * G),
    dIcPrior_B2G: train("dIcPrior_B2G", B * 2 * G),
  };
}
