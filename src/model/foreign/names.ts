/** Which array of another program becomes which parameter here, and how. */

import type { Source } from "./options.ts";

/** A row of the table: a file has the array where its model has the part. */
export interface NameRow {
  readonly theirs: string;
  readonly ours: string;
  readonly how: string;
}

const gru = (theirs: string, ours: string, what: string): NameRow[] => [
  {
    theirs: `${theirs}.weight_ih`,
    ours: what,
    how: "gates z, r, n become r, u = z, c = n; transposed",
  },
  {
    theirs: `${theirs}.weight_hh`,
    ours: `${ours}.wGates…, ${ours}.wCandidate…`,
    how: "the same; n's rows are the candidate's",
  },
  {
    theirs: `${theirs}.bias_ih`,
    ours: `${ours}.b…`,
    how: "bias_ih + bias_hh, and -0.5 for u, which has a fixed bias of +0.5 here",
  },
  { theirs: `${theirs}.bias_hh`, ours: `${ours}.b…`, how: "with bias_ih" },
];

const encoder = (theirs: string, ours: string): NameRow[] => [
  { theirs: `encoder.${theirs}_enc_h0`, ours: `${ours}.h0_DE`, how: "forward, backward" },
  ...["fwd_gru", "bwd_gru"].flatMap((direction) =>
    gru(`encoder.${theirs}_enc.${direction}.cell`, ours, `${ours}.wInput_ND3E`)
  ),
];

const CELL = "decoder.rnn.cell";

