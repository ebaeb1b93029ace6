/** Going back where a number is not finite: what it changes, what it leaves alone, and resuming. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Executor, ofFit } from "../src/compute/executor.ts";
import {
  createReferenceExecutor,
  NonFiniteError,
  type RecoveredStart,
  type StartsProgress,
  type StartsState,
} from "../src/mod.ts";
import { historyToCsv } from "../src/train/history_csv.ts";
import { scoreOf } from "../src/train/losses.ts";
import { startsFromBytes, startsToBytes } from "../src/train/run_state.ts";
import { withExecutors } from "./executors.ts";
import { essence, essences, hyperparameters, SEED, SEEDS, solo, starts } from "./fit_helpers.ts";

/** A step of a start that goes wrong while the learning rate is above a limit. */
interface Fault {
  readonly seed: number;
  readonly step: number;
  readonly above: number;
}

/** An executor on which some steps of some starts go wrong: no finite loss, and no finite parameter after. */
function faulty(executor: Executor, faults: readonly Fault[]): Executor {
  return {
    info: executor.info,
    runsAtOnce: executor.runsAtOnce,
    async load(plan, fits = 1) {
      const program = await executor.load(plan, fits);
      return {
        fits,
        write: program.write.bind(program),
        run: program.run.bind(program),
        read: program.read.bind(program),
        free: program.free.bind(program),
        async sequence(recording, runs, collect) {
          const collected = await program.sequence(recording, runs, collect);
          if (recording !== "step") return collected;
          for (const [i, { scalars }] of runs.entries()) {
            for (let fit = 0; fit < fits; fit++) {
              const { seedLo, step, learningRate } = ofFit(scalars, fit);
              const hit = faults.some((fault) =>
                fault.seed === seedLo && fault.step === step && learningRate > fault.above
              );
              if (!hit) continue;
              collected.slice(i).forEach((values) => values[fit].fill(NaN));
              const { length } = await program.read("params_P", 0, undefined, fit);
              program.write("params_P", new Float64Array(length).fill(NaN), 0, fit);
            }
          }
          return collected;
        },
      };
    },
    close: () => executor.close(),
  };
}

const RATE = hyperparameters.stepSize;

function recovered(events: readonly StartsProgress[]): RecoveredStart[] {
  return events.flatMap((event) => event.kind === "recovered" ? [event.start] : []);
}

/** Faults that halving the rate cures after one, two or three times; at most one at each step. */
const someFaults = fc.uniqueArray(
  fc.record({
    seed: fc.constantFrom(...SEEDS.slice(0, 3)),
    step: fc.integer({ min: 1, max: hyperparameters.steps - 1 }),
    above: fc.constantFrom(0.7 * RATE, 0.3 * RATE, 0.2 * RATE),
  }),
  { minLength: 1, maxLength: 4, selector: ({ seed, step }) => `${seed} ${step}` },
);

const intervals = fc.record({
  evaluateEvery: fc.integer({ min: 1, max: 8 }),
  checkpointEvery: fc.integer({ min: 1, max: 8 }),
});

/** Steps that no lower rate lets by: the first ones from a good state. */
function curable({ step }: Fault, { checkpointEvery }: { readonly checkpointEvery: number }) {
  return step % checkpointEvery !== 0;
}

for (const [kind, numRuns] of [["reference", 12], ["wasm", 4]] as const) {
  Deno.test(`starts that go back have the bits of their own fits, and the others theirs: ${kind}`, async () => {
    await withExecutors(async ([executor]) => {
      const untouched = (await solo(executor, SEEDS[3])).result.state;
      await fc.assert(
        fc.asyncProperty(someFaults, intervals, async (all, given) => {
          const faults = all.filter((fault) => curable(fault, given));
          const device = faulty(executor, faults);
          const h = { ...hyperparameters, ...given };
          const { result, events } = await starts(device, { hyperparameters: h });
          assert.equal(result.state.failed.length, 0);
          const back = recovered(events);
          for (const [i, seed] of SEEDS.entries()) {
            const alone = await solo(device, seed, { hyperparameters: h });
            const state = result.state.going[i];
            assert.deepEqual(essence(state), essence(alone.result.state));
            assert.ok(state.params_P.every(Number.isFinite));
            assert.deepEqual(
              back.filter((one) => one.seed === seed).map(({ seed: _, ...one }) => one),
              state.recoveries,
            );
            const own = faults.filter((fault) => fault.seed === seed);
            assert.equal(state.recoveries.length > 0, own.length > 0);
            state.recoveries.forEach(({ step, to, factor }, n) => {
              assert.equal(to, step - step % h.checkpointEvery);
              assert.equal(factor, 0.5 ** (n + 1));
              assert.ok(own.some((fault) => fault.step === step));
            });
            const steps = state.history.map(({ step }) => step);
            assert.deepEqual(steps, steps.toSorted((a, b) => a - b));
            assert.equal(new Set(steps).size, steps.length);
            const scores = state.history.map(({ evaluation }) => scoreOf(evaluation));
            assert.equal(state.best.score, Math.min(...scores));
          }
          assert.deepEqual(result.state.going[3].params_P, untouched.params_P);
        }),
        { numRuns },
      );
    }, [kind]);
  });
}

