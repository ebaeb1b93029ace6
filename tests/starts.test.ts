/** Several starts of a fit: each is the fit of its seed, the best is kept, resuming is exact. */
import assert from "node:assert/strict";
import type { Executor } from "../src/compute/executor.ts";
import {
  createReferenceExecutor,
  fit,
  type FitOptions,
  InputError,
  NonFiniteError,
  type RunState,
  splitTrials,
  StartsFailedError,
  type StartsOptions,
  type StartsProgress,
  type StartsState,
} from "../src/mod.ts";
import { termsOf } from "../src/train/losses.ts";
import { startsFromBytes, startsToBytes, stateFromBytes } from "../src/train/run_state.ts";
import { problemOf } from "../src/train/problem.ts";
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

/** Weights of identity cells that grow until they overflow: sooner or later, as the seed will have it. */
const wild = {
  ...hyperparameters,
  guardRetries: 0,
  cell: "vanilla" as const,
  nonlinearity: "identity" as const,
  stepSize: 9,
  maxGradNorm: 1e9,
};

Deno.test("every start has the bits of the fit of its seed on the same split, on every executor", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const { result } = await starts(executor);
      assert.deepEqual(result.state.going.map(({ seed }) => seed), SEEDS);
      for (const [i, seed] of SEEDS.entries()) {
        const alone = await solo(executor, seed);
        assert.deepEqual(essence(result.state.going[i]), essence(alone.result.state));
        assert.deepEqual(result.split, alone.result.split);
        if (seed === result.model.seed) assert.deepEqual(result.model, alone.result.model);
      }
    }
  });
});

Deno.test("a fit's split is that of its seed, unless another is asked for", async () => {
  const executor = createReferenceExecutor();
  const { result: other } = await solo(executor, 9);
  const { result: own } = await follow(fit(data, executor, { hyperparameters, seed: 9 }));
  const { result: asked } = await solo(executor, 9, { splitSeed: 9 });
  assert.notDeepEqual(own.split, other.split);
  assert.deepEqual(own.split, asked.split);
  assert.deepEqual(essence(own.state), essence(asked.state));
  // a resumed run keeps its split
  const { result: again } = await follow(
    fit(data, executor, { hyperparameters, seed: 9, resume: other.state }),
  );
  assert.deepEqual(again.split, other.split);
});

Deno.test("an evaluation in several batches is the evaluation in one", async () => {
  const split = splitTrials(data.trials, hyperparameters.evalFraction, SEED);
  const evaluation = async (executor: Executor, batchSize: number) => {
    const h = { ...hyperparameters, batchSize };
    const problem = problemOf(data, h, SEED);
    const trainer = await Trainer.load(executor, problem, SEEDS, split);
    initialWeights(problem, SEEDS, split).forEach((weights, fit) => trainer.write(fit, weights));
    return (await trainer.evaluate(3)).map(({ losses: [losses] }) => termsOf(losses));
  };
  const executor = createReferenceExecutor();
  const whole = await evaluation(executor, 4);
  for (const batchSize of [1, 3]) {
    const found = await evaluation(executor, batchSize);
    whole.forEach((terms, fit) =>
      terms.forEach((term, i) => {
        // only the order of 4 trials' sums differs: some roundings of 2^-53
        assert.ok(Math.abs(found[fit][i] - term) <= 16 * 2 ** -53 * Math.abs(term));
      })
    );
  }
});

Deno.test("the model is that of the start with the smallest evaluation score", async () => {
  const { result } = await starts(createReferenceExecutor());
  const scores = result.state.going.flatMap(({ seed, history }) =>
    history.map(({ step, evaluation: e }) => ({ seed, step, score: e.nll + e.klIc + e.klInputs }))
  );
  const best = scores.reduce((a, b) => b.score < a.score ? b : a);
  assert.deepEqual({ seed: result.model.seed, step: result.model.step }, {
    seed: best.seed,
    step: best.step,
  });
  assert.equal(result.best.best.score, best.score);
  for (const { seed, best, failure } of result.starts) {
    const own = scores.filter((one) => one.seed === seed).map(({ score }) => score);
    assert.equal(best?.score, Math.min(...own));
    assert.equal(failure, null);
  }
});