/** The tables, by program. `S` is a session; where there is one, 0. */
export const NAMES: Readonly<Record<Source, readonly NameRow[]>> = {
  "lfads-torch": [
    {
      theirs: "readin.S.weight",
      ours: "encoder.wInput_ND3E, controllerEncoder.wInput_ND3E",
      how:
        "composed: the encoders' input weights times the read-in's; absent where it is the identity",
    },
    {
      theirs: "readin.S.bias",
      ours: "encoder.b_D3E, controllerEncoder.b_D3E",
      how: "composed: the encoders' input weights times the bias",
    },
    ...encoder("ic", "encoder"),
    {
      theirs: "encoder.ic_linear.weight",
      ours: "initialCondition.w_2E2I",
      how: "ends forward, backward become backward, forward; transposed",
    },
    { theirs: "encoder.ic_linear.bias", ours: "initialCondition.b_2I", how: "as it is" },
    ...encoder("ci", "controllerEncoder"),
    { theirs: "decoder.ic_to_g0.weight", ours: "initialState.w_IG", how: "transposed" },
    { theirs: "decoder.ic_to_g0.bias", ours: "initialState.b_G", how: "as it is" },
    ...gru(`${CELL}.con_cell`, "controller", "controller.wEncoding_2E3C, controller.wFactors_F3C"),
    { theirs: "decoder.con_h0", ours: "controller.h0_C", how: "as it is" },
    { theirs: `${CELL}.co_linear.weight`, ours: "inputs.w_C2U", how: "transposed" },
    { theirs: `${CELL}.co_linear.bias`, ours: "inputs.b_2U", how: "as it is" },
    ...gru(
      `${CELL}.gen_cell`,
      "generator",
      "generator.wInput_U3G, generator.wExternal_X3G",
    ),
    {
      theirs: `${CELL}.fac_linear.weight`,
      ours: "factors.w_GF",
      how: "transposed; both divide a factor's weights by their norm",
    },
    {
      theirs: "readout.S.weight",
      ours: "readout.w_FN (counts), readout.w_FQ",
      how: "transposed; absent where it is the identity",
    },
    { theirs: "readout.S.bias", ours: "readout.b_N (counts), readout.b_Q", how: "as it is" },
    { theirs: "ic_prior.mean", ours: "icPrior.mean_I", how: "as it is" },
    {
      theirs: "ic_prior.logvar",
      ours: "icPrior.logVar_I",
      how: "ln(exp(logvar) - varMin): here the floor is added to the prior's variance, too",
    },
    { theirs: "ic_prior.loc", ours: "icPrior.mean_I", how: "of Student's t, as a normal's mean" },
    {
      theirs: "ic_prior.logscale",
      ours: "icPrior.logVar_I",
      how: "of Student's t, as a normal's deviation; samples differ",
    },
    { theirs: "co_prior.logtaus", ours: "inputPrior.logTau_U", how: "as it is" },
    {
      theirs: "co_prior.lognvars",
      ours: "inputPrior.logNoiseVar_U",
      how: "ln(exp(lognvars) - varMin)",
    },
    { theirs: "co_prior.mean", ours: "inputPrior.mean_U", how: "of a prior without correlation" },
    {
      theirs: "co_prior.logvar",
      ours: "inputPrior.logNoiseVar_U",
      how:
        "of a prior without correlation: ln(exp(logvar) - varMin), and inputPrior.logTau_U is -4",
    },
    {
      theirs: "recon.S.scale",
      ours: "nothing",
      how: "refused: ZeroInflatedGamma scales sigmoids, which nothing here does",
    },
  ],
  "jax-lfads": [
    ...["fwd_rnn", "bwd_rnn"].flatMap((direction) => [
      {
        theirs: `ic_enc.${direction}.wRUHX`,
        ours: "encoder.wGates_DE2E, encoder.wInput_ND3E",
        how: "columns h, then x; transposed",
      },
      {
        theirs: `ic_enc.${direction}.wCHX`,
        ours: "encoder.wCandidate_DEE, encoder.wInput_ND3E",
        how: "columns h, then x; transposed",
      },
      { theirs: `ic_enc.${direction}.bRU`, ours: "encoder.b_D3E", how: "as it is" },
      { theirs: `ic_enc.${direction}.bC`, ours: "encoder.b_D3E", how: "behind bRU" },
      { theirs: `ic_enc.${direction}.h0`, ours: "encoder.h0_DE", how: "as it is" },
    ]),
    { theirs: "gen_ic.w", ours: "initialCondition.w_2E2I", how: "transposed" },
    { theirs: "gen_ic.b", ours: "initialCondition.b_2I", how: "as it is" },
    { theirs: "ic_prior.mean", ours: "icPrior.mean_I", how: "as it is" },
    { theirs: "ic_prior.logvar", ours: "icPrior.logVar_I", how: "as it is" },
    {
      theirs: "con.wRUHX",
      ours: "controller.wGates_C2C, controller.wEncoding_2E3C, controller.wFactors_F3C",
      how: "columns h, then encodings, then factors; transposed",
    },
    {
      theirs: "con.wCHX",
      ours: "controller.wCandidate_CC, controller.wEncoding_2E3C, controller.wFactors_F3C",
      how: "the same",
    },
    { theirs: "con.bRU", ours: "controller.b_3C", how: "as it is" },
    { theirs: "con.bC", ours: "controller.b_3C", how: "behind bRU" },
    { theirs: "con.h0", ours: "controller.h0_C", how: "as it is" },
    { theirs: "con_out.w", ours: "inputs.w_C2U", how: "transposed" },
    { theirs: "con_out.b", ours: "inputs.b_2U", how: "as it is" },
    { theirs: "ii_prior.mean", ours: "inputPrior.mean_U", how: "as it is" },
    { theirs: "ii_prior.logatau", ours: "inputPrior.logTau_U", how: "as it is" },
    { theirs: "ii_prior.lognvar", ours: "inputPrior.logNoiseVar_U", how: "as it is" },
    { theirs: "gen.wA", ours: "generator.wRecurrent_GG", how: "vanilla; transposed" },
    { theirs: "gen.wB", ours: "generator.wInput_UG", how: "vanilla; transposed" },
    { theirs: "gen.wb", ours: "generator.b_G", how: "vanilla" },
    {
      theirs: "gen.wRUHX",
      ours: "generator.wGates_G2G, generator.wInput_U3G",
      how: "GRU; columns h, then u; transposed",
    },
    {
      theirs: "gen.wCHX",
      ours: "generator.wCandidate_GG, generator.wInput_U3G",
      how: "GRU; columns h, then u; transposed",
    },
    { theirs: "gen.bRU", ours: "generator.b_3G", how: "GRU" },
    { theirs: "gen.bC", ours: "generator.b_3G", how: "GRU; behind bRU" },
    { theirs: "gen.h0", ours: "generator.h0_G", how: "as it is; LFADS does not read it" },
    { theirs: "factors.w", ours: "factors.w_GF", how: "transposed" },
    { theirs: "logrates.w", ours: "readout.w_FN", how: "transposed" },
    { theirs: "logrates.b", ours: "readout.b_N", how: "as it is" },
  ],
};

/**
 * A table as Markdown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { namesTable } from "latentd";
 *
 * assert.match(namesTable("jax-lfads"), /\| `factors\.w` \| `factors\.w_GF` \| transposed \|/);
 * ```
 */
export function namesTable(source: Source): string {
  const code = (names: string) =>
    names.includes(".") ? names.replace(/[\w.…]*\.[\w.…]+/g, "`$&`") : names;
  return [
    `| ${source} | here | how |`,
    "| --- | --- | --- |",
    ...NAMES[source].map(({ theirs, ours, how }) => `| \`${theirs}\` | ${code(ours)} | ${how} |`),
  ].join("\n");
}
