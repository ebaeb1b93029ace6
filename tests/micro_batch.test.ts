/** Steps made in parts come to the same; samples that are hidden from a fit are evaluated beside it. */
import assert from "node:assert/strict";
import type { Executor } from "../src/compute/executor.ts";
import {
  createReferenceExecutor,
  fit,
  InputError,
  NonFiniteError,
  type RunState,
  splitTrials,
  type StartsState,
  stateFromBytes,
  stateToBytes,
} from "../src/mod.ts";
import { historyToCsv } from "../src/train/history_csv.ts";
import { TERMS, termsOf } from "../src/train/losses.ts";
import { hiddenSamples, type Problem, problemOf } from "../src/train/problem.ts";
import { startsFromBytes, startsToBytes } from "../src/train/run_state.ts";
import { initialWeights, Trainer } from "../src/train/trainer.ts";
import { withExecutors } from "./executors.ts";
import {
  data,
  essence,
  essences,
  follow,
  hyperparameters,
  SEED,
  SEEDS,
  solo,
  starts,
} from "./fit_helpers.ts";

const whole = { ...hyperparameters, batchSize: 7 };
const split = splitTrials(data.trials, whole.evalFraction, SEED);

/** A trainer with the parameters of the start, which may be those of another problem. */
async function trainer(executor: Executor, problem: Problem, start = problem) {
  const found = await Trainer.load(executor, problem, SEEDS, split);
  initialWeights(start, SEEDS, split).forEach((weights, fit) => found.write(fit, weights));
  return found;
}

Deno.test("a fit whose steps are made in parts ends with the parameters of one whose are not", async () => {
  const executor = createReferenceExecutor();
  const { result: { state } } = await solo(executor, SEED, { hyperparameters: whole });
  for (const microBatch of [1, 3, 6, 7, 100]) {
    const h = { ...whole, microBatch };
    const { result } = await solo(executor, SEED, { hyperparameters: h });
    // gradients differ by roundings of 2^-53; Adam may divide them by adamEps, 1e-4, at each of 13 steps
    result.state.params_P.forEach((p, i) => assert.ok(Math.abs(p - state.params_P[i]) < 1e-12));
    result.state.history.forEach(({ train, evaluation }, i) => {
      const wanted = state.history[i];
      for (const [found, other] of [[train, wanted.train], [evaluation, wanted.evaluation]]) {
        for (const term of TERMS) {
          assert.ok(Math.abs(found[term] - other[term]) <= 1e-11 * (1 + Math.abs(other[term])));
        }
      }
    });
    // as many parts as there are trials at once: the very same recording
    if (microBatch >= 7) assert.deepEqual(result.state.params_P, state.params_P);
    else assert.notDeepEqual(result.state.params_P, state.params_P);
  }
});

Deno.test("the gradient of a step in parts is that of the whole: wasm, webgpu", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const of = async (microBatch: number) => {
        const found = await trainer(executor, problemOf(data, { ...whole, microBatch }, SEED));
        const outcomes = await found.prove(3);
        found.free();
        return outcomes.map(({ losses: [losses] }) => termsOf(losses));
      };
      const wanted = await of(0);
      // sums of 7 · 6 · 5 terms in another order, each rounded to 24 bits
      const tolerance = 210 * 2 ** -24;
      for (const microBatch of [1, 2, 5]) {
        for (const [fit, terms] of (await of(microBatch)).entries()) {
          terms.forEach((term, i) => {
            const other = wanted[fit][i];
            assert.ok(Math.abs(term - other) <= tolerance * Math.abs(other), `${TERMS[i]} ${term}`);
          });
        }
      }
    }
  }, ["wasm", "webgpu"]);
});

Deno.test("several starts that step in parts have the bits of their own fits, also resumed", async () => {
  await withExecutors(async ([executor]) => {
    const h = { ...whole, microBatch: 3 };
    const saved: Uint8Array[] = [];
    const checkpoint = (state: StartsState) =>
      Promise.resolve(void saved.push(startsToBytes(state, false)));
    const { result } = await starts(executor, { hyperparameters: h, checkpoint });
    for (const [i, seed] of SEEDS.entries()) {
      const alone = await solo(executor, seed, { hyperparameters: h });
      assert.deepEqual(essence(result.state.going[i]), essence(alone.result.state));
    }
    const P = result.model.params_P.length;
    const resume = startsFromBytes(saved[1], P, "the checkpoint");
    const again = await starts(executor, { hyperparameters: h, resume });
    assert.deepEqual(essences(again.result.state), essences(result.state));
  }, ["wasm"]);
});

