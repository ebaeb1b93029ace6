/** The training loop: exact resume, cancel, what is kept when numbers run away. */
import assert from "node:assert/strict";
import {
  createReferenceExecutor,
  fit,
  type FitOptions,
  type FitResult,
  InputError,
  NonFiniteError,
  parseHyperparameters,
  type Progress,
  type RunState,
  simulateRotation,
  stateFromBytes,
  stateToBytes,
} from "../src/mod.ts";
import { PLAIN } from "../src/study/recipes.ts";

const data = simulateRotation({ trials: 10, T: 6, N: 5, seed: 1 });
const hyperparameters = parseHyperparameters({
  ...PLAIN,
  cell: "vanilla",
  encoderUnits: 3,
  generatorUnits: 2,
  factors: 2,
  steps: 12,
  batchSize: 4,
  evaluateEvery: 5,
  checkpointEvery: 4,
});

async function run(
  options: Partial<FitOptions>,
  onProgress: (progress: Progress) => void = () => {},
): Promise<{ result: FitResult; saved: RunState[] }> {
  const saved: RunState[] = [];
  const progress = fit(data, createReferenceExecutor(), {
    hyperparameters,
    seed: 7,
    checkpoint: (state) => {
      saved.push(state);
      return Promise.resolve();
    },
    ...options,
  });
  let next = await progress.next();
  while (!next.done) {
    onProgress(next.value);
    next = await progress.next();
  }
  return { result: next.value, saved };
}

/** What must not depend on being interrupted: everything but the seconds. */
function essence({ seconds: _, history, ...state }: RunState) {
  return { ...state, history: history.map(({ seconds: _, ...entry }) => entry) };
}

Deno.test("a run resumed from any of its checkpoints ends with the same bits", async () => {
  const { result, saved } = await run({});
  assert.deepEqual(saved.map((state) => state.step), [0, 4, 8, 12]);
  const P = result.state.params_P.length;
  for (const state of saved) {
    const resume = stateFromBytes(stateToBytes(state, true), P, "the checkpoint");
    const again = await run({ resume });
    assert.deepEqual(essence(again.result.state), essence(result.state));
  }
});

Deno.test("every step has its own minibatch and noise", async () => {
  const totals: number[] = [];
  await run(
    { hyperparameters: { ...hyperparameters, stepSize: 1e-12 } },
    (progress) => progress.kind === "step" && totals.push(progress.train.nll),
  );
  assert.equal(new Set(totals).size, totals.length);
});

Deno.test("a signal ends a run after the step in progress, with a checkpoint of it", async () => {
  const controller = new AbortController();
  const { result, saved } = await run({ signal: controller.signal }, (progress) => {
    if (progress.kind === "step" && progress.step === 6) controller.abort();
  });
  assert.equal(result.completed, false);
  assert.equal(saved.at(-1)?.step, 6);
});

Deno.test("the model is the one of the best evaluation", async () => {
  const { result } = await run({});
  const scores = result.state.history.map(({ step, evaluation: e }) => ({
    step,
    score: e.nll + e.klIc + e.klInputs,
  }));
  const best = scores.reduce((a, b) => b.score < a.score ? b : a);
  assert.equal(result.model.step, best.step);
  assert.equal(result.state.best.score, best.score);
});

Deno.test("a run whose numbers run away names the step, the term and the parameters", async () => {
  // Without a nonlinearity, steps of 9 make weights whose powers overflow float64 within a few steps.
  const wild = {
    ...hyperparameters,
    nonlinearity: "identity" as const,
    stepSize: 9,
    maxGradNorm: 1e9,
    guardRetries: 0,
    checkpointEvery: 1,
  };
  const saved: RunState[] = [];
  const checkpoint = (state: RunState) => {
    saved.push(state);
    return Promise.resolve();
  };
  const steps = 400;
  await assert.rejects(
    run({ hyperparameters: { ...wild, steps }, checkpoint }),
    (error) => {
      assert(error instanceof NonFiniteError);
      assert(error.step > 0 && error.step < steps);
      assert.match(error.message, /loss term "\w+" is not finite, .* gradient .*\w+\.\w+_\w+/);
      return true;
    },
  );
  // Every checkpoint kept is one that the next step can be made from, with a smaller step size.
  const resume = saved.at(-1)!;
  const tamed = { ...wild, stepSize: 1e-9, steps: resume.step + 1, evaluateEvery: 1000 };
  const { result } = await run({ hyperparameters: tamed, resume });
  assert.equal(result.state.step, resume.step + 1);
});

Deno.test("a run refuses a state of another seed or shape", async () => {
  const { saved } = await run({});
  await assert.rejects(run({ resume: saved[1], seed: 8 }), InputError);
  const bytes = stateToBytes(saved[1], true);
  assert.throws(() => stateFromBytes(bytes, 3, "the checkpoint"), InputError);
});
