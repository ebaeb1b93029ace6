/** Nothing is timed before it is right: results are compared with the reference's and with the peers'. */
import { createReferenceExecutor, type Executor } from "../src/mod.ts";
import type { Shape } from "./shapes.ts";
import type { Task, Verified } from "./task.ts";

/** Ours and another's results disagree: there is nothing to time. */
export class Disagreement extends Error {
  override name = "Disagreement";
}

/** Trials and candidates that are computed in float64, too: no multiple of a tile or of a vector. */
const FEW = 9;

/**
 * Compares a task of a few trials, with all noise explicit, with the float64 reference.
 *
 * @throws {Disagreement} when they differ by more than the task's tolerance
 */
export async function agreeWithReference(
  make: (shape: Shape, executor: Executor) => Task,
  shape: Shape,
  executor: Executor,
  say: (line: string) => void,
): Promise<void> {
  const hyperparameters = { ...shape.hyperparameters, batchSize: FEW };
  const few = { ...shape, trials: FEW, candidates: FEW, hyperparameters };
  const reference = createReferenceExecutor();
  const ours = make(few, executor), theirs = make(few, reference);
  try {
    const found = await ours.verify();
    agree("the reference", found, await theirs.verify(), ours.tolerance, say);
  } finally {
    ours.close();
    theirs.close();
    reference.close();
  }
}

/**
 * Compares results: each number relative to itself, arrays by the norm of their difference.
 *
 * @throws {Disagreement} when something is off by more than the tolerance
 */
export function agree(
  name: string,
  ours: Verified,
  theirs: Verified,
  tolerance: number,
  say: (line: string) => void,
): void {
  const differences = Object.entries(ours.losses).map(([what, value]) => ({
    what,
    by: Math.abs(value - theirs.losses[what]) / (Math.abs(value) || 1),
  }));
  differences.push({ what: "all arrays together", by: relativeDifference(ours, theirs) });
  const worst = differences.reduce((a, b) => a.by >= b.by ? a : b);
  // Written so that NaN disagrees.
  const wrong = differences.filter(({ by }) => !(by <= tolerance));
  if (wrong.length > 0) {
    throw new Disagreement(
      `Cannot time ${name}: expected results within ${tolerance.toExponential(1)} of ours, found ` +
        wrong.map(({ what, by }) => `${what} off by ${by.toExponential(1)}`).join(", ") + ".",
    );
  }
  say(
    `${name} agrees: largest relative difference ${worst.by.toExponential(1)} (${worst.what}), ` +
      `bound ${tolerance.toExponential(1)}.`,
  );
}

/** ‖ours - theirs‖ / ‖ours‖ over all arrays. */
function relativeDifference(ours: Verified, theirs: Verified): number {
  let difference = 0, norm = 0;
  for (const [name, a] of Object.entries(ours.arrays)) {
    const b = theirs.arrays[name];
    if (b?.length !== a.length) {
      throw new Disagreement(
        `Cannot compare ${name}: expected ${a.length} numbers, found ${b?.length ?? "none"}.`,
      );
    }
    for (let i = 0; i < a.length; i++) {
      difference += (a[i] - b[i]) ** 2;
      norm += a[i] ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