Deno.test("a run of several starts, resumed from any of its checkpoints, ends with the same bits", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const wide = executor.info.name === "reference";
      const saved: Uint8Array[] = [];
      const checkpoint = (state: StartsState) => {
        saved.push(startsToBytes(state, wide));
        return Promise.resolve();
      };
      const { result } = await starts(executor, { checkpoint });
      const P = result.model.params_P.length;
      const steps: number[] = [];
      for (const bytes of saved) {
        const resume = startsFromBytes(bytes, P, "the checkpoint");
        steps.push(resume.step);
        const again = await starts(executor, { resume });
        assert.deepEqual(essences(again.result.state), essences(result.state));
        assert.deepEqual(again.result.model, result.model);
      }
      assert.deepEqual(steps, [0, 4, 8, 12, 13]);
    }
  });
});

/** The fits of some seeds, each alone: where it ended, or what it failed of. */
async function outcomes(executor: Executor, seeds: readonly number[], options: FitOptions) {
  const found = new Map<number, RunState | NonFiniteError>();
  for (const seed of seeds) {
    try {
      found.set(seed, (await solo(executor, seed, { ...options, seed })).result.state);
    } catch (error) {
      assert.ok(error instanceof NonFiniteError);
      found.set(seed, error);
    }
  }
  return found;
}

Deno.test("a start whose numbers run away is left out where its own fit fails; the others keep their bits", async () => {
  const executor = createReferenceExecutor();
  const hyperparameters = { ...wild, steps: 60 };
  const alone = await outcomes(executor, SEEDS, { hyperparameters, seed: SEED });
  const saved: StartsState[] = [];
  const checkpoint = (state: StartsState) => {
    saved.push(state);
    return Promise.resolve();
  };
  const { result, events } = await starts(executor, { hyperparameters, checkpoint });
  const { going, failed } = result.state;
  assert.ok(going.length > 0 && failed.length > 1);
  for (const state of going) {
    const wanted = alone.get(state.seed);
    assert.ok(wanted && !(wanted instanceof Error));
    assert.deepEqual(essence(state), essence(wanted));
  }
  for (const { seed, step, term, slice } of failed) {
    const error = alone.get(seed);
    assert.ok(error instanceof NonFiniteError);
    assert.deepEqual({ step, term, slice }, {
      step: error.step,
      term: error.term,
      slice: error.slice,
    });
  }
  assert.deepEqual(
    events.flatMap((event) => event.kind === "failed" ? [event.start] : []),
    failed,
  );
  assert.ok(going.some(({ seed }) => seed === result.model.seed));
  // resumed when some had failed and others were yet to fail, and after that: the same
  const between = saved.filter((state) => state.failed.length > 0);
  assert.ok(between[0].failed.length < failed.length);
  for (const resume of between) {
    const bytes = startsToBytes(resume, true);
    const read = startsFromBytes(bytes, result.model.params_P.length, "the checkpoint");
    assert.deepEqual(read, resume);
    const again = await starts(executor, { hyperparameters, resume: read });
    assert.deepEqual(essences(again.result.state), essences(result.state));
  }
});

Deno.test("where every start fails, the error names each with its step and term", async () => {
  const executor = createReferenceExecutor();
  // their own fits fail too
  const seeds = [12, 13, 14];
  const hyperparameters = { ...wild, steps: 60 };
  await assert.rejects(
    starts(executor, { hyperparameters, seed: seeds[0], starts: 3, splitSeed: SEED }),
    (error) => {
      assert.ok(error instanceof StartsFailedError);
      assert.deepEqual(error.failed.map(({ seed }) => seed).sort((a, b) => a - b), seeds);
      for (const { seed, step, term } of error.failed) {
        assert.ok(error.message.includes(`seed ${seed} at step ${step} (${term})`));
      }
      return true;
    },
  );
});

/** An executor that gains from sequences, and records how long they are. */
function patient(executor: Executor, lengths: number[]): Executor {
  return {
    info: executor.info,
    runsAtOnce: 1000,
    async load(plan, fits) {
      const program = await executor.load(plan, fits);
      return {
        fits: program.fits,
        write: program.write.bind(program),
        run: program.run.bind(program),
        read: program.read.bind(program),
        free: program.free.bind(program),
        sequence(recording, runs, collect) {
          if (recording === "step") lengths.push(runs.length);
          return program.sequence(recording, runs, collect);
        },
      };
    },
    close: () => executor.close(),
  };
}

