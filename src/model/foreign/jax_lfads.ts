/**
 * Models of jax-lfads (the tutorial's code), from their parameter dictionaries: the arrays of
 * `reference_names.ts`, whose shapes tell everything but the bins of a trial.
 */
import {
  architecture,
  type HyperparametersInput,
  parseHyperparameters,
} from "../hyperparameters.ts";
import { parameterLayout } from "../layout.ts";
import { fromReference, type ReferenceTree, toReference } from "../reference_names.ts";
import type { Nonlinearity } from "../../dims.ts";
import { InputError } from "../../errors.ts";
import type { ForeignModel } from "./lfads_torch.ts";
import { Checked, type ForeignTensors, MOST_PARAMETERS, requireParameters } from "./tensors.ts";

/** What a parameter dictionary does not tell, under jax-lfads's defaults. */
export interface JaxLfadsOptions {
  /** bins of a trial */
  readonly bins: number;
  /** of a vanilla generator; default tanh */
  readonly nonlinearity?: Nonlinearity;
  /** `var_min`; default 1e-3 */
  readonly varMin?: number;
  /** most parameters of the model */
  readonly maxParameters?: number;
}

/**
 * A model from a parameter dictionary of jax-lfads, whose names are `gen.wA` and the like.
 *
 * @param action names what is being done, for messages
 * @throws {InputError} naming the array that is missing, unknown or of another shape
 */
export function fromJaxLfads(
  tensors: ForeignTensors,
  options: JaxLfadsOptions,
  action: string,
): ForeignModel {
  const { bins: T, nonlinearity = "tanh", varMin } = options;
  if (!Number.isSafeInteger(T) || T < 1) {
    throw new InputError(`${action}: expected bins of a trial (--bins), found ${T}.`);
  }
  const t = new Checked(tensors, action);
  const one = (name: string) => t.shape(name, 1)[0];
  const controlled = t.has("con_out.b");
  const N = one("logrates.b");
  const given: HyperparametersInput = {
    cell: t.has("gen.wA") ? "vanilla" : "gru",
    nonlinearity,
    encoderUnits: one("ic_enc.fwd_rnn.h0"),
    controllerUnits: controlled ? one("con.h0") : 0,
    inferredInputs: controlled ? one("con_out.b") / 2 : 0,
    generatorUnits: one("gen_ic.b") / 2,
    factors: t.shape("factors.w", 2)[0],
    ...(varMin === undefined ? {} : { varMin }),
  };
  const hyperparameters = parseHyperparameters(given);
  const model = architecture(hyperparameters, T, N);
  const { length } = parameterLayout(model);
  requireParameters(length, options.maxParameters ?? MOST_PARAMETERS, action);
  const tree: Record<string, Record<string, unknown>> = {};
  const empty = new Float64Array(0);
  for (const [name, { shape }] of toReference(empty, model)) {
    const data = Array.from(t.take(name, shape));
    const path = name.split(".");
    let at: Record<string, unknown> = tree;
    for (const part of path.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[path.at(-1)!] = data;
  }
  t.done();
  const params_P = fromReference(tree as ReferenceTree, model);
  return { hyperparameters, N, T, params_P, heldOut: [], warnings: [] };
}
