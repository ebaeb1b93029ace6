/** How well each recipe fits the tutorial's data, over seeds: the figures of the report's comparison. */
import { createWasmExecutor, type RecipeName, RECIPES, tutorial } from "../src/mod.ts";

/** One recipe over all seeds. */
export interface RecipeOutcome {
  readonly recipe: RecipeName;
  readonly seeds: number;
  /** share explained on held-out trials */
  readonly explained: { readonly least: number; readonly median: number; readonly most: number };
  /** seeds that reached 0.95 */
  readonly fitted: number;
  /** seeds with exactly one fixed point */
  readonly onePoint: number;
  /** angle and modulus of the leading eigenvalue (medians), and the largest angle error of any seed */
  readonly angle: number;
  readonly modulus: number;
  readonly worstAngleError: number;
  readonly seconds: number;
}

const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
const median = (values: number[]) => sorted(values)[Math.floor(values.length / 2)];

/** Runs one recipe with the seeds 0 … seeds - 1. */
async function measure(
  recipe: RecipeName,
  seeds: number,
  threads?: number,
): Promise<RecipeOutcome> {
  const device = await createWasmExecutor({ threads });
  const explained: number[] = [],
    angles: number[] = [],
    moduli: number[] = [],
    seconds: number[] = [];
  let onePoint = 0, truth = 0;
  try {
    for (let seed = 0; seed < seeds; seed++) {
      const run = tutorial(device, { seed, recipe, created: "" });
      let next = await run.next();
      while (!next.done) next = await run.next();
      const { summary } = next.value;
      const leading = summary.fixedPoints[0]?.eigenvalues[0];
      truth = summary.truth.angle;
      explained.push(summary.explained);
      seconds.push(summary.trainSeconds);
      if (summary.fixedPoints.length === 1) onePoint++;
      angles.push(leading ? Math.abs(leading.angle) : NaN);
      moduli.push(leading?.modulus ?? NaN);
      console.error(
        `${recipe}, seed ${seed}: explained ${summary.explained.toFixed(4)}, ` +
          `${summary.fixedPoints.length} fixed points, angle ${angles.at(-1)?.toFixed(4)}, ` +
          `${summary.trainSeconds.toFixed(1)} s`,
      );
    }
  } finally {
    device.close();
  }
  const found = angles.filter((angle) => !Number.isNaN(angle));
  return {
    recipe,
    seeds,
    explained: {
      least: Math.min(...explained),
      median: median(explained),
      most: Math.max(...explained),
    },
    fitted: explained.filter((share) => share >= 0.95).length,
    onePoint,
    angle: median(found),
    modulus: median(moduli.filter((modulus) => !Number.isNaN(modulus))),
    worstAngleError: Math.max(...found.map((angle) => Math.abs(angle / truth - 1))),
    seconds: median(seconds),
  };
}

/** `bench recipes [--seeds N] [--recipe NAME] [--threads N]`: one JSON line for each recipe. */
export async function benchRecipes(
  options: { seeds: number; recipe?: RecipeName; threads?: number },
): Promise<void> {
  for (const recipe of options.recipe ? [options.recipe] : RECIPES) {
    console.log(JSON.stringify(await measure(recipe, options.seeds, options.threads)));
  }
}