Deno.test("a part that is not finite is blamed like a whole batch", async () => {
  const wild = {
    ...whole,
    cell: "vanilla" as const,
    nonlinearity: "identity" as const,
    steps: 60,
    stepSize: 9,
    maxGradNorm: 1e9,
    guardRetries: 0,
    microBatch: 2,
  };
  await assert.rejects(solo(createReferenceExecutor(), 12, { hyperparameters: wild }), (error) => {
    assert.ok(error instanceof NonFiniteError);
    assert.match(error.slice ?? "", /^\w+\.\w+$/);
    return true;
  });
});

/** An executor that has room for plans of so many numbers. */
function cramped(executor: Executor, most: number): Executor {
  return {
    info: executor.info,
    runsAtOnce: 1,
    load(plan, fits) {
      const numbers = plan.buffers.reduce((sum, { length }) => sum + length, 0);
      if (numbers > most) throw new Error(`no room for ${numbers}`);
      return executor.load(plan, fits);
    },
    close: () => executor.close(),
  };
}

Deno.test("a batch that does not fit is refused with the microBatch that would", async () => {
  const executor = createReferenceExecutor();
  const h = { ...hyperparameters, batchSize: 64 };
  const sizes: number[] = [];
  const spy: Executor = {
    ...cramped(executor, Infinity),
    load(plan, fits) {
      sizes.push(plan.buffers.reduce((sum, { length }) => sum + length, 0));
      return executor.load(plan, fits);
    },
  };
  for (const microBatch of [0, 16]) {
    await solo(spy, SEED, { hyperparameters: { ...h, microBatch, steps: 1 } });
  }
  const [all, part] = sizes;
  assert.ok(part < all / 2);
  const room = cramped(executor, part);
  await assert.rejects(solo(room, SEED, { hyperparameters: h }), (error) => {
    assert.ok(error instanceof InputError);
    assert.match(error.message, /64 trials a step, 64 at once: .*no room for \d+.* microBatch 16 /);
    return true;
  });
  const { result } = await solo(room, SEED, {
    hyperparameters: { ...h, microBatch: 16, steps: 1 },
  });
  assert.ok(result.completed);
  // where no part fits, the device's own words are the ones to read
  await assert.rejects(
    solo(cramped(executor, 10), SEED, { hyperparameters: h }),
    /^Error: no room/,
  );
});

Deno.test("hidden samples have the likelihood that the others lack, and none of it reaches the fit", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const wide = executor.info.name === "reference";
      const h = { ...hyperparameters, sampleValidation: 0.3 };
      const problem = problemOf(data, h, SEED);
      const open = problemOf(data, hyperparameters, SEED);
      const nll = async (targets: Problem["data"]["targets"]) => {
        const seen = { ...problem, data: { ...problem.data, targets } };
        const found = await trainer(executor, seen, problem);
        const outcomes = await found.evaluate(3);
        found.free();
        return outcomes.map(({ losses: [{ nll }], hidden }) => ({ nll, hidden: hidden! }));
      };
      const parted = await nll(problem.data.targets);
      const together = await nll(open.data.targets);
      parted.forEach(({ nll, hidden }, fit) => {
        assert.ok(hidden !== 0);
        // 30 terms of a trial in two sums instead of one
        const error = Math.abs(nll + hidden - together[fit].nll);
        const size = Math.abs(nll) + Math.abs(hidden);
        assert.ok(error <= 30 * 2 ** (wide ? -53 : -24) * size, `${error}`);
      });
      const { result: { state, model } } = await solo(executor, SEED, { hyperparameters: h });
      assert.ok(state.history.every(({ hidden }) => Number.isFinite(hidden)));
      const lines = historyToCsv(state).trim().split("\n").map((line) => line.split(","));
      const column = lines[0].indexOf("hidden_nll");
      assert.deepEqual(
        lines.slice(1).map((line) => Number(line[column])),
        state.history.map(({ hidden }) => hidden),
      );
      const back = stateFromBytes(stateToBytes(state, wide), model.params_P.length, "it");
      assert.deepEqual(back.history, state.history);
      const { T, N } = data;
      const hidden_BTN = hiddenSamples(data, h.sampleValidation, SEED)!;
      const counts_BTN = data.counts_BTN.map((x, i) => hidden_BTN[i] ? x + 1 + i % 3 : x);
      assert.equal(hidden_BTN.length, data.trials * T * N);
      const options = { hyperparameters: h, seed: SEED };
      const other = await follow(fit({ ...data, counts_BTN }, executor, options));
      const fitted = ({ history: _, best: __, good: ___, ...rest }: RunState) => {
        const { seconds: ____, ...state } = rest;
        return state;
      };
      assert.deepEqual(fitted(other.result.state), fitted(state));
      other.result.state.history.forEach(({ train, hidden }, i) => {
        assert.deepEqual(train, state.history[i].train);
        assert.notEqual(hidden, state.history[i].hidden);
      });
      const plain = await solo(executor, SEED);
      assert.ok(plain.result.state.history.every(({ hidden }) => hidden === null));
    }
  }, ["reference", "wasm"]);
});