/** What happened, without the clock. */
function happened(events: readonly StartsProgress[]) {
  return events.map((event) => {
    switch (event.kind) {
      case "step":
        return { ...event, stepsPerSecond: 0, secondsLeft: 0 };
      case "evaluation":
        return { ...event, entry: { ...event.entry, seconds: 0 } };
      default:
        return event;
    }
  });
}

Deno.test("steps in chunks have the same bits and tell the same progress, and end where something is due", async () => {
  const executor = createReferenceExecutor();
  const lengths: number[] = [];
  const steps = 60;
  const given = {
    hyperparameters: { ...hyperparameters, steps, evaluateEvery: 20, checkpointEvery: 7 },
  };
  const saved: number[][] = [[], []];
  const checkpoint = (to: number[]) => (state: StartsState) => {
    to.push(state.step);
    return Promise.resolve();
  };
  const plain = await starts(executor, { ...given, checkpoint: checkpoint(saved[0]) });
  const chunked = await starts(patient(executor, lengths), {
    ...given,
    checkpoint: checkpoint(saved[1]),
  });
  assert.deepEqual(essences(chunked.result.state), essences(plain.result.state));
  assert.deepEqual(happened(chunked.events), happened(plain.events));
  assert.deepEqual(saved[1], saved[0]);
  assert.equal(lengths.reduce((sum, length) => sum + length, 0), steps);
  assert.ok(
    Math.max(...lengths) > 1,
    `a step of microseconds was never one of several: ${lengths}`,
  );
});

Deno.test("a number that is not finite inside a chunk is blamed on its step", async () => {
  const executor = createReferenceExecutor();
  const given = { ...wild, steps: 400, evaluateEvery: 1000, checkpointEvery: 1000 };
  const [alone] = (await outcomes(executor, [SEED], { hyperparameters: given, seed: SEED }))
    .values();
  assert.ok(alone instanceof NonFiniteError);
  const lengths: number[] = [];
  const events: StartsProgress[] = [];
  await assert.rejects(
    async () => {
      const run = fit(data, patient(executor, lengths), { hyperparameters: given, seed: SEED });
      for await (const event of run) events.push(event);
    },
    (error) => {
      assert.ok(error instanceof NonFiniteError);
      assert.deepEqual({ step: error.step, term: error.term }, {
        step: alone.step,
        term: alone.term,
      });
      // after further steps the gradient is no longer that step's
      const later = lengths.reduce((sum, length) => sum + length, 0) > error.step + 1;
      assert.equal(error.slice, later ? null : alone.slice);
      return true;
    },
  );
  const made = events.flatMap((event) => event.kind === "step" ? [event.step] : []);
  assert.deepEqual(made, Array.from({ length: alone.step }, (_, i) => i + 1));
});

Deno.test("starts, seeds and states that cannot be are refused", async () => {
  const executor = createReferenceExecutor();
  const refused = (options: Partial<StartsOptions>, pattern: RegExp) =>
    assert.rejects(starts(executor, options), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, pattern);
      return true;
    });
  for (const wrong of [0, -1, 1.5, 257, NaN]) {
    await refused({ starts: wrong }, /expected 1 to 256 starts, found/);
  }
  await refused({ seed: 2 ** 53 - 2 }, /expected seeds from 0 to 2\^53 - 1, found 4 from/);
  await refused({ seed: -1, starts: 1 }, /expected a seed from 0/);
  await refused({ splitSeed: 0.5 }, /expected a seed of the split/);
  const { result: { state: resume } } = await starts(executor);
  await refused({ resume, seed: 8 }, /expected seeds 7, 8, 9, 10, .* found seeds 8, 9, 10, 11/);
  await refused({ resume, starts: 3 }, /found seeds 7, 8, 9\./);
  await refused({ resume, splitSeed: 8 }, /expected the split of seed 7, .* that of seed 8/);
  const bytes = startsToBytes(resume, true);
  const P = resume.going[0].params_P.length;
  assert.throws(() => stateFromBytes(bytes, P, "it"), /expected a checkpoint of one start, found/);
  assert.throws(() => startsFromBytes(bytes, P + 1, "it"), /expected "params_P" of 4 times the/);
});
