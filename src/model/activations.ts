/** The buffers of a step: every activation that the backward pass or the user reads again. */
import type { PlanBuilder, Ref } from "../compute/recording.ts";
import { type Architecture, shapeOf } from "./layout.ts";

/** What an encoder has: of the initial condition, or the controller's own. */
export interface EncoderActivations {
  /** bins that it sees */
  readonly T: number;
  /** units in each direction */
  readonly E: number;
  readonly spikes_TBN: Ref;
  readonly gates_TBD3E: Ref;
  readonly forward_HBE: Ref;
  readonly backward_HBE: Ref;
  readonly reset_TBDE: Ref;
  readonly dStart_BDE: Ref;
}

/** What only a model with a controller has. */
export interface ControllerActivations {
  /** the encoder that it hears: its own, or that of the initial condition */
  readonly encoder: EncoderActivations;
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
  readonly encoder: EncoderActivations;
  readonly ends_B2E: Ref;
  readonly epsIc_RI: Ref;
  readonly ic_B2I: Ref;
  readonly klIc_R: Ref;
  /** only where g0 is a function of the sample */
  readonly start: { readonly z_RI: Ref; readonly dStart_BG: Ref } | null;
  /** only with external inputs */
  readonly external: { readonly external_TBX: Ref; readonly genInput_TBW: Ref } | null;
  readonly gen_HRG: Ref;
  readonly genGates: Ref;
  readonly genReset_TRG: Ref | null;
  readonly factors_HRF: Ref;
  readonly controller: ControllerActivations | null;
  /** Backward pass only: absent (length 0) in a plan that only infers. */
  readonly outputs_TRQ: Ref;
  readonly dFactors_HRF: Ref;
  readonly nll_R: Ref;
  readonly dEnds_B2E: Ref;
  readonly dIc_B2I: Ref;
  readonly dIcPrior_B2I: Ref;
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
  const { T, N, E, V, C, U, X, I, G, F, W, K, Q, directStart, ...bins } = shapeOf(model);
  const R = B * S, H = T + 1;
  const real = (name: string, length: number) => plan.buffer(name, length);
  const train = (name: string, length: number) => plan.buffer(name, training ? length : 0);
  const gru = model.cell === "gru";
  const icT = bins.initialConditionBins, encT = bins.encodedBins;
  const encoder: EncoderActivations = {
    T: icT,
    E,
    spikes_TBN: real("spikes_TBN", icT * B * N),
    gates_TBD3E: real("gates_TBD3E", icT * B * 6 * E),
    forward_HBE: real("forward_HBE", (icT + 1) * B * E),
    backward_HBE: real("backward_HBE", (icT + 1) * B * E),
    reset_TBDE: real("reset_TBDE", icT * B * 2 * E),
    dStart_BDE: train("dStart_BDE", B * 2 * E),
  };
  // both encoders read the same spikes through the same mask
  const own: EncoderActivations | null = V === 0 ? null : {
    T: encT,
    E: V,
    spikes_TBN: encT === icT ? encoder.spikes_TBN : real("conSpikes_TBN", encT * B * N),
    gates_TBD3E: real("conEncGates_TBD3V", encT * B * 6 * V),
    forward_HBE: real("conForward_HBV", (encT + 1) * B * V),
    backward_HBE: real("conBackward_HBV", (encT + 1) * B * V),
    reset_TBDE: real("conEncReset_TBDV", encT * B * 2 * V),
    dStart_BDE: train("dConEncStart_BDV", B * 2 * V),
  };
  const heard = own ?? encoder;
  return {
    trials_B: plan.buffer("trials_B", B, "u32", { perRun: true }),
    encoder,
    ends_B2E: real("ends_B2E", B * 2 * E),
    epsIc_RI: real("epsIc_RI", R * I),
    ic_B2I: real("ic_B2I", B * 2 * I),
    klIc_R: real("klIc_R", R),
    start: directStart ? null : {
      z_RI: real("z_RI", R * I),
      dStart_BG: train("dStart_BG", B * G),
    },
    external: X === 0 ? null : {
      external_TBX: real("external_TBX", T * B * X),
      genInput_TBW: real("genInput_TBW", T * B * W),
    },
    gen_HRG: real("gen_HRG", H * R * G),
    genGates: real(gru ? "genGates_TR3G" : "genGates_TRG", T * R * W),
    genReset_TRG: gru ? real("genReset_TRG", T * R * G) : null,
    factors_HRF: real("factors_HRF", H * R * F),
    controller: U === 0 ? null : {
      encoder: heard,
      enc_TB2E: real("enc_TB2E", T * B * 2 * heard.E),
      conInput_TB3C: real("conInput_TB3C", T * B * 3 * C),
      con_HRC: real("con_HRC", H * R * C),
      conGates_TR3C: real("conGates_TR3C", T * R * 3 * C),
      conReset_TRC: real("conReset_TRC", T * R * C),
      epsInputs_TRU: real("epsInputs_TRU", T * R * U),
      inputParams_TR2U: real("inputParams_TR2U", T * R * 2 * U),
      inputs_TRU: real("inputs_TRU", T * R * U),
      klInputs_R: real("klInputs_R", R),
      dEnc_TB2E: train("dEnc_TB2E", heard.T * B * 2 * heard.E),
      dInputParams_TB2U: train("dInputParams_TB2U", T * B * 2 * U),
      dInputPrior_B3U: train("dInputPrior_B3U", B * 3 * U),
      dStartCon_BC: train("dStartCon_BC", B * C),
    },
    outputs_TRQ: train(K === 1 ? "logRates_TRN" : "outputs_TRQ", T * R * Q),
    dFactors_HRF: train("dFactors_HRF", H * R * F),
    nll_R: train("nll_R", R),
    dEnds_B2E: train("dEnds_B2E", B * 2 * E),
    dIc_B2I: train("dIc_B2I", B * 2 * I),
    dIcPrior_B2I: train("dIcPrior_B2I", B * 2 * I),
  };
}
