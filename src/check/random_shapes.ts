/** Checks without files: random models, whose gradients are held against differences. */
import { type Executor, type Program, scalars } from "../compute/executor.ts";
import { LOSSES, MAX_LOG_RATE, type Scalars } from "../compute/kernels.ts";
import { createReferenceExecutor } from "../compute/reference.ts";
import { InputError } from "../errors.ts";
import { type PlanSizes, type StepOptions, trainingPlan } from "../model/choreography.ts";
import { type Architecture, type Layout, parameterLayout } from "../model/layout.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../random.ts";
import { derivative } from "./differences.ts";
import { worstSlice } from "./lfads.ts";
import { type CheckReport, executorLabels, report, Sheet, worstError } from "./table.ts";
import { tolerances } from "./tolerances.ts";

/** What to draw. */
export interface RandomShapes {
  /** the same seed draws the same models, data and noise */
  readonly seed: number;
  /** how many models */
  readonly shapes: number;
}

/** One random model with its data; all numbers are such that float32 holds them exactly. */
interface Draw {
  readonly name: string;
  readonly model: Architecture;
  readonly layout: Layout;
  readonly options: StepOptions;
  readonly sizes: PlanSizes;
  readonly params_P: Float64Array;
  readonly counts: Float64Array;
  readonly trials_B: number[];
  readonly run: Scalars;
}

/** Directions through all parameters at once, beside one through each slice. */
const WHOLE = 3;
/** Single parameters. */
const SINGLE = 4;

/**
 * Draws random models (sizes 1 … 9, both cells, all nonlinearities, with and without controller,
 * dropout, L2 and the spikes' sparse path; T = 1 and wide counts among them) with random parameters,
 * spikes and noise. On each it compares
 *
 * - the reference's gradient with differences in float64 (see `derivative`): along random directions
 *   through all parameters, through each slice alone, and along single parameters;
 * - every executor's losses and whole gradient with the reference's.
 *
 * @throws {InputError} when the seed or the number of shapes is out of range
 *
 * @example
 * ```ts
 * const { passed } = await checkRandomShapes([await createWasmExecutor()], { seed: 1, shapes: 20 });
 * ```
 */
export async function checkRandomShapes(
  executors: readonly Executor[],
  { seed, shapes }: RandomShapes,
): Promise<CheckReport> {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(
      `Cannot check random shapes: expected a seed from 0 to 2^53 - 1, found ${seed}.`,
    );
  }
  if (!Number.isSafeInteger(shapes) || shapes < 1) {
    throw new InputError(
      `Cannot check random shapes: expected at least 1 shape, found ${shapes}.`,
    );
  }
  const reference = createReferenceExecutor("the yardstick of a check");
  const labels = executorLabels(executors);
  const rows = [];
  for (let index = 0; index < shapes; index++) {
    const draw = drawShape(seed, index);
    const wanted = await againstDifferences(draw, reference, rows);
    for (const [i, executor] of executors.entries()) {
      if (executor.info.name === "reference") continue;
      const sheet = new Sheet(draw.name, labels[i]);
      const tolerance = tolerances(executor.info);
      const program = load(draw, executor);
      try {
        await program.run("gradient", draw.run);
        const losses = await program.read("losses");
        const { error, at } = worstError(losses, wanted.losses);
        sheet.add("losses, the worst term", error, tolerance.forward, LOSSES[at]);
        const grads_P = await program.read("grads_P");
        const note = worstSlice(draw.model, grads_P, wanted.grads_P);
        sheet.compare("whole gradient", grads_P, wanted.grads_P, tolerance.gradient, note);
      } finally {
        program.free();
      }
      rows.push(...sheet.rows);
    }
  }
  return report(rows);
}
