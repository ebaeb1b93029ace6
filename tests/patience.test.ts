/** The plateau schedule and the early stop: functions of the history, in one go or resumed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createReferenceExecutor,
  type HistoryEntry,
  InputError,
  learningRate,
  parseHyperparameters,
  type StartsState,
} from "../src/mod.ts";
import { scoreOf } from "../src/train/losses.ts";
import { patienceOf } from "../src/train/patience.ts";
import { startsFromBytes, startsToBytes } from "../src/train/run_state.ts";
import { withExecutors } from "./executors.ts";
import { essence, essences, hyperparameters, SEED, SEEDS, solo, starts } from "./fit_helpers.ts";

const nothing = {
  total: 0,
  klIc: 0,
  klInputs: 0,
  l2: 0,
  gradNorm: 0,
  klIcScale: 1,
  klInputsScale: 1,
  learningRate: 0,
};

function historyOf(scores: readonly number[], every = 1) {
  return scores.map((nll, i) => ({ step: (i + 1) * every, evaluation: { ...nothing, nll } }));
}

const someSteps = fc.integer({ min: 1, max: 100 });

/** Few different scores, so that they repeat. */
const someScores = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 40 });

Deno.test("a plateau lowers the rate as PyTorch's ReduceLROnPlateau does", () => {
  fc.assert(
    fc.property(
      someScores,
      fc.integer({ min: 0, max: 4 }),
      fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      (scores, plateauPatience, plateauFactor) => {
        const h = parseHyperparameters({
          schedule: "plateau",
          plateauPatience,
          plateauFactor,
          minStepSize: 1e-3,
          klMin: 1,
        });
        // torch.optim.lr_scheduler.ReduceLROnPlateau(mode="min", threshold=0.0), line by line
        let rate = h.stepSize, best = Infinity, bad = 0;
        scores.forEach((score, i) => {
          if (score < best) {
            best = score;
            bad = 0;
          } else bad++;
          if (bad > plateauPatience) {
            rate = Math.max(rate * plateauFactor, h.minStepSize);
            bad = 0;
          }
          const { plateaus } = patienceOf(h, historyOf(scores.slice(0, i + 1)));
          const found = learningRate(h, i, plateaus);
          // a power instead of some products: as many roundings as there are factors
          assert.ok(Math.abs(found - rate) <= 42 * 2 ** -53 * rate, `${found} ${rate}`);
        });
      },
    ),
  );
});

Deno.test("evaluations without improvement are those since the best, and since the loss is whole", () => {
  fc.assert(
    fc.property(someScores, someSteps, someSteps, (scores, klEnd, l2End) => {
      const h = { plateauPatience: 6, klMin: 0, klMax: 1, klEnd, l2End };
      const history = historyOf(scores, 3);
      const first = scores.findIndex((score) => score === Math.min(...scores));
      const after = history.slice(first + 1).filter(({ step }) => step > Math.max(klEnd, l2End));
      assert.equal(patienceOf(h, history).without, after.length);
      // a constant scale has no ramp
      const constant = { ...h, klMin: 1, l2End: 0 };
      const since = scores.length === 0 ? 0 : scores.length - 1 - first;
      assert.equal(patienceOf(constant, history).without, since);
    }),
  );
});

/** Evaluations that soon no longer improve: at every step, with steps that are too large. */
const restless = {
  ...hyperparameters,
  steps: 40,
  stepSize: 0.1,
  klMin: 1,
  evaluateEvery: 1,
  earlyStop: 3,
};

/** Where a history should have ended. */
function endOf(history: readonly Pick<HistoryEntry, "step" | "evaluation">[], earlyStop: number) {
  let best = Infinity, without = 0;
  for (const { step, evaluation } of history) {
    const score = scoreOf(evaluation);
    without = score < best ? 0 : without + 1;
    best = Math.min(best, score);
    if (without === earlyStop) return step;
  }
  return null;
}

Deno.test("a fit stops at the evaluation that is one too many, with the best of them as its model", async () => {
  const executor = createReferenceExecutor();
  const full = await solo(executor, SEED, { hyperparameters: { ...restless, earlyStop: 0 } });
  assert.deepEqual([full.result.completed, full.result.ended], [true, "steps"]);
  const end = endOf(full.result.state.history, 3)!;
  assert.ok(end < restless.steps);
  const { result, events } = await solo(executor, SEED, { hyperparameters: restless });
  assert.deepEqual([result.completed, result.ended, result.state.step], [true, "early-stop", end]);
  const steps = events.flatMap((event) => event.kind === "step" ? [event.step] : []);
  assert.equal(steps.length, end);
  assert.equal(result.model.step, result.state.best.step);
  assert.equal(result.model.step, result.state.history.at(-4)!.step);
});

Deno.test("of several starts each stops where its own fit does, waits, and keeps its bits; so do they resumed", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const wide = executor.info.name === "reference";
      const given = { ...restless, schedule: "plateau" as const, plateauPatience: 0 };
      const saved: Uint8Array[] = [];
      const checkpoint = (state: StartsState) => {
        saved.push(startsToBytes(state, wide));
        return Promise.resolve();
      };
      const { result } = await starts(executor, { hyperparameters: given, checkpoint });
      assert.equal(result.ended, "early-stop");
      const ends = result.state.going.map(({ step }) => step);
      assert.ok(new Set(ends).size > 1, `all stopped at once: ${ends}`);
      assert.equal(result.state.step, Math.max(...ends));
      for (const [i, seed] of SEEDS.entries()) {
        const alone = await solo(executor, seed, { hyperparameters: given });
        assert.deepEqual(essence(result.state.going[i]), essence(alone.result.state));
        const { history } = alone.result.state;
        for (const [n, { step, train }] of history.entries()) {
          // one step before each evaluation, at the rate of the plateaus until then
          const { plateaus } = patienceOf(given, history.slice(0, n));
          assert.equal(train.learningRate, learningRate(given, step - 1, plateaus));
        }
        assert.ok(patienceOf(given, history).plateaus > 1);
      }
      const P = result.model.params_P.length;
      for (const bytes of saved) {
        const resume = startsFromBytes(bytes, P, "the checkpoint");
        const again = await starts(executor, { hyperparameters: given, resume });
        assert.deepEqual(essences(again.result.state), essences(result.state));
        assert.equal(again.result.ended, "early-stop");
      }
    }
  }, ["reference", "wasm"]);
});

Deno.test("a run that stopped early goes on with a later stop as if that had been asked for", async () => {
  const executor = createReferenceExecutor();
  const { result: early } = await starts(executor, { hyperparameters: restless });
  const later = { hyperparameters: { ...restless, earlyStop: 5 } };
  const { result: whole } = await starts(executor, later);
  const { result: resumed } = await starts(executor, { ...later, resume: early.state });
  assert.ok(early.state.step < whole.state.step);
  assert.deepEqual(essences(resumed.state), essences(whole.state));
});

Deno.test("a least learning rate above the first is refused", () => {
  assert.throws(
    () => parseHyperparameters({ schedule: "plateau", minStepSize: 0.1 }),
    (error) =>
      error instanceof InputError &&
      /minStepSize: expected at most stepSize 0.01, found 0.1/.test(error.message),
  );
});