Deno.test("from where it goes back, a start is what a lower step size makes of that state", async () => {
  const executor = createReferenceExecutor();
  const fault = { seed: SEED, step: 10, above: 0.7 * RATE };
  const device = faulty(executor, [fault]);
  const { result: { state } } = await solo(device, SEED);
  const clean: StartsState[] = [];
  const checkpoint = (state: StartsState) => Promise.resolve(void clean.push(state));
  await starts(executor, { starts: 1, checkpoint });
  const [from] = clean.find(({ step }) => step === 8)!.going;
  const again = await solo(executor, SEED, {
    hyperparameters: { ...hyperparameters, stepSize: RATE / 2 },
    resume: from,
  });
  const { recoveries, good: _, ...rest } = essence(state);
  const { recoveries: none, good: __, ...wanted } = essence(again.result.state);
  assert.deepEqual(rest, wanted);
  assert.deepEqual(none, []);
  assert.deepEqual(recoveries, [
    { step: 10, term: "nll", slice: recoveries[0].slice, to: 8, factor: 0.5 },
  ]);
});

/** Faults of every kind: soon and late, one start's twice, one that is cured by nothing. */
const FAULTS: readonly Fault[] = [
  { seed: 7, step: 3, above: 0.7 * RATE },
  { seed: 7, step: 7, above: 0.3 * RATE },
  { seed: 8, step: 11, above: 0.2 * RATE },
  { seed: 10, step: 6, above: 0 },
];

Deno.test("interrupted anywhere, also while a start catches up, a run ends with the same bits", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const wide = executor.info.name === "reference";
      const device = faulty(executor, FAULTS);
      const saved: StartsState[] = [];
      const checkpoint = (state: StartsState) => Promise.resolve(void saved.push(state));
      const whole = await starts(device, { checkpoint }, (event) => {
        if (event.kind !== "recovered") return;
        // told only once it is saved: what is killed then does not fail there again
        const { seed, ...recovery } = event.start;
        const now = saved.at(-1)!.going.find((start) => start.seed === seed)!;
        assert.deepEqual([now.step, now.recoveries.at(-1)], [recovery.to, recovery]);
      });
      const wanted = essences(whole.result.state);
      assert.deepEqual(whole.result.state.failed.map(({ seed }) => seed), [10]);
      // bits do not depend on being saved
      assert.deepEqual(essences((await starts(device)).result.state), wanted);
      const P = whole.result.model.params_P.length;
      const goOn = async (state: StartsState) => {
        const bytes = startsToBytes(state, wide);
        const resume = startsFromBytes(bytes, P, "the checkpoint");
        assert.deepEqual(startsToBytes(resume, wide), bytes);
        assert.deepEqual(essences((await starts(device, { resume })).result.state), wanted);
      };
      // killed: it goes on from the last checkpoint, whichever that is
      for (const state of saved) await goOn(state);
      // stopped after each event
      let behind = 0;
      for (let after = 1; after < whole.events.length; after += wide ? 4 : 13) {
        const stop = new AbortController();
        let seen = 0;
        const last: StartsState[] = [];
        const checkpoint = (state: StartsState) => Promise.resolve(void last.push(state));
        await starts(device, { checkpoint, signal: stop.signal }, () => {
          if (++seen === after) stop.abort();
        });
        const state = last.at(-1)!;
        if (state.going.some(({ step }) => step < state.step)) behind++;
        await goOn(state);
      }
      if (wide) assert.ok(behind > 0, "no start was ever stopped while it caught up");
    }
  }, ["reference", "wasm"]);
});

