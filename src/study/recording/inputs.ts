/** The inputs that drove the generator: their averages around events, and one input for each condition. */
import { externalInputs } from "../../data/arrange.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Posterior } from "../../inference/posterior.ts";
import { shapeOf } from "../../model/layout.ts";
import type { Model } from "../../model/model.ts";
import type { AlignedView, InputsView } from "../../report/recording_data.ts";
import type { Study } from "../report.ts";
import { eventsOf, type TrialEvent } from "./events.ts";
import { lengthOf, type TrialGroup, trialGroups } from "./groups.ts";

/** Inputs of every trial: inferred ones, then external ones, as the generator's cell takes them. */
export interface Inputs {
  readonly U: number;
  readonly X: number;
  /** [trials, T, U + X] */
  readonly inputs_BTI: Float64Array;
}

/** null where the generator has no input. */
export function inputsOf(
  data: Dataset,
  model: Model,
  { inputs_BTU }: Pick<Posterior, "inputs_BTU">,
): Inputs | null {
  const { T, U, X } = shapeOf(model.architecture), I = U + X;
  if (I === 0) return null;
  const external = X > 0 && data.external_BTX ? externalInputs(data.external_BTX, T) : null;
  const inputs_BTI = new Float64Array(data.trials * T * I);
  for (let row = 0; row < data.trials * T; row++) {
    for (let u = 0; u < U; u++) inputs_BTI[row * I + u] = inputs_BTU[row * U + u];
    for (let x = 0; x < X; x++) inputs_BTI[row * I + U + x] = external?.[row * X + x] ?? 0;
  }
  return { U, X, inputs_BTI };
}

/** Averages over the trials of each condition; null for a model without inferred inputs. */
export function inputsView({ data, model, posterior }: Study): InputsView | null {
  const inputs = inputsOf(data, model, posterior);
  if (inputs === null || inputs.U === 0) return null;
  const groups = trialGroups(data);
  return {
    U: inputs.U,
    X: inputs.X,
    groups: groups.map(({ condition, trials }) => ({ condition, trials: trials.length })),
    events: eventsOf(data)
      .map((event) => align(data, inputs, groups, event))
      .filter((aligned) => aligned !== null),
  };
}

/** Averages around an event, in bins that at least half of a group's trials have; null without any. */
function align(
  data: Dataset,
  { U, X, inputs_BTI }: Inputs,
  groups: readonly TrialGroup[],
  { name, words, bin_B }: TrialEvent,
): AlignedView | null {
  const { T } = data, I = U + X;
  const bins = 2 * T - 1; // from T - 1 bins before the event to as many after it
  const mean = new Float64Array(groups.length * bins * I).fill(NaN);
  const deviation = mean.slice();
  groups.forEach(({ trials }, k) => {
    const known = trials.filter((b) => bin_B[b] >= 0);
    for (let column = 0; column < bins; column++) {
      const at = (b: number) => column - (T - 1) + bin_B[b];
      const have = known.filter((b) => at(b) >= 0 && at(b) < lengthOf(data, b));
      if (have.length === 0 || 2 * have.length < trials.length) continue;
      for (let i = 0; i < I; i++) {
        const values = Array.from(have, (b) => inputs_BTI[(b * T + at(b)) * I + i]);
        const average = values.reduce((sum, value) => sum + value, 0) / values.length;
        const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
        mean[(k * bins + column) * I + i] = average;
        deviation[(k * bins + column) * I + i] = Math.sqrt(squares / values.length);
      }
    }
  });
  const filled = Array.from({ length: bins }, (_, column) => column).filter((column) =>
    groups.some((_, k) => !Number.isNaN(mean[(k * bins + column) * I]))
  );
  if (filled.length === 0) return null;
  const [first] = filled, end = filled[filled.length - 1] + 1;
  const cut = (values: Float64Array) =>
    Float64Array.from(
      groups.flatMap((_, k) =>
        Array.from(values.subarray((k * bins + first) * I, (k * bins + end) * I))
      ),
    );
  return {
    event: name,
    words,
    from: first - (T - 1),
    bins: end - first,
    mean_KTI: cut(mean),
    deviation_KTI: cut(deviation),
  };
}