Deno.test("a start goes back so often and no more; then it is left out, and the others go on", async () => {
  const executor = createReferenceExecutor();
  const device = faulty(executor, FAULTS);
  const { result, events } = await starts(device);
  const [failed] = result.state.failed;
  assert.deepEqual([failed.seed, failed.step, failed.term], [10, 6, "nll"]);
  assert.equal(failed.recoveries.length, hyperparameters.guardRetries);
  assert.equal(failed.recoveries.at(-1)!.factor, 0.5 ** 5);
  assert.deepEqual(events.flatMap((event) => event.kind === "failed" ? [event.start] : []), [
    failed,
  ]);
  assert.deepEqual(result.starts.map(({ recoveries }) => recoveries.length), [2, 3, 0, 5]);
  const clean = await starts(executor);
  assert.deepEqual(essence(result.state.going[2]), essence(clean.result.state.going[2]));

  const tells = (wanted: RegExp) => (error: unknown) => {
    assert.ok(error instanceof NonFiniteError);
    assert.match(error.message, wanted);
    return true;
  };
  await assert.rejects(
    solo(device, 10),
    tells(/at step 6 .*gone back and lowered its rate 5 times/),
  );
  const never = { hyperparameters: { ...hyperparameters, guardRetries: 0 } };
  await assert.rejects(solo(device, 10, never), (error) => {
    assert.doesNotMatch((error as Error).message, /gone back/);
    return tells(/at step 6 /)(error);
  });
});

Deno.test("no start goes back to make the very step that failed: no rate would change it", async () => {
  for (const step of [0, 4]) {
    const device = faulty(createReferenceExecutor(), [{ seed: SEED, step, above: 0 }]);
    await assert.rejects(solo(device, SEED), (error) => {
      assert.ok(error instanceof NonFiniteError);
      assert.deepEqual([error.step, error.retries], [step, 0]);
      return true;
    });
  }
});

Deno.test("a step size that is absurd is lowered until training ends with finite numbers", async () => {
  await withExecutors(async (all) => {
    const wild = {
      ...hyperparameters,
      cell: "vanilla" as const,
      nonlinearity: "identity" as const,
      steps: 60,
      stepSize: 10,
      maxGradNorm: 1e9,
      guardFactor: 0.1,
    };
    for (const executor of all) {
      await assert.rejects(
        solo(executor, 12, { hyperparameters: { ...wild, guardRetries: 0 } }),
        NonFiniteError,
      );
      const { result, events } = await solo(executor, 12, { hyperparameters: wild });
      const { recoveries, params_P, history } = result.state;
      assert.ok(recoveries.length > 0);
      assert.deepEqual(recovered(events).length, recoveries.length);
      assert.ok(params_P.every(Number.isFinite));
      const last = history.at(-1)!;
      assert.equal(last.step, wild.steps);
      // the mean of rates that fall by 0.02 % a step
      const factor = recoveries.at(-1)!.factor;
      assert.ok(last.train.learningRate < factor * wild.stepSize);
      assert.ok(last.train.learningRate > 0.98 * factor * wild.stepSize);
    }
  }, ["reference", "wasm"]);
});

Deno.test("what became void is told again: the last word on a step is what the history says", async () => {
  const device = faulty(createReferenceExecutor(), FAULTS.slice(0, 3));
  const h = { ...hyperparameters, evaluateEvery: 2, checkpointEvery: 6 };
  const { result, events } = await starts(device, { hyperparameters: h });
  const told = new Map<number, number>();
  let best: number | null = null;
  for (const event of events) {
    if (event.kind === "recovered") best = event.best?.score ?? null;
    if (event.kind !== "evaluation") continue;
    const { step, evaluation: { nll, klIc, klInputs } } = event.entry;
    told.set(step, nll + klIc + klInputs);
    if (event.best) best = nll + klIc + klInputs;
  }
  const { going } = result.state;
  for (const [step, score] of told) {
    const scores = going.flatMap(({ history }) =>
      history.filter((entry) => entry.step === step).map(({ evaluation: e }) =>
        e.nll + e.klIc + e.klInputs
      )
    );
    assert.equal(score, Math.min(...scores), `step ${step}`);
  }
  assert.equal(told.size, going[0].history.length);
  assert.equal(best, result.best.best.score);
});

Deno.test("the table of a start's losses says where it went back", async () => {
  const device = faulty(createReferenceExecutor(), FAULTS);
  const { result: { state } } = await solo(device, 7);
  const lines = historyToCsv(state).trim().split("\n").map((line) => line.split(","));
  const steps = lines.slice(1).map(([step]) => Number(step));
  assert.deepEqual(steps, [0, 4, 5, 10, 13]);
  assert.ok(lines.every(({ length }) => length === lines[0].length));
  assert.deepEqual(lines.map((line) => line.at(-1)), [
    "event",
    "back from step 3: nll is not finite; learning rate times 0.5",
    "back from step 7: nll is not finite; learning rate times 0.25",
    "",
    "",
    "",
  ]);
});
